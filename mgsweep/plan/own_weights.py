"""Files of weights in a sweep file: `weights: pretrained/mine.pth` in the place of `imagenet`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput
from mgsweep.guidance.models.sources import called
from mgsweep.plan.document import Document
from mgsweep.plan.renaming import Keys, rename


def resolve_weights(document: Document) -> dict[str, Path]:
    """Put its content's name in the place of every path to weights in a sweep file; the paths by name.

    Raises:
        InvalidInput: every file that cannot be read.
    """
    found: dict[str, Path] = {}

    def named(keys: Keys, value: Any) -> str | None:
        if not _is_path(value):
            return None
        path = (document.path.parent / Path(os.path.expandvars(value)).expanduser()).resolve()
        try:
            name = called(path)
        except InvalidInput as error:
            raise InvalidInput(document.problem(keys, f"{p.where}: {p.message}") for p in error.problems) from None
        found[name] = path
        return name

    rename(document, "weights", named)
    return found


def _is_path(value: Any) -> bool:
    """Names of weights have neither a slash nor an ending."""
    return isinstance(value, str) and ("/" in value or bool(Path(value).suffix))
