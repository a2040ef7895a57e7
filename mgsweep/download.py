"""Fetching a published file: resumed where it stopped, checked by size and digest, there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mgsweep.errors import InvalidInput

BLOCK = 1 << 20
TIMEOUT = 30
"""Seconds without a byte after which a server counts as silent."""

Progress = Callable[[int, int], object]
"""Told bytes done and bytes in all."""


@dataclass(frozen=True)
class Published:
    """A file as its publisher offers it: `size` in bytes, `digest` as "md5:..." or "sha256:...", or its beginning.

    If only a bound is known, the size is not `exact`. `called` is the file's name if the address does not tell it.
    """

    url: str
    size: int
    digest: str
    called: str = ""
    exact: bool = True

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.called or self.url.rpartition("/")[2]


def fetch(file: Published, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download a file into a folder, unless it is there; returns where it is.

    What has come of it stays in <name>.part when the connection breaks, and the next call goes on from there.

    Raises:
        InvalidInput: no connection, no room on the disk, or a file that is not the published one, which is removed.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    done = part.stat().st_size if part.exists() else 0
    check_room(folder, file.size - done)
    try:
        if done < file.size:
            _append(file, part, done, progress)
    except OSError as error:
        reason = getattr(error, "reason", error)
        message = f"cannot fetch {file.url}: {reason}; try again, or fetch it elsewhere and put it here"
        raise InvalidInput.of(message, where=str(target)) from error
    _verify(file, part)
    os.replace(part, target)
    return target


def check_room(folder: Path, needed: int) -> None:
    """Raises InvalidInput when the disk of this folder has fewer bytes left than are needed."""
    there = folder
    while not there.exists():
        there = there.parent
    if (free := shutil.disk_usage(there).free) < needed:
        message = f"needs {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left; make room or take another one"
        raise InvalidInput.of(message, where=str(folder))


def _append(file: Published, part: Path, done: int, progress: Progress) -> None:
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and done:  # nothing is left to send: killed after the last byte
            return
        raise
    with response as answer, part.open("ab") as out:
        if answer.status != 206:  # the server begins anew
            out.truncate(0)
            done = 0
        length = None if file.exact else answer.headers.get("Content-Length")
        size = done + int(length) if length else file.size
        if size > file.size:
            raise OSError(f"the server offers {size:,} bytes, expected at most {file.size:,}")
        # Never more than was published: an answer can be endless.
        while done < size and (block := answer.read(min(BLOCK, size - done))):
            out.write(block)
            done += len(block)
            progress(done, size)
        out.flush()
        os.fsync(out.fileno())
    if done < size and (file.exact or length):
        raise OSError(f"the connection ended after {done:,} of {size:,} bytes")


def _verify(file: Published, part: Path) -> None:
    kind, _, expected = file.digest.partition(":")
    with part.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    if (file.exact and part.stat().st_size != file.size) or not found.startswith(expected):
        part.unlink()
        message = f"expected {kind} {expected} as published, got {found}; it was removed, fetch it again"
        raise InvalidInput.of(message, where=str(part))
