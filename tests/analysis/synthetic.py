"""Small stores, as `Store.frame()` gives them, of trials that were never run."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from mgsweep.trial import CONFIG, Trial

DEFAULTS = {key: Trial.model_fields[key].default for key in CONFIG}
HOSTILE = ("$x_1$ 100% \\frac{$ ^_~#& <script>alert(1)</script> \N{GRINNING FACE} ../../\n" * 5)[:300]
LAMBDAS = (0.001, 0.005, 0.01)
MODELS = {"vanilla": "ixg", "bcos": "bcos"}
DEPTHS = ("input", "final")
LOSSES = ("energy", "l1", "ppce", "rrr")


def rows(trial: dict[str, Any], epoch: int, probe: tuple[str, str], value: np.ndarray) -> list[dict[str, Any]]:
    """A validation and a test row of F1 and EPG; test is a little lower."""
    place = {"epoch": epoch, "probe_attribution": probe[0], "probe_depth": probe[1]}
    return [
        DEFAULTS | trial | place | {"split": split, "f1": f1, "mean_ap": f1, "epg": epg, "iou": epg / 2}
        for split, (f1, epg) in {"val": np.round(value, 4), "test": np.round(value - 0.01, 4)}.items()
    ]


def store(losses: tuple[str, ...] = LOSSES, dataset: str = "voc2007", seed: int = 0, **config: Any) -> pd.DataFrame:
    """2 models x 2 depths x losses x 3 lambdas x 6 epochs, as `Store.frame()` gives them: the EPG of a loss rises as
    its F1 falls, faster for larger lambdas.
    """
    generator = np.random.default_rng(seed)
    frame = []
    for model, depth in product(MODELS, DEPTHS):
        probe = (MODELS[model], depth)
        common = {"dataset": dataset, "model": model, "seed": seed} | config
        base = common | {"id": f"{dataset}-{model}-{seed}", "loss": "none"}
        frame += rows(base, 4, probe, np.array([0.8, 0.45]))
        for (number, loss), lambda_loc in product(enumerate(losses), LAMBDAS):
            own = {
                "loss": loss,
                "lambda_loc": lambda_loc,
                "attribution": probe[0],
                "depth": depth,
                "parent": base["id"],
            }
            trial = common | own | {"id": f"{base['id']}-{depth}-{loss}-{lambda_loc}"}
            for epoch in range(1, 7):
                loss_of_f1 = 0.002 * epoch + lambda_loc * epoch
                value = np.array([0.805 - loss_of_f1, 0.46 + (4 - number) * loss_of_f1])
                frame += rows(trial, epoch, probe, value + generator.normal(0, 0.003, 2))
    return pd.DataFrame(frame)


SECONDS = {"input": 30.0, "mid2": 24.0, "final": 15.0}
SMALL_BASE = {"id": "base", "dataset": "voc2007", "model": "bcos", "loss": "none"}


def small() -> pd.DataFrame:
    """Something for every figure: one model, two losses, and around its input the other depths and annotations.

    In it a loss gains EPG and IoU as it loses F1, and wrong or few boxes make it gain less; values have four digits.
    """
    frame = [row for depth in SECONDS for row in rows(SMALL_BASE, 5, ("bcos", depth), np.array([0.8, 0.45]))]
    for loss, lambda_loc in product(("energy", "l1"), LAMBDAS[:2]):
        frame += guided(loss, lambda_loc)
    for loss in ("energy", "l1"):
        for changed in ({"bbox_dilation": 0.1}, {"bbox_dilation": 0.5}, {"bbox_fraction": 0.01}):
            frame += guided(loss, LAMBDAS[1], **changed)
    for depth in ("mid2", "final"):
        frame += guided("energy", LAMBDAS[1], depth)
    return pd.DataFrame(frame)


def retuned() -> pd.DataFrame:
    """`small`, and beside it the same at a learning rate that is too high: baseline and all lose 0.4 of F1.

    For that the guided ones have 0.4 more EPG, which their baseline has not.
    """
    frame = small()
    other = frame.replace({"id": r"^", "parent": r"^"}, "fast-", regex=True).assign(learning_rate=1e-2)
    other["f1"] -= 0.4
    other["epg"] += 0.4 * (other["loss"] != "none")
    return pd.concat([frame, other], ignore_index=True)


def guided(loss: str, lambda_loc: float, depth: str = "input", **config: Any) -> list[dict[str, Any]]:
    """The rows of one trial of three epochs, measured at its own depth and at the input."""
    own = {"loss": loss, "lambda_loc": lambda_loc, "attribution": "bcos", "depth": depth, "parent": "base"}
    name = "-".join(str(part) for part in (loss, lambda_loc, depth, *config.values()))
    trial = DEFAULTS | SMALL_BASE | own | config | {"id": name}
    weaker = 1 + config.get("bbox_dilation", 0) + 1 - config.get("bbox_fraction", 1) + 0.2 * (depth != "input")
    frame = []
    for epoch in (1, 2, 3):
        given_up = 0.002 * epoch + lambda_loc * epoch
        stumble = 0.01 * (loss == "l1" and epoch == 2)  # and is off the front
        gain = (4 if loss == "energy" else 2) * given_up / weaker
        frame.append(trial | {"epoch": epoch, "split": "train", "seconds": SECONDS[depth] + epoch % 2, "device": "x"})
        for probe in dict.fromkeys([depth, "input"]):
            value = np.array([0.803 - given_up - stumble, 0.46 + gain - 0.02 * (probe != depth)])
            frame += rows(trial, epoch, ("bcos", probe), value)
    return frame


def rich() -> pd.DataFrame:
    """`small` with what newer records hold, a second backbone, guidance by masks, and times of the baselines."""
    frame = small()
    other = frame.query("depth != 'mid2'").replace({"id": r"^", "parent": r"^"}, "wide-", regex=True)
    masks = [guided(loss, LAMBDAS[1], guidance_source="mask") for loss in ("energy", "l1")]
    timed = [
        DEFAULTS | SMALL_BASE | {"epoch": epoch, "split": "train", "seconds": 8.0, "device": "x"} for epoch in (1, 2)
    ]
    more = pd.DataFrame(
        [*masks[0], *masks[1], *timed, *({**row, "id": "wide-base", "backbone": "resnet101"} for row in timed)]
    )
    frame = pd.concat([frame, other.assign(backbone="resnet101", epg=other["epg"] + 0.03), more], ignore_index=True)
    return with_classes(frame).assign(iou_held_out=frame["iou"] + 0.1, on_object_epg=0.5 + frame["epg"] / 4)


def with_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with counts of two classes and of three box sizes in its test rows."""
    counts: dict[str, list[float]] = {
        "true_positives": [8, 5],
        "false_positives": [1, 2],
        "false_negatives": [3, 0],
        "pairs_by_class": [6, 4],
        "epg_by_class": [1.5, 3.0],
        "pairs_by_size": [5, 0, 5],
        "epg_by_size": [1.0, 0.0, 4.0],
    }
    energy = ["epg_by_class", "epg_by_size"]  # as the EPG of the row rises
    lists = {
        name: [
            [value * (row["epg"] / 0.4 if name in energy else 1) for value in values]
            if row["split"] == "test"
            else None
            for row in frame[["split", "epg"]].to_dict("records")
        ]
        for name, values in counts.items()
    }
    return frame.assign(**lists)


