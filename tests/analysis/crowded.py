"""A store for the largest tables: thirty settings of long names, and the 80 classes of COCO."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from synthetic import LOSSES, SMALL_BASE, guided, rows

from mgsweep.guidance.datasets.coco2014 import CLASSES

OPTIONS = [{"bbox_fraction": f, "bbox_dilation": d} for f, d in product((1.0, 0.1, 0.01), (0.0, 0.1, 0.5))]
SETTINGS = list(product(LOSSES, OPTIONS))[:29]  # and the baseline


def crowded(seeds: int = 1) -> pd.DataFrame:
    """As `Store.frame()` gives it."""
    frame = []
    for seed in range(seeds):
        base = {"id": f"base-{seed}", "dataset": "coco2014", "seed": seed}
        frame += [row | base for row in rows(SMALL_BASE, 5, ("bcos", "input"), np.array([0.8, 0.45]))]
        for number, (loss, options) in enumerate(SETTINGS):
            own = base | {"id": f"{seed}-{number}", "parent": base["id"], "loss": loss, "seconds": 9.0, "device": "x"}
            frame += [row | own for row in guided("l1", 0.005, **options)]
    return with_counts(pd.DataFrame(frame), np.random.default_rng(0))


def with_counts(frame: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """With random counts of each class in the test rows."""
    tested = frame["split"] == "test"

    def column(values: np.ndarray) -> pd.Series:
        return pd.Series(list(values), index=frame.index[tested]).reindex(frame.index)

    shape = (int(tested.sum()), len(CLASSES))
    pairs = generator.integers(1, 30, shape)
    counts = {
        name: generator.integers(1, 60, shape) for name in ("true_positives", "false_positives", "false_negatives")
    } | {"pairs_by_class": pairs, "epg_by_class": pairs * generator.uniform(0.1, 1, shape)}
    frame = frame.assign(
        epg=frame["epg"] + generator.normal(0, 0.01, len(frame)),
        **{name: column(values.astype(float)) for name, values in counts.items()},
    )
    frame.attrs["classes"] = {"coco2014": list(CLASSES)}
    return frame
