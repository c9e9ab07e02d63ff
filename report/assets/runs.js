// Draws the fronts of several runs over each other and keeps them up to date.
(function () {
  "use strict";
  var runs = JSON.parse(document.getElementById("data").textContent), chart;
  function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function text(s) { var d = document.createElement("div"); d.textContent = s; return d.innerHTML; }
  function cell(tag, s, num) {
    var e = document.createElement(tag);
    e.textContent = s;
    if (num) e.className = "num";
    return e;
  }
  function shown(axis, v) { return (axis.unit === "ms" ? Number(Number(v).toPrecision(3)) : Number(v).toFixed(axis.digits)) + (axis.unit ? " " + axis.unit : ""); }
  // colour gives every run one of its own, the first ones far apart.
  function colour(i) {
    var own = [css("--front"), css("--win"), css("--good"), css("--quiet")];
    return i < own.length ? own[i] : "hsl(" + (i * 137.5) % 360 + " 60% 50%)";
  }
  function draw() {
    var node = document.getElementById("chart-runs"), first = runs.find(function (r) { return (r.front || []).length; });
    if (!first) return;
    if (!chart) chart = echarts.init(node, null, { renderer: "svg" });
    var alike = runs.filter(function (r) { return (r.front || []).length && r.x.key === first.x.key && r.y.key === first.y.key; });
    var xs = alike.flatMap(function (r) { return r.front.map(function (p) { return p.x; }); }), low = Math.min.apply(null, xs), high = Math.max.apply(null, xs), log = low > 0 && high > 8 * low;
    function axis(a) { return { name: a.unit ? a.name + ", " + a.unit : a.name, nameTextStyle: { color: css("--quiet") }, axisLabel: { color: css("--quiet"), hideOverlap: true }, axisLine: { lineStyle: { color: css("--line") } }, splitLine: { lineStyle: { color: css("--line") } }, scale: true }; }
    chart.setOption({
      animation: false, textStyle: { color: css("--ink") },
      legend: { top: 0, textStyle: { color: css("--ink") }, inactiveColor: css("--line") },
      grid: { left: 8, right: 24, top: 60, bottom: 38, containLabel: true },
      tooltip: { backgroundColor: css("--card"), borderColor: css("--line"), textStyle: { color: css("--ink") }, confine: true, formatter: function (i) { return "<b>" + text(i.seriesName) + "</b><br>" + text(i.data.p.id) + "<br>" + text(shown(first.y, i.value[1])) + ", " + text(shown(first.x, i.value[0])); } },
      xAxis: Object.assign(axis(first.x), { nameLocation: "middle", nameGap: 30 }, log ? { type: "log", logBase: 2, min: low / 1.1, max: high * 1.1, axisLabel: { color: css("--quiet"), hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: function (v) { return String(Number(v.toPrecision(3))); } } } : { type: "value" }),
      yAxis: Object.assign(axis(first.y), { type: "value", nameTextStyle: { color: css("--quiet"), align: "left" } }),
      series: alike.map(function (r) {
        var c = colour(runs.indexOf(r));
        return { name: r.name, type: "line", step: "end", symbol: "circle", symbolSize: 6, lineStyle: { color: c, width: 2 }, itemStyle: { color: c }, data: r.front.map(function (p) { return { value: [p.x, p.y], p: p }; }) };
      })
    }, { replaceMerge: ["series"] });
  }
  function rows() {
    var body = document.getElementById("runs-rows");
    body.replaceChildren.apply(body, runs.map(function (r, i) {
      var tr = document.createElement("tr"), th = document.createElement("th"), a = document.createElement("a"), f = r.front || [];
      th.scope = "row";
      a.href = "run/" + i + "/";
      a.textContent = r.name;
      th.append(a);
      function end(p) { return p ? shown(r.y, p.y) + " at " + shown(r.x, p.x) : ""; }
      tr.append(th, cell("td", r.error || r.progress + (r.running || r.stage === "done" ? "" : ", not going on")), cell("td", r.scored, true), cell("td", f.length, true), cell("td", end(f[0])), cell("td", end(f[f.length - 1])));
      return tr;
    }));
  }
  function table(head, list) {
    var t = document.createElement("table"), tr = document.createElement("tr"), thead = document.createElement("thead"), tbody = document.createElement("tbody");
    head.forEach(function (h, i) { var c = cell("th", h, i > 0); c.scope = "col"; tr.append(c); });
    thead.append(tr);
    list.forEach(function (row) {
      var line = document.createElement("tr");
      row.forEach(function (v, i) { var c = cell(i ? "td" : "th", v, i > 0); if (!i) c.scope = "row"; line.append(c); });
      tbody.append(line);
    });
    t.append(thead, tbody);
    return t;
  }
  var comparing = false;
  function compare() {
    var where = document.getElementById("compare");
    if (!where || comparing) return;
    comparing = true;
    fetch(document.body.dataset.compare).then(function (r) { return r.json(); }).then(function (c) {
      if (c.error) return where.replaceChildren(cell("p", "Not comparable: " + c.error));
      var parts = [cell("p", c.objectives.join(", ") + ", after " + c.evaluations + " evaluations each.")];
      (c.warnings || []).forEach(function (w) { parts.push(cell("p", w)); });
      parts.push(table(["Run", "Group", "Points", "Ratio", "At a quarter", "At half"], c.runs.map(function (r) { return [r.dir, r.group, r.points, r.ratio.toFixed(4), r.after[0].toFixed(4), r.after[1].toFixed(4)]; })));
      parts.push(table(["Group", "Runs", "Mean ratio", "Median", "Least", "Most"], c.groups.map(function (g) { return [g.name, g.runs, g.mean_ratio.toFixed(4), g.median_ratio.toFixed(4), g.min_ratio.toFixed(4), g.max_ratio.toFixed(4)]; })));
      if (c.tests && c.tests.length) parts.push(table(["", "Wins", "Gain", "p", "Test"], c.tests.map(function (t) { return [t.a + " over " + t.b, t.wins + " of " + t.pairs, t.mean_gain.toFixed(4), t.p_two_side.toPrecision(3), t.test]; })));
      where.replaceChildren.apply(where, parts);
    }).catch(function () {}).finally(function () { comparing = false; });
  }
  draw();
  rows();
  compare();
  var source = new EventSource(document.body.dataset.events), last = Date.now();
  source.onmessage = function (e) {
    runs = JSON.parse(e.data);
    draw();
    rows();
    if (Date.now() - last > 10000) { last = Date.now(); compare(); }
  };
  window.addEventListener("pagehide", function () { source.close(); });
  window.addEventListener("resize", function () { if (chart) chart.resize(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
