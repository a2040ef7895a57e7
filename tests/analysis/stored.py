"""Frames put into a store, and as a report reads them from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.report.results import Results
from mgsweep.store import Store
from mgsweep.store.columns import SCHEMA
from mgsweep.trial import CONFIG

HOSTILE = "<script>alert(1)</script></title><img src=x onerror=alert(1)>{{7*7}}\n\N{GRINNING FACE}%{x}<b>" + "x" * 300


def fill(folder: Path, frame: pd.DataFrame) -> Store:
    """A store with one record for each trial of the frame."""
    store = Store(folder)
    for name, trial in frame.astype(object).where(frame.notna(), None).groupby("id"):
        rows = trial[[column for column in trial if column in SCHEMA.names]].to_dict("records")
        store.commit(name, [row | {"sweep": "test", "epoch": int(row["epoch"])} for row in rows])
    return store


def results(
    rows: pd.DataFrame,
    planned: list[dict[str, Any]] | None = None,
    failures: dict[str, dict[str, Any]] | None = None,
    name: str = "made_up",
    text: str = "name: made_up\n",
) -> Results:
    """What `results.read` would have found. Without a plan, all trials with rows are done."""
    asked = pd.DataFrame(planned or [], columns=["id", "state", *CONFIG])
    return Results(name, text, rows.reindex(columns=SCHEMA.names), asked, failures or {})


def planned(rows: pd.DataFrame, state: str = "done") -> list[dict[str, Any]]:
    """The plan that asked for these trials."""
    return rows.drop_duplicates("id")[["id", *CONFIG]].assign(state=state).to_dict("records")


def renamed(rows: pd.DataFrame) -> pd.DataFrame:
    """With names that try to be markup, wherever a foreign store could bring some."""
    hostile = {key: rows[key].where(rows[key] != rows[key].iloc[-1], HOSTILE + key) for key in ("loss", "model")}
    return rows.assign(**hostile, dataset=HOSTILE, host=HOSTILE, device=HOSTILE, mgsweep_version=HOSTILE)
