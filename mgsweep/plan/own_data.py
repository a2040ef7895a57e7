"""Own data in a sweep file: `dataset: {layout: voc, root: ...}` in the place of a data set's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mgsweep.errors import InvalidInput
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets.own import WHOLE, Cut, OwnData, identified
from mgsweep.plan.axes import BySplit, OwnDataset, Shares
from mgsweep.plan.document import Document, explain
from mgsweep.plan.renaming import Keys, rename

LISTS = "ImageSets/Main"
"""Where VOC's own layout keeps a list for each split."""


def resolve(document: Document) -> dict[str, OwnData]:
    """Put the fingerprinted name in the place of every description of own data in a sweep file; the data by name.

    Raises:
        InvalidInput: every mistake in the descriptions, and all that is missing in the folders they name.
    """
    found: dict[str, OwnData] = {}

    def named(keys: Keys, value: Any) -> str | None:
        if not isinstance(value, dict):
            return None
        name, data = _resolved(document, keys, value)
        found[name] = data
        return name

    rename(document, "dataset", named)
    return found


def _resolved(document: Document, keys: Keys, value: Mapping[str, Any]) -> tuple[str, OwnData]:
    try:
        written = OwnDataset.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(explain(document, error, under=keys)) from None
    data = identified(_located(written, document.path.parent))
    return f"{written.name}_{data.fingerprint[:12]}", data


def _located(written: OwnDataset, folder: Path) -> OwnData:
    root = _root(written, folder)

    def parts(paths: str | BySplit) -> dict[str, Path]:
        if isinstance(paths, BySplit):
            return {split: (root / getattr(paths, split)).resolve() for split in SPLITS}
        return {WHOLE: (root / paths).resolve()}

    annotations, images = parts(written.annotations), parts(written.images)
    shares = written.splits if isinstance(written.splits, Shares) else None
    lists = written.splits if isinstance(written.splits, BySplit) else None
    if written.splits is None and WHOLE in annotations:
        lists = BySplit(**{split: f"{LISTS}/{split}.txt" for split in SPLITS})
    return OwnData(
        layout=written.layout,
        images={part: images.get(part, images.get(WHOLE, root)) for part in annotations},
        annotations=annotations,
        lists=parts(lists) if lists else {},
        cut=Cut(shares.val, shares.test, shares.seed) if shares else None,
        classes=tuple(written.classes),
    )


def _root(written: OwnDataset, folder: Path) -> Path:
    """The folder as written; in VOC's layout it may also hold VOCdevkit/, as for voc2007."""
    root = folder / Path(os.path.expandvars(written.root)).expanduser()
    inner = root / "VOCdevkit" / "VOC2007"
    by_default = written.layout == "voc" and not {"images", "annotations"} & written.model_fields_set
    return inner if by_default and inner.is_dir() else root
