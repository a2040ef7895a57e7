"""Test images with boxes, and what the baseline and each loss attribute them to (Figures 2 and 9 of the paper)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import maps, names
from analysis.figures.points import SETTING

PAGE = SETTING


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """See `maps.data`: a column for the baseline and for each loss."""
    return maps.data(frame, "loss")


def draw(data: pd.DataFrame) -> Figure:
    """Draw the maps of one model at one depth of one data set."""
    losses = names.ordered(set(data["column"]) - {"none"})
    return maps.draw(data, PAGE, "loss", {name: names.label(name) for name in ("none", *losses)})
