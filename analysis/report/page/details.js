"use strict";
// The selected run: configuration, scores, the command that trains it again, curves; and the tip under the pointer.
{
  const MOST_CURVES = 8;
  const CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#999999"];
  mg.colorOfSelected = (trial) => {
    const compared = mg.selected().slice(-MOST_CURVES);
    return colorOf(trial, compared.indexOf(trial), compared.length);
  };

  mg.startDetails = () => {
    document.getElementById("unselect").addEventListener("click", () => mg.choose({ selected: [], epoch: null }));
    draw();
    mg.listen((changed) => ["selected", "epoch", "theme"].some((key) => changed.has(key)) && draw());
  };

  const draw = () => {
    const selected = mg.selected();
    document.getElementById("unselect").hidden = !selected.length;
    document.getElementById("details-title").textContent =
      selected.length > 1 ? `${mg.number(selected.length)} runs` : "Run";
    const peek = document.getElementById("peek");
    peek.hidden = !selected.length;
    if (selected.length) peek.textContent = `▲ ${mg.short(mg.name(selected.at(-1)), 60)}`;
    if (selected.length) mg.fill("detail", several(selected), about(selected));
    else
      mg.fill(
        "detail",
        mg.element(
          "p",
          { class: "quiet" },
          "Click a point, a line or a row to see its run; with Ctrl or Shift to compare several.",
        ),
      );
    drawCurves(selected.slice(-MOST_CURVES));
  };

  // The legend of compared curves.
  const several = (selected) =>
    selected.length < 2
      ? []
      : [
          mg.element(
            "ul",
            { class: "compared" },
            selected.slice(-MOST_CURVES).map((trial, number) =>
              mg.element(
                "li",
                {},
                mg.dot(colorOf(trial, number, selected.length)),
                mg.element("span", { class: "name", title: mg.name(trial) }, mg.apart(trial, selected).join(" · ")),
                mg.element(
                  "button",
                  {
                    type: "button",
                    class: "plain",
                    "aria-label": `Take ${mg.name(trial)} out`,
                    click: () => mg.select(trial, { more: true }),
                  },
                  "✕",
                ),
              ),
            ),
          ),
        ];

  const about = (selected) => {
    const trial = selected.at(-1);
    const failure = mg.data.failures.find((group) => group.trials.includes(trial));
    return mg.element(
      "div",
      { class: "about" },
      mg.element("p", { class: "name" }, mg.name(trial)),
      mg.element(
        "p",
        { class: "quiet" },
        mg.badge(trial),
        ` ${mg.trials.id[trial]} · epoch ${mg.trials.epochs_done[trial] ?? 0} of ${mg.trials.epochs_asked[trial]} · ${mg.duration(mg.trials.seconds[trial])}`,
      ),
      failure ? mg.element("p", { class: "error" }, `${failure.cause}: ${mg.short(failure.error, 300)}`) : null,
      scores(trial),
      mg.maps(selected),
      command(mg.trials.command[trial]),
      mg.element("details", {}, mg.element("summary", {}, "Configuration"), configuration(trial)),
    );
  };

  mg.badge = (trial) => mg.element("span", { class: `badge ${mg.state(trial)}` }, mg.state(trial));

  const command = (text) =>
    mg.element(
      "div",
      { class: "command" },
      mg.element("code", { tabindex: "0" }, mg.options(text)),
      mg.copyButton(text),
    );

  // A command breaks between its options, not at their hyphens.
  mg.options = (text) =>
    text
      .split(/ (?=--)/)
      .flatMap((option, number) => [number ? " " : "", mg.element("span", { class: "option" }, option)]);

  const configuration = (trial) => {
    const own = Object.fromEntries(mg.axes.map((axis) => [axis.label, mg.label(trial, axis.key)]));
    const rest = mg.data.trained[trial] ?? mg.data.fixed;
    const rows = [...Object.entries({ ...own, ...rest }), ["device", mg.trials.device[trial] ?? "–"]];
    const baseline = mg.trials.parent[trial];
    if (baseline != null) rows.push(["baseline", mg.trials.id[baseline]]);
    return mg.element(
      "dl",
      {},
      rows.map(([key, value]) => [mg.element("dt", {}, key), mg.element("dd", {}, String(value))]).flat(),
    );
  };

  // Validation, its gain over the baseline, and test, at the epoch that was clicked or else the one it is shown by.
  const scores = (trial) => {
    const point = mg.chosen("epoch") == null ? null : mg.pointOf(trial, mg.chosen("epoch"));
    const at = (name) => (point == null ? mg.trials[`at_${name}`][trial] : mg.data.points[name][point]);
    const epoch = point == null ? mg.trials.epoch[trial] : mg.data.points.epoch[point];
    if (epoch == null) return mg.element("p", { class: "quiet" }, "Nothing measured yet.");
    const cells = (metric) => {
      const start = mg.trials[`at_${metric.key}_start`]?.[trial];
      const val = at(`${metric.key}_val`);
      return [mg.percent(val), mg.gain(start == null || val == null ? null : val - start), mg.percent(at(metric.key))];
    };
    const head = mg.element(
      "tr",
      {},
      [`Epoch ${epoch}`, "Validation", "Gain", "Test"].map((name) => mg.element("th", { scope: "col" }, name)),
    );
    const body = mg.data.metrics.map((metric) =>
      mg.element(
        "tr",
        {},
        mg.element("th", { scope: "row" }, metric.label),
        cells(metric).map((cell) => mg.element("td", {}, cell)),
      ),
    );
    return mg.element("table", { class: "scores" }, mg.element("thead", {}, head), mg.element("tbody", {}, body));
  };

  const colorOf = (trial, number, many) => {
    const axis = mg.axis(mg.chosen("color"));
    return many === 1 ? (axis?.colors[mg.trials[axis.key][trial]] ?? CYCLE[0]) : CYCLE[number];
  };

  const drawCurves = (trials) => {
    const plot = document.getElementById("curves");
    const names = mg.data.metrics
      .filter(({ main }) => main)
      .map(({ key, label }) => [key, `${label} (%)`, mg.data.scale / 100]);
    const rows = [...names, ["class_loss", "BCE", 1]].filter(([key]) => trials.some((trial) => some(trial, key)));
    plot.hidden = !rows.length;
    if (!rows.length) return;
    const layout = {
      ...mg.layout(),
      height: 40 + 110 * rows.length,
      margin: { l: 48, r: 8, t: 6, b: 34 },
      hovermode: "x",
      font: { ...mg.layout().font, size: 11 },
    };
    const traces = [];
    rows.forEach(([key, title, unit], row) => {
      const suffix = row ? row + 1 : "";
      const [top, bottom] = [1 - row / rows.length, 1 - (row + 1) / rows.length];
      layout[`yaxis${suffix}`] = {
        ...mg.line(),
        domain: [bottom + 0.03, top],
        title: { text: title, font: { size: 11 } },
        nticks: 4,
      };
      trials.forEach((trial, number) =>
        traces.push(curve(trial, key, unit, suffix, mg.ink(colorOf(trial, number, trials.length)))),
      );
    });
    layout.xaxis = {
      ...mg.line(),
      title: { text: "epoch", standoff: 4 },
      anchor: `y${rows.length > 1 ? rows.length : ""}`,
      dtick: Math.max(...trials.map((trial) => mg.trials.epochs_done[trial] ?? 0)) < 9 ? 1 : undefined,
    };
    layout.shapes = trials.length === 1 ? starts(trials[0], rows) : [];
    Plotly.react(plot, traces, layout, { ...mg.PLOT, displayModeBar: false });
  };

  // Where the baseline was.
  const starts = (trial, rows) =>
    rows.flatMap(([key, , unit], row) => {
      const start = mg.trials[`at_${key}_start`]?.[trial];
      const line = { color: mg.css("--quiet"), width: 1, dash: "dot" };
      return start == null
        ? []
        : [
            {
              type: "line",
              xref: "paper",
              yref: `y${row ? row + 1 : ""}`,
              x0: 0,
              x1: 1,
              y0: start / unit,
              y1: start / unit,
              line,
            },
          ];
    });

  const some = (trial, key) => {
    const { start, [key]: values } = mg.data.curves;
    return values.slice(start[trial], start[trial + 1]).some((value) => value != null);
  };

  const curve = (trial, key, unit, suffix, color) => {
    const { start, epoch, [key]: values } = mg.data.curves;
    const [from, to] = [start[trial], start[trial + 1]];
    const y = values.slice(from, to).map((value) => (value == null ? null : value / unit));
    return {
      type: "scatter",
      mode: to - from < 3 ? "markers" : "lines",
      x: epoch.slice(from, to),
      y,
      yaxis: `y${suffix}`,
      line: { color, width: 1.5 },
      marker: { color },
      connectgaps: true,
      hovertemplate: unit === 1 ? "%{y:.4f}<extra></extra>" : "%{y:.1f}<extra></extra>",
    };
  };

  // The tip: what a point, line or row stands for, with its command.
  mg.tip = (trial, event, epoch = null, point = null) => {
    const tip = document.getElementById("tip");
    const value = (name) => (point == null ? mg.trials[`at_${name}`][trial] : mg.data.points[name][point]);
    const line = (metric) =>
      mg.element(
        "tr",
        {},
        [metric.label, mg.percent(value(`${metric.key}_val`)), mg.percent(value(metric.key))].map((text) =>
          mg.element("td", {}, text),
        ),
      );
    const config = mg.axes
      .filter((axis) => mg.trials[axis.key][trial] != null)
      .map((axis) => `${axis.label} ${mg.short(mg.label(trial, axis.key))}`);
    const head = mg.element(
      "tr",
      {},
      ["", "val", "test"].map((text) => mg.element("th", {}, text)),
    );
    tip.replaceChildren(
      mg.element("b", {}, mg.short(mg.name(trial), 80)),
      mg.element(
        "p",
        { class: "quiet" },
        [mg.state(trial), `epoch ${epoch ?? mg.trials.epoch[trial] ?? "–"}`, mg.trials.id[trial]].join(" · "),
      ),
      mg.element("table", {}, head, mg.data.metrics.map(line)),
      mg.element("p", {}, config.join(", ")),
      mg.element("code", {}, mg.options(mg.trials.command[trial])),
    );
    tip.hidden = false;
    const { innerWidth, innerHeight } = window;
    const [x, y] = [event.clientX, event.clientY];
    tip.style.left = `${Math.max(8, x + 16 + tip.offsetWidth > innerWidth ? x - 16 - tip.offsetWidth : x + 16)}px`;
    tip.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - tip.offsetHeight - 8))}px`;
  };

  // In a chart of runs: a point tells of its run, and a click selects it, with Ctrl or Shift beside the others.
  mg.pointAtRuns = (plot, runOf) => {
    plot.on("plotly_hover", ({ event, points: [hovered] }) => {
      const trial = runOf(hovered);
      if (trial != null) mg.tip(trial, event);
    });
    plot.on("plotly_unhover", mg.untip);
    plot.on("plotly_click", ({ event, points: [clicked] }) => {
      const trial = runOf(clicked);
      if (trial != null) mg.select(trial, { more: event.ctrlKey || event.metaKey || event.shiftKey });
    });
  };
  mg.untip = () => (document.getElementById("tip").hidden = true);
}
