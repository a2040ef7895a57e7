"use strict";
// The runs as a table. Only the rows in sight are made, so that 10,000 scroll as well as ten.
{
  const HEIGHT = 32; // of a row, in pixels; page.css has it too
  let order = [];
  let cursor = 0; // the row that the keyboard is at
  let columns = [];

  mg.startTable = () => {
    columns = layOut();
    const table = document.getElementById("table");
    table.replaceChildren(head(), mg.element("div", { class: "body", role: "rowgroup" }));
    table.addEventListener("scroll", () => requestAnimationFrame(rows));
    table.addEventListener("keydown", onKey);
    new ResizeObserver(rows).observe(table);
    arrange();
    mg.listen((changed) => {
      if (mg.refiltered(changed) || changed.has("sort")) arrange();
      else if (changed.has("selected") || changed.has("theme")) rows();
    });
  };

  // Name, width, how a cell is written, and what it is sorted by.
  const layOut = () => {
    const score = (key, write, title) => ({
      key,
      title,
      name: mg.scoreName(key),
      width: 84,
      number: true,
      write: (trial) => write(mg.column(key)(trial)),
      by: mg.column(key),
    });
    const val = (metric) => [
      score(`at_${metric}_val`, mg.percent, "on validation, in percent"),
      ...(mg.trials[`at_${metric}_start`]
        ? [score(`gain_${metric}`, mg.gain, "gain over the baseline on validation, in points")]
        : []),
    ];
    const metrics = mg.data.metrics.map(({ key }) => key);
    const axes = mg.axes.map((axis) => ({
      key: axis.key,
      name: axis.label,
      title: axis.description,
      number: axis.numeric,
      width: Math.min(180, Math.max(76, 26 + 8 * longest(axis) + (axis.key === "loss" ? 18 : 0))),
      write: (trial) => mg.label(trial, axis.key),
      by: axis.numeric ? mg.column(axis.key) : (trial) => mg.trials[axis.key][trial],
      dot: (trial) => axis.key === mg.chosen("color") && axis.colors[mg.trials[axis.key][trial]],
    }));
    return [
      { key: "id", name: "run", width: 124, write: (trial) => mg.trials.id[trial], by: (trial) => mg.trials.id[trial] },
      { key: "state", name: "state", width: 96, by: (trial) => mg.trials.state[trial], badge: true },
      ...axes,
      {
        key: "epoch",
        name: "epoch",
        title: "the epoch whose values are shown",
        width: 76,
        number: true,
        write: (trial) => String(mg.trials.epoch[trial] ?? "–"),
        by: mg.column("epoch"),
      },
      ...metrics.flatMap(val),
      ...metrics.map((metric) => score(`at_${metric}`, mg.percent, "on test, in percent")),
      {
        key: "seconds",
        name: "time",
        title: "training and measuring, all epochs",
        width: 84,
        number: true,
        write: (trial) => mg.duration(mg.trials.seconds[trial]),
        by: mg.column("seconds"),
      },
    ];
  };

  const longest = (axis) =>
    Math.max(
      axis.label.length + 1,
      axis.key === "loss" ? 8 : 0,
      ...axis.labels.slice(0, 500).map((text) => text.length),
    );

  const head = () => {
    const row = mg.element(
      "div",
      { class: "row head", role: "row" },
      columns.map((column) =>
        mg.element(
          "div",
          {
            role: "columnheader",
            class: column.number ? "cell number" : "cell",
            "data-key": column.key,
            title: column.title,
          },
          mg.element("button", { type: "button", tabindex: "-1", click: () => sortBy(column) }, column.name),
        ),
      ),
    );
    return template(row);
  };
  const template = (row) => {
    row.style.gridTemplateColumns = columns.map(({ width }) => `${width}px`).join(" ");
    return row;
  };

  const sortBy = ({ key, number }) => {
    const [before, way] = mg.chosen("sort");
    const first = number ? -1 : 1; // of numbers the largest are looked for
    mg.choose({ sort: before !== key ? [key, first] : way === first ? [key, -first] : [] });
  };

  // Missing values go last, whichever way; equal ones stay in the order of the plan.
  const arrange = () => {
    const shown = mg.shown();
    order = mg.trials.id.map((_, trial) => trial).filter((trial) => shown[trial]);
    const [key, way] = mg.chosen("sort");
    const by = columns.find((column) => column.key === key)?.by;
    if (by) {
      const values = new Map(order.map((trial) => [trial, by(trial) ?? null]));
      const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      order.sort((a, b) => {
        const [one, other] = [values.get(a), values.get(b)];
        if (one === null || other === null) return (one === null) - (other === null) || a - b;
        return way * compare(one, other) || a - b;
      });
    }
    document.querySelectorAll("#table [role=columnheader]").forEach((cell) => {
      const sorted = cell.dataset.key === key;
      cell.setAttribute("aria-sort", sorted ? (way > 0 ? "ascending" : "descending") : "none");
    });
    cursor = Math.min(cursor, Math.max(0, order.length - 1));
    document.getElementById("runs-note").textContent =
      `Shown at the epoch with ${mostEpg()} among those within ${100 * mg.data.f1_loss} points of the baseline's ${mg.metric("accuracy") ? "accuracy" : "F1"} on validation, or else at the best.`;
    document.getElementById("table").setAttribute("aria-rowcount", order.length + 1);
    rows();
  };

  const mostEpg = () => {
    const outside = mg.trials.outside.filter((_, trial) => !mg.trials.baseline[trial]);
    if (!outside.some(Boolean)) return "most EPG";
    return outside.every(Boolean) ? "least EPG" : "most EPG (least, if guided outside of the boxes)";
  };

  const rows = () => {
    const table = document.getElementById("table");
    const body = table.querySelector(".body");
    body.style.height = `${Math.max(1, order.length) * HEIGHT}px`;
    body.style.width = `${columns.reduce((sum, { width }) => sum + width, 0)}px`;
    if (!order.length)
      return body.replaceChildren(
        mg.element("p", { class: "quiet empty" }, mg.count ? "No run passes the filters." : "No runs."),
      );
    const first = Math.max(0, Math.floor(table.scrollTop / HEIGHT) - 6);
    const many = Math.ceil(table.clientHeight / HEIGHT) + 12;
    const selected = new Set(mg.selected());
    return body.replaceChildren(
      ...order.slice(first, first + many).map((trial, number) => row(trial, first + number, selected.has(trial))),
    );
  };

  const row = (trial, place, selected) => {
    const made = mg.element(
      "div",
      {
        class: place === cursor ? "row at" : "row",
        role: "row",
        "aria-selected": String(selected),
        "aria-rowindex": place + 2,
        "data-id": mg.trials.id[trial],
        click: (event) => onClick(event, trial, place),
      },
      columns.map((column) => cell(column, trial)),
    );
    made.style.top = `${place * HEIGHT}px`;
    return template(made);
  };

  const cell = (column, trial) => {
    if (column.badge) return mg.element("div", { class: "cell", role: "gridcell" }, mg.badge(trial));
    const text = String(column.write(trial));
    const color = column.dot?.(trial);
    return mg.element(
      "div",
      { class: column.number ? "cell number" : "cell", role: "gridcell", title: text.length > 18 ? text : null },
      color ? mg.dot(color) : null,
      text,
    );
  };

  const onClick = (event, trial, place) => {
    if (event.shiftKey) {
      const [from, to] = [Math.min(cursor, place), Math.max(cursor, place)];
      mg.choose({ selected: order.slice(from, to + 1).map((each) => mg.trials.id[each]), epoch: null });
      return;
    }
    cursor = place;
    mg.select(trial, { more: event.ctrlKey || event.metaKey });
  };

  const onKey = (event) => {
    const page = Math.floor(event.currentTarget.clientHeight / HEIGHT) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) cursor = Math.max(0, Math.min(order.length - 1, cursor + steps[event.key]));
    else if ((event.key === "Enter" || event.key === " ") && order.length)
      mg.select(order[cursor], { more: event.ctrlKey || event.key === " " });
    else return;
    event.preventDefault();
    const table = event.currentTarget;
    const [top, bottom] = [cursor * HEIGHT, (cursor + 2) * HEIGHT - table.clientHeight];
    if (table.scrollTop > top) table.scrollTop = top;
    if (table.scrollTop < bottom) table.scrollTop = bottom;
    rows();
  };
}
