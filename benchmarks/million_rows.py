"""Fronts, figures and tables of a million rows, beside the way of selecting that comes to mind first.

    python benchmarks/million_rows.py [--sweeps 200]

200 sweeps of 100 trials x 50 epochs, validated after each, a tenth of the epochs kept and tested. "Naive" chooses the
same fronts with pandas' groupby and apply and a comparison of every pair; both ways are measured in turn on a tenth of
the sweeps, for the naive one would take minutes on all. Seconds are those of this process; memory is its peak after it
has read, selected and drawn.

Named `analysis`, this file would be taken for the package by every script beside it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.figures import FIGURES, NothingToDraw
from analysis.selection import CELL, PROBE, fronts
from analysis.tables import TABLES
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


def store(sweeps: int) -> pd.DataFrame:
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
    frame = pd.concat([val, val[kept].assign(split="test")], ignore_index=True)
    text = {name: "str" for name in frame if frame[name].dtype == object}
    return frame.astype(text)


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
    part = store(max(1, sweeps // 10))
    assert len(naive(part)) == len(fronts(part))
    ratios = [seconds(lambda: naive(part)) / seconds(lambda: fronts(part)) for _ in range(3)]
    print(f"fronts of {len(part):,} rows: {np.median(ratios):.0f} times as fast as the naive way, median of 3")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "frame.parquet")
        store(sweeps).to_parquet(file)
        process = get_context("spawn").Process(target=draw_all, args=(file,))  # whose memory is that of drawing alone
        process.start()
        process.join()


def draw_all(file: Path) -> None:
    frame = pd.read_parquet(file)
    print(f"{len(frame):,} rows; memory once loaded: {peak():.2f} GB")
    print(f"all fronts: {seconds(lambda: fronts(frame)):.1f} s")
    for name, line in {**FIGURES, **TABLES}.items():
        if not getattr(line, "pictures", False):
            print(f"{name}: {once(line.load(), frame)}")
    print(f"memory: {peak():.2f} GB at most")


def once(module: object, frame: pd.DataFrame) -> str:
    """How long the numbers of a figure or table take, and a figure's first page."""
    start = time.process_time()
    data = module.data(frame)
    told = f"numbers {time.process_time() - start:.1f} s"
    if data.empty or not hasattr(module, "draw"):
        return told if len(data) else f"{told}, nothing to draw"
    try:
        page = next(page for _, page in data.groupby([*module.PAGE]))
        return f"{told}, a page {seconds(lambda: module.draw(page).draw_without_rendering()):.1f} s"
    except NothingToDraw:
        return told


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
