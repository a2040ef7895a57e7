"use strict";
// The card of the Pareto fronts: its menus, and what hovering, clicking and selecting do.
{
  const GLYPHS = {
    circle: "●",
    "triangle-down": "▼",
    pentagon: "⬟",
    diamond: "◆",
    square: "■",
    "triangle-up": "▲",
    star: "★",
    cross: "✚",
    hexagon: "⬢",
  };
  const MOST_NAMED = 16;
  const MANY_FRONTS = 100;
  const MANY = 12; // values of an axis that was searched
  const DRAWN_FOR = ["x", "y", "split", "probe", "color", "panels", "per", "theme"];
  const plot = document.getElementById("plot");
  let view = null;
  let points = []; // of each trace
  let shapes = []; // but for the rings

  mg.startFronts = () => {
    startMenus();
    draw();
    listen();
    mg.listen((changed) => {
      if (mg.refiltered(changed) || DRAWN_FOR.some((key) => changed.has(key))) draw();
      else if (changed.has("selected") || changed.has("epoch")) drawRings();
    });
    let before = columns();
    addEventListener("resize", () => {
      if (columns() !== before) draw();
      before = columns();
    });
  };

  const columns = () => 1 + [560, 860].filter((width) => plot.clientWidth >= width).length;

  // The menus, and what they show first: the question of Figure 5, a panel for each model and depth.
  const startMenus = () => {
    const metrics = mg.data.metrics.map(({ key, label }) => [key, label]);
    const axes = mg.axes.map(({ key, label }) => [key, label]);
    const { probes, ...values } = mg.data.points;
    const tested = mg.data.metrics.some(({ key }) => values[key].some((value) => value != null));
    const both = [mg.axis("model") ? "model" : "attribution", "depth"].filter(mg.axis);
    mg.presume({
      color: mg.axis("loss") ? "loss" : (mg.axes[0]?.key ?? ""),
      panels: both.join() || (mg.axis("dataset") ? "dataset" : ""),
    });
    const known = (side, other) => (mg.metric(mg.chosen(side)) ? mg.chosen(side) : other);
    mg.correct({
      split: tested ? mg.chosen("split") : "val",
      x: known("x", mg.metric("accuracy") ? "accuracy" : (metrics[0]?.[0] ?? "f1")),
      y: known("y", mg.metric("epg") ? "epg" : (metrics.at(-1)?.[0] ?? "f1")),
    });
    // A search has hardly two runs of one setting.
    const searched = mg.axes.some(
      ({ key, numeric, values }) => numeric && !mg.data.tuned.includes(key) && values.length > MANY,
    );
    mg.presume({ per: searched || mg.view().fronts.length > MANY_FRONTS ? "color" : "setting" });
    menu("x", metrics);
    menu("y", metrics);
    menu("split", [...(tested ? [["test", "test"]] : []), ["val", "validation"]]);
    menu("probe", [
      ["own", "where guided"],
      ...(probes.length > 1 ? [["all", "everywhere"], ...probes.map((name, code) => [String(code), name])] : []),
    ]);
    menu("per", [
      ["setting", "for each setting"],
      ["color", "for each colour"],
    ]);
    menu("color", axes);
    menu("panels", [
      ["", "one"],
      ...(both.length > 1 ? [[both.join(), both.map((key) => mg.axis(key).label).join(" × ")]] : []),
      ...axes,
    ]);
  };

  const menu = (key, options) => {
    const select = document.getElementById(key);
    select.replaceChildren(...options.map(([value, text]) => mg.element("option", { value }, mg.short(text))));
    select.value = mg.chosen(key);
    select.parentElement.hidden = options.length < 2;
    select.addEventListener("change", () => mg.choose({ [key]: select.value }));
  };

  const draw = () => {
    view = mg.view();
    const rows = Math.ceil(view.panels.length / columns());
    const { layout, traces } = mg.plane(view, Math.ceil(view.panels.length / rows));
    points = traces.map((trace) => trace.points);
    shapes = layout.shapes;
    layout.shapes = [...shapes, ...mg.rings(view)];
    layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom"; // a finger scrolls the page
    Plotly.react(plot, traces, layout, { ...mg.PLOT, displayModeBar: layout.dragmode ? "hover" : false });
    legend();
    note();
  };

  const drawRings = () => Plotly.relayout(plot, { shapes: [...shapes, ...mg.rings(view)] });

  const legend = () => {
    const axis = mg.axis(mg.chosen("color"));
    const names = (axis?.labels ?? []).slice(0, MOST_NAMED);
    mg.fill(
      "legend",
      names.map((name, code) => {
        const glyph = mg.element("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[axis.symbols[code]]);
        glyph.style.color = mg.ink(axis.colors[code]);
        return mg.element("li", {}, glyph, mg.short(name));
      }),
    );
  };

  const note = () => {
    const { guided, fronts, place, left } = view;
    const upward = fronts.filter(([first]) => mg.signs(first).every((sign) => sign > 0));
    const areas = upward.map((front) => mg.pareto.area(front.map(place)) / 100 ** 2);
    const every = mg.everyDot(view);
    document.getElementById("fronts-note").textContent = [
      `${mg.number(fronts.flat().length)} members of ${mg.number(fronts.length)} fronts among ${mg.number(guided.length)} kept epochs;`,
      `validation chooses, ${mg.chosen("split") === "val" ? "validation" : "test"} is shown. ✕ is the baseline.`,
      areas.length ? `Largest hypervolume above (0, 0): ${areas.reduce((a, b) => Math.max(a, b)).toFixed(4)}.` : "",
      every > 1 ? `One in ${every} of the faint points is drawn.` : "",
      left ? `${left} more panels: filter to see them.` : "",
    ]
      .filter(Boolean)
      .join(" ");
  };

  const listen = () => {
    const pointOf = ({ curveNumber, pointNumber }) => points[curveNumber]?.[pointNumber];
    const { trial, epoch } = mg.data.points;
    plot.on("plotly_hover", ({ event, points: [hovered] }) => {
      const point = pointOf(hovered);
      if (point != null) mg.tip(trial[point], event, epoch[point], point);
    });
    plot.on("plotly_unhover", mg.untip);
    plot.on("plotly_click", ({ event, points: [clicked] }) => {
      const point = pointOf(clicked);
      const more = event.ctrlKey || event.metaKey || event.shiftKey;
      if (point != null) mg.select(trial[point], { more, epoch: epoch[point] });
    });
    plot.on("plotly_selected", (chosen) => {
      if (!chosen) return;
      const inside = chosen.points.map(pointOf).filter((point) => point != null);
      mg.choose({ selected: [...new Set(inside.map((point) => mg.trials.id[trial[point]]))], epoch: null });
    });
    addEventListener("scroll", mg.untip, { passive: true });
  };

  // The members of all fronts in view, as [id, epoch, probe], for whoever wants to check them.
  mg.members = () => {
    const { trial, epoch, probe, probes } = mg.data.points;
    return view.fronts.flat().map((point) => [mg.trials.id[trial[point]], epoch[point], probes[probe[point]]]);
  };
}
