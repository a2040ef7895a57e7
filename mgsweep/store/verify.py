"""Reading everything a sweep has stored: every digest, every id, every row key."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgsweep import durable
from mgsweep.store import GENERATIONS, compact
from mgsweep.store.files import UNREADABLE, Files
from mgsweep.store.seal import Damaged
from mgsweep.trial import CONFIG, Trial

Finding = tuple[Path, str | None]
"""A file that was looked at, and what is wrong with it, if anything is."""

ROW_KEY = ("id", "epoch", "split", "probe_attribution", "probe_depth")
"""What no two rows share."""


def verify(root: Path) -> Iterator[Finding]:
    """Read every file of a sweep. Writes nothing; drafts and what was set aside are not looked at."""
    files = Files(root)
    yield from _looked(files, "plan.parquet", lambda: _plan(files))
    yield from _records(root, files)
    for name in durable.names(root / "stopped"):
        yield from _looked(files, f"stopped/{name}", _record(files, f"stopped/{name}"))
    for name in durable.names(root / "gallery"):
        yield from _looked(files, f"gallery/{name}", _pictures(files, f"gallery/{name}"))
    for trial_id in durable.names(root / "running"):
        yield from _running(files, trial_id)
    for trial_id in durable.names(root / "checkpoints"):
        for name in durable.names(root / "checkpoints" / trial_id):
            weights = f"checkpoints/{trial_id}/{name}"
            yield from _looked(files, weights, _sealed(files, weights, f"{trial_id}/{int(Path(name).stem)}"))
    for name in durable.names(root / "failed"):
        yield from _looked(files, f"failed/{name}", _failure(root / "failed" / name))


def _records(root: Path, files: Files) -> Iterator[Finding]:
    for name in durable.names(root / "trials"):
        if name.endswith(".parquet"):
            yield from _looked(files, f"trials/{name}", _record(files, f"trials/{name}"))
    if (root / compact.NAME).exists():
        compacted = compact.read(root)
        if compacted is None:
            yield root / compact.NAME, "it is not as it was written; compact the sweep again"
        else:
            yield from _looked(files, compact.NAME, lambda: _rows(compacted.table()))


def _running(files: Files, trial_id: str) -> Iterator[Finding]:
    progress = f"running/{trial_id}/progress.parquet"
    yield from _looked(files, progress, _progress(files, progress, trial_id))
    for generation in GENERATIONS:
        name = f"running/{trial_id}/{generation}"
        yield from _looked(files, name, _sealed(files, name, f"{trial_id}/checkpoint"))


def _looked(files: Files, name: str, look: Callable[[], str | None]) -> Iterator[Finding]:
    if (files.root / name).exists():
        try:
            yield files.root / name, look()
        except Damaged as damaged:
            yield files.root / name, damaged.reason


def _plan(files: Files) -> str | None:
    rows = files.read_table("plan.parquet", "plan").to_pylist()
    return next(filter(None, (_identity(row) for row in rows)), None)


def _record(files: Files, name: str) -> Callable[[], str | None]:
    return lambda: _rows(files.record(name))


def _progress(files: Files, name: str, trial_id: str) -> Callable[[], str | None]:
    return lambda: _rows(files.read_table(name, f"{trial_id}/progress"))


def _pictures(files: Files, name: str) -> Callable[[], str | None]:
    return lambda: _configurations(files.read_table(name, f"{Path(name).stem}/gallery"))


def _sealed(files: Files, name: str, seal: str) -> Callable[[], str | None]:
    def look() -> None:
        files.read(name, seal)

    return look


def _failure(file: Path) -> Callable[[], str | None]:
    def look() -> str | None:
        try:
            failure = json.loads(durable.read(file))
            return None if {"id", "attempt"} <= failure.keys() else "it names no trial or attempt"
        except UNREADABLE as error:
            return f"not a readable failure ({error})"
        except AttributeError:
            return "not a readable failure"

    return look


def _rows(rows: pa.Table) -> str | None:
    """What is wrong with the rows of one or more trials."""
    keys = [name for name in ROW_KEY if name in rows.column_names]
    counts = Counter(zip(*(rows[key].to_pylist() for key in keys), strict=True))
    if repeated := [key for key, count in counts.items() if count > 1]:
        return f"two rows of the key {', '.join(map(str, repeated[0]))}"
    return _configurations(rows)


def _configurations(rows: pa.Table) -> str | None:
    """Whether all rows of an id say the same of its trial, and that is the trial of this id."""
    columns = [name for name in ("id", *CONFIG) if name in rows.column_names]
    configurations = rows.select(columns).group_by(columns).aggregate([]).to_pylist()
    ids = Counter(row["id"] for row in configurations)
    if torn := [name for name, count in ids.items() if count > 1]:
        return f"rows of trial {torn[0]} differ in their configuration"
    return next(filter(None, map(_identity, configurations)), None)


def _identity(row: dict[str, Any]) -> str | None:
    try:
        found = Trial.from_row({key: value for key, value in row.items() if value is not None}).id
    except ValueError as error:
        return f"the configuration of trial {row['id']} is none: {str(error).splitlines()[-2].strip()}"
    return None if found == row["id"] else f"it says trial {row['id']}, its configuration is that of {found}"
