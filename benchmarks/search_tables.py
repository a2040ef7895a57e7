"""Trials whose every epoch is known, to replay searches on.

`voc`: 48 published runs (2 models x 2 depths x 4 losses x 3 lambdas, 50 epochs each) on VOC 2007. `shapes`: our own
grid on generated images (shapes_table.yaml: 2 depths x 4 losses x 6 lambdas, 8 epochs), made by

    python benchmarks/search_tables.py results/shapes_table

`coco`: what is published of runs on COCO 2014, points in place of epochs, one trial a model, depth and loss. Their
lambdas are not published; here they have the middle ones of VOC.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from mgsweep.plan.space import Space, space_of
from mgsweep.search.curves import Curve
from mgsweep.store import Store
from mgsweep.trial import Trial

ROOT = Path(__file__).parents[1]
OBJECTIVES = ("f1", "epg")
MIDDLE = {"energy": 1e-3, "l1": 5e-3, "ppce": 5e-4, "rrr": 1e-5}
KEYS = ["model", "attribution", "depth", "loss", "lambda_loc"]


@dataclass(frozen=True)
class Table:
    """Trials whose every epoch is known."""

    name: str
    curves: dict[str, Curve]
    trials: dict[str, Trial]

    @property
    def space(self) -> Space:
        return space_of(self.trials.values())

    @property
    def epochs(self) -> int:
        return sum(len(curve.epochs) for curve in self.curves.values())


@cache
def table(name: str) -> Table:
    rows = {"voc": voc, "shapes": shapes, "coco": coco}[name]()
    curves, trials = {}, {}
    for key, own in rows.sort_values("epoch").groupby(KEYS, sort=True):
        cell = dict(zip(KEYS, key, strict=True))
        trial = Trial(**cell, dataset="voc2007", epochs=int(rows["epoch"].max()), parent=cell["model"])
        curves[trial.id] = Curve(own["epoch"].to_numpy(), own[[*OBJECTIVES]].to_numpy(), np.empty((len(own), 0)))
        trials[trial.id] = trial
    return Table(name, curves, trials)


def voc() -> pd.DataFrame:
    rows = published()
    return rows[(rows["origin"] == "curves") & rows["depth"].isin(["input", "final"])]


def coco() -> pd.DataFrame:
    rows = published()
    rows = rows[(rows["dataset"] == "coco2014") & (rows["split"] == "val") & rows["epg"].notna()]
    cells = rows.groupby(["model", "depth", "loss"])
    return rows.assign(epoch=cells.cumcount() + 1, lambda_loc=rows["loss"].map(MIDDLE))


def shapes() -> pd.DataFrame:
    return pd.read_csv(ROOT / "benchmarks/shapes_table.csv")


def published() -> pd.DataFrame:
    """The guided runs with all boxes as they are."""
    rows = pd.read_csv(ROOT / "tests/support/recorded_curves.csv", comment="#")
    return rows[(rows["bbox_fraction"] == 1) & (rows["bbox_dilation"] == 0) & (rows["loss"] != "none")]


def record(folder: Path) -> None:
    """Write the curves of a finished sweep as the table `shapes`."""
    rows = Store(folder).frame()
    own = (rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == rows["depth"])
    rows = rows[(rows["loss"] != "none") & (rows["split"] == "val") & own]
    rows = rows.drop_duplicates([*KEYS, "epoch"]).sort_values([*KEYS, "epoch"])
    rows = rows[[*KEYS, "epoch", *OBJECTIVES]].round(dict.fromkeys(OBJECTIVES, 5))
    rows.to_csv(ROOT / "benchmarks/shapes_table.csv", index=False)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
