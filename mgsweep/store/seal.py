"""A digest inside each file: a flipped bit, a missing end and a file in another's place show when it is read.

A seal is a line of text, `mgsweep seal <name> <sha256>`, that stands where a file's format has room for it. The digest
is of the whole file with zeros in its own place. Being in the file it is published and copied with it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mgsweep.errors import StoreError

_MARK = b"mgsweep seal "
_DIGITS = 64


class Damaged(StoreError):
    """A file of the store cannot be trusted: it is not what was written, cannot be read, or is not there."""

    def __init__(self, file: Path, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}")

    def __reduce__(self) -> tuple[type[Damaged], tuple[Path, str]]:
        """Errors travel between processes, and would be made again of their message alone."""
        return type(self), (self.file, self.reason)


def blank(name: str) -> bytes:
    """The line that `sealed` fills in. `name` says what the file is: its trial, and the part of it."""
    return _MARK + name.encode() + b" " + b"0" * _DIGITS


def sealed(before: bytes, name: str, after: bytes = b"") -> bytes:
    """The two parts of a file joined by its seal."""
    return b"".join((before, _filled(before, name, after), after))


def without_seal(content: bytes, name: str) -> bytes | None:
    """What stands before the seal of a file, if all of it is as it was written; None if it bears no seal.

    Raises:
        ValueError: it is not as it was written.
    """
    at = content.rfind(_MARK)
    if at < 0:
        return None
    end, whole = at + len(blank(name)), memoryview(content)
    if content[at:end] != _filled(whole[:at], name, whole[end:]):
        raise ValueError("its content does not match its seal")
    return content[:at]


def _filled(before: bytes | memoryview, name: str, after: bytes | memoryview) -> bytes:
    line = blank(name)
    digest = hashlib.sha256(before)
    digest.update(line)
    digest.update(after)
    return line[:-_DIGITS] + digest.hexdigest().encode()
