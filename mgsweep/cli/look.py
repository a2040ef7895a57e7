"""Commands that look and change nothing: what is planned, stored, running, and on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from mgsweep.cli.options import (
    RESULTS,
    FormatOption,
    Only,
    Scale,
    Set,
    StoredSweep,
    StoreFolder,
    SweepFile,
    format_of,
    stored,
)
from mgsweep.cli.run import announce


def plan(
    file: SweepFile, store: StoreFolder = RESULTS, scale: Scale = None, set_: Set = None, only: Only = None
) -> None:
    """Show the trials a sweep file asks for, which are done, and why cells were skipped. Trains and writes nothing."""
    from mgsweep.listings import by_axis
    from mgsweep.plan import load
    from mgsweep.runner import agenda
    from mgsweep.screen import console, show
    from mgsweep.store import Store

    planned = load(file, set_ or (), only or (), scale)
    announce(planned, agenda(planned, Store(store / planned.name)))
    console.print(f"{len(planned.baselines)} baselines, {len(planned.guided)} guided")
    show(by_axis(planned.trials))


def status(store: StoreFolder = RESULTS, form: FormatOption = "table") -> None:
    """Show every sweep in the store: how much is done, running, interrupted, failed. Reads files only."""
    from mgsweep.listings import by_sweep
    from mgsweep.screen import show

    show(by_sweep(store), format_of(form))


def trials(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    form: FormatOption = "table",
) -> None:
    """List a sweep's trials with their state and validation scores."""
    from mgsweep.listings import by_trial
    from mgsweep.screen import show

    show(by_trial(stored(store, sweep)), format_of(form))


def show_trial(
    trial: Annotated[str, typer.Argument(metavar="ID", help="Id of a trial, or its beginning.")],
    store: StoreFolder = RESULTS,
) -> None:
    """Show one trial: configuration, scores by epoch, files, and why it failed if it did."""
    from mgsweep.listings import describe

    describe(store, trial)


def schema() -> None:
    """Print the JSON Schema of sweep files, for editors."""
    import json

    from mgsweep.plan.schema import Sweep

    print(json.dumps(Sweep.model_json_schema(), indent=1))


def doctor(store: StoreFolder = RESULTS) -> None:
    """Check what this machine has: versions, processors, folders."""
    from mgsweep.listings import machine
    from mgsweep.screen import show

    show(machine(store))
