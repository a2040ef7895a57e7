"""Files that are there whole or not at all, whatever happens to the process, the machine or the disk.

Everything the store does to a disk is done here, by functions of `os`: tests put another `os` in this module's place
that fails, dies or forgets. A file is named by a trusted `root` and a name below it; on the way from one to the other
no symbolic link is followed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple


def write(root: Path, name: str, content: bytes, replace: bool = True) -> None:
    """Replace `root/name` by `content`: readers see the old file or the new one, and after return the new is on disk.

    Raises:
        FileExistsError: it was there and was not to be replaced.
        OSError: do not count on the new file, though it may be there: either one is whole.
    """
    write_all(root, {name: content}, replace)


def write_all(root: Path, contents: Mapping[str, bytes], replace: bool = True) -> None:
    """Write several files of one folder as `write` does, in this order, with one wait for the names of all."""
    drafts = {path: _draft(path) for path in (place(root, name) for name in contents)}
    try:
        for draft, content in zip(drafts.values(), contents.values(), strict=True):
            _write_new(draft, content)
        for path, draft in drafts.items():
            _publish(draft, path, replace)
    except BaseException:
        # After a failed fsync the kernel may have dropped the data, so a draft is never tried again.
        for draft in drafts.values():
            with suppress(OSError):
                os.unlink(draft)
        raise
    sync_folder(next(iter(drafts)).parent)


def _draft(path: Path) -> Path:
    # In the same directory, for a rename never crosses devices; the leading dot hides it from readers of the folder.
    return path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"


def _publish(draft: Path, path: Path, replace: bool) -> None:
    if replace:
        os.replace(draft, path)
    else:
        os.link(draft, path)  # of two that do this at the same time, one fails
        os.unlink(draft)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:  # a full disk, a quota or 2 GB make a write a short one
        rest = rest[os.write(descriptor, rest) :]


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file; after return it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes:
    """The content of a file.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be read, and not at a second try either: network drives have passing errors.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        raise
    except OSError:
        return _read(path)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(descriptor, max(os.fstat(descriptor).st_size, 1)):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def names(folder: Path) -> list[str]:
    """What is in a folder, sorted; nothing if there is none. Drafts and other hidden files are not told."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


class Stamp(NamedTuple):
    """What tells whether a file was written anew: its size in bytes and the time of its last change in nanoseconds."""

    size: int
    changed: int


def stamp(path: Path) -> Stamp | None:
    """The stamp of a file, None if there is none."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


def stamps(folder: Path) -> dict[str, Stamp]:
    """The stamp of every file in a folder, by name; none if there is no folder. Hidden files are not told."""
    found = {name: stamp(folder / name) for name in names(folder)}
    return {name: known for name, known in found.items() if known}


def rename(root: Path, source: str, target: str) -> None:
    """Rename a file within its folder; that is on disk once another file of the folder is written."""
    os.replace(_folder(root, os.path.dirname(source)) / os.path.basename(source), root / target)


def move(root: Path, source: str, target: str) -> None:
    """Rename a file to another folder; after return that is on disk."""
    old, new = _folder(root, os.path.dirname(source)) / os.path.basename(source), place(root, target)
    os.replace(old, new)
    sync_folder(new.parent)
    sync_folder(old.parent)


def remove(root: Path, name: str) -> None:
    """Remove a file, for good after return; it is well if there is none."""
    folder = _folder(root, os.path.dirname(name))
    with suppress(FileNotFoundError):
        os.unlink(folder / os.path.basename(name))
        sync_folder(folder)


def remove_folder(root: Path, name: str) -> None:
    """Remove a folder of files; it is well if there is none."""
    folder = _folder(root, name)
    with suppress(FileNotFoundError):
        for file in os.listdir(folder):
            os.unlink(folder / file)
        os.rmdir(folder)


def remove_drafts(root: Path, name: str, of: str = "") -> None:
    """Remove what a crash left of unfinished writes in the folder `root/name`: of one file, or of all."""
    folder = _folder(root, name)
    with suppress(FileNotFoundError):
        for draft in os.listdir(folder):
            if draft.startswith(f".{of}") and draft.endswith(".tmp"):
                os.unlink(folder / draft)


def place(root: Path, name: str) -> Path:
    """Where a file goes: `root/name`, its folder made if it was not there.

    Raises:
        OSError: the folder cannot be made, or a part of it is a symbolic link.
    """
    _make(_folder(root, os.path.dirname(name)))
    return root / name


def _folder(root: Path, name: str) -> Path:
    """`root/name`, unless a link is in its place or on the way: results would land where nobody looks for them."""
    folder = root
    for part in Path(name).parts:
        folder /= part
        if os.path.islink(folder):
            message = "a symbolic link is in the place of a folder of the store"
            raise OSError(errno.ELOOP, message, str(folder))
    return folder


def _make(folder: Path) -> None:
    if os.path.isdir(folder):
        return
    _make(folder.parent)
    with suppress(FileExistsError):
        os.mkdir(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename is only on disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What flock says where it is not known: Lustre without -o flock, NFS without its lock service, some FUSE."""


@contextmanager
def locked(path: Path, blocking: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on a file that is created for it; yields whether it was had.

    The kernel drops the lock when its process dies, even by SIGKILL, so a lock is never stale.

    Raises:
        OSError: the file cannot be made, or its file system knows no locks.
    """
    os.makedirs(path.parent, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            message = "its file system knows no locks (Lustre: mount it with -o flock)"
            raise OSError(error.errno, message, str(path)) from None
        raise
    else:
        # The last holder may have removed the file meanwhile: then this is a lock on nothing.
        yield os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path))
    finally:
        os.close(descriptor)


def create_locked(root: Path, name: str, content: bytes) -> int | None:
    """Create a file with a lock on it, which the kernel drops when the process dies, even by SIGKILL.

    It appears with its lock and content. Where the file system knows no locks there is only the content.

    Returns:
        its descriptor, or None if a file of that name is there already.
    """
    path = place(root, name)
    draft = _draft(path)
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        overwrite(descriptor, content)
        os.link(draft, path)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, FileExistsError):
            return None
        raise
    finally:
        with suppress(OSError):
            os.unlink(draft)
    return descriptor


def overwrite(descriptor: int, content: bytes) -> None:
    """Write to the beginning of an open file, so that other machines see it."""
    os.pwrite(descriptor, content, 0)
    os.fsync(descriptor)


def close(descriptor: int) -> None:
    """Close an open file, and drop the lock on it."""
    os.close(descriptor)


def is_open(path: Path, descriptor: int) -> bool:
    """Whether the file of that name is the one that is open here, and not another in its place."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock, without taking it for longer than the look. Yes, where that cannot be told."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
