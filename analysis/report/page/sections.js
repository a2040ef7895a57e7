"use strict";
// Around the charts: the summary, what is missing, failures, cost, provenance, the sweep file.
{
  mg.startSections = () => {
    document.getElementById("sweep").textContent = mg.data.sweep;
    document.title = `${mg.data.sweep} · mgsweep`;
    document.getElementById("missing").hidden = !mg.data.missing.length;
    mg.fill(
      "missing",
      mg.data.missing.map((text) => mg.element("p", { class: "note" }, text)),
      mg.count
        ? []
        : [
            mg.element(
              "p",
              { class: "command" },
              mg.element("code", {}, mg.options(mg.data.run)),
              mg.copyButton(mg.data.run),
            ),
          ],
    );
    mg.fill("tiles", tiles());
    mg.fill("failure-list", failures());
    startCost();
    mg.fill("origins", provenance());
    document.getElementById("text").textContent = mg.data.text || "The store has no copy of the sweep file.";
    document.getElementById("copy-file").replaceWith(mg.copyButton(mg.data.text));
    for (const [id, there] of Object.entries({
      fronts: mg.count,
      details: mg.count,
      progress: mg.data.courses.length,
      importance: mg.importanceShown(),
      runs: mg.count,
      cost: mg.count,
      failures: mg.data.failures.length,
      provenance: mg.data.provenance.length,
    })) {
      document.getElementById(id).hidden = !there;
    }
    mg.fill("nav", navigation());
  };

  const navigation = () =>
    [...document.querySelectorAll("main section.card:not([hidden])")].map((section) =>
      mg.element("a", { href: `#${section.id}`, "data-jump": section.id }, section.querySelector("h2").textContent),
    );

  // The address holds the state: a jump scrolls and leaves it alone.
  document.addEventListener("click", (event) => {
    const jump = event.target.closest?.("[data-jump]");
    if (!jump) return;
    event.preventDefault();
    const target = document.getElementById(jump.dataset.jump);
    target.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    target.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  });

  const tile = (name, value, below, click) => {
    const content = [
      mg.element("span", { class: "tile-name" }, name),
      mg.element("span", { class: "tile-value" }, value),
      mg.element("span", { class: "quiet" }, below),
    ];
    return click
      ? mg.element("button", { type: "button", class: "tile", click }, content)
      : mg.element("div", { class: "tile" }, content);
  };

  const tiles = () => {
    const counts = mg.data.states.map((state, code) => [state, mg.trials.state.filter((each) => each === code).length]);
    const of = Object.fromEntries(counts);
    const seconds = mg.trials.seconds.reduce((sum, each) => sum + (each ?? 0), 0);
    const open = counts
      .filter(([state, many]) => many && state !== "done")
      .map(([state, many]) => `${mg.number(many)} ${state}`);
    const { gain, hypervolume, outside_alone } = mg.data.best;
    const sign = gain && mg.trials.outside[gain.trial] ? -1 : 1; // guided outside of the boxes, EPG is to fall
    const points = (share) => `${share < 0 ? "−" : "+"}${(100 * Math.abs(share)).toFixed(1)}`;
    return [
      tile(
        "Runs done",
        `${mg.number(of.done)} / ${mg.number(mg.count)}`,
        open.join(", ") || (mg.count ? "all of them" : "nothing asked yet"),
      ),
      gain
        ? tile(
            `${sign > 0 ? "Most" : "Least"} EPG at ≤ ${100 * mg.data.f1_loss} points of ${gain.score}`,
            points(sign * gain.epg),
            `${gain.score} ${points(gain.change)} · ${mg.short(mg.name(gain.trial), 60)}`,
            () => mg.select(gain.trial),
          )
        : tile("Most EPG", "–", "no gain over a baseline yet"),
      hypervolume
        ? tile(
            "Largest hypervolume",
            hypervolume.area.toFixed(4),
            `F1 × EPG on test, above (0, 0) · ${mg.short(mg.name(hypervolume.trial), 60)}`,
            () => mg.select(hypervolume.trial),
          )
        : tile("Hypervolume", "–", outside_alone ? "none for guidance outside of the boxes" : "no front yet"),
      tile(
        "Compute",
        seconds ? mg.duration(seconds) : "–",
        `${
          [...new Set(mg.trials.device.filter(Boolean))]
            .slice(0, 2)
            .map((name) => mg.short(name, 24))
            .join(", ") || "no times are stored"
        }${remaining(of, seconds)}`,
      ),
    ];
  };

  // What is left, if the rest takes as long as those that are done.
  const remaining = (of, seconds) => {
    const left = mg.count - of.done - of.stopped - of.failed;
    return of.done && left ? `; about ${mg.duration((seconds / of.done) * left)} to go` : "";
  };

  const MOST_LISTED = 50;
  const failures = () =>
    mg.data.failures.map((group) => {
      const many = group.trials.length + group.unknown.length;
      const ids = group.trials
        .slice(0, MOST_LISTED)
        .map((trial) =>
          mg.element(
            "button",
            { type: "button", class: "plain id", title: mg.name(trial), click: () => mg.select(trial) },
            mg.trials.id[trial],
          ),
        );
      const again = `${mg.data.run} --retry ${["bug", "memory", "diverged"].includes(group.cause) ? group.cause : "all"}`;
      return mg.element(
        "article",
        { class: "failure" },
        mg.element(
          "p",
          {},
          mg.element("span", { class: "badge failed" }, group.cause),
          mg.element("b", {}, ` ${mg.number(many)} run${many === 1 ? "" : "s"}`),
        ),
        mg.element("p", { class: "error" }, mg.short(group.error, 500)),
        mg.element("p", { class: "ids" }, ids, many > ids.length ? ` and ${mg.number(many - ids.length)} more` : null),
        mg.element("p", { class: "command" }, mg.element("code", {}, mg.options(again)), mg.copyButton(again)),
        group.traceback
          ? mg.element(
              "details",
              {},
              mg.element("summary", {}, "Traceback of one"),
              mg.element("pre", { tabindex: "0" }, group.traceback),
            )
          : null,
      );
    });

  const startCost = () => {
    const axes = mg.axes.map(({ key, label }) => [key, label]);
    const select = document.getElementById("cost-by");
    const options = [...axes, ["device", "device"], ["state", "state"]];
    select.replaceChildren(...options.map(([value, text]) => mg.element("option", { value }, text)));
    select.value = mg.chosen("costBy") ?? options[0][0];
    select.addEventListener("change", () => mg.choose({ costBy: select.value }));
    cost();
    mg.listen((changed) => (mg.refiltered(changed) || changed.has("costBy")) && cost());
  };

  const MOST_BARS = 30;
  const cost = () => {
    const key = document.getElementById("cost-by").value;
    const name = (trial) =>
      key === "device" ? (mg.trials.device[trial] ?? "–") : key === "state" ? mg.state(trial) : mg.label(trial, key);
    const sums = new Map();
    mg.shown().forEach((shown, trial) => {
      if (!shown || !mg.trials.seconds[trial]) return;
      const [seconds, runs, memory] = sums.get(name(trial)) ?? [0, 0, 0];
      sums.set(name(trial), [
        seconds + mg.trials.seconds[trial],
        runs + 1,
        Math.max(memory, mg.trials.peak_memory[trial] ?? 0),
      ]);
    });
    const most = Math.max(...[...sums.values()].map(([seconds]) => seconds));
    const bars = [...sums]
      .sort(([, [a]], [, [b]]) => b - a)
      .slice(0, MOST_BARS)
      .map(([text, [seconds, runs, memory]]) => {
        const bar = mg.element("div", { class: "bar" });
        bar.style.width = `${(100 * seconds) / most}%`;
        const rest = [
          `${mg.number(runs)} run${runs === 1 ? "" : "s"}`,
          `${mg.duration(seconds / runs)} each`,
          ...(memory ? [`${(memory / 2 ** 30).toFixed(1)} GiB at most`] : []),
        ];
        return mg.element(
          "div",
          { class: "cost" },
          mg.element("span", { class: "name", title: String(text) }, String(text)),
          mg.element("div", { class: "track" }, bar),
          mg.element("b", {}, mg.duration(seconds)),
          mg.element("span", { class: "quiet" }, rest.join(" · ")),
        );
      });
    mg.fill(
      "cost-bars",
      bars.length ? bars : [mg.element("p", { class: "quiet" }, "Nothing ran among the runs in view.")],
    );
  };

  const provenance = () => {
    const commit = (row) => (row.git_commit ? row.git_commit.slice(0, 12) + (row.git_dirty ? " + changes" : "") : "–");
    const when = (text) => (/^\d/.test(text) ? text.slice(0, 16).replace("T", " ") : "–");
    const columns = {
      runs: (row) => mg.number(row.trials),
      mgsweep: (row) => row.mgsweep_version,
      torch: (row) => row.torch_version,
      commit,
      host: (row) => row.host,
      device: (row) => row.device,
      "first begun (UTC)": (row) => when(row.first),
      "last begun": (row) => when(row.last),
    };
    const head = mg.element(
      "tr",
      {},
      Object.keys(columns).map((name) => mg.element("th", { scope: "col" }, name)),
    );
    const body = mg.data.provenance.map((row) =>
      mg.element(
        "tr",
        {},
        Object.values(columns).map((write) => mg.element("td", {}, mg.short(write(row) ?? "–", 80))),
      ),
    );
    return mg.element("table", { class: "list" }, mg.element("thead", {}, head), mg.element("tbody", {}, body));
  };
}
