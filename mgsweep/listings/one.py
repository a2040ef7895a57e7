"""`mgsweep show` and `mgsweep logs`: everything about one trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgsweep.best import best_epoch
from mgsweep.errors import InvalidInput
from mgsweep.labels import label, shared
from mgsweep.listings.plot import curve
from mgsweep.listings.sweeps import first_line, sweeps
from mgsweep.screen import console, percent, show
from mgsweep.store import Store
from mgsweep.store.states import look
from mgsweep.trial import Trial

Cells = dict[str, Any]

TAIL = 15
"""Lines of a traceback that are shown; the file has all."""


SCORES = {
    "f1": "f1", "mean_ap": "mean_ap", "acc.": "accuracy", "worst": "worst_group_accuracy",
    "epg": "epg", "on obj.": "on_object_epg", "iou": "iou",
}  # fmt: skip


def find(folder: Path, beginning: str) -> tuple[Store, Trial]:
    """The trial whose id begins so, and the results it is in.

    Raises:
        InvalidInput: no trial or several do.
    """
    found = [(store, trial) for store in sweeps(folder) for trial in store.planned() if trial.id.startswith(beginning)]
    if len({trial.id for _, trial in found}) != 1:
        ids = sorted({trial.id for _, trial in found})
        names = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "") or "none"
        raise InvalidInput.of(f"expected the id of one trial, {beginning!r} fits {names}", where=str(folder))
    return found[0]


def describe(folder: Path, beginning: str) -> None:
    """Print everything about the trial whose id begins so.

    Raises:
        InvalidInput: no trial or several do.
    """
    store, trial = find(folder, beginning)
    state, known = look(store).states[trial.id], shared(store.planned())
    console.print(f"[bold]{trial.id}[/]  {label(trial, known)}  [{'green' if state == 'done' else 'yellow'}]{state}[/]")
    show([{"field": key, "value": value} for key, value in _configuration(store, trial).items()])
    rows = store.rows(trial.id) if state == "done" else store.so_far(trial.id)
    for line in _curves(trial, rows):
        console.print(line, highlight=False, markup=False)
    if rows:
        show(_without_empty([_short(row) for row in _telling(rows)]), title="\nBest on validation and last epoch")
    _attempts(store, trial)
    console.print("\n[bold]Files[/]")
    for file in store.files(trial.id):
        console.print(str(file), soft_wrap=True, markup=False)


def _configuration(store: Store, trial: Trial) -> Cells:
    """Every field, the parent in words."""
    planned = store.planned()
    parents = [f"{other.id}  {label(other, shared(planned))}" for other in planned if other.id == trial.parent]
    probes = ", ".join("@".join(probe) for probe in trial.measured) or None
    return {"sweep": store.path.name, **trial.to_row(), "parent": next(iter(parents), trial.parent), "measured": probes}


def _curves(trial: Trial, rows: list[Cells]) -> Iterator[str]:
    own = next(((probe.attribution, probe.depth) for probe in trial.measured), (None, None))
    validated = [row for row in rows if row["split"] == "val"]
    probed = [row for row in validated if (row["probe_attribution"], row["probe_depth"]) == own] or validated
    for name, key in (("F1", "f1"), ("EPG", "epg")):
        points = [row[key] for row in probed if row[key] is not None and row[key] == row[key]]
        if len(points) > 1:
            yield f"\n{name} on validation, epochs 1 to {probed[-1]['epoch']}: {percent(min(points))} to " + percent(
                max(points)
            )
            yield from curve(points)


def _telling(rows: list[Cells]) -> list[Cells]:
    """The rows of the epoch with the best validation score, of the last one, and those of the test split."""
    last = max(row["epoch"] for row in rows)
    validated = [row for row in rows if row["split"] == "val" and row["f1"] is not None]
    best = best_epoch(validated) if validated else last
    return [row for row in rows if row["epoch"] in (best, last) or row["split"] == "test"]


def _short(row: Cells) -> Cells:
    probe = f"{row['probe_attribution']}@{row['probe_depth']}" if row["probe_attribution"] else None
    scores = {name: percent(row[key]) for name, key in SCORES.items()}
    losses = {key: None if row[key] is None else f"{row[key]:.4f}" for key in ("class_loss", "guidance_loss")}
    return {"epoch": row["epoch"], "split": row["split"], "probe": probe, **scores, **losses}


def _without_empty(rows: list[Cells]) -> list[Cells]:
    """Rows without the columns in which none of them has a value."""
    filled = {key for row in rows for key, value in row.items() if value not in (None, percent(None))}
    return [{key: value for key, value in row.items() if key in filled} for row in rows]


def _attempts(store: Store, trial: Trial) -> None:
    attempts = store.attempts(trial.id).get(trial.id, [])
    if not attempts:
        return
    console.print("\n[bold]Failed attempts[/]")
    for failure in attempts:
        host = f" on {failure['host']}" if failure.get("host") else ""
        console.print(f"[red]{failure['cause']}[/] in attempt {failure['attempt']}{host}", end=": ")
        console.print(first_line(failure.get("error")), markup=False, soft_wrap=True)
    lines = str(attempts[-1].get("traceback", "")).rstrip().splitlines()
    if len(lines) > TAIL:
        console.print(f"... {len(lines) - TAIL} lines before", style="dim")
    for line in lines[-TAIL:]:
        console.print(line, markup=False, soft_wrap=True)


def follow(folder: Path, beginning: str, on: bool = False) -> None:
    """Print a trial's log; with `on` also what is added to it, until nobody trains the trial any more or Ctrl-C.

    Raises:
        InvalidInput: not the id of one trial, or it has no log yet.
    """
    store, trial = find(folder, beginning)
    file = store.path / "logs" / f"{trial.id}.log"
    if not file.exists():
        raise InvalidInput.of(f"trial {trial.id} has no log; it has not been started", where=str(file))
    with file.open(encoding="utf-8", errors="replace") as log:
        try:
            while True:
                last = not (on and store.is_held(trial.id))  # asked before reading, so that the end is not missed
                for line in log:
                    console.print(line, end="", markup=False, soft_wrap=True)
                if last:
                    return
                time.sleep(0.5)
        except KeyboardInterrupt:
            return
