"""Maps after guidance by boxes that were drawn too large (Figure 11 of the paper): a column for each dilation."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import maps, names
from analysis.figures.points import SETTING, varied

PAGE = (*SETTING, "guided_by")


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """See `maps.data`: pages for each loss with several dilations, the baseline on each as `guided_by` says."""
    shown = maps.data(frame, "bbox_dilation", but=["bbox_dilation"])
    guided = varied(shown[shown["loss"] != "none"], "bbox_dilation").assign(guided_by=lambda rows: rows["loss"])
    pages = guided[[*SETTING, "guided_by"]].drop_duplicates()
    starts = shown[shown["loss"] == "none"].merge(pages, on=[*SETTING])
    return pd.concat([starts, guided], ignore_index=True)


def draw(data: pd.DataFrame) -> Figure:
    """Draw the maps of one loss."""
    dilations = sorted(set(data["column"]) - {"none"}, key=float)
    titles = {value: f"{names.label(data['guided_by'].iloc[0])}, {100 * float(value):g} %" for value in dilations}
    return maps.draw(data, PAGE, "bbox_dilation", {"none": names.label("none")} | titles)
