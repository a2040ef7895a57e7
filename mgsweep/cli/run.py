"""`mgsweep run`: start, resume, extend and retry a sweep."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.cli.options import RESULTS, Only, Scale, Set, Shard, StoreFolder, SweepFile, planned
from mgsweep.cli.summary import summarise
from mgsweep.errors import InvalidInput

if TYPE_CHECKING:
    from mgsweep.mirrors import Outlet
    from mgsweep.plan import Plan
    from mgsweep.runner import Agenda, Listener, Outcome, Places
    from mgsweep.runner.limits import Limits
    from mgsweep.runner.stopping import Stop
    from mgsweep.store import Store


def run(
    file: SweepFile,
    store: StoreFolder = RESULTS,
    scale: Scale = None,
    set_: Set = None,
    only: Only = None,
    shard: Shard = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would run, and stop.")] = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, one trial at a time, without Ray.")] = False,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to use: auto, or host:port. Default: a private one.")
    ] = None,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAUSE", help="Run trials again that failed by: bug, memory, diverged, died, timeout, all."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop in time: 18:30, 2026-11-24T18:30, $SLURM_JOB_END_TIME.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="40h", help="GPU hours this sweep may use, over all its runs.")
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Also tell tensorboard, wandb or mlflow; the store stays the record."),
    ] = None,
    grace: Annotated[
        float, typer.Option(help="Seconds to end the running epochs in after SIGTERM, SIGUSR1 or --until.")
    ] = 25,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Use a cluster on the network although it asks for no token.")
    ] = False,
    continue_stopped: Annotated[
        bool, typer.Option("--continue-stopped", help="Run to their end the trials that were stopped early; stop none.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures and the summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the trials' logs and Ray's own.")] = False,
) -> None:
    """Train what the sweep asks for and the store does not have. The same command starts, resumes and extends."""
    from mgsweep.runner.limits import limits
    from mgsweep.store import Store

    if local and address:
        raise InvalidInput.of(f"expected one of the two, got --local and {address!r}", where="--local, --address")
    plan = planned(file, set_, only, shard, scale)
    results = Store(store / plan.name)
    allowed = limits(until, budget, grace)
    agenda = agenda_of(plan, results, _causes(retry or []), continue_stopped)
    announce(plan, agenda)
    if dry_run:
        return
    if plan.shards and not plan.trials:
        _leave_empty(plan, results)
        return
    outcome = None
    if agenda.wanting:
        way = Way(local, address, quiet, verbose, grace, tuple(mirror or ()), insecure)
        outcome = execute(plan, agenda, results, way, allowed)
    raise typer.Exit(summarise(plan, agenda, outcome, results, file, scale))


def agenda_of(plan: Plan, results: Store, retry: Collection[str] = (), continue_stopped: bool = False) -> Agenda:
    """The agenda of any sweep. Only one that decides as results come in needs Optuna."""
    if plan.search or plan.early_stop:
        from mgsweep import search

        return search.agenda(plan, results, retry, continue_stopped)
    from mgsweep import runner

    return runner.agenda(plan, results, retry, continue_stopped)


@dataclass(frozen=True)
class Way:
    """How the user wants trials to be executed."""

    local: bool = False
    address: str | None = None
    quiet: bool = False
    verbose: bool = False
    grace: float = 25
    mirrors: tuple[str, ...] = ()
    insecure: bool = False


def _causes(retry: list[str]) -> list[str]:
    from mgsweep.runner.retry import RETRIABLE

    known = (*RETRIABLE, "all")
    for cause in retry:
        if cause not in known:
            raise InvalidInput.of(f"expected one of {', '.join(known)}, got {cause!r}", where="--retry")
    return retry


def execute(plan: Plan, agenda: Agenda, results: Store, way: Way, limits: Limits) -> Outcome:
    """Check everything and run the agenda until it is done or the run is to stop."""
    from mgsweep.mirrors import mirrored
    from mgsweep.runner import Outcome, Places, preflight
    from mgsweep.runner.stopping import RESUMABLE, Stop, interruptible, leave, signals
    from mgsweep.screen import Screen, console

    places = Places(results.path.resolve(), plan.data, own_weights=plan.weights)
    outlets = _outlets(plan, way.mirrors)
    stop, shown = Stop(limits.until), ExitStack()

    def say(text: str) -> None:
        console.print(f"[yellow]{text}[/]", soft_wrap=True)

    def at_once(code: int) -> None:
        shown.close()
        console.print("[yellow]left[/]; every finished epoch is kept", soft_wrap=True)
        leave(code)

    def on_death() -> None:
        console.print("[red]Ray has died on this machine[/]; the same command goes on from where it was")
        at_once(RESUMABLE)

    with shown, signals(stop, way.grace, say, at_once):
        with interruptible():  # decoding takes long, and a signal may come by now
            preflight.check(agenda.to_run, places)
        if stop.asked:
            return Outcome(0, 0, 0, agenda.schedule().unfinished, stop.reason, stop.code)
        screen = shown.enter_context(Screen(agenda.to_run, way.quiet))
        with mirrored(screen, plan.name, outlets, lambda text: console.print(text, markup=False)) as listener:
            outcome = _run_on(plan, agenda, places, listener, way, stop, limits, on_death)
            listener.ended(outcome)
    return outcome


def _outlets(plan: Plan, mirrors: tuple[str, ...]) -> list[Outlet]:
    """Who else hears of the run."""
    from mgsweep.mirrors.command import Command
    from mgsweep.mirrors.trackers import tracker

    told: list[Outlet] = [Command(plan.on_event)] if plan.on_event else []
    return told + [tracker(name, plan.name) for name in mirrors]


def _run_on(
    plan: Plan,
    agenda: Agenda,
    places: Places,
    listener: Listener,
    way: Way,
    stop: Stop,
    limits: Limits,
    on_death: Callable[[], None],
) -> Outcome:
    if way.local:
        from mgsweep.runner import local as here

        _write_down(plan, agenda, places)
        if way.verbose:
            logging.getLogger("mgsweep.trial").addHandler(logging.StreamHandler())
        return here.run(agenda, places, listener, plan.resources, stop=stop, limits=limits)
    from mgsweep.runner import cluster

    return cluster.run(
        agenda,
        places,
        listener,
        plan.resources,
        way.address,
        way.verbose,
        stop=stop,
        limits=limits,
        insecure=way.insecure,
        once_ready=partial(_write_down, plan, agenda, places),
        on_death=on_death,
    )


def _write_down(plan: Plan, agenda: Agenda, places: Places) -> None:
    """What was asked for, before the first trial; not sooner, for where something is wrong nothing is written."""
    from mgsweep.store import Store

    store = Store(places.results)
    store.begin(plan.text, (*plan.trials, *agenda.to_run), plan.source)
    for trial_id in agenda.continued:
        store.go_on(trial_id)
    for trial in agenda.to_run:
        if attempt := agenda.forgiven.get(trial.id):
            store.forgive(trial.id, attempt)


def announce(plan: Plan, agenda: Agenda) -> None:
    from mgsweep.screen import console

    failed = f", [red]{len(agenda.failed)} failed[/]" if agenda.failed else ""
    failed += f", {len(agenda.blocked)} blocked by them" if agenda.blocked else ""
    stopped = f", [yellow]{len(agenda.stopped)} stopped early[/]" if agenda.stopped else ""
    counts = f"{agenda.total} trials: {len(agenda.done)} done{stopped}{failed}, {len(agenda.to_run)} to run"
    if plan.search:
        ((kind, most),) = plan.search.budget.given().items()
        counts += f"; {plan.search.sampler} suggests more, up to {most:g} {kind.replace('_', ' ')}"
    console.print(f"[bold]{plan.name}[/]  {counts}")
    if plan.shards:
        console.print(f"[dim]shards 1 to {len(plan.shards)} have {', '.join(map(str, plan.shards))} trials[/]")
    for reason, count in plan.skipped.items():
        console.print(f"[dim]skipped {count}: {reason}[/]")


def _leave_empty(plan: Plan, results: Store) -> None:
    """A shard without trials has a store, too: those of all shards are merged."""
    from mgsweep.screen import console

    results.begin(plan.text, ())
    message = "No trial falls into this shard: the ids of the baselines deal out all trials, see the numbers above"
    console.print(f"{message}. Run the other shards, or take fewer", soft_wrap=True)
