"""A table as panels that fit a page: set closer where it is wide, then cut between columns, then between rows.

What fits is told from the letters, by the widths that pdfTeX's usual type has: hardly any other is wider.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from analysis.tables.layout import Cell, Group, Table, on_one_line

# In points. Of articles, one on A4 in two columns has the narrowest column, one in a single column the narrowest text,
# and one on US letter the lowest page, of which the caption takes a part.
COLUMN = 221
TEXT = 345
PAGE = 470

LETTERS = {
    **dict.fromkeys("fijlrstI .,;:!|()[]/'-\N{NO-BREAK SPACE}", 0.8),
    **dict.fromkeys("acegovz0123456789–↑↓", 1.0),
    **dict.fromkeys("bdhknpquxy", 1.12),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ+=±−×≤<>", 1.56),
    **dict.fromkeys("mw%_&#", 1.67),
}
"""Widths in digits, rounded up."""
WIDEST, BOLD = 2.06, 1.16
RULE = 6
NAME = 30
"""Letters in a line of a name, as far as words allow."""


@dataclass(frozen=True)
class Type:
    """How a table is set: `gap` stands on both sides of a column, all in points; `title` letters in a line of a title,
    as far as words allow.
    """

    size: str
    digit: float
    line: float
    gap: int
    title: int


ROOMY = Type("\\small", digit=4.63, line=11, gap=6, title=14)
DENSE = Type("\\footnotesize", digit=4.26, line=9.5, gap=3, title=5)


def type_of(table: Table) -> Type:
    """Roomy, if the table as a whole fits the text like that."""
    return ROOMY if width(table, ROOMY) <= TEXT else DENSE


def panels(table: Table, kind: Type) -> list[Table]:
    """The table itself, or parts of it that fit: all names, some of the columns of numbers, some of the rows.

    Parts are as equal as can be, and columns of different sections share none. A single column of numbers is no longer
    cut, however long its names are.
    """
    return [panel for part in _by_columns(table, kind) for panel in _by_rows(part, kind)]


def title_lines(title: str, kind: Type) -> list[str]:
    """As short as words and underscores allow."""
    title = on_one_line(title).replace(" ↑", "\N{NO-BREAK SPACE}↑").replace(" ↓", "\N{NO-BREAK SPACE}↓")
    lines = textwrap.wrap(title, kind.title, break_long_words=False, break_on_hyphens=False) or [""]
    return [part for line in lines for part in (re.split("(?<=_)(?=.)", line) if len(line) > kind.title else [line])]


def name_lines(name: str) -> list[str]:
    """Short enough for numbers to stand beside them; those after the first are indented."""
    indent = 2 * "\N{NO-BREAK SPACE}"
    return textwrap.wrap(on_one_line(name), NAME, subsequent_indent=indent, break_long_words=False) or [""]


def width(table: Table, kind: Type) -> float:
    return sum(_widths(table, kind)) - 2 * kind.gap  # there is none at its edges


def height(table: Table, kind: Type) -> float:
    rows = (_height(row, table.names, kind) for group in table.groups for row in group)
    return _head(table, kind) + RULE * len(table.groups) + sum(rows)


def _head(table: Table, kind: Type) -> float:
    """The titles, and the rules above and below the table."""
    return 2 * RULE + kind.line * max(len(title_lines(title, kind)) for title in table.titles)


def _height(row: Sequence[Cell], names: int, kind: Type) -> float:
    return kind.line * max(len(name_lines(cell.text)) for cell in row[:names])


def _widths(table: Table, kind: Type) -> Iterator[float]:
    """Of each column, with the space beside it."""
    for place, title in enumerate(table.titles):
        cells = [row[place] for group in table.groups for row in group]
        if place < table.names:
            cells = [Cell(line) for cell in cells for line in name_lines(cell.text)]
        yield 2 * kind.gap + kind.digit * max(map(_digits, [*map(Cell, title_lines(title, kind)), *cells]))


def _digits(cell: Cell) -> float:
    """How many digits are as wide."""
    return (BOLD if cell.bold else 1) * sum(LETTERS.get(letter, WIDEST) for letter in cell.text)


def _by_columns(table: Table, kind: Type) -> Iterator[Table]:
    widths = [*_widths(table, kind)]
    room = TEXT + 2 * kind.gap - sum(widths[: table.names])
    if sum(widths[table.names :]) <= room:
        yield table
        return
    for first, last in pairwise([table.names, *table.sections, len(table.titles)]):
        for start, end in _evenly(widths[first:last], room):
            yield _columns(table, first + start, first + end)


def _columns(table: Table, start: int, end: int) -> Table:
    """The names, and the columns of numbers from one to before another."""
    names, part = table.names, slice(start, end)
    groups = tuple(tuple((*row[:names], *row[part]) for row in group) for group in table.groups)
    return replace(table, titles=(*table.titles[:names], *table.titles[part]), groups=groups, sections=())


def _by_rows(table: Table, kind: Type) -> Iterator[Table]:
    """Cut between groups; only one that no page holds is cut itself."""
    room = PAGE - _head(table, kind)
    part: list[Group] = []
    for group in table.groups:
        heights = [_height(row, table.names, kind) for row in group]
        for start, end in _evenly(heights, room - RULE):
            longer = replace(table, groups=(*part, group[start:end]))
            if part and height(longer, kind) > PAGE:
                yield replace(table, groups=tuple(part))
                part = []
            part.append(group[start:end])
    yield replace(table, groups=tuple(part))


def _evenly(sizes: Sequence[float], room: float) -> list[tuple[int, int]]:
    """The fewest runs of equally many that all have room, as their first and the one after their last."""
    for parts in range(1, max(1, len(sizes)) + 1):
        runs = [*pairwise(round(len(sizes) * part / parts) for part in range(parts + 1))]
        if all(math.fsum(sizes[start:end]) <= room for start, end in runs):
            break
    return runs