def grouped() -> pd.DataFrame:
    """Two tasks with groups, of a baseline and two losses, for two seeds."""
    frame = []
    for dataset, seed in product(("waterbirds", "waterbirds_reversed"), (0, 1)):
        common = {"dataset": dataset, "model": "bcos", "seed": seed, "bbox_fraction": 0.01}
        base = common | {"id": f"{dataset}-{seed}", "loss": "none", "bbox_fraction": 1.0}
        region = "outside" if dataset.endswith("reversed") else "inside"
        for number, loss in enumerate(("none", "energy", "l1")):
            own = {"loss": loss, "lambda_loc": 0.05, "attribution": "bcos", "depth": "input", "parent": base["id"]}
            trial = base if loss == "none" else common | own | {"guidance_region": region, "id": f"{base['id']}-{loss}"}
            accuracy = {"accuracy": 0.7 + 0.01 * number, "worst_group_accuracy": 0.42 + 0.02 * seed + 0.05 * number}
            frame += [row | accuracy for row in rows(trial, 1, ("bcos", "input"), np.array([0.9, 0.4]))]
    return pd.DataFrame(frame)


def pictures() -> pd.DataFrame:
    """`Gallery.frame()` of a baseline, two losses, one of them with dilated boxes too, for two images."""
    base = {"id": "base", "loss": "none", "lambda_loc": 0.0, "attribution": None, "depth": None, "parent": None}
    trials = [base] + [
        {"id": f"{loss}-{lam}-{wide}", "loss": loss, "lambda_loc": lam, "bbox_dilation": wide}
        | {"attribution": "bcos", "depth": "input", "parent": "base"}
        for loss, lam, wide in (
            ("energy", 0.001, 0.0),
            ("energy", 0.005, 0.0),
            ("l1", 0.005, 0.0),
            ("energy", 0.005, 0.5),
        )
    ]
    generator = np.random.default_rng(0)
    frame = []
    for number, trial in enumerate(trials):
        for epoch, image in product((1, 5), (7, 31)):
            scores = {"f1_val": 0.8 - 0.01 * epoch * (number > 0), "epg_val": 0.4 + 0.02 * epoch + 0.01 * number}
            own = {"epoch": epoch, "image": image, "class": "a|b" if image == 7 else "cat", "probability": 0.9}
            shown = {
                "boxes": [0.1, 0.2, 0.5, 0.6] + ([0.6, 0.6, 0.9, 1.0] if image == 7 else []),
                "pixels": np.full((6, 6, 3), image * 8, dtype=np.uint8).tobytes(),
                "map": generator.normal(0, 0.3, (6, 6)).astype(np.float16).tobytes(),
                "side": 6,
                "peak": 1.0,
                "epg": 0.4 + number / 100,
            }
            probe = {"probe_attribution": "bcos", "probe_depth": "input"}
            frame.append(DEFAULTS | {"dataset": "voc2007", "model": "bcos"} | trial | own | scores | shown | probe)
    return pd.DataFrame(frame)
