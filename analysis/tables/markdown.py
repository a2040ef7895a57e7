"""A table as Markdown, which scrolls: one table however wide. Names are data, nothing in them is taken for markup."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.tables.layout import Cell, Table, on_one_line, unrepeated

ESCAPED = {character: f"\\{character}" for character in "\\`*_[]<>#|~$&"}


def markdown(table: Table) -> str:
    """A pipe table, with the caption below it."""
    aligned = ["---"] * table.names + ["---:"] * (len(table.titles) - table.names)
    rows = [_row(row) for group in table.groups for row in unrepeated(group, table.names)]
    lines = [_line(map(_escaped, table.titles)), _line(aligned), *rows, "", _escaped(table.caption)]
    return "\n".join(lines) + "\n"


def _row(row: Iterable[Cell]) -> str:
    return _line(f"**{_escaped(cell.text)}**" if cell.bold else _escaped(cell.text) for cell in row)


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(letter, letter) for letter in on_one_line(text))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
