"use strict";
// Chips for every axis that varies, the search, and what is shown of how much.
{
  const MOST_CHIPS = 24;
  const MOST_NUMBERS = 12; // as chips

  mg.startFilters = () => {
    document.getElementById("search").addEventListener("input", (event) => mg.choose({ search: event.target.value }));
    document
      .getElementById("clear")
      .addEventListener("click", () => mg.choose({ filters: {}, ranges: {}, search: "" }));
    document.getElementById("fold").addEventListener("click", () => mg.choose({ folded: !mg.chosen("folded") }));
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if (event.key === "/" && !typing) {
        event.preventDefault();
        document.getElementById("search").focus();
      }
      if (event.key === "Escape") {
        if (typing) event.target.blur();
        else mg.choose({ selected: [], epoch: null });
      }
    });
    draw();
    mg.listen((changed) => {
      if (mg.refiltered(changed) || ["color", "folded", "theme"].some((key) => changed.has(key))) draw();
    });
  };

  const draw = () => {
    const focused = document.activeElement?.dataset?.chip;
    const groups = mg.axes.map((axis) =>
      axis.values.length > MOST_NUMBERS && axis.numeric ? span(axis) : chips(axis),
    );
    mg.fill("chips", states(), ...groups, ...brushed());
    if (focused) document.querySelector(`[data-chip="${CSS.escape(focused)}"]`)?.focus();
    const folded = mg.chosen("folded");
    document.getElementById("chips").hidden = folded;
    document.getElementById("fold").setAttribute("aria-expanded", String(!folded));
    const search = document.getElementById("search");
    if (search.value !== mg.chosen("search")) search.value = mg.chosen("search");
    const shown = mg.shown().reduce((sum, one) => sum + one, 0);
    document.getElementById("shown").textContent =
      shown === mg.count ? `${mg.number(mg.count)} runs` : `${mg.number(shown)} of ${mg.number(mg.count)} runs`;
    const filtered =
      mg.chosen("search") || [mg.chosen("filters"), mg.chosen("ranges")].some((all) => Object.keys(all).length);
    document.getElementById("clear").hidden = !filtered;
  };

  const group = (title, description, ...content) =>
    mg.element(
      "div",
      { class: "group", role: "group", "aria-label": title, title: description },
      mg.element("span", { class: "group-name" }, title),
      ...content,
    );

  const chips = (axis) => {
    const colored = mg.chosen("color") === axis.key;
    const buttons = axis.values
      .slice(0, MOST_CHIPS)
      .map((value, code) => chip(axis.key, value, axis.labels[code], colored ? axis.colors[code] : null));
    const rest = axis.values.length - buttons.length;
    return group(
      axis.label,
      axis.description,
      buttons,
      rest > 0 ? mg.element("span", { class: "quiet" }, `and ${rest} more: search`) : null,
    );
  };

  const states = () => {
    const there = mg.data.states.filter((_, code) => mg.trials.state.includes(code));
    return there.length > 1
      ? group(
          "state",
          "how far a run is",
          there.map((state) => chip("state", state, state, null)),
        )
      : null;
  };

  const chip = (key, value, text, color) => {
    const pressed = (mg.chosen("filters")[key] ?? []).includes(value);
    const name = `${key}=${value}`;
    const attributes = {
      type: "button",
      class: "chip",
      "aria-pressed": String(pressed),
      "data-chip": name,
      title: String(text),
      click: () => toggle(key, value),
    };
    return mg.element("button", attributes, color ? mg.dot(color) : null, mg.element("span", {}, String(text)));
  };

  const toggle = (key, value) => {
    const filters = { ...mg.chosen("filters") };
    const before = filters[key] ?? [];
    const values = before.includes(value) ? before.filter((other) => other !== value) : [...before, value];
    if (values.length) filters[key] = values;
    else delete filters[key];
    mg.choose({ filters });
  };

  // Too many numbers for chips: from and to.
  const span = (axis) => {
    const [low, high] = mg.chosen("ranges")[axis.key] ?? [axis.values[0], axis.values.at(-1)];
    const box = (name, value, end) =>
      mg.element("input", {
        type: "number",
        step: "any",
        value,
        "aria-label": `${axis.label} ${name}`,
        "data-chip": `${axis.key} ${name}`,
        change: (event) => {
          const range = [low, high];
          range[end] = event.target.value === "" ? axis.values.at(end ? -1 : 0) : Number(event.target.value);
          mg.choose({ ranges: { ...mg.chosen("ranges"), [axis.key]: range } });
        },
      });
    return group(axis.label, axis.description, box("from", low, 0), "–", box("to", high, 1));
  };

  // What was brushed in the parallel coordinates, to be let go here too.
  const brushed = () =>
    Object.entries(mg.chosen("ranges"))
      .filter(([key]) => !mg.axis(key))
      .map(([key, [low, high]]) => {
        const text = `${mg.percent(low)} – ${mg.percent(high)}`;
        const drop = () => {
          const { [key]: _, ...ranges } = mg.chosen("ranges");
          mg.choose({ ranges });
        };
        return group(
          mg.scoreName(key),
          "brushed below",
          mg.element(
            "button",
            { type: "button", class: "chip", "aria-pressed": "true", "data-chip": key, click: drop },
            `${text} ✕`,
          ),
        );
      });

  // The name of a column of scores, as in `at_f1_val` or `gain_epg`.
  mg.scoreName = (key) => {
    const [, gain, metric, val] = key.match(/^(at|gain)_(.*?)(_val)?$/) ?? [];
    if (!metric) return key;
    const name = mg.metric(metric)?.label ?? metric;
    return gain === "gain" ? `Δ${name}` : val ? name : `${name} test`;
  };
}
