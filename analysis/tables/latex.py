"""A table as LaTeX, in ASCII and Latin letters only. Names are data: nothing in them is ever taken for a command."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from analysis.tables.layout import Cell, Table, on_one_line, unrepeated
from analysis.tables.panels import COLUMN, PAGE, Type, height, name_lines, panels, title_lines, type_of, width

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

UNKNOWN = frozenset("«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")
"""Letters below U+0180 that pdfTeX does not have in its default encoding: any of them would stop the whole paper."""

BETWEEN = 6  # points of \medskip
MOST_FLOATS = 12  # in a row: of those that wait for a page LaTeX keeps 52, and then stops


def latex(table: Table, label: str) -> str:
    """The table for `\\usepackage{booktabs}`, as floats that fit a page; the first has the caption, below it."""
    kind = type_of(table)
    parts = panels(table, kind)
    label = "".join(letter for letter in label if letter.isalnum() or letter in ":-")
    first = f"\\caption{{{_escaped(table.caption)}}}\n\\label{{{label}}}\n"
    further = f"\\par\\medskip Table~\\ref{{{label}}}, continued\n"
    environment = "table" if max(width(part, kind) for part in parts) <= COLUMN else "table*"
    text = ""
    for number, stack in enumerate(_stacked(parts, kind)):
        text += "\\clearpage\n" if number and number % MOST_FLOATS == 0 else ""
        tabulars = "\\par\\medskip\n".join(_tabular(part, kind, filled=len(parts) > 1) for part in stack)
        text += (
            f"\\begin{{{environment}}}\n\\centering\n{kind.size}\n\\setlength{{\\tabcolsep}}{{{kind.gap}pt}}\n"
            f"{tabulars}{further if number else first}\\end{{{environment}}}\n"
        )
    return text


def _stacked(parts: Iterable[Table], kind: Type) -> list[list[Table]]:
    """As many one below the other as a page holds."""
    stacks: list[list[Table]] = [[]]
    for part in parts:
        if stacks[-1] and sum(BETWEEN + height(one, kind) for one in (*stacks[-1], part)) > PAGE:
            stacks.append([])
        stacks[-1].append(part)
    return stacks


def _tabular(table: Table, kind: Type, filled: bool) -> str:
    """Panels of one table are as wide as the text, so that their edges are in line."""
    columns = "l" * table.names + "r" * (len(table.titles) - table.names)
    titles = [
        _lines(title_lines(title, kind), f"[b]{{@{{}}{side}@{{}}}}")
        for title, side in zip(table.titles, columns, strict=True)
    ]
    groups = (unrepeated(group, table.names) for group in table.groups)
    body = "\n\\midrule\n".join("\n".join(_row(row, table.names) for row in group) for group in groups)
    name, begin = ("tabular*", "{\\linewidth}{@{\\extracolsep{\\fill}}") if filled else ("tabular", "{@{}")
    return (
        f"\\begin{{{name}}}{begin}{columns}@{{}}}}\n"
        "\\toprule\n"
        f"{' & '.join(titles)} \\\\\n"
        "\\midrule\n"
        f"{body}\n"
        "\\bottomrule\n"
        f"\\end{{{name}}}\n"
    )


def _row(row: Iterable[Cell], names: int) -> str:
    cells = [
        _lines(name_lines(cell.text), "[t]{@{}l@{}}") if place < names else _number(cell)
        for place, cell in enumerate(row)
    ]
    return f"{' & '.join(cells)} \\\\"


def _number(cell: Cell) -> str:
    return rf"\textbf{{{_escaped(cell.text)}}}" if cell.bold else _escaped(cell.text)


def _lines(lines: Iterable[str], where: str) -> str:
    """A cell of several lines; `where` says which of them is level with the row, and on which side they are even."""
    first, *further = map(_escaped, lines)
    stacked = r" \\ ".join((first, *further))
    return rf"\begin{{tabular}}{where}{stacked}\end{{tabular}}" if further else first


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, _known(letter)) for letter in on_one_line(text))


def _known(letter: str) -> str:
    if ord(letter) < 0x180 and letter not in UNKNOWN:
        return letter
    plain = unicodedata.normalize("NFD", letter)[0]
    return plain if plain.isascii() else "?"
