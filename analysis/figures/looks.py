"""What a figure may look like: the venue it is printed at, and its colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mgsweep.registry import Component, Registry

POINTS = 72.27
"""TeX points to an inch."""


@dataclass(frozen=True)
class Venue(Component):
    """Widths in inches that figures are printed at: of a column, and of the full page.

    On a page of one column, a figure with a single panel takes half of it.
    """

    target: str = field(default="", repr=False)
    column: float = 0
    full: float = 0


# Each from the venue's own style file; a TeX point is 1/72.27 inch.
VENUES = Registry(
    "venue",
    # cvpr.sty, iccv.sty and wacv.sty: \textwidth 6.875in, \columnsep 0.3125in.
    Venue("cvpr", column=237.136 / POINTS, full=496.856 / POINTS),
    Venue("iccv", column=237.136 / POINTS, full=496.856 / POINTS),
    Venue("wacv", column=237.136 / POINTS, full=496.856 / POINTS),
    # eccv.sty on llncs.cls: \textwidth 12.2cm.
    Venue("eccv", column=6.1 / 2.54, full=12.2 / 2.54),
    # neurips_20xx.sty and iclr20xx_conference.sty: \textwidth 5.5in.
    Venue("neurips", column=2.75, full=5.5),
    Venue("iclr", column=2.75, full=5.5),
    # icml20xx.sty and aistats20xx.sty: \textwidth 6.75in, \columnsep 0.25in.
    Venue("icml", column=3.25, full=6.75),
    Venue("aistats", column=3.25, full=6.75),
    # tmlr.sty: \textwidth 6.5in. jmlr2e.sty: 6in.
    Venue("tmlr", column=3.25, full=6.5),
    Venue("jmlr", column=3, full=6),
    # acl.sty: A4 with margins of 2.5cm, \columnsep 0.6cm.
    Venue("acl", column=7.7 / 2.54, full=16 / 2.54),
    # aaai20xx.sty: \textwidth 7in, \columnsep 0.375in.
    Venue("aaai", column=3.3125, full=7),
    # IEEEtran.cls, journal: columns of 21pc, \columnsep 1pc (a pica is 12 points).
    Venue("ieee", column=252 / POINTS, full=516 / POINTS),
)


class Mark(NamedTuple):
    """How the points of one loss look, in colour and without."""

    color: str
    marker: str
    edge: str = "white"

    @property
    def points(self) -> dict[str, Any]:
        """Keywords of a `Line2D` that shows points only."""
        look = {"linestyle": "none", "marker": self.marker, "color": self.color}
        return look | {"markeredgecolor": self.edge, "markeredgewidth": 0.3, "zorder": 3}

    @property
    def hollow(self) -> dict[str, Any]:
        """Keywords of a `Line2D` that shows somebody else's points: smaller, and behind."""
        look = {"linestyle": "none", "marker": self.marker, "markerfacecolor": "none", "markersize": 3.2}
        return look | {"markeredgecolor": self.color, "markeredgewidth": 0.6, "alpha": 0.7, "zorder": 1.5}


@dataclass(frozen=True)
class Palette(Component):
    """Colours: `marks` of losses, `further` of those it does not know, `steps` of an ordered value from low to high."""

    target: str = field(default="", repr=False)
    marks: dict[str, Mark] = field(default_factory=dict)
    further: tuple[Mark, ...] = ()
    steps: tuple[str, ...] = ()
    edge: str = "white"
    better: str = ""
    worse: str = ""


FURTHER = (Mark("#D55E00", "s"), Mark("#56B4E9", "^"), Mark("#000000", "*"), Mark("#999999", "P"), Mark("#F0E442", "h"))
PALETTES = Registry(
    "style",
    # Okabe and Ito's palette, told apart by readers with any colour vision; steps of viridis without its yellow end.
    Palette(
        "clear",
        marks={
            "energy": Mark("#0072B2", "o"),
            "l1": Mark("#E69F00", "v"),
            "ppce": Mark("#009E73", "p"),
            "rrr": Mark("#CC79A7", "D"),
        },
        further=FURTHER,
        steps=("#440154", "#414487", "#2A788E", "#22A884", "#8DD544"),
        better="#E3F3E1",
        worse="#EEEEEE",
    ),
    # The original's: red, green, yellow and blue with dark edges, blues for the dilations.
    Palette(
        "paper",
        marks={
            "energy": Mark("#ED3E63", "o", "black"),
            "l1": Mark("#39D095", "v", "black"),
            "ppce": Mark("#FECB5B", "p", "black"),
            "rrr": Mark("#187FA8", "D", "black"),
        },
        further=tuple(mark._replace(edge="black") for mark in FURTHER),
        steps=("#11285E", "#2E7AB5", "#A0C8E0", "#F6FAFF"),
        edge="black",
        better="#C2EBC2",
        worse="#E3E3E3",
    ),
)


@dataclass(frozen=True)
class Look:
    """A venue and a palette, by name."""

    venue: str = "cvpr"
    style: str = "clear"

    def check(self) -> None:
        """Raise UnknownName for a name that has no line above."""
        _ = self.place, self.palette

    @property
    def place(self) -> Venue:
        return VENUES[self.venue]

    @property
    def palette(self) -> Palette:
        return PALETTES[self.style]


_LOOK: ContextVar[Look] = ContextVar("look", default=Look())  # noqa: B039 (it is immutable)


def current() -> Look:
    """The look that is drawn with."""
    return _LOOK.get()


@contextmanager
def using(look: Look) -> Iterator[None]:
    """Draw with this look for the while."""
    token = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(token)
