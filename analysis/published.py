"""Published numbers to lay behind one's own: the paper's and two reproductions'. `published.csv` cites them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mgsweep.trial import Trial

FILE = Path(__file__).with_name("published.csv")
CITED = {
    "paper": "Rao et al. (ICCV 2023)",
    "fact": "FACTifAI_2024_3",
    "tmlr": "model-guidance-reproducibility (TMLR)",
}
PLACE = ("dataset", "model", "backbone", "attribution", "depth")
BACKBONE = "resnet50"
"""All published points are of this network."""


def points() -> pd.DataFrame:
    """All of them: `source`, PLACE, `loss`, `bbox_fraction`, `bbox_dilation`, `front` and f1, epg, iou in [0, 1]."""
    return pd.read_csv(FILE, comment="#").assign(backbone=BACKBONE)


def beside(data: pd.DataFrame) -> pd.DataFrame:
    """The numbers that a figure plots and, after them, the published ones that belong into the same panels.

    Args:
        data: what a figure's `data` returned: with PLACE, `loss`, `f1`, and `epg` or `iou` or both with `metric`.

    Returns:
        The same columns and `source`, a key of CITED, missing in one's own rows.
    """
    metrics = list(dict.fromkeys(data["metric"])) if "metric" in data else [m for m in ("epg", "iou") if m in data]
    found = pd.concat([_of(data, metric) for metric in metrics], ignore_index=True)
    together = pd.concat([data, found.reindex(columns=[*data.columns, "source"])], ignore_index=True)
    return together.astype({"source": "str"})


def _of(data: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Published points of F1 against a metric, of the places, losses and annotations that `data` has."""
    known = points()
    known = known[known["front"].isin([metric, "both"])].dropna(subset=["f1", metric])
    known = known[known["loss"].isin({*data["loss"], "none"})]
    for key in ("bbox_fraction", "bbox_dilation"):
        shown = set(data[key]) if key in data else {Trial.model_fields[key].default}
        known = known[(known["loss"] == "none") | known[key].isin(shown)]
    return known.merge(data[[*PLACE]].drop_duplicates(), on=[*PLACE]).assign(metric=metric)


def apart(data: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One's own rows and the published ones."""
    theirs = data["source"].notna() if "source" in data else pd.Series(False, index=data.index)
    return data[~theirs], data[theirs]
