"""How figures write the names of components: the spellings and the order of the paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

import pandas as pd
from matplotlib import font_manager

FONT = "STIXGeneral"  # the Times-like serif that ships with matplotlib

# Spellings of the paper, in the order in which things are shown.
LABELS = {
    "vanilla": "Vanilla",
    "xdnn": "X-DNN",
    "bcos": "B-cos",
    "ixg": "IxG",
    "intgrad": "IntGrad",
    "gradcam": "Grad-CAM",
    "input": "Input",
    "mid1": "Mid1",
    "mid2": "Mid2",
    "mid3": "Mid3",
    "final": "Final",
    "none": "Baseline",
    "energy": "Energy",
    "l1": "L1",
    "ppce": "PPCE",
    "rrr": "RRR*",
    "voc2007": "VOC 2007",
    "coco2014": "COCO 2014",
    "waterbirds": "Waterbirds",
    "waterbirds_reversed": "Waterbirds reversed",
    "shapes": "Shapes",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet34": "ResNet-34",
    "resnet18": "ResNet-18",
    "resnet10": "ResNet-10",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "densenet121": "DenseNet-121",
    "vitc_s": "ViTc-S",
    "f1": "F1",
    "mean_ap": "mAP",
    "epg": "EPG",
    "iou": "IoU",
    "iou_held_out": "IoU at held-out threshold",
    "on_object_epg": "On-object EPG",
    "lambda_loc": "λ",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "epochs": "number of epochs",
    "image_size": "image size",
}
LONGEST_LABEL = 40  # characters


def label(name: str) -> str:
    """The paper's spelling of a registry name, or what is `printable` of it."""
    return LABELS[name] if name in LABELS else printable(name)


def printable(name: str) -> str:
    """The name itself: cut if long, `?` for what the font cannot show."""
    known = "".join(letter if ord(letter) in _letters() else "?" for letter in name)
    return known if len(known) <= LONGEST_LABEL else known[: LONGEST_LABEL - 1] + "…"


OWN_DATA = re.compile(r"(?P<name>.+)_[0-9a-f]{12}")
"""What a data set of the user's own is stored as: its name, and a fingerprint of its files."""


def plain(frame: pd.DataFrame, beside: Iterable[str] = ()) -> pd.DataFrame:
    """The frame with own data named as their user does, where nothing else would have the same name.

    Neither another data set, nor what LABELS spell: the user's own `voc2007` is not VOC 2007.

    Args:
        beside: further data sets that are named in the same place.
    """
    column = frame["dataset"]
    stored = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna().unique()
    every = dict.fromkeys([*stored, *beside])
    short = {name: found["name"] if (found := OWN_DATA.fullmatch(name)) else name for name in every}
    times = Counter(short.values())
    short = {name: new for name, new in short.items() if new != name and times[new] == 1 and new not in LABELS}
    if not short:
        return frame
    renamed = column.cat.rename_categories(short) if hasattr(column, "cat") else column.replace(short)
    return frame.assign(dataset=renamed)


@cache
def _letters() -> frozenset[int]:
    """The code points that the font can show."""
    return frozenset(font_manager.get_font(font_manager.findfont(FONT)).get_charmap())


def rank(name: str) -> tuple[int, str]:
    """Sort key: the order of the paper, then by alphabet what the paper does not have."""
    return (list(LABELS).index(name) if name in LABELS else len(LABELS)), name


def ordered(several: Iterable[str]) -> list[str]:
    """Names, each once, in the order of the paper."""
    return sorted(set(several), key=rank)
