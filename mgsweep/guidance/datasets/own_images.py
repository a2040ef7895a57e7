"""The image folder of a user's own data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgsweep.errors import InvalidInput, Problem, did_you_mean
from mgsweep.guidance.datasets.links import leading_out

SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Scan:
    """What identifies a part of own data: class names found, (image, size in bytes) sorted, digest of annotations."""

    classes: Sequence[str]
    images: Sequence[tuple[str, int]]
    digest: bytes


def list_images(folder: Path) -> Mapping[str, int]:
    """File name -> size in bytes of every JPEG and PNG in a folder, sorted by name; folders below are not entered.

    Raises:
        InvalidInput: no such folder, no image in it, or a link to a file outside of it, which could be any file.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InvalidInput.of(f"cannot read the image folder: {error.strerror}", where=str(folder)) from error
    images = [entry for entry in entries if entry.name.lower().endswith(SUFFIXES)]
    problems = [*leading_out(images, folder)]
    if not images:
        problems.append(Problem(str(folder), "", f"no images in this folder ({', '.join(SUFFIXES)})"))
    if problems:
        raise InvalidInput(problems)
    return {entry.name: entry.stat().st_size for entry in images}


def by_stem(images: Mapping[str, int], folder: Path) -> dict[str, Path]:
    """Name without suffix -> file.

    Raises:
        InvalidInput: two files share a name, as in a.jpg and a.png.
    """
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    for name in images:
        stem = Path(name).stem
        if stem in files:
            problems.append(
                Problem(str(folder / name), "", f"has the name of {files[stem].name}; remove one of the two")
            )
        files.setdefault(stem, folder / name)
    if problems:
        raise InvalidInput(problems)
    return files


def unknown(name: str, listed: Sequence[str]) -> str:
    """What to say of a class that a sweep file does not list."""
    return f"unknown class {name!r}{did_you_mean(name, listed) or '; add it to classes, or leave classes out for all'}"
