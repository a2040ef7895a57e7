"""What several commands share: their options, and how they are read."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.errors import InvalidInput

if TYPE_CHECKING:
    from mgsweep.plan import Plan
    from mgsweep.screen import Format
    from mgsweep.store import Store


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    RESUMABLE = 75
    INTERRUPTED = 130


SweepFile = Annotated[Path, typer.Argument(metavar="FILE", help="Sweep file (YAML).")]
StoredSweep = Annotated[str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store, or its file.")]
StoreFolder = Annotated[Path, typer.Option("--store", envvar="MGSWEEP_STORE", help="Where results are kept.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=A,B", help="Value(s) in place of the file's.")]
Scale = Annotated[str | None, typer.Option("--scale", metavar="NAME", help="A size of the file's scales: smoke.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="KEY=A,B", help="Only trials with these values.")]
Shard = Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Only the I-th of N parts, by baseline.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be done.")]
FormatOption = Annotated[str, typer.Option("--format", metavar="table|json|csv", help="How to print.")]
RESULTS = Path("results")


def elsewhere(store: Path) -> list[str]:
    """What a command line to copy needs, to be about the results in this folder."""
    return [] if store == RESULTS else ["--store", str(store)]


def format_of(form: str) -> Format:
    from mgsweep.screen import FORMATS

    for known in FORMATS:
        if form == known:
            return known
    raise InvalidInput.of(f"expected table, json or csv, got {form!r}", where="--format")


def planned(
    file: Path, set_: list[str] | None, only: list[str] | None, shard: str | None, scale: str | None = None
) -> Plan:
    """The trials of a sweep file, as the options change and choose them."""
    from mgsweep.plan import load

    plan = load(file, set_ or (), only or (), scale)
    if shard and plan.search:
        raise InvalidInput.of("a search has no trials yet to cut up; let one run use all machines", where="--shard")
    return plan.shard(shard) if shard else plan


def stored(store: Path, sweep: str) -> Store:
    """The results of a sweep given by name or by file."""
    from mgsweep.plan import load
    from mgsweep.store import Store

    name = load(sweep).name if Path(sweep).suffix in (".yaml", ".yml") else sweep
    if not (store / name).is_dir():
        known = ", ".join(sorted(path.parent.name for path in store.glob("*/sweep.yaml"))) or "none"
        raise InvalidInput.of(f"no results of a sweep {name!r} (there are: {known})", where=str(store))
    return Store(store / name)
