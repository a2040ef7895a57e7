"""Symbolic links among a data set's files: within its folder they are fine, out of it they could name any file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mgsweep.errors import Problem


def leading_out(entries: Iterable[os.DirEntry[str]], folder: Path) -> Iterator[Problem]:
    """A problem for each of the folder's entries that is a link to somewhere else."""
    home = folder.resolve()
    for entry in entries:
        if entry.is_symlink() and home not in Path(entry.path).resolve().parents:
            yield Problem(entry.path, "", "a link that leads out of the folder; put the file itself there")
