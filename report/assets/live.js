// Keeps a served page up to date by server-sent events, and tries winners on a
// picture. A report in a file has no address of events, and nothing happens here.
(function () {
  "use strict";
  var body = document.body, address = body.dataset.events;
  if (!address) return;
  var page = window.evosr && evosr.page, number = body.dataset.page;

  function put(id, text) {
    var e = document.getElementById(id);
    if (e && e.textContent !== text) e.textContent = text;
  }
  function duration(s) {
    s = Math.round(s);
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
    return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  }
  function tiles(list) {
    var box = document.getElementById("tiles");
    if (!box) return;
    box.replaceChildren.apply(box, list.map(function (t) {
      var div = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd"), strong = document.createElement("strong"), note = document.createElement("span");
      div.className = "tile";
      dt.textContent = t.Label;
      strong.textContent = t.Value;
      note.className = "note";
      note.textContent = t.Note;
      dd.append(strong);
      if (t.Unit) {
        var unit = document.createElement("span");
        unit.className = "unit";
        unit.textContent = " " + t.Unit;
        dd.append(unit);
      }
      dd.append(note);
      div.append(dt, dd);
      return div;
    }));
  }

  // again takes the page's parts that are not drawn from data, and leaves what is
  // open as it is.
  function again() {
    return fetch(location.pathname, { cache: "no-store" }).then(function (r) { return r.text(); }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html");
      if (!page || !fresh.getElementById("data")) return location.reload();
      var open = Array.from(document.querySelectorAll("details[open] > summary")).map(function (s) { return s.textContent; });
      ["top", "main"].forEach(function (id) { document.getElementById(id).replaceWith(document.importNode(fresh.getElementById(id), true)); });
      document.querySelectorAll("details > summary").forEach(function (s) { if (open.indexOf(s.textContent) >= 0) s.parentNode.open = true; });
      take(JSON.parse(fresh.getElementById("data").textContent));
      number = fresh.body.dataset.page;
      page.draw();
      evosr.pictures();
      trial();
    });
  }
  function take(fresh) {
    Object.keys(fresh).forEach(function (k) { page.data[k] = fresh[k]; });
  }

  var busy = false;
  function update(u) {
    put("live-text", u.error || (u.progress ? u.progress.charAt(0).toUpperCase() + u.progress.slice(1) + (u.running ? "." : "; the run is not going on.") : "The run is finished."));
    put("live-left", u.left_s >= 0 ? "about " + duration(u.left_s) + " left of this stage" : "");
    var bar = document.getElementById("live-bar");
    if (bar) bar.style.width = (u.stage === "done" ? 100 : 100 * u.done) + "%";
    document.getElementById("live-state") && document.getElementById("live-state").classList.toggle("finished", u.stage === "done");
    if (u.error && !page) return;
    if (String(u.page) !== number) {
      if (busy) return;
      busy = true;
      again().finally(function () { busy = false; });
      return;
    }
    if (!u.charts || !page) return;
    tiles(u.tiles);
    var known = page.data.evaluations || [], more = u.charts.evaluations || [];
    if (u.from > known.length) return; // the next page has them
    u.charts.evaluations = known.slice(0, u.from).concat(more);
    var canvas = known.length > page.many;
    take(u.charts);
    if (u.charts.evaluations.length > page.many && !canvas) page.draw(); else page.redraw();
  }

  var from = page ? (page.data.evaluations || []).length : 0;
  var source = new EventSource(address + "?from=" + from);
  source.onmessage = function (e) { update(JSON.parse(e.data)); };
  source.onerror = function () { put("live-left", "The server does not answer; trying again."); };
  window.addEventListener("pagehide", function () { source.close(); });

  // trial sends a picture to a winner and to bicubic interpolation.
  function trial() {
    var card = document.getElementById("try-card");
    if (!card) return;
    var file = document.getElementById("try-file"), winner = document.getElementById("try-winner"), state = document.getElementById("try-state"), result = document.getElementById("try-result");
    var picture = null, turn = 0;
    function one(name) {
      return fetch(body.dataset.try + "?winner=" + encodeURIComponent(name), { method: "POST", body: picture }).then(function (r) {
        if (!r.ok) return r.text().then(function (t) { throw new Error(t.replace(/^evosr: /, "")); });
        return r.blob().then(function (b) {
          var img = new Image();
          img.src = URL.createObjectURL(b);
          return img.decode().then(function () { return { img: img, ms: r.headers.get("X-Evosr-Milliseconds"), size: r.headers.get("X-Evosr-Size") }; });
        });
      });
    }
    function run() {
      if (!picture) return;
      var mine = ++turn, letter = winner.selectedOptions[0].textContent.split(":")[0];
      state.textContent = "Enlarging.";
      one(winner.value).then(function (w) {
        return one("bicubic").then(function (b) {
          if (mine !== turn) return;
          state.textContent = "To " + w.size.replace("x", "×") + " pixels: winner " + letter + " in " + Number(Number(w.ms).toPrecision(3)) + " ms, bicubic interpolation in " + Number(Number(b.ms).toPrecision(3)) + " ms, colours included.";
          evosr.compare(result, [{ title: "Bicubic", img: b.img }, { title: "Winner " + letter, img: w.img }], 0, 1);
        });
      }).catch(function (e) { if (mine === turn) state.textContent = "Not enlarged: " + e.message; });
    }
    file.addEventListener("change", function () { picture = file.files[0] || null; run(); });
    winner.addEventListener("change", run);
    card.addEventListener("dragover", function (e) { e.preventDefault(); card.classList.add("over"); });
    card.addEventListener("dragleave", function () { card.classList.remove("over"); });
    card.addEventListener("drop", function (e) {
      e.preventDefault();
      card.classList.remove("over");
      if (e.dataTransfer.files.length) { picture = e.dataTransfer.files[0]; run(); }
    });
  }
  trial();
})();
