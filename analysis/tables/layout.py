"""From tidy numbers to cells of text: what stands where, rounded, with its spread, and what is the best."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from analysis.tables import Tabular

MISSING = "–"
EXPLAINED = (
    "Bold: the best, and what lies within the 95 % bootstrap interval of its mean or prints the same. "
    "± is the standard deviation over {seeds} seeds."
)
ALONE = "Bold: the best, and what prints the same. One seed each."


@dataclass(frozen=True)
class Measure:
    """A column of numbers: its title, and how a number is printed. `best` says which end wins, if any.

    Where a table is too wide for a page, columns of different sections come into different panels.
    """

    title: str
    scale: float = 100
    digits: int = 1
    best: Literal["high", "low"] | None = "high"
    section: str = ""

    def text(self, value: float) -> str:
        return f"{self.scale * value:.{self.digits}f}"


class Cell(NamedTuple):
    """One cell, not yet escaped for any format."""

    text: str
    bold: bool = False


Row = tuple[Cell, ...]
Group = tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table of text. The first `names` columns hold names, the others numbers; rules stand between `groups`.

    `sections` are the columns where another section of numbers begins.
    """

    caption: str
    names: int
    titles: tuple[str, ...]
    groups: tuple[Group, ...]
    sections: tuple[int, ...] = ()


def table(module: Tabular, page: pd.DataFrame) -> Table:
    """The table of one page of `module.data`."""
    head, measures = module.head(page), module.measures(page)
    page = page.assign(bold=_bold(page, module))
    groups = tuple(
        tuple(_rows(group, measures, module)) for _, group in page.groupby([*module.GROUP], dropna=False, sort=False)
    )
    titles = (*head, *(measure.title for measure in measures.values()))
    caption = f"{module.caption(page)} {_explanation(page, module)}".strip()
    changes = pairwise(measure.section for measure in measures.values())
    sections = tuple(place for place, (left, right) in enumerate(changes, len(head) + 1) if left != right)
    return Table(caption, len(head), titles, groups, sections)


def unrepeated(group: Group, names: int) -> Iterator[Row]:
    """The rows of a group without the names that the row above has too; the last name stays."""
    above: Row = ()
    for row in group:
        same = [row[: n + 1] == above[: n + 1] and n + 1 < names for n in range(names)]
        yield (*(Cell("") if old else name for name, old in zip(row, same, strict=False)), *row[names:])
        above = row


def on_one_line(text: str) -> str:
    """Without control characters, which could end a row."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text)


def _rows(group: pd.DataFrame, measures: Mapping[str, Measure], module: Tabular) -> Iterator[Row]:
    for _, row in group.groupby([*module.ROW], dropna=False, sort=False):
        names = [Cell(str(row[key].iloc[0])) for key in module.head(group).values()]
        cells = row.set_index("measure")
        yield (*names, *(_cell(cells, name, measure) for name, measure in measures.items()))


def _cell(cells: pd.DataFrame, name: str, measure: Measure) -> Cell:
    if name not in cells.index:
        return Cell(MISSING)
    cell = cells.loc[name].to_dict()
    mean, sd = float(cell["mean"]), float(cell["sd"])
    spread = "" if math.isnan(sd) else f" ± {measure.text(sd)}"
    return Cell(measure.text(mean) + spread, bool(cell["bold"]))


def _bold(page: pd.DataFrame, module: Tabular) -> pd.Series[bool]:
    """Whether each number is the best of its contest or cannot be told from it; alone, none is."""
    measures = module.measures(page)
    bold = pd.Series(False, index=page.index)
    for _, contest in page.groupby([*module.CONTEST], dropna=False, sort=False):
        measure = measures.get(contest["measure"].iloc[0])
        if measure is None or measure.best is None or len(contest) < 2:
            continue
        means = contest["mean"]
        winner = contest.iloc[int(means.argmax() if measure.best == "high" else means.argmin())].to_dict()
        within = means.between(winner["low"], winner["high"])
        bold[contest.index] = within | (means.map(measure.text) == measure.text(winner["mean"]))
    return bold


def _explanation(page: pd.DataFrame, module: Tabular) -> str:
    if all(measure.best is None for measure in module.measures(page).values()):
        return ""
    seeds = sorted({int(count) for count in page["seeds"]})
    return ALONE if seeds == [1] else EXPLAINED.format(seeds="–".join(map(str, dict.fromkeys((seeds[0], seeds[-1])))))
