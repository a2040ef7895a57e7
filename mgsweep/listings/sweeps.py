"""`mgsweep status`: each sweep of a store in a line, what runs, what failed and of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput
from mgsweep.labels import label, shared
from mgsweep.plan import scale_of
from mgsweep.plan.arguments import rescale
from mgsweep.plan.document import read
from mgsweep.plan.schema import Resources
from mgsweep.screen import Part, duration, heading, table
from mgsweep.store import Store
from mgsweep.store.states import STATES, Look, look

Cells = dict[str, Any]

ALWAYS = ("done", "running", "failed", "waiting")
"""The states that the table of sweeps shows though no trial is in them."""

HOURS = {"hours": "trial h", "gpu_hours": "GPU h"}
"""What was spent, and what the table calls it. Without a GPU there are no GPU hours."""


def sweeps(folder: Path) -> list[Store]:
    """Every sweep of a store."""
    return [Store(file.parent) for file in sorted(folder.glob("*/plan.parquet"))]


def by_sweep(folder: Path) -> list[Cells]:
    """One row for each sweep, as data: counts, `failed_by` cause, rates, and `hours` of trials, that of GPUs beside."""
    return [_row(store, look(store)) for store in sweeps(folder)]


def _row(store: Store, seen: Look) -> Cells:
    counts = Counter(seen.states.values())
    causes = Counter(failure["cause"] for name, failure in seen.failures.items() if seen.states[name] == "failed")
    return {
        "sweep": store.path.name,
        "trials": len(seen.states),
        **{state: counts[state] for state in STATES},
        "failed_by": dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
        "epochs_per_hour": seen.rate and round(3600 * seen.rate, 2),
        "seconds_left": seen.left and round(seen.left),
        "hours": round(seen.spent / 3600, 3),
        "gpu_hours": round(seen.spent / 3600 * _gpus(store), 3),
    }


def _gpus(store: Store) -> float:
    """GPUs that a trial occupies, by the sweep file that was run last; none if that cannot be understood."""
    file = store.path / "sweep.yaml"
    try:
        document = read(file)
        if scale := scale_of(document.data, file, store.path.name):
            rescale(document, scale)
        return Resources.model_validate(document.data.get("resources") or {}).gpu
    except (InvalidInput, ValueError, TypeError):  # a broken file is told by who runs it
        return 0.0


def overview(folder: Path) -> Iterator[Part]:
    """The same for the eye: a table of the sweeps, one of what runs, one of what failed."""
    seen = [(store, look(store)) for store in sweeps(folder)]
    rows = [_row(store, found) for store, found in seen]
    # A state that no trial is in would only take the place of what is to be read.
    states = [state for state in STATES if state in ALWAYS or any(row[state] for row in rows)]
    hours = [name for name in HOURS if any(row[name] for row in rows)]
    yield table([_short(row, states, hours) for row in rows])
    if running := [cells for store, found in seen for cells in _on_their_way(store, found)]:
        yield heading("On their way")
        yield table(running)
    if failed := [cells for store, found in seen for cells in _failed(store, found)]:
        yield heading("Failed")
        yield table(failed)


def _short(row: Cells, states: Sequence[str], hours: Sequence[str]) -> Cells:
    causes = ", ".join(f"{count} {cause}" for cause, count in row["failed_by"].items())
    rate = f"{row['epochs_per_hour']:.0f}" if row["epochs_per_hour"] else None
    left = duration(row["seconds_left"]) if row["seconds_left"] else None
    return {
        **{key: row[key] for key in ("sweep", "trials", *states)},
        "failed": causes or 0,
        "epochs/h": rate,
        "time left": left,
        **{HOURS[key]: f"{row[key]:.1f}" for key in hours},
    }


def _on_their_way(store: Store, seen: Look) -> Iterator[Cells]:
    if not seen.progress:
        return
    trials = {trial.id: trial for trial in store.planned()}
    known = shared(trials.values())
    under_way = [(name, progress) for name, progress in seen.progress.items() if seen.states[name] != "stopped"]
    for name, progress in sorted(under_way, key=lambda item: item[1].age):
        yield {
            "sweep": store.path.name,
            "id": name,
            "trial": label(trials[name], known),
            "state": seen.states[name],
            "epoch": f"{progress.epoch}/{progress.epochs}",
            "last progress": f"{duration(progress.age)} ago",
        }


def _failed(store: Store, seen: Look) -> Iterator[Cells]:
    """Failures grouped by what was said, the most frequent first."""
    failures = [failure for name, failure in seen.failures.items() if seen.states[name] == "failed"]
    groups = Counter((str(f["cause"]), first_line(f.get("error"))) for f in failures)
    for (cause, error), count in groups.most_common():
        example = next(f["id"] for f in failures if (f["cause"], first_line(f.get("error"))) == (cause, error))
        yield {"sweep": store.path.name, "cause": cause, "trials": count, "for example": example, "error": error}


def first_line(text: Any) -> str:
    """What an error message says first."""
    return next(iter(str(text or "").strip().splitlines()), "unknown error")
