"""Errors that a user can act on.

MgsweepError           the command line shows its message, without a traceback, and exits with its exit_code
├── InvalidInput       something the user wrote or pointed at is wrong: all problems at once, nothing was started
├── UnknownName        a component name that no registry line has
├── StoreError         the results folder cannot be read or written as promised
│   └── Damaged        a file of it is not as it was written (`mgsweep.store`); a run has it made anew
└── Diverged           a trial's loss became NaN or infinite; training it again would do the same
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class MgsweepError(Exception):
    """Base of every error with a message meant for the user."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands (`file` or `file:line`), under which key, and what to do about it."""

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class InvalidInput(MgsweepError):
    """All mistakes found in one input; raised before anything is trained or written."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=_in_reading_order))
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, message: str, *, where: str = "", key: str = "") -> InvalidInput:
        """The common case of a single mistake."""
        return cls([Problem(where, key, message)])


def _in_reading_order(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)


class UnknownName(MgsweepError, KeyError):
    """`name` is not in the table of `kind`; the message lists what is and guesses what was meant."""

    exit_code = 2

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"unknown {kind} {name!r}{did_you_mean(name, self.known)} (known: {', '.join(self.known)})")

    __str__ = Exception.__str__  # KeyError would show the quoted repr


class StoreError(MgsweepError):
    """The results folder cannot be used: what was tried, on which file, and how to mend it."""

    exit_code = 2


class Diverged(MgsweepError):
    """A loss became NaN or infinite."""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the closest known word, or nothing when none is close."""
    close = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
