"""Commands that look after what is stored: checked, put together, cleaned up, published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from mgsweep.cli.options import RESULTS, DryRun, Exit, StoredSweep, StoreFolder, stored
from mgsweep.errors import InvalidInput

Older = Annotated[str, typer.Option(metavar="AGE", help="Spare what is younger: 30m, 12h, 7d.")]


def compact(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    prune: Annotated[bool, typer.Option("--prune", help="Remove the single files that are now in it.")] = False,
) -> None:
    """Put all records of a sweep into one file, which readers prefer. The single files stay, unless pruned."""
    from mgsweep.screen import console
    from mgsweep.store.compact import NAME

    results = stored(store, sweep)
    held, gone = results.compact(prune)
    pruned = f"; {gone} single files removed" if prune else ""
    console.print(f"{results.path / NAME}: {held} records{pruned}", markup=False, soft_wrap=True)


def verify(
    store: StoreFolder = RESULTS,
    sweep: Annotated[str | None, typer.Argument(metavar="SWEEP", help="A sweep, or its file. All if left out.")] = None,
) -> None:
    """Read every file of a store: every digest, every id, every row key. Exits with 1 if something is damaged."""
    from mgsweep.listings.sweeps import sweeps
    from mgsweep.screen import console
    from mgsweep.store.verify import verify as findings

    found = [stored(store, sweep)] if sweep else sweeps(store)
    if not found:
        raise InvalidInput.of("expected a store with results of at least one sweep", where=str(store))
    count, damaged = 0, 0
    for results in found:
        for file, flaw in findings(results.path):
            count += 1
            if flaw:
                damaged += 1
                console.print(f"{file}: {flaw}", markup=False, soft_wrap=True)
    if damaged:
        console.print(f"[red]{damaged} damaged[/], {count - damaged} files well. A run makes what is damaged anew.")
        raise typer.Exit(Exit.FAILED)
    console.print(f"{count} files, all as they were written")


def clean(
    sweep: StoredSweep,
    store: StoreFolder = RESULTS,
    older: Older = "7d",
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Of done trials, also all kept weights but the best epoch's.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Remove what nothing needs any more: unfinished writes, leftovers of done or unplanned trials, damaged files.

    Never a record, and never what a trial can resume from.
    """
    from mgsweep.screen import console
    from mgsweep.screen import size as readable
    from mgsweep.store import clean as store_clean

    results = stored(store, sweep)
    found = list(store_clean.orphans(results, _seconds(older)))
    found += store_clean.weights(results) if checkpoints else ()
    for leftover in found:
        if not dry_run:
            store_clean.remove(results, leftover)
        console.print(f"{leftover.name}: {leftover.reason}", markup=False, soft_wrap=True)
    verb = "would be removed" if dry_run else "removed"
    console.print(f"{len(found)} {verb}, {readable(sum(leftover.size for leftover in found))}")


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d+)([smhd])", age)
    if not found:
        raise InvalidInput.of(f"expected an age such as 30m, 12h or 7d, got {age!r}", where="--older")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def export(
    sweep: StoredSweep,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("export"),
    store: StoreFolder = RESULTS,
    card: Annotated[bool, typer.Option("--dataset-card", help="Also a README.md that describes the data.")] = False,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="SPDX", help="Licence that the card states, as in CC-BY-4.0.")
    ] = None,
) -> None:
    """Write all results of a sweep as one Parquet file for others, without the names of machines."""
    from mgsweep.screen import console
    from mgsweep.store.export import export as write

    if license_ is not None and not re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", license_):
        raise InvalidInput.of(f"expected a licence's short name, as in CC-BY-4.0, got {license_!r}", where="--license")
    results = stored(store, sweep)
    for file in write(results, out, results.path.name, card, license_):
        console.print(str(file), markup=False, soft_wrap=True)


def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="Stores to take results from.")],
    into: Annotated[Path, typer.Option("--into", help="The store they are copied into.")],
) -> None:
    """Bring stores together, as those of shards: every file is verified, then copied. What is there already stays."""
    from mgsweep.listings.sweeps import sweeps
    from mgsweep.screen import console
    from mgsweep.store import Store
    from mgsweep.store.merge import check
    from mgsweep.store.merge import merge as copy

    found = [(source, sweeps(source)) for source in sources]
    if empty := [source for source, inside in found if not inside]:
        raise InvalidInput.of("expected a store with results of at least one sweep", where=str(empty[0]))
    results = [sweep for _, inside in found for sweep in inside]
    check(results)
    for sweep in results:
        counts = copy(sweep, Store(into / sweep.path.name))
        text = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing done yet"
        console.print(f"{sweep.path}: {text}", markup=False, soft_wrap=True)
