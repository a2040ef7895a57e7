"use strict";
// What was measured, unpacked, and how it is written. Everything of the page hangs on this one name.
window.mg = {};
{
  // Base64, gzip, JSON: see html.py.
  mg.unpacked = (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  mg.load = async () => {
    mg.data = await mg.unpacked("data");
    mg.trials = mg.data.trials;
    mg.count = mg.trials.id.length;
    mg.axes = mg.data.axes;
    mg.place = new Map(mg.trials.id.map((id, trial) => [id, trial]));
  };

  mg.axis = (key) => mg.axes.find((axis) => axis.key === key);
  mg.metric = (key) => mg.data.metrics.find((metric) => metric.key === key);

  // An element. Text goes in as text, so no name can become markup; attributes that are functions listen.
  mg.element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(name, value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child != null));
    return made;
  };
  mg.fill = (id, ...children) =>
    document.getElementById(id).replaceChildren(...children.flat().filter((child) => child != null));

  // A dot in a colour of the figures.
  mg.dot = (color) => {
    const dot = mg.element("span", { class: "dot" });
    dot.style.background = mg.ink(color);
    return dot;
  };

  const NONE = "–";
  mg.percent = (share) => (share == null ? NONE : ((100 * share) / mg.data.scale).toFixed(1));
  mg.gain = (share) => (share == null ? NONE : (share > 0 ? "+" : share < 0 ? "−" : "±") + mg.percent(Math.abs(share)));
  mg.duration = (seconds) => {
    if (seconds == null) return NONE;
    if (seconds < 100) return `${seconds.toFixed(0)} s`;
    return seconds < 6000 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
  };
  mg.number = (count) => count.toLocaleString("en");

  // The value of an axis as it is written; a baseline has none on the axes of guided runs.
  mg.label = (trial, key) => {
    const code = mg.trials[key][trial];
    return code == null ? (key === "loss" ? "Baseline" : NONE) : mg.axis(key).labels[code];
  };

  const words = (trial, axes) => {
    const told = axes
      .filter(({ key }) => mg.trials[key][trial] != null)
      .map((axis) => (axis.numeric ? `${axis.label} ${mg.label(trial, axis.key)}` : mg.label(trial, axis.key)));
    return mg.trials.baseline[trial] ? [...told, "Baseline"] : told;
  };

  // A run in a few words: what tells it from the others, usual settings aside.
  mg.name = (trial) => {
    const unusual = mg.axes.filter(({ key, usual }) => mg.trials[key][trial] !== usual);
    return words(trial, unusual).join(" · ") || mg.trials.id[trial];
  };

  // A run in the words that tell it from those that it is compared with: usual settings only if it has no other.
  mg.apart = (trial, compared) => {
    const differing = mg.axes.filter(({ key }) => new Set(compared.map((other) => mg.trials[key][other])).size > 1);
    const unusual = differing.filter(({ key, usual }) => mg.trials[key][trial] !== usual);
    const told = [unusual, differing].map((axes) => words(trial, axes)).find(({ length }) => length);
    return told ?? [mg.trials.id[trial]];
  };

  mg.state = (trial) => mg.data.states[mg.trials.state[trial]];

  // The difference to the baseline at the same probe, on validation.
  mg.gained = (trial, metric) => {
    const [here, start] = [mg.trials[`at_${metric}_val`][trial], mg.trials[`at_${metric}_start`][trial]];
    return here == null || start == null ? null : here - start;
  };

  mg.copyButton = (text, name = "Copy") => {
    const button = mg.element(
      "button",
      { type: "button", class: "plain", click: () => copy(text, button, name) },
      name,
    );
    return button;
  };
  const copy = async (text, button, name) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // An old browser, or one that refuses a page from disk: by way of a selection.
      const area = mg.element("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = name), 1500);
  };
}
