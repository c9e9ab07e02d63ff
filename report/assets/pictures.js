// Lays two pictures over each other with a divider between them, zoom, and their
// difference.
(function () {
  "use strict";
  var serial = 0, gain = 4; // of differences
  var side = 480; // of the longer side on the screen, pixels, where the picture is smaller

  function labelled(text, control) {
    var label = document.createElement("label");
    label.append(text + " ", control);
    return label;
  }
  function slider(min, max, step, value) {
    var s = document.createElement("input");
    s.type = "range";
    s.min = min; s.max = max; s.step = step; s.value = value;
    return s;
  }
  function chooser(pictures, chosen) {
    var s = document.createElement("select");
    pictures.forEach(function (p, i) { s.append(new Option(p.title, i, i === chosen, i === chosen)); });
    return s;
  }
  // pixelsOf reads a picture at the size of all.
  function pixelsOf(img, w, h) {
    var c = document.createElement("canvas");
    c.width = w; c.height = h;
    var g = c.getContext("2d", { willReadFrequently: true });
    g.drawImage(img, 0, 0, w, h);
    return g.getImageData(0, 0, w, h);
  }

  // compare fills a node with the pictures {title, img}, whose images are loaded.
  evosr.compare = function (node, pictures, left, right) {
    var w = pictures[0].img.naturalWidth, h = pictures[0].img.naturalHeight, n = ++serial;
    var canvas = document.createElement("canvas"), g = canvas.getContext("2d"), differences = {};
    var grow = Math.max(1, Math.floor(side / Math.max(w, h))), cw = w * grow, ch = h * grow;
    canvas.width = cw; canvas.height = ch;
    canvas.style.maxWidth = Math.max(cw, side) + "px";
    canvas.className = "compare";
    canvas.setAttribute("role", "img");
    var a = chooser(pictures, left), b = chooser(pictures, right), at = slider(0, 100, 0.5, 50), zoom = slider(1, 8, 0.5, 1), diff = document.createElement("input");
    diff.type = "checkbox";
    at.className = "divider"; at.id = "divider-" + n;
    var cx = w / 2, cy = h / 2; // what the middle shows

    function difference(i, j) {
      var key = i + " " + j;
      if (!differences[key]) {
        var p = pixelsOf(pictures[i].img, w, h), q = pixelsOf(pictures[j].img, w, h);
        for (var k = 0; k < p.data.length; k++) if (k % 4 < 3) p.data[k] = Math.min(255, gain * Math.abs(p.data[k] - q.data[k]));
        var c = document.createElement("canvas");
        c.width = w; c.height = h;
        c.getContext("2d").putImageData(p, 0, 0);
        differences[key] = c;
      }
      return differences[key];
    }
    function paint() {
      var z = Number(zoom.value), sw = w / z, sh = h / z, split = cw * at.value / 100;
      cx = Math.min(Math.max(cx, sw / 2), w - sw / 2);
      cy = Math.min(Math.max(cy, sh / 2), h - sh / 2);
      g.imageSmoothingEnabled = false;
      function put(source) { g.drawImage(source, cx - sw / 2, cy - sh / 2, sw, sh, 0, 0, cw, ch); }
      var i = Number(a.value), j = Number(b.value);
      canvas.setAttribute("aria-label", diff.checked ? "Difference of " + pictures[i].title + " and " + pictures[j].title : pictures[i].title + " left of the divider, " + pictures[j].title + " right of it");
      if (diff.checked) return put(difference(i, j));
      put(pictures[j].img);
      g.save();
      g.beginPath();
      g.rect(0, 0, split, ch);
      g.clip();
      put(pictures[i].img);
      g.restore();
      g.fillStyle = "#fff";
      g.fillRect(split - 1, 0, 2, ch);
    }
    [a, b, at, zoom, diff].forEach(function (e) { e.addEventListener("input", paint); });
    var from = null;
    canvas.addEventListener("pointerdown", function (e) {
      from = { x: e.clientX, y: e.clientY };
      canvas.setPointerCapture(e.pointerId);
      if (Number(zoom.value) === 1) move(e);
    });
    function move(e) {
      if (!from) return;
      var box = canvas.getBoundingClientRect(), z = Number(zoom.value);
      if (z === 1) {
        at.value = 100 * (e.clientX - box.left) / box.width;
      } else {
        cx -= (e.clientX - from.x) * w / box.width / z;
        cy -= (e.clientY - from.y) * h / box.height / z;
        from = { x: e.clientX, y: e.clientY };
      }
      paint();
    }
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", function () { from = null; });
    canvas.addEventListener("wheel", function (e) {
      if (!e.ctrlKey) return; // scrolls the page
      e.preventDefault();
      zoom.value = Number(zoom.value) + (e.deltaY < 0 ? 0.5 : -0.5);
      paint();
    }, { passive: false });
    var controls = document.createElement("p");
    controls.className = "compare-controls";
    controls.append(labelled("Left", a), labelled("Right", b), labelled("Divider", at), labelled("Zoom", zoom), labelled("", diff));
    controls.lastChild.append("Difference, ×" + gain);
    node.replaceChildren(canvas, controls);
    paint();
  };

  // loaded calls f when all images are there.
  function loaded(images, f) {
    Promise.all(images.map(function (i) { return i.decode(); })).then(f, function () {});
  }
  evosr.loaded = loaded;
  evosr.pictures = function () {
    document.querySelectorAll("figure.crops").forEach(function (figure) {
      var images = Array.from(figure.querySelectorAll("img"));
      if (images.length < 2 || figure.querySelector(".compare-box")) return;
      var box = document.createElement("div");
      box.className = "compare-box screen";
      figure.prepend(box);
      loaded(images, function () {
        evosr.compare(box, images.map(function (i) { return { title: i.closest(".crop").querySelector("b").textContent, img: i }; }), 0, Math.max(1, images.length - 2));
      });
    });
  };
  evosr.pictures();
})();
