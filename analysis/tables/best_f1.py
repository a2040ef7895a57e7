"""Every loss where it classifies best: what one gets who chooses lambda and epoch by validation F1 alone."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures.points import beside_baselines, score_of
from analysis.selection import at_own_probe, best_of_cells
from analysis.tables import rows
from analysis.tables.layout import Measure
from analysis.tables.rows import CONTEST, GROUP, PAGE, ROW, head

__all__ = ["CONTEST", "GROUP", "PAGE", "ROW", "caption", "data", "head", "measures"]

MEASURES = {
    "f1": Measure("F1 (%) ↑"),
    "mean_ap": Measure("mAP (%) ↑"),
    "epg": Measure("EPG (%) ↑"),
    "epg_low": Measure("EPG (%) ↓", best="low"),
    "iou": Measure("IoU (%) ↑"),
    "iou_low": Measure("IoU (%) ↓", best="low"),
}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Test results, as fractions, of the baselines and of the best epoch over all lambdas; see `rows.summarised`."""
    points = beside_baselines(at_own_probe(best_of_cells(frame)), frame, ["f1"])
    return rows.summarised(rows.turned(points, ("epg", "iou")), [*MEASURES])


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    return {name: measure for name, measure in MEASURES.items() if name in set(page["measure"])}


def caption(page: pd.DataFrame) -> str:
    return rows.about(page, f"test results at the λ and epoch of the best validation {score_of(page)}.")
