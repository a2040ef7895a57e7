"""A front as one number: the area that it dominates, above nothing at all and beyond the baseline."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures.points import SETTING, beside_baselines
from analysis.pareto import hypervolume
from analysis.selection import EXPERIMENT, at_own_probe, fronts, kin
from analysis.tables import rows
from analysis.tables.layout import Measure
from analysis.tables.rows import CONTEST, GROUP, PAGE, ROW, head

__all__ = ["CONTEST", "GROUP", "PAGE", "ROW", "caption", "data", "head", "measures"]

MEASURES = {
    "epg": Measure("EPG–F1 above 0 ↑"),
    "epg_beyond": Measure("EPG–F1 beyond baseline ↑", scale=10_000),
    "iou": Measure("IoU–F1 above 0 ↑"),
    "iou_beyond": Measure("IoU–F1 beyond baseline ↑", scale=10_000),
}
OF = ("seed", "kin", *EXPERIMENT)


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Areas between test values of the fronts chosen on validation and a reference: (0, 0), or the own baseline.

    Returns:
        See `rows.summarised`; areas are in [0, 1].
    """
    areas = [_areas(frame, metric) for metric in ("epg", "iou")]
    return rows.summarised(pd.concat(areas, ignore_index=True), [*MEASURES])


def _areas(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row for each seed of an experiment: OF, `metric` and `<metric>_beyond`."""
    members = beside_baselines(at_own_probe(fronts(frame, ("f1", metric))), frame, ["f1", metric])
    baseline = members["loss"] == "none"
    members["kin"] = kin(frame, members["parent"].where(~baseline, members["id"]))
    starts = members[baseline].set_index(["kin", *SETTING])[["f1", metric]]
    corners = dict(zip(starts.index, starts.to_numpy().tolist(), strict=True))
    inside = members["guidance_region"] != "outside"  # what is made small has no area above nothing
    members = members[~baseline & inside].reset_index(drop=True)
    points = members[["f1", metric]].to_numpy()
    places = list(members[["kin", *SETTING]].itertuples(index=False, name=None))
    cells = list(members.groupby([*OF], dropna=False, sort=False).indices.values())
    areas = [hypervolume(points[cell], (0.0, 0.0)) for cell in cells]
    beyond = [
        hypervolume(points[cell], corners[places[cell[0]]]) if places[cell[0]] in corners else float("nan")
        for cell in cells
    ]
    firsts = members[[*OF]].take([cell[0] for cell in cells]).reset_index(drop=True)
    return firsts.assign(**{metric: areas, f"{metric}_beyond": beyond})


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    return {name: measure for name, measure in MEASURES.items() if name in set(page["measure"])}


def caption(page: pd.DataFrame) -> str:
    return rows.about(
        page,
        "area dominated by the test values of the fronts chosen on validation. Above 0: reference F1 = 0 and EPG or "
        "IoU = 0, in % of the unit square. Beyond baseline: reference is the baseline of the same seed, in square "
        "points.",
    )
