"""Reading many records: one file each, as pandas would one by one, and compacted. In turn, medians and ratios.

    python benchmarks/store.py [RECORDS]

Each record has 10 epochs of training and validation. Also what `status` and the search for what is done take.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mgsweep.store import Store
from mgsweep.store.states import look
from mgsweep.trial import Probe, Trial

EPOCHS, ROUNDS = 10, 3


def trials(count: int) -> list[Trial]:
    """A baseline and guided trials that differ in lambda."""
    baseline = Trial(dataset="voc2007", model="bcos", epochs=EPOCHS, probes=(Probe("bcos", "input"),))
    guided = {"attribution": "bcos", "depth": "input", "loss": "energy", "epochs": EPOCHS, "parent": baseline.id}
    return [baseline] + [
        Trial(dataset="voc2007", model="bcos", lambda_loc=1e-3 * number, **guided) for number in range(1, count)
    ]


def rows(trial: Trial) -> list[dict[str, Any]]:
    """What a record of VOC's 20 classes holds."""
    common = {"sweep": "many", "id": trial.id, **trial.to_row(), "device": "cpu", "host": "here"}
    counts = {name: list(range(20)) for name in ("true_positives", "false_positives", "false_negatives")}
    probe = {"probe_attribution": "bcos", "probe_depth": "input", "pairs": 3896, "f1": 0.7, "epg": 0.4}
    made = []
    for epoch in range(1, EPOCHS + 1):
        made.append({**common, "epoch": epoch, "split": "train", "class_loss": 0.3 / epoch, "seconds": 18.1})
        made.append(
            {**common, **counts, **probe, "epoch": epoch, "split": "val", "f1": 0.7, "epg": 0.4, "seconds": 62.2}
        )
    return made


def one_by_one(folder: Path) -> pd.DataFrame:
    """The naive way."""
    return pd.concat(map(pd.read_parquet, sorted(folder.glob("trials/*.parquet"))), ignore_index=True)


def taken(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each, alternating."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(found) for name, found in times.items()}


def main(count: int) -> None:
    """Write, read in turn, print."""
    with tempfile.TemporaryDirectory() as folder:
        single, together = Store(Path(folder, "single")), Store(Path(folder, "together"))
        asked = trials(count)
        single.begin("name: many", asked)
        for trial in asked:
            single.commit(trial.id, rows(trial))
        shutil.copytree(single.path, together.path)
        together.compact(prune=True)
        # A store that was opened just now, as a command does.
        found = taken(
            {
                "pandas, one by one": lambda: one_by_one(single.path),
                "Store.frame, single files": lambda: Store(single.path).frame(),
                "Store.frame, compacted": lambda: Store(together.path).frame(),
                "status, single files": lambda: look(Store(single.path)),
                "status, compacted": lambda: look(Store(together.path)),
                "done, single files": lambda: Store(single.path).done(asked),
                "done, compacted": lambda: Store(together.path).done(asked),
            }
        )
    for name, seconds in found.items():
        print(f"{name:28} {seconds:8.3f} s   {found['pandas, one by one'] / seconds:7.1f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
