"""Commands that make pictures and pages from what is stored."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from mgsweep.cli.options import RESULTS, StoredSweep, StoreFolder, stored


def figures(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("figures"),
) -> None:
    """Draw the figures of a sweep from its records: PDF, PNG, and the plotted numbers as CSV."""
    from analysis.figures import FIGURES, NothingToDraw, save
    from mgsweep.screen import console

    results = stored(store, sweep)
    frame = results.frame()
    for name in FIGURES:
        try:
            for path in save(name, frame, out / results.path.name):
                console.print(str(path), markup=False, soft_wrap=True)
        except NothingToDraw as nothing:  # a sweep need not hold the data of every figure
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
    file = sweep if Path(sweep).suffix in (".yaml", ".yml") else results.path / "sweep.yaml"
    run = shlex.join(["mgsweep", "run", str(file), *([] if store == RESULTS else ["--store", str(store)])])
    if not watch:
        console.print(str(pages.write(results, run, out)[0]), markup=False, soft_wrap=True)
        return
    said = False
    with suppress(KeyboardInterrupt):
        for path in pages.watch(results, run, out):
            if not said:
                console.print(
                    f"{path}  (written again as the sweep goes on; Ctrl-C ends that)", markup=False, soft_wrap=True
                )
            said = True
