"""Frames put into a store, and as a report reads them from one."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.report.html import unpacked
from analysis.report.results import Results
from analysis.selection import PROBE
from mgsweep.store import Store
from mgsweep.store.columns import SCHEMA
from mgsweep.trial import CONFIG, Trial

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
    pictures: dict[str, list[dict[str, Any]]] | None = None,
) -> Results:
    """What `results.read` would have found. Without a plan, all trials with rows are done."""
    asked = pd.DataFrame(planned or [], columns=["id", "state", *CONFIG])
    hung = pictures or {}
    return Results(name, text, rows.reindex(columns=SCHEMA.names), asked, failures or {}, hung, hung.__getitem__)


def hung(rows: pd.DataFrame, side: int = 8, images: tuple[int, ...] = (7, 31)) -> dict[str, list[dict[str, Any]]]:
    """Pictures of noise of each trial, as `Gallery.pictures` gives them, at each of its last two validated epochs."""
    generator = np.random.default_rng(0)
    pixels = {image: generator.integers(0, 256, (side, side, 3), dtype=np.uint8).tobytes() for image in images}
    found: dict[str, list[dict[str, Any]]] = {}
    places = rows[rows["split"] == "val"].drop_duplicates(["id", "epoch", *PROBE])
    for name, epochs in places.groupby("id"):
        last = epochs[epochs["epoch"].isin(sorted(set(epochs["epoch"]))[-2:])]
        found[str(name)] = [
            {
                **row,
                "image": image,
                "class": "cat",
                "probability": 0.75,
                "boxes": [0.25, 0.25, 0.75, 0.5],
                "pixels": pixels[image],
                "map": generator.normal(0, 0.3, (side, side)).astype(np.float16).tobytes(),
                "side": side,
                "epg": 0.4,
            }
            for row, image in product(last.to_dict("records"), images)
        ]
    return found


def planned(rows: pd.DataFrame, state: str = "done") -> list[dict[str, Any]]:
    """The plan that asked for these trials."""
    return rows.drop_duplicates("id")[["id", *CONFIG]].assign(state=state).to_dict("records")


def renamed(rows: pd.DataFrame) -> pd.DataFrame:
    """With names that try to be markup, wherever a foreign store could bring some."""
    hostile = {key: rows[key].where(rows[key] != rows[key].iloc[-1], HOSTILE + key) for key in ("loss", "model")}
    return rows.assign(**hostile, dataset=HOSTILE, host=HOSTILE, device=HOSTILE, mgsweep_version=HOSTILE)


def run_of(trial: Trial, store: Store, epochs: int = 2, commit: bool = True) -> None:
    """Put a trial's record into the store, or else its state after so many epochs."""
    rows = [
        {"sweep": "demo", "id": trial.id, **trial.to_row(), "epoch": epoch, "split": split, "f1": 0.5, "epg": 0.25,
         "probe_attribution": "bcos", "probe_depth": "input", "seconds": 1.0}
        for epoch, split in product(range(1, epochs + 1), ("val", "test"))
    ]  # fmt: skip
    if commit:
        store.commit(trial.id, rows)
    else:
        store.save(trial.id, b"state", rows)


BASELINE = Trial(dataset="shapes", model="bcos")
GUIDED = Trial(
    dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1e-3,
    parent=BASELINE.id,
)  # fmt: skip


def told(path: Path, part: str = "data") -> dict[str, object]:
    """What a report's file was packed with."""
    text = path.read_text().partition(f'<script id="{part}" type="application/octet-stream">')[2].partition("<")[0]
    found: dict[str, object] = unpacked(text)
    return found
