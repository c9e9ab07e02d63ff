// Draws the charts of a report from the JSON beside it. Colours come from the
// style sheet, so that light, dark and printed pages agree. evosr.page is what the
// other scripts of the page use.
var evosr = {};
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent);
  var charts = [];

  function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function number(v, digits) { return Number(v).toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }); }
  function ms(v) { return (v >= 100 ? number(v, 0) : String(Number(Number(v).toPrecision(3)))) + " ms"; }
  function tick(v) { return v >= 1000 ? number(v, 0) : String(Number(v.toPrecision(3))); }
  function value(axis, v) {
    if (axis.unit === "ms") return ms(v);
    return number(v, axis.digits) + (axis.unit ? " " + axis.unit : "");
  }
  function label(axis) { return axis.unit ? axis.name + ", " + axis.unit : axis.name; }
  function text(s) {
    var d = document.createElement("div");
    d.textContent = s;
    return d.innerHTML;
  }
  function tip(title, rows) {
    return "<b>" + text(title) + "</b>" + rows.map(function (r) {
      return "<br>" + text(r[0]) + " <b>" + text(r[1]) + "</b>";
    }).join("");
  }
  function base(theme) {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: theme.ink },
      grid: { left: 8, right: 22, top: 44, bottom: 34, containLabel: true },
      tooltip: { backgroundColor: theme.card, borderColor: theme.line, textStyle: { color: theme.ink, fontSize: 13 }, confine: true }
    };
  }
  function axis(theme, name, options) {
    return Object.assign({
      type: "value", scale: true, name: name, nameLocation: "middle", nameGap: 30,
      nameTextStyle: { color: theme.quiet, fontSize: 13 },
      axisLabel: { color: theme.quiet, hideOverlap: true }, axisLine: { lineStyle: { color: theme.line } },
      splitLine: { lineStyle: { color: theme.line } }
    }, options);
  }
  function yaxis(theme, name, options) {
    return axis(theme, name, Object.assign({
      nameLocation: "end", nameGap: 16, nameTextStyle: { color: theme.quiet, fontSize: 13, align: "left" }
    }, options));
  }
  // logAxis has a line at every power of two, or of ten over a wide range.
  function logAxis(theme, low, high) {
    return { type: "log", logBase: high > 500 * low ? 10 : 2, splitNumber: 10, axisLabel: { color: theme.quiet, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: tick } };
  }
  function xy(p) { return { value: [p.x, p.y], p: p }; }

  function front(theme) {
    var narrow = document.documentElement.clientWidth < 560;
    var x = data.x, y = data.y, winners = data.winners || [], all = data.evaluations || [];
    function describe(title, p) {
      return tip(title, [[y.name, value(y, p.y)], [x.name, value(x, p.x)], ["parameters", number(p.params, 0)], ["MACs a frame", number(p.macs / 1e6, 1) + " M"]]);
    }
    var series = [
      {
        name: "Scored", type: "scatter", symbolSize: 6, itemStyle: { color: theme.dot, opacity: 0.45 }, large: all.length > 4000, largeThreshold: 4000,
        data: all.filter(function (e) { return !e.bad; }).map(xy),
        tooltip: { formatter: function (i) { return describe("Network " + i.data.p.id, i.data.p); } }
      },
      {
        name: "Front", type: "line", step: "end", symbol: "circle", symbolSize: 8, lineStyle: { width: 2, color: theme.front },
        itemStyle: { color: theme.front }, data: (data.front || []).map(xy), z: 3,
        tooltip: { formatter: function (i) { return describe("Front, " + i.data.p.id, i.data.p); } },
        markLine: data.bicubic ? {
          silent: true, symbol: "none", lineStyle: { type: "dashed", color: theme.quiet }, data: [{ yAxis: data.bicubic }],
          label: { formatter: "bicubic " + value(y, data.bicubic), position: "insideEndTop", color: theme.quiet }
        } : undefined
      }
    ];
    if ((data.dense_front || []).length) {
      series.push({
        name: "Front without pruning", type: "line", step: "end", symbol: "emptyCircle", symbolSize: 6, z: 2, lineStyle: { width: 1.5, type: "dashed", color: theme.good }, itemStyle: { color: theme.good },
        data: data.dense_front.map(xy), tooltip: { formatter: function (i) { return describe("Dense, " + i.data.p.id, i.data.p); } }
      });
    }
    var bad = all.filter(function (e) { return e.bad; });
    if (bad.length) {
      series.push({
        name: "Over budget", type: "scatter", symbolSize: 6, itemStyle: { color: "transparent", borderColor: theme.dot, opacity: 0.6 }, data: bad.map(xy),
        tooltip: { formatter: function (i) { return describe("Over budget, " + i.data.p.id, i.data.p); } }
      });
    }
    if (winners.length) {
      series.push({
        name: "Winners as searched", type: "scatter", symbolSize: 17, z: 5, itemStyle: { color: theme.win, opacity: 1, borderColor: theme.card, borderWidth: 2 },
        label: { show: true, position: "bottom", formatter: function (i) { return i.data.p.letter; }, color: theme.ink, fontWeight: 600 },
        data: winners.map(xy),
        tooltip: { formatter: function (i) { return describe("Winner " + i.data.p.letter + " as searched", i.data.p); } },
        markLine: {
          silent: true, symbol: ["none", "none"], lineStyle: { color: theme.win, type: "dotted", width: 1.5 }, label: { show: false },
          data: winners.map(function (w) { return [{ coord: [w.x, w.y] }, { coord: [w.done_x, w.done_y] }]; })
        }
      });
      series.push({
        name: "Winners, fine-tuned and measured", type: "scatter", symbol: "diamond", symbolSize: 15, z: 6, itemStyle: { color: theme.card, opacity: 1, borderColor: theme.win, borderWidth: 2.5 },
        data: winners.map(function (w) { return { value: [w.done_x, w.done_y], p: w }; }),
        tooltip: {
          formatter: function (i) {
            var w = i.data.p;
            return tip("Winner " + w.letter + ", finished", [[y.name, value(y, w.done_y)], [x.key === "latency_ms" ? "Measured latency" : x.name, value(x, w.done_x)]]);
          }
        }
      });
    }
    if (data.dense) {
      series.push({
        name: "Largest, dense", type: "scatter", symbol: "triangle", symbolSize: 15, z: 4, itemStyle: { color: theme.ink }, data: [xy(data.dense)],
        tooltip: { formatter: function (i) { return tip("Largest network, dense", [[y.name, value(y, i.value[1])], [x.name, value(x, i.value[0])]]); } }
      });
    }
    // One measurement on a busy machine, or one network that fails, must not set
    // the scale: what lies outside of it is cut, and told.
    var xs = all.map(function (e) { return e.x; }).concat(data.dense ? [data.dense.x] : []).filter(function (v) { return v > 0; });
    var usual = Math.max.apply(null, xs), beyond = winners.filter(function (w) { return w.done_x > 1.6 * usual; });
    xs = xs.concat(winners.map(function (w) { return w.done_x; }).filter(function (v) { return v > 0 && v <= 1.6 * usual; }));
    var sorted = all.map(function (e) { return e.y; }).sort(function (a, b) { return a - b; });
    var ys = (data.front || []).map(function (p) { return p.y; }).concat(winners.map(function (w) { return w.done_y; }), data.bicubic ? [data.bicubic] : [], data.dense ? [data.dense.y] : []);
    if (sorted.length) ys = ys.concat([sorted[Math.floor(0.02 * sorted.length)], sorted[sorted.length - 1]]);
    var low = Math.min.apply(null, ys), room = 0.06 * (Math.max.apply(null, ys) - low), unit = y.key === "ssim" ? 100 : 2;
    var right = x.log ? 1.1 * Math.max.apply(null, xs) : Number((1.04 * Math.max.apply(null, xs)).toPrecision(2)), left = x.log ? Math.min.apply(null, xs) / 1.1 : 0;
    if (beyond.length) {
      series.push({
        name: "Measured beyond the axis", type: "scatter", symbol: "triangle", symbolRotate: -90, symbolSize: 13, z: 7, itemStyle: { color: theme.win },
        data: beyond.map(function (w) { return { value: [right, w.done_y], p: w }; }),
        tooltip: { formatter: function (i) { return tip("Winner " + i.data.p.letter + ", measured beyond the axis", [["Measured latency", value(x, i.data.p.done_x)]]); } }
      });
    }
    return Object.assign(base(theme), {
      legend: { top: 0, left: 0, right: narrow ? 0 : 90, itemGap: narrow ? 8 : 10, textStyle: { color: theme.ink }, inactiveColor: theme.line },
      grid: { left: 8, right: 24, top: narrow ? 150 : 76, bottom: 38, containLabel: true },
      toolbox: { right: 0, top: narrow ? 104 : 0, itemSize: 16, iconStyle: { borderColor: theme.quiet }, feature: { dataZoom: { title: { zoom: "Zoom into an area", back: "Zoom back" }, brushStyle: { color: theme.front, opacity: 0.15 } }, restore: { title: "Whole chart" } } },
      xAxis: axis(theme, label(x), Object.assign({ min: left, max: right }, x.log ? logAxis(theme, left, right) : {})),
      yAxis: yaxis(theme, label(y), { min: Math.floor((low - room) * unit) / unit, axisLabel: { color: theme.quiet, showMinLabel: false } }),
      series: series
    });
  }

  // latency draws both axes by powers of two when the winners lie far apart. A
  // long tail of the measurement is cut, so that it does not set the scale.
  function latency(theme) {
    var winners = data.winners || [];
    function extreme(f, key) { return f.apply(null, winners.map(function (w) { return key.map(function (k) { return w[k]; }); }).flat().filter(function (v) { return v > 0; })); }
    var low = extreme(Math.min, ["low", "median", "predicted"]), top = 1.15 * extreme(Math.max, ["high", "median", "predicted"]);
    var log = top > 8 * low;
    if (log) low *= 0.9; else { low = 0; top = Number(top.toPrecision(2)); }
    var scale = log ? logAxis(theme, low, top) : { min: low, max: top, axisLabel: { color: theme.quiet, hideOverlap: true, showMaxLabel: false, formatter: tick } };
    var bars = [];
    winners.forEach(function (w) {
      bars.push([w.low, w.median], [w.high, w.median], [null, null], [w.predicted, w.median], [w.predicted, Math.min(w.p90, top)], [null, null]);
    });
    return Object.assign(base(theme), {
      xAxis: axis(theme, "Predicted, ms", scale), yAxis: yaxis(theme, "Measured, ms", scale),
      series: [
        { type: "line", data: [[low, low], [top, top]], showSymbol: false, silent: true, lineStyle: { type: "dashed", color: theme.quiet, width: 1.5 }, tooltip: { show: false } },
        { type: "line", data: bars, showSymbol: false, silent: true, connectNulls: false, lineStyle: { color: theme.front, width: 2, opacity: 0.7 }, tooltip: { show: false } },
        {
          type: "scatter", symbolSize: 15, z: 4, itemStyle: { color: theme.win, opacity: 1, borderColor: theme.card, borderWidth: 2 },
          data: winners.map(function (w) { return { value: [w.predicted, w.median], p: w }; }),
          label: { show: true, position: "top", formatter: function (i) { return i.data.p.letter; }, color: theme.ink, fontWeight: 600 },
          tooltip: {
            formatter: function (i) {
              var w = i.data.p;
              return tip("Winner " + w.letter, [["predicted", ms(w.predicted) + " (" + ms(w.low) + " to " + ms(w.high) + ")"], ["median", ms(w.median)], ["90th percentile", ms(w.p90)]]);
            }
          }
        }
      ]
    });
  }

  // peers shows gains over bicubic interpolation, ours and of published networks.
  function peers(theme) {
    var bicubic = data.bicubic, list = data.peers || [], winners = data.winners || [], front = data.front || [];
    var xs = list.map(function (p) { return p.ms; }).concat(front.map(function (p) { return p.x; }));
    var low = Math.min.apply(null, xs) / 1.2, high = Math.max.apply(null, xs) * 1.2;
    return Object.assign(base(theme), {
      legend: { top: 0, left: 0, textStyle: { color: theme.ink }, inactiveColor: theme.line },
      grid: { left: 8, right: 70, top: 66, bottom: 38, containLabel: true },
      xAxis: axis(theme, "Predicted latency, ms", Object.assign({ min: low, max: high }, logAxis(theme, low, high))),
      yAxis: yaxis(theme, "dB over bicubic", {}),
      series: [
        { name: "Our front, as searched", type: "line", step: "end", symbol: "circle", symbolSize: 5, lineStyle: { color: theme.front, width: 2 }, itemStyle: { color: theme.front }, data: front.map(function (p) { return { value: [p.x, p.y - bicubic], p: p }; }), tooltip: { formatter: function (i) { return tip("Front, " + i.data.p.id, [["over bicubic", number(i.value[1], 2) + " dB"], ["predicted", ms(i.value[0])]]); } } },
        { name: "Our winners, fine-tuned", type: "scatter", symbolSize: 15, z: 5, itemStyle: { color: theme.win, opacity: 1, borderColor: theme.card, borderWidth: 2 }, label: { show: true, position: "top", formatter: function (i) { return i.data.p.letter; }, color: theme.ink, fontWeight: 600 }, data: winners.map(function (w) { return { value: [w.predicted, w.done_y - bicubic], p: w }; }), tooltip: { formatter: function (i) { return tip("Winner " + i.data.p.letter, [["over bicubic", number(i.value[1], 2) + " dB"], ["predicted", ms(i.value[0])]]); } } },
        { name: "Published, on Set14", type: "scatter", symbol: "rect", symbolSize: 9, itemStyle: { color: theme.ink, opacity: 0.85 }, label: { show: true, formatter: function (i) { return i.data.peer.name; }, color: theme.quiet, fontSize: 11 }, data: list.map(function (p, i) { return { value: [p.ms, p.set14], peer: p, label: { position: ["top", "bottom", "right"][i % 3] } }; }), tooltip: { formatter: function (i) { var p = i.data.peer; return tip(p.name, [["over bicubic, Set14", number(p.set14, 2) + " dB"], ["over bicubic, Set5", number(p.set5, 2) + " dB"], ["predicted", ms(p.ms)], ["parameters", number(p.params, 0)]]); } } }
      ]
    });
  }

  function curve(theme, points, xname, yname, options) {
    return Object.assign(base(theme), {
      tooltip: Object.assign(base(theme).tooltip, { trigger: "axis", valueFormatter: options.format }),
      xAxis: axis(theme, xname, { scale: false, max: "dataMax" }), yAxis: yaxis(theme, yname, options.y),
      series: [{ type: "line", name: yname, step: options.step, showSymbol: points.length < 3, data: points, lineStyle: { color: theme.front, width: 2 }, itemStyle: { color: theme.front }, areaStyle: options.area ? { color: theme.front, opacity: 0.08 } : undefined }]
    });
  }

  function hypervolume(theme) {
    return curve(theme, data.hypervolume, "Evaluations", "Share of the last value", {
      step: "end", area: true, y: { min: 0, max: 1, axisLabel: { color: theme.quiet, formatter: function (v) { return Math.round(100 * v) + " %"; } } },
      format: function (v) { return (100 * v).toFixed(1) + " %"; }
    });
  }

  // smooth is the running mean over a twentieth of the points.
  function smooth(points) {
    var n = Math.max(1, Math.round(points.length / 20)), sum = 0;
    return points.map(function (p, i) {
      sum += p[1] - (i >= n ? points[i - n][1] : 0);
      return [p[0], sum / Math.min(n, i + 1)];
    });
  }

  function loss(theme) {
    var points = data.loss, values = points.map(function (p) { return p[1]; }).filter(function (v) { return v > 0; });
    var log = values.length > 1 && Math.max.apply(null, values) > 8 * Math.min.apply(null, values);
    var chart = curve(theme, smooth(points), "Step", "L1, levels", { y: log ? { type: "log" } : {}, format: function (v) { return Number(v).toFixed(3); } });
    chart.series[0].name = "mean";
    chart.series.unshift({ type: "line", name: "loss", showSymbol: false, data: points, lineStyle: { color: theme.dot, width: 1, opacity: 0.6 }, itemStyle: { color: theme.dot } });
    return chart;
  }

  function validation(theme) {
    var chart = curve(theme, data.validation, "Step", "PSNR, dB", { y: {}, format: function (v) { return Number(v).toFixed(2) + " dB"; } });
    chart.series[0].name = "dense";
    if (data.validation_pruned.length) {
      chart.series.push({ type: "line", name: "half pruned", showSymbol: data.validation_pruned.length < 3, data: data.validation_pruned, lineStyle: { color: theme.win, width: 2, type: "dashed" }, itemStyle: { color: theme.win } });
    }
    return chart;
  }

  // blend is the colour at a share of the way from one hexadecimal colour to another.
  function blend(from, to, share) {
    function part(i) { return Math.round(parseInt(from.substr(i, 2), 16) * (1 - share) + parseInt(to.substr(i, 2), 16) * share); }
    return "rgb(" + part(1) + "," + part(3) + "," + part(5) + ")";
  }

  // layers draws a line for each layer. The tooltip names those that lie farthest
  // out: the lowest of all, or with high the highest.
  function layers(key, options) {
    return function (theme) {
      var shown = data.layers.filter(function (l) { return l.activated || !options.activated; }), last = Math.max(1, data.layers.length - 1);
      return Object.assign(base(theme), {
        grid: { left: 8, right: 22, top: 14, bottom: 34, containLabel: true },
        tooltip: Object.assign(base(theme).tooltip, {
          trigger: "axis",
          formatter: function (items) {
            var rows = items.filter(function (i) { return i.value[1] !== null; }).sort(function (a, b) { return (a.value[1] - b.value[1]) * (options.high ? -1 : 1); });
            return tip("Step " + number(items[0].value[0], 0), rows.slice(0, 6).map(function (i) { return [i.seriesName, options.format(i.value[1])]; }).concat(rows.length > 6 ? [["and " + (rows.length - 6) + " more", ""]] : []));
          }
        }),
        xAxis: axis(theme, "Step", { scale: false, max: "dataMax", splitNumber: 3 }),
        yAxis: yaxis(theme, "", Object.assign({ axisLabel: { color: theme.quiet, hideOverlap: true, formatter: options.format } }, options.y)),
        series: shown.map(function (l) {
          var color = blend(theme.front, theme.win, data.layers.indexOf(l) / last);
          return {
            type: "line", name: l.name, showSymbol: data.layer_steps.length < 3, symbolSize: 5, lineStyle: { color: color, width: 1.5, opacity: 0.8 }, itemStyle: { color: color },
            emphasis: { focus: "series", lineStyle: { width: 3 } },
            data: l[key].map(function (v, i) { return [data.layer_steps[i], options.y && options.y.type === "log" && !(v > 0) ? null : v]; })
          };
        })
      });
    };
  }
  function share(v) { return Number((100 * v).toPrecision(3)) + " %"; }

  var plots = [["chart-front", front], ["chart-peers", peers], ["chart-latency", latency], ["chart-hypervolume", hypervolume], ["chart-loss", loss], ["chart-validation", validation],
    ["chart-active", layers("active", { activated: true, format: share, y: { min: 0 } })],
    ["chart-dead", layers("dead", { activated: true, high: true, format: String, y: { min: 0, minInterval: 1 } })],
    ["chart-norm", layers("norm", { high: true, format: function (v) { return String(Number(Number(v).toPrecision(3))); }, y: { type: "log", logBase: 2 } })],
    ["chart-rank", layers("rank", { format: share, y: { max: 1 } })],
    ["chart-update", layers("update", { high: true, format: function (v) { return Number(v).toExponential(1); }, y: { type: "log" } })]];
  function themed() {
    var theme = {};
    ["ink", "quiet", "line", "card", "front", "win", "dot", "good"].forEach(function (n) { theme[n] = css("--" + n); });
    return theme;
  }

  // many is from how many dots on the front is painted instead of built of elements.
  var many = 1500, watch = null;
  function init(node, plot, theme) {
    var chart = echarts.init(node, null, { renderer: (data.evaluations || []).length > many && plot === front ? "canvas" : "svg" });
    chart.setOption(plot(theme));
    chart.plot = plot;
    chart.on("click", function (i) {
      if (i.data && i.data.p && evosr.show) evosr.show(i.data.p.id);
    });
    charts.push(chart);
  }

  // draw begins with the front; the others follow when they come near the screen, or
  // with all at once.
  function draw(all) {
    charts.forEach(function (c) { c.dispose(); });
    charts = [];
    if (watch) watch.disconnect();
    var theme = themed(), later = new Map();
    watch = new IntersectionObserver(function (seen) {
      seen.forEach(function (e) {
        if (!e.isIntersecting || !later.has(e.target)) return;
        var plot = later.get(e.target);
        later.delete(e.target);
        watch.unobserve(e.target);
        init(e.target, plot, themed());
      });
    }, { rootMargin: "300px" });
    plots.forEach(function (pair) {
      var node = document.getElementById(pair[0]);
      if (!node) return;
      if (all === true || pair[1] === front) return init(node, pair[1], theme);
      later.set(node, pair[1]);
      watch.observe(node);
    });
  }

  // redraw keeps zoom and legend.
  function redraw() {
    var theme = themed();
    charts.forEach(function (c) { c.setOption(c.plot(theme), { replaceMerge: ["series"] }); });
  }

  // cell keeps a spreadsheet from taking text for a formula.
  function cell(s) {
    s = String(s);
    if (/^[=+\-@\t\r]/.test(s) && isNaN(Number(s))) s = "'" + s;
    return /[",\n\r]/.test(s) ? '"' + s.replace(/"/g, '""') + '"' : s;
  }
  function saveCSV() {
    var rows = [["index", "id", data.y.key, data.x.key, "params", "macs", "within_constraints"]];
    (data.evaluations || []).forEach(function (e) { rows.push([e.i, e.id, e.y, e.x, e.params, e.macs, !e.bad]); });
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.map(function (r) { return r.map(cell).join(","); }).join("\n") + "\n"], { type: "text/csv" }));
    link.download = "evaluations.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  draw();
  document.addEventListener("click", function (e) { if (e.target.id === "save-csv") saveCSV(); });
  evosr.page = { data: data, draw: draw, redraw: redraw, value: value, number: number, many: many, charts: function () { return charts; } };
  window.addEventListener("resize", function () { charts.forEach(function (c) { c.resize(); }); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { draw(); });
  window.addEventListener("beforeprint", function () {
    document.documentElement.classList.add("print");
    draw(true);
  });
  window.addEventListener("afterprint", function () {
    document.documentElement.classList.remove("print");
    draw();
  });
})();
