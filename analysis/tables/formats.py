"""A table as LaTeX and as Markdown. Names are data: nothing in them is ever taken for markup or a command."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from analysis.tables.layout import Cell, Table

LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
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

ONE_COLUMN = 5
"""Tables with more columns go over both columns of the paper."""


def latex(table: Table, label: str) -> str:
    """A floating table for `\\usepackage{booktabs}`, in ASCII and Latin letters only."""
    columns = "l" * table.names + "r" * (len(table.titles) - table.names)
    body = "\n\\midrule\n".join("\n".join(_latex_row(row) for row in group) for group in table.groups)
    kind = "table" if len(table.titles) <= ONE_COLUMN else "table*"
    return (
        f"\\begin{{{kind}}}\n"
        "\\centering\n"
        f"\\caption{{{_latex(table.caption)}}}\n"
        f"\\label{{{''.join(letter for letter in label if letter.isalnum() or letter in ':-')}}}\n"
        f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n"
        "\\toprule\n"
        f"{' & '.join(map(_latex, table.titles))} \\\\\n"
        "\\midrule\n"
        f"{body}\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        f"\\end{{{kind}}}\n"
    )


def markdown(table: Table) -> str:
    """A pipe table, with the caption below it."""
    aligned = ["---"] * table.names + ["---:"] * (len(table.titles) - table.names)
    rows = [_markdown_row(row) for group in table.groups for row in group]
    lines = [_line(map(_markdown, table.titles)), _line(aligned), *rows, "", _markdown(table.caption)]
    return "\n".join(lines) + "\n"


def _latex_row(row: Iterable[Cell]) -> str:
    cells = (rf"\textbf{{{_latex(cell.text)}}}" if cell.bold else _latex(cell.text) for cell in row)
    return f"{' & '.join(cells)} \\\\"


def _latex(text: str) -> str:
    # A letter that pdfTeX may not know would stop the whole paper.
    return "".join(LATEX.get(letter, letter if ord(letter) < 0x180 else "?") for letter in _line_of(text))


def _markdown_row(row: Iterable[Cell]) -> str:
    return _line(f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text) for cell in row)


def _markdown(text: str) -> str:
    return "".join(MARKDOWN.get(letter, letter) for letter in _line_of(text))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _line_of(text: str) -> str:
    """The text on one line: without control characters, which could end a row."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text)
