"""Commands that make pictures and pages from what is stored."""

from __future__ import annotations

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
