"""What a sweep reached at best, for the tiles above the charts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.report.shortened import METRIC_NAMES
from analysis.selection import CELL, PROBE
from mgsweep.pareto import hypervolume


def best(gained: pd.DataFrame, members: pd.DataFrame, place: pd.Series[int]) -> dict[str, Any]:
    """For the tiles: the largest gain on validation, and the largest area under a front of F1 and EPG on test."""
    found: dict[str, Any] = {}
    if len(gained):
        top = gained.iloc[int(gained["epg_gain"].argmax())]
        lost = "accuracy" if pd.notna(top["accuracy_val_baseline"]) else "f1"
        found["gain"] = {
            "trial": int(place[top["id"]]),
            "epg": float(top["epg_gain"]),
            "score": METRIC_NAMES[lost],
            "change": float(top[f"{lost}_val"] - top[f"{lost}_val_baseline"]),
        }
    inside = members[members["guidance_region"] != "outside"]  # of what is to become small there is no such area
    found["outside_alone"] = bool(len(members) and inside.empty)
    if len(inside):
        cells = inside.groupby([*CELL, *PROBE], dropna=False)
        areas = cells[["f1", "epg"]].apply(lambda points: hypervolume(points, (0, 0)))
        first = cells["id"].first().iloc[int(areas.argmax())]
        found["hypervolume"] = {"trial": int(place[first]), "area": float(areas.max())}
    return found
