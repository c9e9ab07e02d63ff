// Shows a network in a dialog: its figures, its genome, and the commands that take it
// out of the run and that make the run again.
(function () {
  "use strict";
  var page = evosr.page, dialog = document.getElementById("point"), body = document.getElementById("point-body");

  function make(tag, text, className) {
    var e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (className) e.className = className;
    return e;
  }
  // word makes one word of a shell.
  function word(s) { return "'" + String(s).replace(/'/g, "'\\''") + "'"; }

  function find(id) {
    function of(list) { return (list || []).find(function (p) { return p.id === id; }); }
    var point = of(page.data.evaluations) || of(page.data.front) || of(page.data.winners);
    return point && { point: point, winner: of(page.data.winners), front: of(page.data.front) };
  }

  function facts(rows) {
    var list = make("dl", undefined, "facts");
    rows.forEach(function (r) {
      var row = make("div");
      row.append(make("dt", r[0]), make("dd", r[1]));
      list.append(row);
    });
    return list;
  }

  // parts draws a genome's text: the trunk's width, then a box for each part.
  function parts(genome) {
    var box = make("div", undefined, "genome-drawing");
    genome.split(";").forEach(function (text, i) {
      var kind = text.split("=")[0], prunes = (text.split("=")[1] || "").split(",").filter(Boolean);
      var part = make("span", undefined, "block" + (kind === "skip" ? " skipped" : ""));
      part.append(make("b", i === 0 ? kind.replace(/^w/, "width ") : kind));
      prunes.forEach(function (p) {
        var kept = p.indexOf("@") < 0 ? 100 : 100 - Number(p.split("@")[1]), conv = make("span", undefined, "conv"), bar = make("span", undefined, "bar"), fill = make("span");
        fill.style.width = Math.max(0, Math.min(100, kept)) + "%";
        bar.append(fill);
        conv.append(bar, make("small", p.replace("@", " −") + (p.indexOf("@") < 0 ? "" : " %")));
        part.append(conv);
      });
      box.append(part);
    });
    return box;
  }

  evosr.show = function (id) {
    var found = find(id), x = page.data.x, y = page.data.y;
    if (!found || !dialog) return;
    var p = found.point, w = found.winner, run = page.data.run;
    body.replaceChildren();
    var close = make("button", "Close", "close");
    close.type = "button";
    close.addEventListener("click", function () { dialog.close(); });
    var title = make("h2", (w ? "Winner " + w.letter + " " : found.front ? "On the front: " : "Network ") + id);
    title.id = "point-title";
    body.append(close, title);
    var rows = [[y.name, page.value(y, p.y)], [x.name, page.value(x, p.x)], ["Parameters", page.number(p.params, 0)], ["MACs a frame", page.number(p.macs / 1e6, 1) + " M"]];
    if (w) rows.push(["Fine-tuned", page.value(y, w.done_y)], ["Measured", Number(w.median.toPrecision(3)) + " ms"]);
    if (p.i !== undefined) rows.push(["Evaluation", page.number(p.i + 1, 0) + (p.bad ? ", over budget" : "")]);
    body.append(facts(rows));
    if (p.g) body.append(make("h3", "Genome"), parts(p.g), make("code", p.g, "genome"));
    var lines = [];
    if (w) lines.push("evosr export " + run + " --winner " + id + " -o " + id + ".onnx");
    else if (p.g) lines.push("evosr supernet extract " + run + " --genome " + word(p.g) + " --refit -o " + id + ".onnx");
    lines.push(page.data.repeat);
    var pre = make("pre", lines.join("\n"));
    pre.tabIndex = 0;
    body.append(make("h3", w ? "Export, and the run again" : "Cut out with inherited weights, and the run again"), pre);
    var card = document.getElementById("winner-" + id);
    if (card) {
      var to = make("button", "Go to the card of winner " + w.letter);
      to.type = "button";
      to.addEventListener("click", function () { dialog.close(); card.scrollIntoView(); });
      body.append(to);
    }
    if (!dialog.open) dialog.showModal();
  };

  document.addEventListener("click", function (e) {
    var button = e.target.closest && e.target.closest("[data-point]");
    if (button) evosr.show(button.dataset.point);
    if (e.target === dialog) dialog.close();
  });
})();
