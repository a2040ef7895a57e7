"""What asking a study for the next trial costs, and making one anew from records.

python benchmarks/search_overhead.py
"""

from __future__ import annotations

import random
import time

import numpy as np

from mgsweep.plan.schema import Budget, Search
from mgsweep.plan.space import space_of
from mgsweep.search.curves import Curve
from mgsweep.search.study import Study
from mgsweep.trial import Trial


def overhead() -> None:
    """Print both for 2,000 and 10,000 told trials, in processor time."""
    trials = [
        Trial(dataset="shapes", model="bcos", attribution="bcos", depth=depth, loss=loss, lambda_loc=n + 1, parent="p")
        for n in range(1300) for depth in ("input", "final") for loss in ("energy", "l1", "ppce", "rrr")
    ]  # fmt: skip
    draw, space = np.random.default_rng(0), space_of(trials)
    random.Random(0).shuffle(trials)
    curve = Curve(np.arange(1, 51), draw.random((50, 2)), np.empty((50, 0)))
    for count in (2000, 10000):
        began = time.process_time()
        study = Study(space, Search(budget=Budget(trials=1)))
        for trial in trials[:count]:
            study.add(trial)
            study.tell(trial, Curve(curve.epochs, draw.random((50, 2)), curve.excess))
        built = time.process_time() - began
        study.ask()  # lists the cells, once
        took = []
        for _ in range(5):
            began = time.process_time()
            study.ask()
            took.append(time.process_time() - began)
        asked = f"asked in {1000 * np.median(took):.0f} ms"
        print(f"{count} told trials: study made in {built:.2f} s, {asked} of processor time (tpe)")


if __name__ == "__main__":
    overhead()
