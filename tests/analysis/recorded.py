"""Published runs as `Store.frame()` would give them, so that selection and figures can be held against real numbers.

What was not published is filled in from what was, and `filled` of each row says how:

- "": measured as it stands here.
- "test from validation": the runs whose every epoch is known were tested at unknown epochs only.
- "validation from test": the tested checkpoints of VOC 2007 are known without their epoch and validation results.
- "input from own depth": see `deeper`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mgsweep.trial import CONFIG, Trial

FILE = Path(__file__).parents[1] / "support" / "recorded_curves.csv"
DEFAULTS = {key: Trial.model_fields[key].default for key in CONFIG}
CELL = ["dataset", "model", "attribution", "depth", "loss", "lambda_loc", "bbox_fraction", "bbox_dilation"]


def curves() -> pd.DataFrame:
    """Every epoch of 61 runs on VOC 2007, and the baselines' test results."""
    published = _published()
    val = published[published["origin"] == "curves"]
    starts = published[(published["loss"] == "none") & (published["dataset"] == "voc2007")]
    guided = val[val["loss"] != "none"]
    best = val[val["loss"] == "none"].set_index("model")
    starts = starts[starts["split"] == "test"].assign(epoch=starts["model"].map(best["epoch"]))
    # Of a baseline's validation only F1 was logged.
    start_val = starts.assign(split="val", f1=starts["model"].map(best["f1"]), filled="validation from test")
    test = guided.assign(split="test", filled="test from validation")
    return _frame(pd.concat([starts, start_val, guided, test]))


def points() -> pd.DataFrame:
    """The tested checkpoints on VOC 2007 and COCO 2014, and the baselines."""
    published = _published()
    published = published[published["origin"] == "points"]
    baseline, voc = published["loss"] == "none", published["dataset"] == "voc2007"
    published.loc[baseline, "epoch"] = 1
    untold = published[voc | baseline].assign(split="val", filled="validation from test")
    return _frame(pd.concat([published, untold]))


def deeper() -> pd.DataFrame:
    """`curves` of Energy as if the runs guided at a deeper layer had been measured at the input: they were not."""
    frame = curves()
    frame = frame[frame["loss"].isin(["none", "energy"]) & (frame["model"] == "bcos")]
    away = (frame["loss"] != "none") & (frame["depth"] != "input")
    frame.loc[away, "filled"] = "input from own depth"
    frame.loc[away, "probe_depth"] = "input"
    return frame


def _published() -> pd.DataFrame:
    return pd.read_csv(FILE, comment="#").assign(filled="")


def _frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Store-like: a baseline's attribution and depth are where it was measured, its children know it."""
    baseline = rows["loss"] == "none"
    start = rows["dataset"] + "-" + rows["model"]
    rows = rows.assign(
        id=rows[CELL].astype("str").fillna("").agg("-".join, axis=1).where(~baseline, start),
        parent=start.where(~baseline),
        probe_attribution=rows["attribution"],
        probe_depth=rows["depth"],
        mean_ap=float("nan"),
    )
    rows.loc[baseline, ["attribution", "depth"]] = None
    missing = {key: value for key, value in DEFAULTS.items() if key not in rows}
    return rows.assign(**missing).reset_index(drop=True)
