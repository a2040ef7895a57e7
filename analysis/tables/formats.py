"""A table as LaTeX and as Markdown. Names are data: nothing in them is ever taken for markup or a command."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from analysis.tables.layout import Cell, Table

# A bracket after the end of a row would be its length.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "[": "{[}",
    "\N{NO-BREAK SPACE}": "~",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "λ": r"$\lambda$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "…": r"\ldots{}",
}
MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]<>#|~$&"}

UNKNOWN = frozenset("«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")
"""Letters below U+0180 that pdfTeX does not have in its default encoding: any of them would stop the whole paper."""

TITLE = 14
"""Letters in a line of a column's title, as far as words allow."""
ONE_COLUMN = 46
"""Letters that fit into one column of a two-column paper, in small type; wider tables go over both columns."""


def latex(table: Table, label: str) -> str:
    """A floating table for `\\usepackage{booktabs}`, in ASCII and Latin letters only, with the caption below it."""
    columns = "l" * table.names + "r" * (len(table.titles) - table.names)
    titles = [_latex_title(title, side) for title, side in zip(table.titles, columns, strict=True)]
    body = "\n\\midrule\n".join("\n".join(_latex_row(row) for row in group) for group in table.groups)
    kind = "table" if sum(_widths(table)) <= ONE_COLUMN else "table*"
    return (
        f"\\begin{{{kind}}}\n"
        "\\centering\n"
        "\\small\n"
        f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n"
        "\\toprule\n"
        f"{' & '.join(titles)} \\\\\n"
        "\\midrule\n"
        f"{body}\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        f"\\caption{{{_latex(table.caption)}}}\n"
        f"\\label{{{''.join(letter for letter in label if letter.isalnum() or letter in ':-')}}}\n"
        f"\\end{{{kind}}}\n"
    )


def markdown(table: Table) -> str:
    """A pipe table, with the caption below it."""
    aligned = ["---"] * table.names + ["---:"] * (len(table.titles) - table.names)
    rows = [_markdown_row(row) for group in table.groups for row in group]
    lines = [_line(map(_markdown, table.titles)), _line(aligned), *rows, "", _markdown(table.caption)]
    return "\n".join(lines) + "\n"


def _latex_title(title: str, side: str) -> str:
    """Titles say more than the numbers below them are wide: they break."""
    lines = [_latex(line) for line in _broken(title)]
    return lines[0] if len(lines) == 1 else f"\\shortstack[{side}]{{" + r" \\ ".join(lines) + "}"


def _broken(title: str) -> list[str]:
    title = _line_of(title).replace(" ↑", "\N{NO-BREAK SPACE}↑").replace(" ↓", "\N{NO-BREAK SPACE}↓")
    return textwrap.wrap(title, TITLE, break_long_words=False, break_on_hyphens=False) or [""]


def _widths(table: Table) -> Iterator[int]:
    """Letters in each column, and two for the space beside it."""
    for place, title in enumerate(table.titles):
        cells = (row[place].text for group in table.groups for row in group)
        yield 2 + max(map(len, (*_broken(title), *cells)))


def _latex_row(row: Iterable[Cell]) -> str:
    cells = (rf"\textbf{{{_latex(cell.text)}}}" if cell.bold else _latex(cell.text) for cell in row)
    return f"{' & '.join(cells)} \\\\"


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, _known(letter)) for letter in _line_of(text))


def _known(letter: str) -> str:
    if ord(letter) < 0x180 and letter not in UNKNOWN:
        return letter
    plain = unicodedata.normalize("NFD", letter)[0]
    return plain if plain.isascii() else "?"


def _markdown_row(row: Iterable[Cell]) -> str:
    return _line(f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text) for cell in row)


def _markdown(text: str) -> str:
    return "".join(MARKDOWN.get(letter, letter) for letter in _line_of(text))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _line_of(text: str) -> str:
    """The text on one line: without control characters, which could end a row."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text)
