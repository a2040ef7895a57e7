"""Files of weights in a sweep file: `weights: pretrained/mine.pth` in the place of `imagenet`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.models.sources import called
from mgsweep.plan.document import Document
from mgsweep.plan.own_data import sections


def resolve_weights(document: Document) -> dict[str, Path]:
    """Put its content's name in the place of every path to weights in a sweep file; the paths by name.

    Raises:
        InvalidInput: every file that cannot be read.
    """
    found: dict[str, Path] = {}
    problems: list[Problem] = []
    for keys, axes in sections(document.data):
        values = axes.get("weights")
        written = values if isinstance(values, list) else [values]
        for place, value in enumerate(written):
            if not _is_path(value):
                continue
            path = (document.path.parent / Path(os.path.expandvars(value)).expanduser()).resolve()
            try:
                name = called(path)
            except InvalidInput as error:
                problems += [document.problem((*keys, "weights"), f"{p.where}: {p.message}") for p in error.problems]
            else:
                found[name] = path
                written[place] = name
        if "weights" in axes:
            axes["weights"] = written if isinstance(values, list) else written[0]
    if problems:
        raise InvalidInput(problems)
    return found


def _is_path(value: Any) -> bool:
    """Names of weights have neither a slash nor an ending."""
    return isinstance(value, str) and ("/" in value or bool(Path(value).suffix))
