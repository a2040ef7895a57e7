"""The last lines of a run: what came of it, and what to type next."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgsweep.cli.options import Exit, elsewhere
from mgsweep.labels import label, shared
from mgsweep.pareto import Goals
from mgsweep.trial import CONFIG, Trial

if TYPE_CHECKING:
    from mgsweep.plan import Plan
    from mgsweep.plan.schema import Search
    from mgsweep.runner import Agenda, Outcome
    from mgsweep.store import Store


def summarise(
    plan: Plan, agenda: Agenda, outcome: Outcome | None, results: Store, file: Path, scale: str | None
) -> int:
    """The last lines of a run: what came of it and what to type next."""
    from mgsweep.screen import command, console

    again = ["mgsweep", *useful(sys.argv[1:], outcome)]  # with every option that chose these trials
    asked = {trial.id for trial in (results.planned() if plan.search else plan.trials)}
    where = elsewhere(results.path.parent)
    if outcome and outcome.stopped and outcome.unfinished:
        console.print(outcome.stopped, style="red" if outcome.code == Exit.FAILED else "yellow", markup=False)
        done = len(agenda.done) + outcome.finished
        more = " with a larger --budget" if outcome.stopped.startswith("--budget") else ""
        kept = f"{done} of {len(asked)} done, every finished epoch is kept"
        console.print(f"{kept}. Resume{more}: {command(again)}", soft_wrap=True)
        return outcome.code
    if plan.search:
        print_front(plan.search, results)
    else:
        print_gains(results)
    if failed := len(agenda.failed) + (outcome.failed if outcome else 0):
        look = command(["mgsweep", "trials", plan.name, *where])
        console.print(
            f"[red]{failed} failed[/]. Look: {look}  Again: {command([*without(again, '--retry'), '--retry', 'all'])}",
            soft_wrap=True,
        )
        return Exit.FAILED
    stopped = len(asked & results.stopped())
    ended = f"{len(asked) - stopped} done, {stopped} stopped early" if stopped else f"all {len(asked)} done"
    figures = command(["mgsweep", "figures", plan.name if scale else str(file), *where])
    console.print(f"[green]{ended}[/]. Next: {figures}", soft_wrap=True)
    return Exit.DONE


def useful(arguments: list[str], outcome: Outcome | None) -> list[str]:
    """What was typed, without the limit that ended the run: again it would end at once."""
    reached = outcome.stopped.split(" ")[0] if outcome else ""
    if reached not in ("--until", "--budget"):
        return arguments
    return without(arguments, reached)


def without(arguments: list[str], option: str) -> list[str]:
    """What was typed, without an option and its values."""
    kept = [word for word in arguments if not word.startswith(f"{option}=")]
    while option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept


def print_front(search: Search, results: Store) -> None:
    """Where a search has got: its front, and what the front's hypervolume took."""
    from analysis.progress import is_share, members, progress
    from mgsweep.screen import duration, percent, show

    frame = results.frame(stopped=True)
    told = progress(frame, search.objectives, search.constraints)
    if told.empty:
        return
    shown = [
        {
            "id": row["id"],
            "model": row["model"],
            "attribution": f"{row['attribution']}@{row['depth']}",
            "loss": row["loss"],
            "λ": f"{row['lambda_loc']:g}",
            "epoch": row["epoch"],
            **{name: duration(row[name]) if name == "seconds" else percent(row[name]) for name in search.objectives},
        }
        for row in members(frame, search.objectives, search.constraints).to_dict("records")
    ]
    last, goals = told.iloc[-1], Goals(search.objectives, search.constraints)
    volume = f"{percent(last['hypervolume'])} %" if is_share(goals) else f"{last['hypervolume']:.3g}"
    spent = f"{last['trials']} trials, {last['epochs']} epochs, {duration(3600 * last['hours'])}"
    show(shown, title=f"The front on validation: hypervolume {volume} after {spent}")


def print_gains(results: Store) -> None:
    """The most that each loss gained, where it was guided, of what validation would choose."""
    from analysis.records import read
    from analysis.selection import gains
    from mgsweep.screen import percent, show

    found = gains(read(results, "records"))
    if found.empty:
        return
    by, title = ("accuracy", "accuracy") if found["accuracy_val"].notna().any() else ("f1", "F1")
    outside = ", a fall where guided outside of the boxes" if (found["guidance_region"] == "outside").any() else ""
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    trials = [Trial.from_row({key: row[key] for key in CONFIG if row[key] is not None}) for row in rows]

    def changed(row: Mapping[Hashable, Any], name: str) -> str:
        return f"{percent(row[f'{name}_val'])} ({100 * (row[f'{name}_val'] - row[f'{name}_val_baseline']):+.1f})"

    show(
        [
            {
                "trial": label(trial, shared(trials)),
                "epoch": row["epoch"],
                title: changed(row, by),
                "EPG": changed(row, "epg"),
            }
            for trial, row in zip(trials, rows, strict=True)
        ],
        title=f"Largest EPG gain{outside} at <= 2 points of {title}, on validation (change from the baseline)",
    )
