"""Own data in a sweep file: `dataset: {layout: voc, root: ...}` in the place of a data set's name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets.own import WHOLE, Cut, OwnData, identified
from mgsweep.plan.axes import BySplit, OwnDataset, Shares
from mgsweep.plan.document import Document, explain

LISTS = "ImageSets/Main"
"""Where VOC's own layout keeps a list for each split."""


def resolve(document: Document) -> dict[str, OwnData]:
    """Put the fingerprinted name in the place of every description of own data in a sweep file; the data by name.

    Raises:
        InvalidInput: every mistake in the descriptions, and all that is missing in the folders they name.
    """
    found: dict[str, OwnData] = {}
    problems: list[Problem] = []
    for keys, axes in list(sections(document.data)):
        values = axes.get("dataset")
        described = values if isinstance(values, list) else [values]
        for place, value in enumerate(described):
            if not isinstance(value, dict):
                continue
            here = (*keys, "dataset", *((place,) if isinstance(values, list) else ()))
            try:
                name, data = _resolved(document, here, value)
            except InvalidInput as error:
                problems += error.problems
            else:
                found[name] = data
                described[place] = name
        if "dataset" in axes:
            axes["dataset"] = described if isinstance(values, list) else described[0]
    if problems:
        raise InvalidInput(problems)
    return found


def sections(node: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every mapping of the file at which `dataset` may stand, with the keys that lead to it."""
    if isinstance(node, dict):
        yield keys, node
        for key in ("common", "grids", "zip", "when", "exclude", "if", "then"):
            yield from sections(node.get(key), (*keys, key))
    elif isinstance(node, list):
        for place, part in enumerate(node):
            yield from sections(part, (*keys, place))


def _resolved(document: Document, keys: tuple[Any, ...], value: Mapping[str, Any]) -> tuple[str, OwnData]:
    try:
        written = OwnDataset.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(explain(document, error, under=keys)) from None
    data = identified(_located(written, document.path.parent))
    return f"{written.name}_{data.fingerprint[:12]}", data


def _located(written: OwnDataset, folder: Path) -> OwnData:
    root = folder / Path(os.path.expandvars(written.root)).expanduser()

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
