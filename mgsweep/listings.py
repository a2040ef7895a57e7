"""What the listing commands show, as rows: of a plan, of the store, of one trial, of this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mgsweep import __version__
from mgsweep.errors import InvalidInput
from mgsweep.screen import console, label, percent, show
from mgsweep.store import Store
from mgsweep.store.states import STATES, state_of
from mgsweep.trial import CONFIG, Trial

Cells = dict[str, Any]


def by_axis(trials: Iterable[Trial]) -> list[Cells]:
    """How many trials there are of each value, for the fields in which a plan's trials differ."""
    trials = list(trials)
    rows = []
    for key in (key for key in CONFIG if key != "parent"):
        counts = Counter(getattr(trial, key) for trial in trials if getattr(trial, key) is not None)
        if len(counts) > 1:
            rows.append({"field": key, "values": ", ".join(f"{value} ({count})" for value, count in counts.items())})
    return rows


def by_sweep(folder: Path) -> list[Cells]:
    """One row for each sweep of a store."""
    stores = [Store(file.parent) for file in sorted(folder.glob("*/plan.parquet"))]
    return [{"sweep": store.path.name, **_counts(store)} for store in stores]


def _counts(store: Store) -> Cells:
    counts = Counter(state_of(store).values())
    return {"trials": sum(counts.values()), **{state: counts[state] for state in STATES}}


def by_trial(store: Store) -> list[Cells]:
    """One row for each planned trial: state, the fields that matter, its best scores on validation."""
    states = state_of(store)
    return _without_empty(
        {"id": trial.id, "state": states[trial.id], "trial": label(trial), **_scores(store, trial, states[trial.id])}
        for trial in store.planned()
    )


def _without_empty(rows: Iterable[Cells]) -> list[Cells]:
    """Rows without the columns in which none of them has a value."""
    rows = list(rows)
    filled = {key for row in rows for key, value in row.items() if value not in (None, percent(None))}
    return [{key: value for key, value in row.items() if key in filled or key in ALWAYS} for row in rows]


ALWAYS = ("F1", "EPG")
"""Columns of the trials of any sweep, those that have not begun among them."""


def _scores(store: Store, trial: Trial, state: str) -> Cells:
    rows = store.rows(trial.id) if state == "done" else store.progress(trial.id)
    validated = [row for row in rows if row["split"] == "val"]
    best = max(validated, key=lambda row: (row["accuracy"] or 0, row["f1"], row["epg"] or 0), default={})
    epochs = max((row["epoch"] for row in rows), default=0)
    scores = {"F1": "f1", "accuracy": "accuracy", "EPG": "epg"}
    return {"epochs": f"{epochs}/{trial.epochs}", **{name: percent(best.get(key)) for name, key in scores.items()}}


def describe(folder: Path, beginning: str) -> None:
    """Print everything about the trial whose id begins so.

    Raises:
        InvalidInput: no trial or several do.
    """
    found = [
        (store, trial)
        for store in (Store(file.parent) for file in sorted(folder.glob("*/plan.parquet")))
        for trial in store.planned()
        if trial.id.startswith(beginning)
    ]
    if len({trial.id for _, trial in found}) != 1:
        names = ", ".join(sorted({trial.id for _, trial in found})) or "none"
        raise InvalidInput.of(f"expected the id of one trial, {beginning!r} fits {names}", where=str(folder))
    store, trial = found[0]
    state = state_of(store)[trial.id]
    console.print(f"[bold]{trial.id}[/]  {label(trial)}  [{'green' if state == 'done' else 'yellow'}]{state}[/]")
    show([{"field": key, "value": value} for key, value in trial.to_row().items()])
    rows = store.rows(trial.id) if state == "done" else store.progress(trial.id)
    show(_without_empty(map(_short, rows)))
    for file in store.files(trial.id):
        console.print(str(file), soft_wrap=True)
    if failure := store.failures().get(trial.id):
        console.print(f"[red]{failure['cause']}[/] in attempt {failure['attempt']}")
        console.print(failure["traceback"], markup=False)


SCORES = {
    "f1": "f1", "mean_ap": "mean_ap", "acc.": "accuracy", "worst": "worst_group_accuracy",
    "epg": "epg", "on obj.": "on_object_epg", "iou": "iou",
}  # fmt: skip


def _short(row: Cells) -> Cells:
    probe = f"{row['probe_attribution']}@{row['probe_depth']}" if row["probe_attribution"] else None
    scores = {name: percent(row[key]) for name, key in SCORES.items()}
    losses = {key: None if row[key] is None else f"{row[key]:.4f}" for key in ("class_loss", "guidance_loss")}
    return {"epoch": row["epoch"], "split": row["split"], "probe": probe, **scores, **losses}


def machine(store: Path) -> list[Cells]:
    """What a run here would have: each thing looked at, and whether it is well."""
    from mgsweep.guidance.device import gpus
    from mgsweep.runner.places import Places

    places = Places(store)
    packages = ("torch", "torchvision", "ray", "optuna", "pandas", "pyarrow")
    rows = [{"what": name, "found": importlib.metadata.version(name)} for name in packages]
    return [
        {"what": "mgsweep", "found": __version__},
        {"what": "python", "found": platform.python_version()},
        *rows,
        {"what": "processors", "found": f"{os.cpu_count()} cores"},
        {"what": "GPUs", "found": ", ".join(gpus()) or "none; trials run on the CPU"},
        {"what": "store", "found": _folder(store)},
        {"what": "data cache", "found": _folder(places.cache)},
        {"what": "weights", "found": _folder(places.weights)},
    ]


def _folder(path: Path) -> str:
    """Whether files can be written there. Looks at the nearest folder that exists, and leaves nothing behind."""
    nearest = next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        return f"{path}: cannot be written"
    return str(path) if path.exists() else f"{path}: will be made"
