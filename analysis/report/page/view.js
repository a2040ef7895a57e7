"use strict";
// What the plane of two metrics shows: the points of the runs that pass, their fronts and baselines, panel by panel.
{
  const MOST_PANELS = 12;
  const KEPT = ["f1", "accuracy", "worst_group_accuracy"]; // what is not to be lost
  const SHOWN_F1_LOSS = 0.1; // as in the figures: the axes end this far below the baselines

  // Of a view, `share` gives a point's place in percent; `fronts` and `panels` hold points by their place in the data.
  mg.view = () => {
    const split = mg.chosen("split") === "val" ? "_val" : "";
    const values = ["x", "y"].map((side) => mg.data.points[mg.chosen(side) + split]);
    const has = (point) => values.every((value) => value[point] != null);
    const guided = guidedPoints().filter(has);
    const baselines = baselinesOf(guided).filter(has);
    const fronts = frontsOf(guided);
    const percent = 100 / mg.data.scale;
    const place = (point) => values.map((value) => value[point] * percent);
    const ranges = ["x", "y"].map((side, number) => range(mg.chosen(side), values[number], guided, baselines));
    return { guided, baselines, fronts, place, ranges, ...panelsOf(guided, baselines, fronts) };
  };

  const trialOf = (point) => mg.data.points.trial[point];

  const guidedPoints = () => {
    const { trial, own, probe } = mg.data.points;
    const [shown, asked] = [mg.shown(), mg.chosen("probe")];
    const measured = (point) => (asked === "own" ? own[point] : asked === "all" || probe[point] === Number(asked));
    return trial.flatMap((each, point) => (shown[each] && !mg.trials.baseline[each] && measured(point) ? [point] : []));
  };

  // The baselines that points are compared with, where those were measured; of no points, those that pass the filters.
  // Of baselines that differ only in what is tuned, the best alone is a point.
  const baselinesOf = (guided) => {
    const compared = new Set(guided.map(kinAt));
    const wanted = (trial, point) => (guided.length ? compared.has(kinAt(point)) : mg.shown()[trial]);
    return mg.data.points.trial.flatMap((trial, point) =>
      mg.trials.baseline[trial] && wanted(trial, point) ? [point] : [],
    );
  };
  const kinAt = (point) => `${mg.trials.kin[trialOf(point)]} ${mg.data.points.probe[point]}`;

  // The front of each setting, that is, of runs that differ only in what is tuned, measured at one probe; or of all runs
  // of a colour in a panel. Validation chooses. A baseline is no setting: all that it does not tune is one already.
  const frontsOf = (guided) => {
    const [xs, ys] = ["x", "y"].map((side) => mg.data.points[`${mg.chosen(side)}_val`]);
    const lambda = (point) => mg.trials.lambda_loc?.[trialOf(point)] ?? 0;
    const { epoch } = mg.data.points;
    const validated = guided.filter((point) => xs[point] != null && ys[point] != null);
    return grouped(validated, cellOf).map((cell) => {
      cell.sort((a, b) => lambda(a) - lambda(b) || epoch[a] - epoch[b]); // of equal points the first stays
      return mg.pareto
        .front(cell.map((point) => oriented(point, [xs[point], ys[point]])))
        .map((member) => cell[member]);
    });
  };
  // 1 for what is to become large, -1 for what is in the boxes of a run that is guided outside of them.
  mg.signs = (point) =>
    ["x", "y"].map((side) =>
      mg.trials.outside[trialOf(point)] && mg.data.in_boxes.includes(mg.chosen(side)) ? -1 : 1,
    );
  const oriented = (point, values) => mg.signs(point).map((sign, side) => sign * values[side]);

  const cellOf = (point) => {
    const trial = trialOf(point);
    const of = (keys) => keys.map((key) => mg.trials[key]?.[trial]);
    const probe = mg.data.points.probe[point];
    if (mg.chosen("per") === "color") return [...of([mg.chosen("color"), ...panelKeys()]), probe].join();
    const settings = mg.axes.map(({ key }) => key).filter((key) => !mg.data.tuned.includes(key));
    return [...of(settings), probe].join();
  };

  const grouped = (points, keyOf) => {
    const groups = new Map();
    for (const point of points) {
      const key = keyOf(point);
      if (groups.has(key)) groups.get(key).push(point);
      else groups.set(key, [point]);
    }
    return [...groups.values()];
  };

  const panelKeys = () => String(mg.chosen("panels")).split(",").filter(mg.axis);

  const panelsOf = (guided, baselines, fronts) => {
    const axes = panelKeys().map(mg.axis);
    const codes = (point) => axes.map(({ key }) => mg.trials[key][trialOf(point)] ?? -1);
    const names = [...new Set(guided.map((point) => codes(point).join()))];
    names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const panels = names.slice(0, MOST_PANELS).map((name) => {
      const inside = (point) => codes(point).join() === name;
      const mine = guided.filter(inside);
      const beside = new Set(baselinesOf(mine));
      return {
        title: name
          .split(",")
          .map((code, number) => axes[number]?.labels[code] ?? "")
          .join(" · "),
        guided: mine,
        baselines: baselines.filter((point) => beside.has(point)),
        fronts: fronts.filter((front) => front.some(inside)).map((front) => front.filter(inside)),
      };
    });
    return {
      panels: panels.length ? panels : [{ title: "", guided, baselines, fronts }],
      left: names.length - panels.length,
    };
  };

  // In percent, with a margin. Points that lose too much F1 would squeeze the others.
  const range = (metric, values, guided, baselines) => {
    const starts = baselines.map((point) => values[point]);
    const floor = KEPT.includes(metric) && starts.length ? smallest(starts) - SHOWN_F1_LOSS * mg.data.scale : -Infinity;
    const numbers = [...starts, ...guided.map((point) => values[point])].filter((value) => value >= floor);
    if (!numbers.length) return [0, 100];
    const [low, high] = [smallest(numbers), -smallest(numbers.map((value) => -value))];
    const margin = 0.07 * (high - low) || mg.data.scale / 100;
    return [low - margin, high + margin].map((value) => (100 * value) / mg.data.scale);
  };
  const smallest = (numbers) => numbers.reduce((a, b) => Math.min(a, b)); // Math.min(...) has too many arguments

  // The point of a run at an epoch, its own probe first.
  mg.pointOf = (trial, epoch) => {
    const { points } = mg.data;
    const here = (point) => points.trial[point] === trial && points.epoch[point] === epoch;
    const found = points.trial.flatMap((_, point) => (here(point) ? [point] : []));
    return found.find((point) => points.own[point]) ?? found[0] ?? null;
  };
}
