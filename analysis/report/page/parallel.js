"use strict";
// Parallel coordinates on a canvas: a line for every run, in the colour of the fronts; brushing filters.
// (plotly's own needs 5 s and more for 10,000 lines without a graphics card.)
{
  const [TOP, BOTTOM, SIDE, HEIGHT, ROOM] = [34, 18, 56, 300, 118];
  const FEW = 24; // values of an axis that get places of their own
  let dimensions = [];
  let brush = null; // {dimension, from, to} in pixels, while it is drawn
  let canvas = null;
  const lines = document.createElement("canvas");

  mg.startParallel = () => {
    dimensions = [...mg.axes.map(ordinal), ...scores()];
    const there = dimensions.length > 1;
    document.getElementById("parallel").hidden = !there;
    if (!there) return;
    canvas = mg.element("canvas", {
      role: "img",
      "aria-label": "Parallel coordinates of the runs; the table below has the same numbers",
    });
    mg.fill("lines", canvas);
    canvas.addEventListener("pointerdown", onDown);
    canvas.addEventListener("pointermove", onMove);
    canvas.addEventListener("pointerup", onUp);
    canvas.addEventListener("pointerleave", mg.untip);
    new ResizeObserver(draw).observe(document.getElementById("lines"));
    mg.listen((changed) => {
      if (mg.refiltered(changed) || changed.has("color") || changed.has("theme")) draw();
      else if (changed.has("selected")) drawOver();
    });
  };

  // An axis: its values at even distances, so that lambdas stand apart.
  const ordinal = (axis) => {
    const last = Math.max(1, axis.values.length - 1);
    return {
      key: axis.key,
      name: axis.label,
      axis,
      place: (trial) => (mg.trials[axis.key][trial] == null ? null : mg.trials[axis.key][trial] / last),
      ticks: ticksOf(axis, last),
    };
  };
  const ticksOf = (axis, last) => {
    const every = Math.ceil(axis.labels.length / 8);
    return axis.labels.flatMap((text, code) => (code % every === 0 ? [[code / last, mg.short(text, 14)]] : []));
  };

  const scores = () =>
    mg.data.metrics
      .filter(({ main }) => main)
      .flatMap(({ key }) => [`at_${key}_val`, ...(mg.data.in_boxes.includes(key) ? [`gain_${key}`] : [])])
      .flatMap((key) => {
        const value = mg.column(key);
        const numbers = mg.trials.id.map((_, trial) => value(trial)).filter((number) => number != null);
        if (!numbers.length) return [];
        const [low, high] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
        const width = high - low || 1;
        const ticks = [0, 0.5, 1].map((share) => [share, mg.percent(low + share * (high - low))]);
        return [
          {
            key,
            name: `${mg.scoreName(key)} (%)`,
            low,
            high,
            place: (trial) => (value(trial) == null ? null : (value(trial) - low) / width),
            ticks: high > low ? ticks : [ticks[0]],
          },
        ];
      });

  const width = () =>
    Math.max(document.getElementById("lines").clientWidth, 2 * SIDE + ROOM * 0.75 * (dimensions.length - 1));
  const xOf = (number) => SIDE + (number * (width() - 2 * SIDE)) / (dimensions.length - 1);
  const yOf = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const shareOf = (y) => Math.max(0, Math.min(1, 1 - (y - TOP) / (HEIGHT - TOP - BOTTOM)));

  // The lines of all runs are kept: a selection or a brush on its way only goes over them.
  const draw = () => {
    drawLines();
    drawOver();
  };

  const drawLines = () => {
    const pen = penOf(lines);
    const shown = mg.shown();
    const all = mg.trials.id.map((_, trial) => trial).filter((trial) => !mg.trials.baseline[trial] || shown[trial]);
    const [inside, outside] = [all.filter((trial) => shown[trial]), all.filter((trial) => !shown[trial])];
    // So faint that many lines do not run together.
    paint(pen, outside.slice(0, 2000), () => mg.css("--grid"), 1, 1);
    paint(pen, inside, colorOf(), Math.max(0.06, Math.min(0.8, 60 / inside.length)), 1.2);
  };

  const drawOver = () => {
    const pen = penOf(canvas);
    [canvas.style.width, canvas.style.height] = [`${width()}px`, `${HEIGHT}px`];
    pen.drawImage(lines, 0, 0, width(), HEIGHT);
    paint(pen, mg.selected().slice(-200), () => mg.css("--text"), 1, 2.2);
    dimensions.forEach((dimension, number) => axis(pen, dimension, xOf(number)));
  };

  const penOf = (surface) => {
    const ratio = devicePixelRatio || 1;
    [surface.width, surface.height] = [width() * ratio, HEIGHT * ratio];
    const pen = surface.getContext("2d");
    pen.scale(ratio, ratio);
    pen.lineJoin = "round";
    return pen;
  };

  const colorOf = () => {
    const axis = mg.axis(mg.chosen("color"));
    const [inks, none] = [axis?.colors.map(mg.ink) ?? [], mg.css("--quiet")];
    return (trial) => inks[mg.trials[axis?.key]?.[trial]] ?? none;
  };

  // One path for each colour: 10,000 strokes of their own would be slow.
  const paint = (pen, trials, colored, alpha, thick) => {
    const byColor = grouped(trials, colored);
    pen.globalAlpha = alpha;
    pen.lineWidth = thick;
    for (const [color, group] of byColor) {
      pen.strokeStyle = color;
      for (let from = 0; from < group.length; from += 50) {
        pen.beginPath();
        group.slice(from, from + 50).forEach((trial) => trace(pen, trial));
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  };
  const grouped = (trials, key) => {
    const groups = new Map();
    for (const trial of trials) {
      const group = groups.get(key(trial));
      if (group) group.push(trial);
      else groups.set(key(trial), [trial]);
    }
    return groups;
  };

  // A value that is missing breaks the line.
  const trace = (pen, trial) => {
    let before = false;
    dimensions.forEach(({ place }, number) => {
      const share = place(trial);
      if (share != null) pen[before ? "lineTo" : "moveTo"](xOf(number), yOf(share));
      before = share != null;
    });
  };

  const axis = (pen, dimension, x) => {
    pen.strokeStyle = mg.css("--line");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, HEIGHT - BOTTOM);
    pen.stroke();
    pen.fillStyle = mg.css("--text");
    pen.font = "600 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillText(mg.short(dimension.name, 18), x, 16);
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.lineWidth = 3;
    pen.strokeStyle = mg.css("--card");
    for (const [share, text] of dimension.ticks) {
      pen.strokeText(text, x - 6, yOf(share) + 4);
      pen.fillText(text, x - 6, yOf(share) + 4);
    }
    const [low, high] = brushOf(dimension) ?? [];
    if (low == null) return;
    pen.fillStyle = mg.css("--accent");
    pen.globalAlpha = 0.35;
    pen.fillRect(x - 6, yOf(high), 12, Math.max(4, yOf(low) - yOf(high)));
    pen.globalAlpha = 1;
  };

  // What is brushed on an axis, from 0 at the bottom to 1.
  const brushOf = ({ key, axis, low, high, number }) => {
    if (brush && dimensions[brush.number].key === key) return [brush.from, brush.to].map(shareOf).sort((a, b) => a - b);
    const range = mg.chosen("ranges")[key];
    if (!axis) return range && range.map((value) => (value - low) / (high - low || 1));
    const last = Math.max(1, axis.values.length - 1);
    if (range) return range.map((value) => axis.values.findIndex((each) => each >= value) / last);
    const codes = (mg.chosen("filters")[key] ?? [])
      .map((value) => axis.values.indexOf(value))
      .filter((code) => code >= 0);
    return codes.length ? [Math.min(...codes) / last, Math.max(...codes) / last] : null;
  };

  const onDown = (event) => {
    const number = dimensions.findIndex((_, each) => Math.abs(xOf(each) - event.offsetX) < 14);
    if (number < 0) {
      const trial = nearest(event);
      if (trial != null) mg.select(trial, { more: event.ctrlKey || event.metaKey || event.shiftKey });
      return;
    }
    brush = { number, from: event.offsetY, to: event.offsetY };
    canvas.setPointerCapture(event.pointerId);
  };

  const onMove = (event) => {
    if (brush) {
      brush.to = event.offsetY;
      drawOver();
      return;
    }
    const on = dimensions.some((_, each) => Math.abs(xOf(each) - event.offsetX) < 14);
    canvas.style.cursor = on ? "ns-resize" : "default";
    const trial = on || event.pointerType === "touch" ? null : nearest(event);
    if (trial == null) mg.untip();
    else mg.tip(trial, event);
  };

  const onUp = () => {
    if (!brush) return;
    const { number, from, to } = brush;
    const dimension = dimensions[number];
    const { [dimension.key]: _, ...ranges } = mg.chosen("ranges");
    const { [dimension.key]: __, ...filters } = mg.chosen("filters");
    const [low, high] = [shareOf(Math.max(from, to)), shareOf(Math.min(from, to))];
    brush = null;
    if (Math.abs(from - to) < 4) mg.choose({ ranges, filters });
    else if (!dimension.axis)
      mg.choose({
        filters: mg.chosen("filters"),
        ranges: {
          ...ranges,
          [dimension.key]: [low, high].map((share) =>
            Math.round(dimension.low + share * (dimension.high - dimension.low)),
          ),
        },
      });
    else brushAxis(dimension.axis, low, high, filters, ranges);
  };

  const brushAxis = (axis, low, high, filters, ranges) => {
    const last = Math.max(1, axis.values.length - 1);
    const values = axis.values.filter((_, code) => code / last >= low - 0.02 && code / last <= high + 0.02);
    if (!values.length) drawOver();
    else if (axis.numeric && axis.values.length > FEW)
      mg.choose({ filters, ranges: { ...ranges, [axis.key]: [values[0], values.at(-1)] } });
    else mg.choose({ ranges, filters: { ...filters, [axis.key]: values } });
  };

  // The run whose line passes the pointer, within a few pixels.
  const nearest = ({ offsetX: x, offsetY: y }) => {
    const right = dimensions.findIndex((_, number) => xOf(number) > x);
    if (right < 1) return null;
    const [a, b] = [dimensions[right - 1], dimensions[right]];
    const share = (x - xOf(right - 1)) / (xOf(right) - xOf(right - 1));
    const shown = mg.shown();
    let [best, found] = [6, null];
    for (let trial = 0; trial < mg.count; trial++) {
      const [from, to] = [a.place(trial), b.place(trial)];
      if (!shown[trial] || from == null || to == null) continue;
      const away = Math.abs(yOf(from) + share * (yOf(to) - yOf(from)) - y);
      if (away < best) [best, found] = [away, trial];
    }
    return found;
  };
}
