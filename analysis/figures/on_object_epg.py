"""How much of the attribution in the boxes is on the object, against F1: one panel for each model and depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import metric_f1

PAGE = metric_f1.PAGE


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """See `metric_f1.data`."""
    return metric_f1.data(frame, "on_object_epg")


def draw(data: pd.DataFrame) -> Figure:
    """See `metric_f1.draw`."""
    return metric_f1.draw(data, "on_object_epg")
