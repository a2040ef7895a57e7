"use strict";
// Attribution maps of the selected runs beside those of their baseline: a row for each image, its boxes over all of it.
{
  const MOST_COMPARED = 3;
  const MOST_PROBES = 4;

  // They are many megabytes, and most readers of a page never see them: unpacked when a run is first selected.
  let unpacked = null;
  const stored = () => (unpacked ??= mg.unpacked("packed-pictures"));

  // An element that fills when the pictures are there.
  mg.maps = (selected) => {
    const place = mg.element("div", { class: "maps" });
    stored().then((pictures) => fill(place, pictures, selected));
    return place;
  };

  const fill = (place, { images, maps, left }, selected) => {
    const columns = columnsOf(maps, selected);
    const rows = [...new Set(columns.flatMap((column) => column.maps.map((map) => map.image)))].sort((a, b) => a - b);
    if (rows.length) place.append(grid(images, columns, rows), key());
    if (selected.some((trial) => left.includes(trial))) place.append(note(`Not in this page: ${why(maps, left)}`));
    else if (rows.length && left.length) place.append(note(`Not all in this page: ${why(maps, left)}`));
  };

  const why = (maps, left) => {
    const there = new Set(maps.map((map) => map.trial)).size;
    return `it has room for maps of ${mg.number(there)} of ${mg.number(there + left.length)} runs, an image of each before a second one of any: baselines first, then members of fronts, then the largest gains.`;
  };
  const note = (text) => mg.element("p", { class: "quiet" }, text);

  // The baseline where the last of the runs was guided, and the runs; or a baseline alone, wherever it was measured.
  const columnsOf = (maps, selected) => {
    const last = selected.at(-1);
    const of = (trial) => maps.filter((map) => map.trial === trial);
    if (mg.trials.baseline[last]) {
      const probes = [...new Set(of(last).map((map) => map.probe))].slice(0, MOST_PROBES);
      return probes.map((probe) =>
        column(
          probe,
          of(last).filter((map) => map.probe === probe),
        ),
      );
    }
    const guided = selected.filter((trial) => !mg.trials.baseline[trial]).slice(-MOST_COMPARED);
    const probe = of(last)[0]?.probe;
    const start = of(mg.trials.parent[last]).filter((map) => map.probe === probe);
    const shown =
      guided.length === 1
        ? [column("This run", of(last))]
        : guided.map((trial) => ({ ...column(mg.name(trial), of(trial)), trial, words: mg.apart(trial, guided) }));
    return [...(start.length ? [column("Baseline", start)] : []), ...shown].filter(({ maps }) => maps.length);
  };
  const column = (name, maps) => ({ name, maps, words: [name] });

  const grid = (images, columns, rows) => {
    const cells = rows.flatMap((row) => [
      picture(images[row], images[row].src, images[row].class, `Image of class ${images[row].class}`),
      ...columns.map(({ name, maps }) => {
        const map = maps.find(({ image }) => image === row);
        const told = `${name}: attribution map for ${images[row].class}`;
        return map ? picture(images[row], map.src, `${mg.percent(map.epg)} %`, told, detail(map)) : mg.element("span");
      }),
    ]);
    const made = mg.element("div", { class: "map-grid" }, [column("Image", []), ...columns].map(heading), cells);
    made.style.gridTemplateColumns = `repeat(${columns.length + 1}, minmax(0, 1fr))`;
    return made;
  };

  const heading = ({ name, trial, words }) => {
    const dot = trial == null ? null : mg.dot(mg.colorOfSelected(trial));
    const lines = words.map((word) => mg.element("span", { class: "word" }, mg.short(word)));
    return mg.element("b", { title: name }, dot, lines);
  };

  const detail = ({ epoch, probe, epg, probability }) =>
    `epoch ${epoch} · ${probe} · EPG ${mg.percent(epg)} % · probability of the class ${mg.percent(probability)} %`;

  const picture = ({ boxes }, src, caption, alt, title = null) => {
    const image = mg.element("img", {
      alt,
      title,
      decoding: "async",
      src: `data:image/png;base64,${src}`,
    });
    return mg.element(
      "figure",
      {},
      mg.element("div", { class: "picture" }, image, boxes.map(outline)),
      mg.element("figcaption", { title: caption }, caption),
    );
  };

  const outline = ([left, top, right, bottom]) => {
    const box = mg.element("span", { class: "box" });
    const percent = { left, top, width: right - left, height: bottom - top };
    for (const [side, value] of Object.entries(percent)) box.style[side] = `${100 * value}%`;
    return box;
  };

  const key = () =>
    mg.element(
      "p",
      { class: "map-key quiet" },
      "against",
      mg.element("span", { class: "map-scale", "aria-hidden": "true" }),
      "for the class, relative to the 99.5 % quantile of each map; under it its EPG.",
    );
}
