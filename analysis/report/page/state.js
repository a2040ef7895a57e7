"use strict";
// What the reader has chosen. It lives in the address, so that a link or a page that renews itself shows the same.
{
  const DEFAULTS = {
    filters: {}, // axis (or "state") -> values that are shown
    ranges: {}, // column -> [lowest, highest] shown
    search: "",
    x: null,
    y: null,
    split: "test",
    probe: "own",
    color: null,
    panels: null,
    per: null,
    selected: [], // ids; the last one is shown in detail
    epoch: null, // of the point that was clicked
    sort: [], // column, 1 or -1
    costBy: null,
    folded: null,
  };
  const listeners = [];
  let chosen = { ...DEFAULTS };

  const sameType = (value, standard) =>
    standard === null ? true : Array.isArray(standard) ? Array.isArray(value) : typeof value === typeof standard;

  mg.chosen = (key) => chosen[key];

  // What is shown unless the reader chooses otherwise.
  mg.presume = (values) => {
    Object.assign(DEFAULTS, values);
    for (const key of Object.keys(values)) chosen[key] ??= values[key];
  };

  mg.restore = () => {
    try {
      const saved = JSON.parse(decodeURIComponent(location.hash.slice(1)));
      for (const key of Object.keys(DEFAULTS)) {
        if (saved[key] != null && sameType(saved[key], DEFAULTS[key])) chosen[key] = saved[key];
      }
    } catch {
      // Not a state of this page: start afresh.
    }
    const kept = (all, fits) => Object.fromEntries(Object.entries(all).filter(([, value]) => fits(value)));
    const isRange = (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
    chosen.filters = kept(chosen.filters, Array.isArray);
    chosen.ranges = kept(chosen.ranges, isRange);
    chosen.selected = chosen.selected.filter((id) => mg.place.has(id));
  };

  const save = () => {
    const differing = Object.entries(chosen).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(DEFAULTS[key]),
    );
    const hash = differing.length ? encodeURIComponent(JSON.stringify(Object.fromEntries(differing))) : "";
    history.replaceState(null, "", `#${hash}`);
  };

  // Put right what this sweep does not have, without telling anybody.
  mg.correct = (values) => Object.assign(chosen, values);

  // Change some of it. Listeners hear once per frame, with the keys that changed.
  let pending = new Set();
  mg.choose = (changes) => {
    Object.assign(chosen, changes);
    if (FILTERING.some((key) => key in changes)) shown = null;
    if (!pending.size) requestAnimationFrame(tell);
    Object.keys(changes).forEach((key) => pending.add(key));
  };
  const tell = () => {
    const changed = pending;
    pending = new Set();
    save();
    listeners.forEach((listener) => listener(changed));
  };
  const FILTERING = ["filters", "ranges", "search"];
  mg.refiltered = (changed) => FILTERING.some((key) => changed.has(key));
  mg.listen = (listener) => listeners.push(listener);

  // Which runs the filters let through: one 0 or 1 for each.
  let shown = null;
  mg.shown = () => (shown ??= filtered());

  const filtered = () => {
    const passes = new Uint8Array(mg.count).fill(1);
    for (const [key, values] of Object.entries(chosen.filters)) {
      const codes = codesOf(key);
      if (!codes || !values.length) continue;
      const kept = new Set(values);
      // A baseline has no loss or depth: it stays beside whatever starts from it.
      codes.column.forEach((code, trial) => code != null && !kept.has(codes.values[code]) && (passes[trial] = 0));
    }
    for (const [key, [low, high]] of Object.entries(chosen.ranges)) {
      const value = mg.column(key);
      if (!value) continue;
      for (let trial = 0; trial < mg.count; trial++) {
        const here = value(trial);
        if (here == null ? !mg.trials.baseline[trial] || !mg.axis(key) : here < low || here > high) passes[trial] = 0;
      }
    }
    const words = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length)
      texts().forEach((text, trial) => words.every((word) => text.includes(word)) || (passes[trial] = 0));
    return passes;
  };

  const codesOf = (key) => {
    if (key === "state") return { column: mg.trials.state, values: mg.data.states };
    const axis = mg.axis(key);
    return axis && { column: mg.trials[key], values: axis.values };
  };

  // A column by name as a function of the run: an axis, a score on validation or test, or a cost.
  mg.column = (key) => {
    const axis = mg.axis(key);
    if (axis) return (trial) => axis.values[mg.trials[key][trial]] ?? null;
    if (key.startsWith("gain_")) return (trial) => mg.gained(trial, key.slice(5));
    const column = mg.trials[key];
    return column && ((trial) => column[trial]);
  };

  let cached = null;
  const texts = () =>
    (cached ??= mg.trials.id.map((id, trial) => {
      const axes = mg.axes.map((axis) => `${mg.label(trial, axis.key)} ${mg.column(axis.key)(trial) ?? ""}`);
      return [id, mg.state(trial), mg.trials.device[trial] ?? "", mg.name(trial), ...axes].join(" ").toLowerCase();
    }));

  // Select a run: alone, or beside those that are selected already.
  mg.select = (trial, { more = false, epoch = null } = {}) => {
    const id = mg.trials.id[trial];
    const before = chosen.selected.filter((other) => other !== id);
    const again = before.length < chosen.selected.length;
    if (!more) return mg.choose({ selected: [id], epoch });
    return mg.choose({ selected: again ? before : [...before, id], epoch });
  };
  mg.selected = () => chosen.selected.map((id) => mg.place.get(id));
}
