"use strict";
// The card of what made the difference: how much of each metric an axis accounts for, and the metric along that axis.
// The metrics are those of the plane above.
{
  const MOST_SLICES = 6;
  const MOST_DOTS = 600; // along an axis; the medians are of all
  const FEW = 12; // values of an axis whose medians are drawn
  const COLORS = ["--text", "--line"]; // no colour of the data
  const plot = document.getElementById("slices");
  let points = []; // of each trace: the runs
  let shares = new Map(); // of each axis: its importance for each metric

  // Whether there is something to tell, filters aside.
  mg.importanceShown = () => {
    const trials = ended([...mg.trials.id.keys()]);
    return mg.axes.some((axis) => mg.data.metrics.some((metric) => mg.importance(trials, metric, axis) != null));
  };
  const ended = (trials) =>
    trials.filter((trial) => !mg.trials.baseline[trial] && ["done", "stopped"].includes(mg.state(trial)));

  mg.startImportances = () => {
    if (!mg.importanceShown()) return;
    draw();
    mg.listen((changed) => {
      if (mg.refiltered(changed) || ["x", "y", "color", "theme", "selected"].some((key) => changed.has(key))) draw();
    });
    let before = columns();
    addEventListener("resize", () => {
      if (columns() !== before) draw();
      before = columns();
    });
    mg.pointAtRuns(plot, ({ curveNumber, pointNumber }) => points[curveNumber]?.[pointNumber]);
  };

  const columns = () => Math.max(1, Math.min(MOST_SLICES, Math.floor(plot.clientWidth / 210)));
  const metrics = () => [...new Set([mg.chosen("y"), mg.chosen("x")])].map(mg.metric).filter(Boolean);

  // The most important first, by the metric it matters to most.
  const ranked = () => {
    const most = (axis) => Math.max(...shares.get(axis).map((share) => share ?? -1));
    return [...mg.axes].sort((a, b) => most(b) - most(a));
  };

  const draw = () => {
    const counted = ended(runs());
    const shareOf = (axis) => metrics().map((metric) => mg.importance(counted, metric, axis));
    shares = new Map(mg.axes.map((axis) => [axis, shareOf(axis)]));
    mg.fill("shares", key(), ranked().map(bars));
    const left = mg.axes.length - Math.min(MOST_SLICES, mg.axes.length);
    document.getElementById("shares-note").textContent = [
      `Share of the variance on validation that the axis accounts for alone (adjusted R²), among the ${mg.number(counted.length)} guided runs in view that ended, each at the epoch it is shown by.`,
      left ? `The ${left} least are not drawn.` : "",
      every(runs()) > 1 ? `One in ${every(runs())} runs is drawn, medians are of all.` : "",
    ]
      .filter(Boolean)
      .join(" ");
    drawSlices(ranked().slice(0, MOST_SLICES));
  };

  const key = () =>
    mg.element(
      "p",
      { class: "quiet" },
      metrics().flatMap((metric, number) => [mg.dot(mg.css(COLORS[number])), `${metric.label} `]),
    );

  const bars = (axis) =>
    mg.element(
      "div",
      { class: "share" },
      mg.element("span", { class: "name", title: axis.description }, axis.label),
      mg.element(
        "div",
        {},
        shares.get(axis).map((share, number) => {
          const bar = mg.element("div", { class: "bar" });
          bar.style.width = `${100 * (share ?? 0)}%`;
          bar.style.background = `var(${COLORS[number]})`;
          const written = share == null ? "–" : `${Math.round(100 * share)} %`;
          return mg.element(
            "div",
            { class: "share-bar" },
            mg.element("div", { class: "track" }, bar),
            mg.element("b", {}, written),
          );
        }),
      ),
    );

  const drawSlices = (axes) => {
    const across = Math.min(columns(), axes.length);
    const [bands, rows] = [Math.ceil(axes.length / across), metrics().length || 1];
    const shown = runs();
    const layout = { ...mg.layout(), height: 40 + bands * (rows * 130 + 50), margin: { l: 50, r: 12, t: 8, b: 40 } };
    const traces = axes.flatMap((axis, number) =>
      metrics().flatMap((metric, row) => {
        const place = {
          suffix: number * rows + row ? String(number * rows + row + 1) : "",
          number,
          row,
          rows,
          across,
          bands,
        };
        Object.assign(layout, frame(axis, metric, place));
        return slice(axis, metric, place, shown);
      }),
    );
    points = traces.map((trace) => trace.trials);
    Plotly.react(plot, traces, layout, { ...mg.PLOT, displayModeBar: false });
  };

  const every = (trials) => Math.ceil(trials.length / MOST_DOTS) || 1;
  const runs = () => [...mg.shown().keys()].filter((trial) => mg.shown()[trial] && !mg.trials.baseline[trial]);

  // A metric of the runs along an axis; where it has few values, their medians too.
  const slice = (axis, metric, { suffix }, shown) => {
    const value = (trial) => mg.trials[`at_${metric.key}_val`][trial];
    const trials = shown.filter((trial) => value(trial) != null && mg.trials[axis.key][trial] != null);
    const percent = (number) => (100 * number) / mg.data.scale;
    const here = { type: "scatter", xaxis: `x${suffix}`, yaxis: `y${suffix}`, hoverinfo: "none" };
    const selected = new Set(mg.selected());
    const drawn = trials.filter((trial, place) => place % every(shown) === 0 || selected.has(trial));
    const dots = {
      ...here,
      mode: "markers",
      trials: drawn,
      x: drawn.map((trial) => across(axis, trial)),
      y: drawn.map((trial) => percent(value(trial))),
      marker: {
        size: drawn.map((trial) => (selected.has(trial) ? 11 : 6)),
        color: drawn.map(colorOf),
        opacity: drawn.length > 300 ? 0.35 : 0.75,
        line: { width: drawn.map((trial) => (selected.has(trial) ? 1.5 : 0)), color: mg.css("--text") },
      },
    };
    if (axis.values.length > FEW) return [dots];
    const codes = [...axis.values.keys()].filter((code) => trials.some((trial) => mg.trials[axis.key][trial] === code));
    const medians = {
      ...here,
      mode: "markers",
      hoverinfo: "skip",
      x: codes,
      y: codes.map((code) => percent(median(trials.filter((trial) => mg.trials[axis.key][trial] === code).map(value)))),
      marker: { symbol: "line-ew-open", size: 26, color: mg.css("--text"), line: { width: 2 } },
    };
    return [dots, medians];
  };

  const median = (numbers) => {
    const sorted = [...numbers].sort((a, b) => a - b);
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  };

  const colorOf = (trial) => {
    const axis = mg.axis(mg.chosen("color"));
    return mg.ink(axis?.colors[mg.trials[axis.key][trial]] ?? "#0072B2");
  };

  // Few values stand evenly, each run a little beside its own; many stand where they are.
  const across = (axis, trial) => {
    const code = mg.trials[axis.key][trial];
    return axis.values.length > FEW ? axis.values[code] : code + 0.3 * (((trial * 0.618) % 1) - 0.5);
  };
  const isLog = ({ values }) => values[0] > 0 && values.at(-1) / values[0] > 5;
  // 1 and 3 of every power of ten.
  const decades = ({ values }) => {
    const [low, high] = [values[0], values.at(-1)].map((value) => Math.floor(Math.log10(value)));
    const ticks = Array.from({ length: high - low + 2 }, (_, place) => 10 ** (low + place));
    return ticks.flatMap((tick) => [tick, 3 * tick]).map((tick) => Number(tick.toPrecision(1)));
  };

  const frame = (axis, metric, { suffix, number, row, rows, across, bands }) => {
    const [column, band] = [number % across, Math.floor(number / across)];
    const [wide, high] = [1 / across, 1 / bands];
    const [top, lower] = [1 - band * high, 1 - (band + 1) * high + (band < bands - 1 ? 0.17 * high : 0)];
    const each = (top - lower) / rows;
    const few = axis.values.length <= FEW;
    const ticks = few
      ? {
          tickvals: [...axis.values.keys()],
          ticktext: axis.labels.map((label) => mg.plain(mg.short(label, 10))),
          range: [-0.6, axis.values.length - 0.4],
        }
      : isLog(axis)
        ? { type: "log", tickvals: decades(axis), ticktext: decades(axis).map(String) }
        : { nticks: 4 };
    const last = row === rows - 1;
    return {
      [`xaxis${suffix}`]: {
        ...mg.line(),
        ...ticks,
        domain: [column * wide + (column ? 0.03 : 0), (column + 1) * wide - (column < across - 1 ? 0.01 : 0)],
        anchor: `y${suffix}`,
        showticklabels: last,
        title: last ? { text: mg.plain(axis.label), standoff: 4 } : undefined,
      },
      [`yaxis${suffix}`]: {
        ...mg.line(),
        domain: [top - (row + 1) * each + (last ? 0 : 0.04 * high), top - row * each],
        anchor: `x${suffix}`,
        matches: number ? `y${row ? row + 1 : ""}` : undefined,
        showticklabels: !column,
        title: column ? undefined : { text: `${metric.label} (%)`, standoff: 4 },
        nticks: 4,
      },
    };
  };
}
