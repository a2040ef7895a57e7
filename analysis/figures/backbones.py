"""The networks of one model family beside each other (Figure 7 of the paper): EPG against F1, a column for each."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import metric_f1

PAGE = ("dataset", "model", "attribution")


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The points of `metric_f1.data` of every model and attribution that has several backbones; empty if none has."""
    points = metric_f1.data(frame, "epg")
    backbones = points[points["loss"] != "none"].groupby([*PAGE])["backbone"].nunique()
    several = backbones[backbones > 1].reset_index()[[*PAGE]]
    return points.merge(several, on=[*PAGE])


def draw(data: pd.DataFrame) -> Figure:
    """See `metric_f1.draw`."""
    return metric_f1.draw(data, "epg")
