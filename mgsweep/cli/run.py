"""`mgsweep run`: start, resume, extend and retry a sweep."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.cli.options import RESULTS, Exit, Only, Scale, Set, Shard, StoreFolder, SweepFile, planned
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
    grace: Annotated[float, typer.Option(help="Seconds to end the running epochs in after SIGTERM or SIGUSR1.")] = 25,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures and the summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the trials' logs and Ray's own.")] = False,
) -> None:
    """Train what the sweep asks for and the store does not have. The same command starts, resumes and extends."""
    from mgsweep import runner
    from mgsweep.runner.limits import limits
    from mgsweep.store import Store

    plan = planned(file, set_, only, shard, scale)
    results = Store(store / plan.name)
    allowed = limits(until, budget)
    agenda = runner.agenda(plan, results, _causes(retry or []))
    announce(plan, agenda)
    if dry_run:
        return
    outcome = None
    if agenda.to_run:
        way = Way(local, address, quiet, verbose, grace, tuple(mirror or ()))
        outcome = execute(plan, agenda, results, way, allowed)
    raise typer.Exit(_summarise(plan, agenda, outcome, results, file, scale))


@dataclass(frozen=True)
class Way:
    """How the user wants trials to be executed."""

    local: bool = False
    address: str | None = None
    quiet: bool = False
    verbose: bool = False
    grace: float = 25
    mirrors: tuple[str, ...] = ()


def _causes(retry: list[str]) -> list[str]:
    from mgsweep.runner.retry import RETRIABLE

    known = (*RETRIABLE, "all")
    for cause in retry:
        if cause not in known:
            raise InvalidInput.of(f"expected one of {', '.join(known)}, got {cause!r}", where="--retry")
    return retry


def execute(plan: Plan, agenda: Agenda, results: Store, way: Way, limits: Limits) -> Outcome:
    """Check everything, write down the plan, and run the agenda until it is done or the run is to stop."""
    from mgsweep.mirrors import mirrored
    from mgsweep.runner import Places, preflight
    from mgsweep.runner.stopping import Stop, leave, signals
    from mgsweep.screen import Screen, console

    places = Places(results.path.resolve(), plan.data, own_weights=plan.weights)
    outlets = _outlets(plan, way.mirrors)
    preflight.check(agenda.to_run, places)
    results.begin(plan.text, plan.trials)
    stop = Stop()
    with Screen(agenda.to_run, way.quiet) as screen:

        def at_once(code: int) -> None:
            screen.close()
            console.print("[yellow]left[/]; every finished epoch is kept", soft_wrap=True)
            leave(code)

        with signals(stop, way.grace, lambda text: console.print(f"[yellow]{text}[/]", soft_wrap=True), at_once):
            with mirrored(screen, plan.name, outlets, lambda text: console.print(text, markup=False)) as listener:
                outcome = _run_on(plan, agenda, places, listener, way, stop, limits)
                listener.ended(outcome)
            return outcome


def _outlets(plan: Plan, mirrors: tuple[str, ...]) -> list[Outlet]:
    """Who else hears of the run."""
    from mgsweep.mirrors.command import Command
    from mgsweep.mirrors.trackers import tracker

    told: list[Outlet] = [Command(plan.on_event)] if plan.on_event else []
    return told + [tracker(name, plan.name) for name in mirrors]


def _run_on(
    plan: Plan, agenda: Agenda, places: Places, listener: Listener, way: Way, stop: Stop, limits: Limits
) -> Outcome:
    if way.local:
        from mgsweep.runner import local as here

        if way.verbose:
            logging.getLogger("mgsweep.trial").addHandler(logging.StreamHandler())
        return here.run(agenda, places, listener, plan.resources, stop=stop, limits=limits)
    from mgsweep.runner import cluster

    return cluster.run(agenda, places, listener, plan.resources, way.address, way.verbose, stop=stop, limits=limits)


def announce(plan: Plan, agenda: Agenda) -> None:
    from mgsweep.screen import console

    failed = f", [red]{len(agenda.failed)} failed[/]" if agenda.failed else ""
    failed += f", {len(agenda.blocked)} blocked by them" if agenda.blocked else ""
    counts = f"{len(plan.trials)} trials: {len(agenda.done)} done{failed}, {len(agenda.to_run)} to run"
    console.print(f"[bold]{plan.name}[/]  {counts}")
    for reason, count in plan.skipped.items():
        console.print(f"[dim]skipped {count}: {reason}[/]")


def _summarise(
    plan: Plan, agenda: Agenda, outcome: Outcome | None, results: Store, file: Path, scale: str | None
) -> int:
    """The last lines of a run: what came of it and what to type next."""
    from mgsweep.screen import console

    elsewhere = "" if results.path.parent == RESULTS else f" --store {results.path.parent}"
    again = f"mgsweep run {file}" + (f" --scale {scale}" if scale else "") + elsewhere
    if outcome and outcome.stopped and outcome.unfinished:
        console.print(outcome.stopped, style="red" if outcome.code == Exit.FAILED else "yellow", markup=False)
        done = len(agenda.done) + outcome.finished
        console.print(f"{done} of {len(plan.trials)} done, every finished epoch is kept. Resume: [bold]{again}[/]")
        return outcome.code
    _print_gains(results)
    failed = len(agenda.failed) + (outcome.failed if outcome else 0)
    if failed:
        console.print(
            f"[red]{failed} failed[/]. Look: [bold]mgsweep trials {plan.name}[/]  Again: [bold]{again} --retry all[/]"
        )
        return Exit.FAILED
    console.print(
        f"[green]all {len(plan.trials)} done[/]. Next: [bold]mgsweep figures {plan.name if scale else file}[/]"
    )
    return Exit.DONE


def _print_gains(results: Store) -> None:
    from analysis.selection import gains
    from mgsweep.screen import percent, show

    found = gains(results.frame())
    by, title = ("accuracy", "accuracy") if found["accuracy_val"].notna().any() else ("f1", "F1")
    if len(found):
        show(
            [
                {
                    **({"data": row["dataset"]} if found["dataset"].nunique() > 1 else {}),
                    "model": row["model"],
                    "attribution": f"{row['attribution']}@{row['depth']}",
                    "loss": row["loss"],
                    "λ": f"{row['lambda_loc']:g}",
                    "epoch": row["epoch"],
                    title: f"{percent(row[f'{by}_val'])} ({100 * (row[f'{by}_val'] - row[f'{by}_val_baseline']):+.1f})",
                    "EPG": f"{percent(row['epg_val'])} ({100 * row['epg_gain']:+.1f})",
                }
                for row in found.to_dict("records")
            ],
            title=f"Largest EPG gain at <= 2 points of {title}, on validation (gain over the baseline)",
        )
