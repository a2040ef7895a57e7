"""Unpacking an archive from anywhere. Looked at whole before anything is written; only plain files come out.

The standard library's own filters have been got around before (CVE-2025-4517), so every name, kind and size is checked
here, and every file is created by this module and not by the archive reader.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from mgsweep.download import Progress, check_room
from mgsweep.errors import InvalidInput, Problem

MAX_FILES = 500_000
MAX_RATIO = 100
"""Unpacked bytes for each byte of the archive; photographs hardly shrink, bombs do."""
BLOCK = 1 << 20


class Member(NamedTuple):
    """A file of an archive: its name there, bytes unpacked, what is wrong with it, how to read it."""

    name: str
    size: int
    flaw: str
    open: Callable[[], IO[bytes]]


def extract(archive: Path, folder: Path, progress: Progress = lambda done, total: None) -> None:
    """Unpack the files of a tar or zip archive below a folder. Files that are there in their full size are kept.

    Raises:
        InvalidInput: every member that is a link, a device, encrypted, or would lie outside of the folder; an archive
            that is damaged, or unpacks to more than is sensible. Nothing has been written then.
    """
    with _members(archive) as members:
        _check(archive, members)
        total = sum(member.size for member in members)
        check_room(folder, total)
        done = 0
        for member in members:
            target = folder.joinpath(*PurePosixPath(member.name).parts)
            if not (target.is_file() and target.stat().st_size == member.size):
                _write(archive, member, target, folder)
            done += member.size
            progress(done, total)


def _check(archive: Path, members: list[Member]) -> None:
    where = str(archive)
    problems = [
        Problem(where, member.name, flaw) for member in members if (flaw := member.flaw or _misplaced(member.name))
    ]
    if len(members) > MAX_FILES:
        problems.append(Problem(where, "", f"expected at most {MAX_FILES:,} files, got {len(members):,}"))
    total, limit = sum(member.size for member in members), MAX_RATIO * archive.stat().st_size
    if total > limit:
        problems.append(Problem(where, "", f"would unpack to {total:,} bytes, more than {MAX_RATIO} times its size"))
    if problems:
        raise InvalidInput(problems)


def _misplaced(name: str) -> str:
    path = PurePosixPath(name)
    wrong = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts
    return "would be unpacked outside of the folder" if wrong else ""


def _write(archive: Path, member: Member, target: Path, folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if folder.resolve() not in (target.parent.resolve(), *target.parent.resolve().parents):
        raise InvalidInput.of(f"{member.name} would go through a link that leads elsewhere", where=str(target.parent))
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    with member.open() as source, draft.open("xb") as out:
        shutil.copyfileobj(source, out, BLOCK)
    if draft.stat().st_size != member.size:
        draft.unlink()
        raise InvalidInput.of(
            "does not hold the bytes it declares; fetch the archive again", where=str(archive), key=member.name
        )
    os.replace(draft, target)


@contextmanager
def _members(archive: Path) -> Iterator[list[Member]]:
    """The files in it; folders are made as needed."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield [_of_zip(file, info) for info in file.infolist() if not info.is_dir()]
        else:
            with tarfile.open(archive) as tar:
                yield [_of_tar(tar, info) for info in tar if not info.isdir()]
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        message = f"cannot unpack the archive: {error}; remove it and fetch it again"
        raise InvalidInput.of(message, where=str(archive)) from error
    except OSError as error:
        message = f"cannot unpack the archive: {error.strerror or error}; what is unpacked is kept, start again"
        raise InvalidInput.of(message, where=error.filename or str(archive)) from error


def _of_zip(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    flaw = "is encrypted" if info.flag_bits & 1 else "" if kind in (0, stat.S_IFREG) else "is not a plain file"
    return Member(info.filename, info.file_size, flaw, lambda: file.open(info))


def _of_tar(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    def opened() -> IO[bytes]:
        content = tar.extractfile(info)
        assert content is not None  # of a plain file it never is
        return content

    plain = info.isreg() and not info.issparse()
    return Member(info.name, info.size, "" if plain else "is not a plain file", opened)
