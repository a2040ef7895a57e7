"use strict";
// The card of progress: the hypervolume of the front over the runs that had ended, and over the hours they took.
{
  const STOPPED = "#D55E00";
  const plot = document.getElementById("course");
  let points = []; // of each trace: the runs

  mg.startCourses = () => {
    if (!mg.data.courses.length) return;
    note();
    draw();
    mg.listen((changed) => (changed.has("theme") || changed.has("selected")) && draw());
    let before = stacked();
    addEventListener("resize", () => {
      if (stacked() !== before) draw();
      before = stacked();
    });
    mg.pointAtRuns(plot, ({ curveNumber, pointNumber }) => points[curveNumber]?.[pointNumber]);
  };

  const stacked = () => plot.clientWidth < 640;
  const isStopped = (trial) => mg.state(trial) === "stopped";

  const note = () => {
    const { names, constrained } = mg.data.goals;
    const stopped = mg.data.courses.flatMap(({ trial }) => trial).some(isStopped);
    document.getElementById("course-note").textContent = [
      `Hypervolume of the front over ${names.join(" and ")} on validation`,
      constrained ? "within the sweep's constraints" : "",
      "after each guided run that ended.",
      stopped ? "✕ was stopped early: it counts for its cost alone." : "",
    ]
      .filter(Boolean)
      .join(" ");
  };

  const draw = () => {
    const factor = mg.data.goals.share ? 100 : 1;
    const [unit, size] = mg.data.courses.some(({ hours }) => hours.at(-1) > 2) ? ["hours", 1] : ["minutes", 60];
    const axes = [
      ["guided runs that ended", ({ trial }) => trial.map((_, number) => number + 1)],
      [`${unit} that they took`, ({ hours }) => hours.map((value) => value * size)],
    ];
    const traces = axes.flatMap(([, across], panel) =>
      mg.data.courses.flatMap((course) => lines(course, across(course), factor, panel)),
    );
    points = traces.map((trace) => trace.trials);
    Plotly.react(plot, traces, layout(axes, factor), { ...mg.PLOT, displayModeBar: false });
  };

  // The step line, the runs that were stopped, and those that are selected.
  const lines = (course, x, factor, panel) => {
    const suffix = panel ? "2" : "";
    const trace = (wanted, more) => {
      const places = course.trial.flatMap((trial, place) => (wanted(trial) ? [place] : []));
      return {
        type: "scatter",
        x: places.map((place) => x[place]),
        y: places.map((place) => factor * course.hypervolume[place]),
        trials: places.map((place) => course.trial[place]),
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        hoverinfo: "none",
        ...more,
      };
    };
    const selected = new Set(mg.selected());
    const ring = { size: 13, symbol: "circle-open", color: mg.css("--text"), line: { width: 1.5 } };
    return [
      trace(() => true, { mode: "lines", line: { shape: "hv", width: 2, color: colorOf(course) } }),
      trace(isStopped, { mode: "markers", marker: { size: 7, symbol: "x-thin-open", color: STOPPED } }),
      trace((trial) => selected.has(trial), { mode: "markers", marker: ring }),
    ];
  };

  const colorOf = ({ dataset }) => {
    const axis = mg.axis("dataset");
    return mg.ink(axis?.colors[axis.labels.indexOf(dataset)] ?? mg.css("--accent"));
  };

  const layout = (axes, factor) => {
    const [below, many] = [stacked(), mg.data.courses.length > 1];
    const y = {
      ...mg.line(),
      rangemode: "tozero",
      nticks: 5,
      title: { text: `hypervolume${factor === 100 ? " (%)" : ""}`, standoff: 6 },
    };
    const x = (number) => ({
      ...mg.line(),
      range: [0, 1.02 * Math.max(...mg.data.courses.map((course) => axes[number][1](course).at(-1)))],
      nticks: 6,
      title: { text: axes[number][0], standoff: 6 },
    });
    return {
      ...mg.layout(),
      height: below ? 480 : 270,
      margin: { l: 50, r: 12, t: 10, b: 44 },
      xaxis: { ...x(0), domain: below ? [0, 1] : [0, 0.48], anchor: "y" },
      xaxis2: { ...x(1), domain: below ? [0, 1] : [0.54, 1], anchor: "y2" },
      yaxis: { ...y, domain: below ? [0.6, 1] : [0, 1] },
      yaxis2: {
        ...y,
        domain: below ? [0, 0.4] : [0, 1],
        anchor: "x2",
        matches: "y",
        title: below ? y.title : undefined,
      },
      annotations: many ? mg.data.courses.map(named(factor)) : [],
    };
  };

  // At the end of its line, which data set it is of.
  const named = (factor) => (course) => ({
    text: mg.plain(mg.short(course.dataset)),
    x: course.trial.length,
    y: factor * course.hypervolume.at(-1),
    xanchor: "right",
    yanchor: "bottom",
    showarrow: false,
    font: { size: 12, color: colorOf(course) },
  });
}
