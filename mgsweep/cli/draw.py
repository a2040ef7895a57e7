"""Commands that make pictures and pages from what is stored."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.cli.options import RESULTS, Scale, StoredSweep, StoreFolder, SweepFile, elsewhere, stored
from mgsweep.cli.written import asked, goals_of, written
from mgsweep.errors import InvalidInput, StoreError
from mgsweep.pareto import USUAL

if TYPE_CHECKING:
    from pandas import DataFrame

    from analysis.outputs import Line
    from mgsweep.store import Store

OneSweep = Annotated[str | None, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store, or its file.")]


def figures(
    sweep: OneSweep = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="[FIGURE]...", help="Only these.")] = None,
    store: StoreFolder = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("figures"),
    venue: Annotated[str, typer.Option(help="Where they are printed: cvpr, neurips ...")] = "cvpr",
    style: Annotated[str, typer.Option(help="Colours: clear, or the paper's.")] = "clear",
    reference: Annotated[bool, typer.Option("--reference", help="Lay published points behind, hollow.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Only say which figures there are.")] = False,
) -> None:
    """Draw the figures of a sweep from its records: PDF, PNG, SVG, and the plotted numbers as CSV."""
    from analysis.figures import FIGURES, save
    from analysis.figures.looks import Look

    if list_:
        _list(FIGURES)
        return
    chosen, results = _asked(FIGURES, sweep, names, store)
    look = Look(venue, style)
    look.check()
    _write_each(FIGURES, chosen, results, partial(save, folder=out / results.path.name, look=look, reference=reference))


def tables(
    sweep: OneSweep = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="Only these.")] = None,
    store: StoreFolder = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("tables"),
    list_: Annotated[bool, typer.Option("--list", help="Only say which tables there are.")] = False,
) -> None:
    """Write the tables of a sweep from its records: LaTeX, Markdown, and the numbers as CSV."""
    from analysis.tables import TABLES, save

    if list_:
        _list(TABLES)
        return
    chosen, results = _asked(TABLES, sweep, names, store)
    _write_each(TABLES, chosen, results, partial(save, folder=out / results.path.name))


def gallery(
    file: SweepFile,
    images: Annotated[str, typer.Option(metavar="N,N", help="Further test images, by number from 0.")] = "",
    store: StoreFolder = RESULTS,
    scale: Scale = None,
) -> None:
    """Make the pictures of a sweep's trials anew from their kept weights, with further test images if asked for."""
    from mgsweep.plan import load
    from mgsweep.runner import Places
    from mgsweep.runner.pictures import hang_all
    from mgsweep.screen import command, console

    wanted = images.split(",") if images else []
    if wrong := [number for number in wanted if not number.strip().isdecimal()]:
        raise InvalidInput.of(f"expected numbers like 3,17, got {wrong[0]!r}", where="--images")
    plan = load(file, scale=scale)  # it says where the data are; the trials are those that there are
    results = stored(store, plan.name)
    places = Places(results.path.resolve(), plan.data)
    made, lacking = hang_all(results.planned(), places, [int(number) for number in wanted])
    if not made:
        nothing = f"{results.path}: no trial is done yet, and only those have pictures; run the sweep first"
        raise StoreError("\n".join(lacking) or nothing)
    for reason in lacking:
        console.print(reason, style="dim", markup=False, soft_wrap=True)
    figure = command(["mgsweep", "figures", plan.name, "gallery", *elsewhere(store)])
    console.print(f"pictures of {made} trials. Next: {figure}", soft_wrap=True)


def _asked(
    registry: Mapping[str, Line], sweep: str | None, names: Sequence[str] | None, store: Path
) -> tuple[list[str], Store]:
    """Which lines to draw, all of them if none is named, and the results to draw from."""
    if sweep is None:
        raise InvalidInput.of("missing: name a sweep of the store or its file, or ask for --list", where="SWEEP")
    return [registry[name].name for name in names or registry], stored(store, sweep)


def _list(registry: Mapping[str, Line]) -> None:
    from mgsweep.screen import show

    show([{"name": line.name, "shows": line.shows, "needs": line.needs} for line in registry.values()])


def _write_each(
    registry: Mapping[str, Line], chosen: Sequence[str], results: Store, save: Callable[[str, DataFrame], list[Path]]
) -> None:
    """Write them, and say which files there are now and which there cannot be. One kind of rows is read at a time."""
    from analysis.records import read

    for kind in dict.fromkeys(registry[name].reads for name in chosen):
        _write([name for name in chosen if registry[name].reads == kind], read(results, kind), save)


def _write(names: Iterable[str], frame: DataFrame, save: Callable[[str, DataFrame], list[Path]]) -> None:
    from analysis.outputs import NothingToDraw
    from mgsweep.screen import console

    for name in names:
        try:
            for path in save(name, frame):
                console.print(str(path), markup=False, soft_wrap=True)
        except NothingToDraw as nothing:  # a sweep need not hold the data of everything
            console.print(str(nothing), style="dim", markup=False, soft_wrap=True)


def report(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("report"),
    watch: Annotated[bool, typer.Option("--watch", help="Write it again while the sweep runs.")] = False,
) -> None:
    """Make a page to explore a sweep with: one HTML file that opens from disk, without a server or a network."""
    from analysis import report as pages
    from mgsweep.screen import console

    results = stored(store, sweep)
    goals = goals_of(written(results)) or USUAL
    run = shlex.join(["mgsweep", "run", *asked(results, sweep), *elsewhere(store)])
    if not watch:
        console.print(str(pages.write(results, run, out, goals=goals)[0]), markup=False, soft_wrap=True)
        return
    told = False
    with suppress(KeyboardInterrupt):
        for path in pages.watch(results, run, out, goals):
            if not told:
                console.print(
                    f"{path}  (written again as the sweep goes on; Ctrl-C ends that)", markup=False, soft_wrap=True
                )
            told = True
