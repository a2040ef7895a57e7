"""Fronts, figures and tables of a million rows, beside the way of selecting that comes to mind first.

    python benchmarks/million_rows.py [--sweeps 200]

200 sweeps of 100 trials x 50 epochs, validated after each, a tenth of the epochs kept and tested. "Naive" chooses the
same fronts with pandas' groupby and apply and a comparison of every pair; both ways are measured in turn on a tenth of
the sweeps, for the naive one would take minutes on all. Each figure and table is read from a compacted store, selected
and drawn in a process of its own, whose seconds and largest memory are told.

Named `analysis`, this file would be taken for the package by every script beside it.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.figures import FIGURES, NothingToDraw
from analysis.outputs import pages
from analysis.records import read
from analysis.selection import CELL, PROBE, fronts, guided_trials
from analysis.tables import TABLES
from mgsweep.store import Store, compact
from mgsweep.store.columns import conformed
from mgsweep.store.files import Files
from mgsweep.trial import CONFIG, Trial

SEEDS = 10
LAMBDAS = tuple(float(f"{value:.2g}") for value in np.geomspace(1e-4, 1e-2, 6))
EPOCHS, KEPT = 50, 0.1


def trials(sweeps: int) -> pd.DataFrame:
    """The configurations: a sweep is a data set and seed with 4 baselines, and 96 guided trials."""
    rows = []
    for sweep in range(sweeps):
        for model, attribution in (("vanilla", "ixg"), ("bcos", "bcos")):
            common = {"dataset": f"set{sweep // SEEDS}", "model": model, "seed": sweep % SEEDS}
            base = f"{sweep:06x}{model[:6]:0>6}"
            rows.append(common | {"id": base, "loss": "none", "attribution": None, "depth": None})
            for depth in ("input", "final"):
                for loss in ("energy", "l1", "ppce", "rrr"):
                    for lambda_loc in LAMBDAS:
                        own = {"attribution": attribution, "depth": depth, "loss": loss, "lambda_loc": lambda_loc}
                        rows.append(common | own | {"id": f"{len(rows):012x}", "parent": base})
    defaults = {key: Trial.model_fields[key].default for key in CONFIG if key not in ("dataset", "model")}
    return pd.DataFrame([defaults | row for row in rows])


def frame(sweeps: int) -> pd.DataFrame:
    """What `Store.frame()` would give: fronts that rise as F1 falls, with noise."""
    generator = np.random.default_rng(0)
    configs = trials(sweeps)
    val = configs.loc[configs.index.repeat(EPOCHS)].reset_index(drop=True)
    val = val.assign(split="val", epoch=np.tile(np.arange(1, EPOCHS + 1), len(configs)))
    lost = 0.1 * generator.random(len(val))
    val["f1"] = (0.8 - lost + generator.normal(0, 0.01, len(val))).round(4)
    val["epg"] = (0.4 + 2 * lost + generator.normal(0, 0.02, len(val))).round(4)
    val["iou"], val["mean_ap"] = val["epg"] / 2, val["f1"]
    val["seconds"], val["device"], val["peak_memory"] = generator.random(len(val)), "gpu", 10**9
    probe = np.where(val["model"] == "bcos", "bcos", "ixg")
    val["probe_attribution"], val["probe_depth"] = (
        val["attribution"].fillna(pd.Series(probe)),
        val["depth"].fillna("input"),
    )
    kept = (generator.random(len(val)) < KEPT) | ((val["epoch"] == EPOCHS) & (val["loss"] == "none"))
    rows = pd.concat([val, val[kept].assign(split="test")], ignore_index=True)
    return rows.astype({name: "str" for name in rows if rows[name].dtype == object})


def write(rows: pd.DataFrame, folder: Path) -> None:
    """The rows as a compacted store."""
    table = pa.Table.from_pandas(rows.sort_values("id", kind="stable"), preserve_index=False)
    compact.write(Files(folder), conformed(table), dict.fromkeys(rows["id"]))


def naive(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts of EPG and F1, as one would write it first."""
    key = ["id", "epoch", *PROBE]
    tested = frame[frame["split"] == "test"][key]
    val = frame[(frame["split"] == "val") & (frame["loss"] != "none")].merge(tested, on=key)

    def undominated(cell: pd.DataFrame) -> pd.DataFrame:
        def is_free(row: pd.Series) -> bool:
            better = (cell["f1"] >= row["f1"]) & (cell["epg"] >= row["epg"])
            return not (better & ((cell["f1"] > row["f1"]) | (cell["epg"] > row["epg"]))).any()

        return cell[cell.apply(is_free, axis=1)].drop_duplicates(["f1", "epg"])

    columns = list(dict.fromkeys([*CELL, *PROBE]))
    return pd.concat([undominated(cell) for _, cell in val.groupby(columns, dropna=False)])


def seconds(work: Callable[[], object]) -> float:
    """Of this process: what others do on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=200)
    sweeps = parser.parse_args().sweeps
    part = frame(max(1, sweeps // 10))
    assert len(naive(part)) == len(fronts(part))
    ratios = [seconds(lambda: naive(part)) / seconds(lambda: fronts(part)) for _ in range(3)]
    print(
        f"fronts of {len(part):,} rows: {np.median(ratios):.0f} times as fast as the naive way, median of 3", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        write(frame(sweeps), Path(folder))
        for name in ("fronts", *FIGURES, *TABLES):
            process = get_context("spawn").Process(target=alone, args=(name, Path(folder)))
            process.start()
            process.join()


def alone(name: str, folder: Path) -> None:
    """Say what one figure or table takes in this process, from the store to a page."""
    line = {**FIGURES, **TABLES}.get(name)
    if line and line.reads == "pictures":
        return
    start = time.process_time()
    rows = read(Store(folder), line.reads if line else "records")
    told = f"{len(rows):,} rows read in {time.process_time() - start:.1f} s, {peak():.2f} GB"
    took = once(line.load(), rows) if line else f"all of them {seconds(lambda: fronts(rows)):.1f} s"
    print(f"{name}: {told}; {took}; {peak():.2f} GB at most", flush=True)


def once(module: object, rows: pd.DataFrame) -> str:
    """How long the numbers of a figure or table take, and a figure's first page."""
    start = time.process_time()
    data, trials = module.data(rows), guided_trials(rows)
    told = f"numbers {time.process_time() - start:.1f} s"
    if data.empty or not hasattr(module, "draw"):
        return told if len(data) else f"{told}, nothing to draw"
    try:
        page = next(page for _, page in pages("", module.PAGE, data, trials))
        return f"{told}, a page {seconds(lambda: module.draw(page).draw_without_rendering()):.1f} s"
    except NothingToDraw:
        return told


def peak() -> float:
    """GB that this process has had at most. What `getrusage` says begins with what the parent had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e9 if found else float("nan")


if __name__ == "__main__":
    main()
