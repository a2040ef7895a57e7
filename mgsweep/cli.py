"""The command line. Arguments are parsed before anything heavy is imported, so help and mistakes answer at once."""

from __future__ import annotations

import logging
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.errors import InvalidInput, MgsweepError

if TYPE_CHECKING:
    from mgsweep.plan import Plan
    from mgsweep.runner import Agenda, Outcome, Places
    from mgsweep.screen import Format, Screen
    from mgsweep.store import Store


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    INTERRUPTED = 130


app = typer.Typer(
    help="Sweeps for model guidance: train a grid of guided classifiers, store it as Parquet, draw its figures.",
    epilog="Exit codes: 0 done, 1 some trials failed, 2 wrong usage or sweep, 130 interrupted: run again to resume.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SweepFile = Annotated[Path, typer.Argument(metavar="FILE", help="Sweep file (YAML).")]
StoreFolder = Annotated[Path, typer.Option("--store", envvar="MGSWEEP_STORE", help="Where results are kept.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=A,B", help="Value(s) in place of the file's.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="KEY=A,B", help="Only trials with these values.")]
FormatOption = Annotated[str, typer.Option("--format", metavar="table|json|csv", help="How to print.")]
RESULTS = Path("results")


@app.command()
def run(
    file: SweepFile,
    store: StoreFolder = RESULTS,
    set_: Set = None,
    only: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would run, and stop.")] = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, one trial at a time, without Ray.")] = False,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to use: auto, or host:port. Default: a private one.")
    ] = None,
    retry: Annotated[
        list[str] | None,
        typer.Option(metavar="CAUSE", help="Run trials again that failed by: bug, memory, diverged, all."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures and the summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the trials' logs and Ray's own.")] = False,
) -> None:
    """Train what the sweep asks for and the store does not have. The same command starts, resumes and extends."""
    from mgsweep import runner
    from mgsweep.plan import load
    from mgsweep.store import Store

    plan = load(file, set_ or (), only or ())
    results = Store(store / plan.name)
    agenda = runner.agenda(plan, results, _causes(retry or []))
    _announce(plan, agenda)
    if dry_run:
        return
    outcome = _execute(plan, agenda, results, local, address, quiet, verbose) if agenda.to_run else None
    raise typer.Exit(_summarise(plan, agenda, outcome, results, file))


def _causes(retry: list[str]) -> list[str]:
    known = ("bug", "memory", "diverged", "all")
    for cause in retry:
        if cause not in known:
            raise InvalidInput.of(f"expected one of {', '.join(known)}, got {cause!r}", where="--retry")
    return retry


def _execute(
    plan: Plan, agenda: Agenda, results: Store, local: bool, address: str | None, quiet: bool, verbose: bool
) -> Outcome | None:
    """Run the agenda; None when the user interrupted."""
    from mgsweep.runner import Places, preflight
    from mgsweep.screen import Screen

    places = Places(results.path.resolve(), plan.data)
    preflight.check(agenda.to_run, places)
    results.begin(plan.text, plan.trials)
    with Screen(agenda.to_run, quiet) as screen:
        try:
            return _run_on(plan, agenda, places, screen, local, address, verbose)
        except KeyboardInterrupt:
            return None


def _run_on(
    plan: Plan, agenda: Agenda, places: Places, screen: Screen, local: bool, address: str | None, verbose: bool
) -> Outcome:
    if local:
        from mgsweep.runner import local as here

        if verbose:
            logging.getLogger("mgsweep.trial").addHandler(logging.StreamHandler())
        return here.run(agenda, places, screen, plan.resources)
    from mgsweep.runner import cluster

    return cluster.run(agenda, places, screen, plan.resources, address, verbose)


def _announce(plan: Plan, agenda: Agenda) -> None:
    from mgsweep.screen import console

    failed = f", [red]{len(agenda.failed)} failed[/]" if agenda.failed else ""
    failed += f", {len(agenda.blocked)} blocked by them" if agenda.blocked else ""
    counts = f"{len(plan.trials)} trials: {len(agenda.done)} done{failed}, {len(agenda.to_run)} to run"
    console.print(f"[bold]{plan.name}[/]  {counts}")
    for reason, count in plan.skipped.items():
        console.print(f"[dim]skipped {count}: {reason}[/]")


def _summarise(plan: Plan, agenda: Agenda, outcome: Outcome | None, results: Store, file: Path) -> Exit:
    """The last lines of a run: what came of it and what to type next."""
    from mgsweep.screen import console

    again = f"mgsweep run {file}" + ("" if results.path.parent == RESULTS else f" --store {results.path.parent}")
    if agenda.to_run and (outcome is None or outcome.unfinished):
        console.print(f"[yellow]interrupted[/]; every finished epoch is kept. Resume: [bold]{again}[/]")
        return Exit.INTERRUPTED
    _print_gains(results)
    failed = len(agenda.failed) + (outcome.failed if outcome else 0)
    if failed:
        console.print(
            f"[red]{failed} failed[/]. Look: [bold]mgsweep trials {plan.name}[/]  Again: [bold]{again} --retry all[/]"
        )
        return Exit.FAILED
    console.print(f"[green]all {len(plan.trials)} done[/]. Next: [bold]mgsweep figures {file}[/]")
    return Exit.DONE


def _print_gains(results: Store) -> None:
    from analysis.selection import gains
    from mgsweep.screen import percent, show

    found = gains(results.frame())
    if len(found):
        show(
            [
                {
                    "model": row["model"],
                    "attribution": f"{row['attribution']}@{row['depth']}",
                    "loss": row["loss"],
                    "λ": f"{row['lambda_loc']:g}",
                    "epoch": row["epoch"],
                    "F1": f"{percent(row['f1_val'])} ({100 * (row['f1_val'] - row['f1_val_baseline']):+.1f})",
                    "EPG": f"{percent(row['epg_val'])} ({100 * row['epg_gain']:+.1f})",
                }
                for row in found.to_dict("records")
            ],
            title="Largest EPG gain at <= 2 points of F1, on validation (gain over the baseline)",
        )


@app.command()
def plan(file: SweepFile, store: StoreFolder = RESULTS, set_: Set = None, only: Only = None) -> None:
    """Show the trials a sweep file asks for, which are done, and why cells were skipped. Trains and writes nothing."""
    from mgsweep.listings import by_axis
    from mgsweep.plan import load
    from mgsweep.runner import agenda
    from mgsweep.screen import console, show
    from mgsweep.store import Store

    planned = load(file, set_ or (), only or ())
    _announce(planned, agenda(planned, Store(store / planned.name)))
    console.print(f"{len(planned.baselines)} baselines, {len(planned.guided)} guided")
    show(by_axis(planned.trials))


@app.command()
def status(store: StoreFolder = RESULTS, form: FormatOption = "table") -> None:
    """Show every sweep in the store: how much is done, running, interrupted, failed. Reads files only."""
    from mgsweep.listings import by_sweep
    from mgsweep.screen import show

    show(by_sweep(store), _format(form))


@app.command()
def trials(
    sweep: Annotated[str, typer.Argument(help="Name of a sweep in the store, or its file.")],
    store: StoreFolder = RESULTS,
    form: FormatOption = "table",
) -> None:
    """List a sweep's trials with their state and validation scores."""
    from mgsweep.listings import by_trial
    from mgsweep.screen import show

    show(by_trial(_stored(store, sweep)), _format(form))


@app.command(name="show")
def show_trial(
    trial: Annotated[str, typer.Argument(metavar="ID", help="Id of a trial, or its beginning.")],
    store: StoreFolder = RESULTS,
) -> None:
    """Show one trial: configuration, scores by epoch, files, and why it failed if it did."""
    from mgsweep.listings import describe

    describe(store, trial)


@app.command()
def figures(
    sweep: Annotated[str, typer.Argument(help="Name of a sweep in the store, or its file.")],
    store: StoreFolder = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("figures"),
) -> None:
    """Draw the figures of a sweep from its records: PDF, PNG, and the plotted numbers as CSV."""
    from analysis.figures import FIGURES, NothingToDraw, save
    from mgsweep.screen import console

    results = _stored(store, sweep)
    frame = results.frame()
    for name in FIGURES:
        try:
            for path in save(name, frame, out / results.path.name):
                console.print(str(path), markup=False, soft_wrap=True)
        except NothingToDraw as nothing:  # a sweep need not hold the data of every figure
            console.print(str(nothing), style="dim", markup=False, soft_wrap=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of sweep files, for editors."""
    import json

    from mgsweep.plan.schema import Sweep

    print(json.dumps(Sweep.model_json_schema(), indent=1))


@app.command()
def doctor(store: StoreFolder = RESULTS) -> None:
    """Check what this machine has: versions, processors, folders."""
    from mgsweep.listings import machine
    from mgsweep.screen import show

    show(machine(store))


def _format(form: str) -> Format:
    from mgsweep.screen import FORMATS

    for known in FORMATS:
        if form == known:
            return known
    raise InvalidInput.of(f"expected table, json or csv, got {form!r}", where="--format")


def _stored(store: Path, sweep: str) -> Store:
    """The results of a sweep given by name or by file."""
    from mgsweep.plan import load
    from mgsweep.store import Store

    name = load(sweep).name if Path(sweep).suffix in (".yaml", ".yml") else sweep
    if not (store / name).is_dir():
        known = ", ".join(sorted(path.parent.name for path in store.glob("*/sweep.yaml"))) or "none"
        raise InvalidInput.of(f"no results of a sweep {name!r} (there are: {known})", where=str(store))
    return Store(store / name)


def main() -> None:
    """Entry point: an error meant for the user is shown as its message."""
    try:
        app()
    except MgsweepError as error:
        from mgsweep.screen import warnings

        count = len(error.problems) if isinstance(error, InvalidInput) else 1
        warnings.print("[red]error[/]" if count == 1 else f"[red]{count} errors[/]", end=" " if count == 1 else "\n")
        warnings.print(str(error), markup=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None
