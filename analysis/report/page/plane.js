"use strict";
// The plane as plotly's traces and layout. Each trace is kept with the points that it shows.
{
  const MOST_RINGS = 200; // in a panel
  const MOST_DOTS = 4000; // faint points that are drawn; all of them count for the fronts
  const PLAIN = "#0072B2";

  const suffix = (number) => (number ? String(number + 1) : "");
  const trialOf = (point) => mg.data.points.trial[point];

  // Layers from back to front.
  mg.plane = (view, across) => {
    const layout = { ...mg.layout(), ...frame(view.panels.length, across), annotations: [], shapes: [] };
    const traces = view.panels.flatMap((panel, number) => {
      Object.assign(layout, axes(view, number, across));
      layout.annotations.push(heading(panel.title, number));
      layout.shapes.push(...crosshairs(view, panel.baselines, number));
      return [dots(view, panel, number), ...fronts(view, panel, number), crosses(view, panel, number)];
    });
    if (!view.guided.length && !view.baselines.length) layout.annotations = [empty];
    return { layout, traces };
  };
  const empty = {
    text: "no run in view has both values",
    showarrow: false,
    xref: "paper",
    yref: "paper",
    x: 0.5,
    y: 0.5,
  };

  mg.everyDot = (view) => Math.ceil(view.guided.length / MOST_DOTS) || 1;

  const markers = (view, points, number, marker) => {
    const places = points.map(view.place);
    const same = { marker: { opacity: marker.opacity ?? 1 } }; // a box or lasso selects, the rest does not fade
    return {
      points,
      type: "scatter",
      mode: "markers",
      x: places.map(([x]) => x),
      y: places.map(([, y]) => y),
      xaxis: `x${suffix(number)}`,
      yaxis: `y${suffix(number)}`,
      marker,
      hoverinfo: "none",
      selected: same,
      unselected: same,
    };
  };

  const colorOf = (point) => {
    const axis = mg.axis(mg.chosen("color"));
    return mg.ink(axis?.colors[mg.trials[axis.key][trialOf(point)]] ?? PLAIN);
  };

  // Kept epochs, on a front or not: at most so many, evenly taken.
  const dots = (view, panel, number) => {
    const points = panel.guided.filter((_, place) => place % mg.everyDot(view) === 0);
    return markers(view, points, number, { size: 4, color: points.map(colorOf), opacity: 0.25 });
  };

  // For each colour the borders of its fronts, and their members. A front over what is tuned has many colours, its border none.
  const fronts = (view, panel, number) => {
    const axis = mg.axis(mg.chosen("color"));
    const over = mg.data.tuned.includes(axis?.key);
    const codes = axis ? [...axis.values.keys()] : [undefined];
    const codeOf = (point) => (axis ? mg.trials[axis.key][trialOf(point)] : undefined);
    const ofCode = (code) => panel.fronts.filter((front) => codeOf(front[0]) === code);
    const lines = over
      ? [border(view, panel.fronts, number, mg.css("--line"))]
      : codes.map((code) => border(view, ofCode(code), number, mg.ink(axis?.colors[code] ?? PLAIN)));
    const members = panel.fronts.flat();
    return [
      ...lines,
      ...codes.map((code) =>
        marks(
          view,
          members.filter((point) => codeOf(point) === code),
          number,
          axis,
          code,
        ),
      ),
    ];
  };

  const marks = (view, points, number, axis, code) => {
    const line = { color: mg.css("--card"), width: 1 };
    const color = mg.ink(axis?.colors[code] ?? PLAIN);
    return markers(view, points, number, { size: 9, color, symbol: axis?.symbols[code] ?? "circle", line });
  };

  const border = (view, fronts, number, color) => {
    const path = fronts.filter((front) => front.length).flatMap((front) => [...steps(view, front), [null, null]]);
    return {
      points: [],
      type: "scatter",
      mode: "lines",
      x: path.map(([x]) => x),
      y: path.map(([, y]) => y),
      xaxis: `x${suffix(number)}`,
      yaxis: `y${suffix(number)}`,
      line: { color, width: 1.2, dash: "4px,2px" },
      hoverinfo: "skip",
    };
  };

  // Out to the edges of the panel, on the sides that are worse.
  const steps = (view, front) => {
    const signs = mg.signs(front[0]);
    const turned = (place) => place.map((value, side) => signs[side] * value);
    const corner = turned(view.ranges.map(([low, high], side) => (signs[side] > 0 ? low : high)));
    return mg.pareto
      .staircase(
        front.map((point) => turned(view.place(point))),
        corner,
      )
      .map(turned);
  };

  const crosses = (view, { baselines }, number) =>
    markers(view, baselines, number, {
      size: 11,
      symbol: "x",
      color: mg.css("--card"),
      line: { color: mg.css("--text"), width: 1.5 },
    });

  const crosshairs = (view, baselines, number) => {
    const [x, y] = [`x${suffix(number)}`, `y${suffix(number)}`];
    const common = { type: "line", layer: "below", line: { color: mg.css("--quiet"), width: 1, dash: "dot" } };
    const few = baselines.length > 3 ? [] : baselines; // more of them would be a net
    return few.map(view.place).flatMap(([across, up]) => [
      { ...common, xref: x, yref: `${y} domain`, x0: across, x1: across, y0: 0, y1: 1 },
      { ...common, xref: `${x} domain`, yref: y, x0: 0, x1: 1, y0: up, y1: up },
    ]);
  };

  // Rings around the points of the selected runs, a large one at the epoch that is told in detail. They are shapes: a
  // selection leaves 10,000 points untouched.
  mg.rings = (view) => {
    const selected = new Set(mg.selected());
    return view.panels.flatMap(({ guided, baselines }, number) => {
      const mine = [...guided, ...baselines].filter((point) => selected.has(trialOf(point)));
      return mine.slice(0, MOST_RINGS).map((point) => {
        const [[x, y], radius] = [view.place(point), isTold(point) ? 9 : 4];
        return {
          type: "circle",
          xref: `x${suffix(number)}`,
          yref: `y${suffix(number)}`,
          xsizemode: "pixel",
          ysizemode: "pixel",
          xanchor: x,
          yanchor: y,
          x0: -radius,
          x1: radius,
          y0: -radius,
          y1: radius,
          line: { color: mg.css("--text"), width: 1.5 },
        };
      });
    });
  };
  const isTold = (point) => {
    const trial = trialOf(point);
    const clicked = trial === mg.selected().at(-1) ? mg.chosen("epoch") : null;
    return mg.data.points.epoch[point] === (clicked ?? mg.trials.epoch[trial]);
  };

  const frame = (panels, across) => {
    const wide = document.getElementById("plot").clientWidth;
    const single = Math.min(520, Math.max(340, wide * 0.62));
    return {
      height: panels === 1 ? single : 60 + Math.ceil(panels / across) * 280,
      margin: { l: 50, r: 12, t: 28, b: 44 },
    };
  };

  // All panels have the same limits, and zoom together.
  const axes = (view, number, across) => {
    const [panels, name] = [view.panels.length, (side) => `${mg.metric(mg.chosen(side))?.label ?? ""} (%)`];
    const [row, column, rows] = [Math.floor(number / across), number % across, Math.ceil(panels / across)];
    const [gapX, gapY] = [across > 1 ? 0.07 / across : 0, rows > 1 ? 0.22 / rows : 0];
    const left = column / across + (column ? gapX : 0);
    const right = (column + 1) / across - (column < across - 1 ? gapX : 0);
    const [lowest, first] = [number + across >= panels, column === 0];
    const title = (side) => ({ text: name(side), standoff: 6 });
    const common = (side) => ({
      ...mg.line(),
      range: [...view.ranges[side === "x" ? 0 : 1]],
      matches: number ? side : undefined,
      nticks: 6,
    });
    return {
      [`xaxis${suffix(number)}`]: {
        ...common("x"),
        domain: [left, right],
        anchor: `y${suffix(number)}`,
        title: lowest ? title("x") : undefined,
      },
      [`yaxis${suffix(number)}`]: {
        ...common("y"),
        domain: [1 - (row + 1) / rows + (row < rows - 1 ? gapY : 0), 1 - row / rows],
        anchor: `x${suffix(number)}`,
        title: first ? title("y") : undefined,
        showticklabels: first,
      },
    };
  };

  const heading = (title, number) => ({
    text: mg.plain(mg.short(title)),
    showarrow: false,
    font: { size: 13, weight: 600 },
    xanchor: "left",
    yanchor: "bottom",
    xref: `x${suffix(number)} domain`,
    yref: `y${suffix(number)} domain`,
    x: 0,
    y: 1,
  });
}
