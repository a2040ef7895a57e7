"""EPG against mAP for every loss: one panel for each model and depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import metric_f1

PAGE = metric_f1.PAGE


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """See `metric_f1.data`."""
    return metric_f1.data(frame, "epg", "mean_ap")


def draw(data: pd.DataFrame) -> Figure:
    """See `metric_f1.draw`."""
    return metric_f1.draw(data, "epg", "mean_ap")
