"""A page to explore a sweep with: fronts, runs, curves, failures and costs in one file that opens from disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from mgsweep import durable
from mgsweep.pareto import USUAL, Goals
from mgsweep.store import Store

__all__ = ["watch", "write"]

EVERY = 15.0  # seconds between two looks at the store


def write(store: Store, run: str, folder: str | Path, live: bool = False, goals: Goals = USUAL) -> tuple[Path, bool]:
    """Write `<folder>/<sweep>.html`, replacing an older one at once.

    Args:
        run: how the sweep is run, as in `mgsweep run FILE`, for the commands that the page shows.
        live: let the page look for a newer one of itself by itself.
        goals: what the sweep searches for, or may.

    Returns:
        Its path, and whether trials are being trained or waiting.

    Raises:
        InvalidInput: plotly is not installed.
    """
    from analysis.report.content import content
    from analysis.report.html import page
    from analysis.report.results import read

    results = read(store)
    name = f"{results.name}.html"
    Path(folder).mkdir(parents=True, exist_ok=True)
    durable.write(Path(folder), name, page(content(results, run, live and results.active, goals)))
    return Path(folder, name), results.active


def watch(store: Store, run: str, folder: str | Path, goals: Goals = USUAL) -> Iterator[Path]:
    """Write the page again and again until nothing is left to train; yields its path each time.

    When its user stops (closes the generator, or interrupts), the page is written a last time and no longer looks for
    a newer one.
    """
    active = True
    try:
        while active:
            path, active = write(store, run, folder, live=True, goals=goals)
            yield path
            if active:
                time.sleep(EVERY)
    finally:
        if active:
            write(store, run, folder, goals=goals)
