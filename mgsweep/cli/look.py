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
    Shard,
    StoredSweep,
    StoreFolder,
    SweepFile,
    format_of,
    planned,
    stored,
)
from mgsweep.cli.run import agenda_of, announce
from mgsweep.errors import InvalidInput


def plan(
    file: SweepFile,
    store: StoreFolder = RESULTS,
    scale: Scale = None,
    set_: Set = None,
    only: Only = None,
    shard: Shard = None,
) -> None:
    """Show the trials a sweep file asks for, which are done, what the others will take, and why cells were skipped.

    Trains and writes nothing.
    """
    from mgsweep.listings.planned import by_axis, forecast, orphans, reached
    from mgsweep.screen import console, show
    from mgsweep.store import Store

    wanted = planned(file, set_, only, shard, scale)
    results = Store(store / wanted.name)
    ahead = agenda_of(wanted, results)
    announce(wanted, ahead)
    console.print(f"{len(wanted.baselines)} baselines, {len(wanted.guided)} guided")
    show(by_axis(wanted.trials))
    safe = reached(ahead.to_run, results)
    for line in forecast(ahead.to_run, Store(store).timings(), wanted.resources, safe):
        console.print(line, markup=False, soft_wrap=True)
    if not (scale or set_ or only or shard):
        for line in orphans(wanted, results):
            console.print(line, markup=False, soft_wrap=True)


def suggest(
    file: SweepFile,
    store: StoreFolder = RESULTS,
    scale: Scale = None,
    set_: Set = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 5,
    form: FormatOption = "table",
) -> None:
    """Show what a search would try next, on what the store knows by now. Trains and writes nothing."""
    from mgsweep import search
    from mgsweep.screen import show
    from mgsweep.store import Store

    wanted = planned(file, set_, None, None, scale)
    if wanted.space is None:
        raise InvalidInput.of("this sweep is no search: it has no key search", where=str(file))
    trials = search.suggestions(wanted, Store(store / wanted.name), number)
    fields = [field for axis in wanted.space.axes for field in axis.fields]
    rows = [{"id": trial.id, **{field: getattr(trial, field) for field in fields}} for trial in trials]
    show(rows, format_of(form))


def status(
    store: StoreFolder = RESULTS,
    form: FormatOption = "table",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Show every sweep in the store: what is done, runs, is stale or failed, rate, time left, GPU hours, the front.

    Reads files only: from any machine, whether a run is going on or not.
    """
    from itertools import chain

    from mgsweep import screen
    from mgsweep.cli.fronts import fronts
    from mgsweep.listings.sweeps import by_sweep, overview, sweeps

    if format_of(form) != "table":
        screen.show(by_sweep(store), format_of(form))
    elif watch:
        screen.watch(lambda: chain(overview(store), fronts(sweeps(store))), every)
    else:
        for part in chain(overview(store), fronts(sweeps(store))):
            screen.console.print(part)


def trials(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    form: FormatOption = "table",
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="TEST", help="Only trials with key=a,b or key>0.7; may be repeated."),
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="KEY", help="Sort by a column; -KEY: the largest first.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Which columns to show.")] = None,
) -> None:
    """List a sweep's trials with their state and validation scores."""
    from mgsweep.listings.trials import SHORT, by_trial, choose, readable
    from mgsweep.screen import console, show

    as_table = format_of(form) == "table"
    columns = columns or (",".join(SHORT) if as_table else None)
    chosen = choose(by_trial(stored(store, sweep)), filter_ or (), sort, columns)
    if as_table and not chosen:
        console.print("no trial meets this")
    else:
        show(readable(chosen) if as_table else chosen, format_of(form))


TrialId = Annotated[str, typer.Argument(metavar="ID", help="Id of a trial, or its beginning.")]


def show_trial(trial: TrialId, store: StoreFolder = RESULTS) -> None:
    """Show one trial: configuration, parent, curves, files, and its failed attempts."""
    from mgsweep.listings.one import describe

    describe(store, trial)


def logs(
    trial: TrialId,
    store: StoreFolder = RESULTS,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as long as the trial runs.")] = False,
) -> None:
    """Print the log of a trial."""
    from mgsweep.listings import one

    one.follow(store, trial, follow)


def schema() -> None:
    """Print the JSON Schema of sweep files, for editors."""
    import json

    from mgsweep.plan.schema import Sweep

    print(json.dumps(Sweep.model_json_schema(), indent=1))


def doctor(store: StoreFolder = RESULTS) -> None:
    """Check what this machine has: versions, processors, folders."""
    from mgsweep.listings.machine import machine
    from mgsweep.screen import show

    show(machine(store))
