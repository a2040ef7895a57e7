"""Every table through pdfTeX in a two-column paper: it fits, and no name stops the paper or is run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_tables import FRAME, HOSTILE

from analysis.tables import TABLES, formats, save
from analysis.tables.layout import Cell, Table

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: `make tools`")

PAPER = """\\documentclass[10pt,twocolumn]{article}
\\usepackage{booktabs}
\\begin{document}
%s
\\end{document}
"""
NAMES = {"energy": HOSTILE[:60], "bcos": "[a]", "resnet50": "a|b", "ixg": "\\input{/etc/passwd}", "rrr": "*[b]"}
LETTERS = "".join(chr(code) for code in range(0x20, 0x250) if not 0x7F <= code < 0xA0)


def typeset(folder: Path, tables: list[Path]) -> tuple[str, str]:
    """What pdfTeX says, and the files it opened."""
    (folder / "paper.tex").write_text(PAPER % "\n".join(f"\\input{{{path.name}}}" for path in tables))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "-recorder", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout, (folder / "paper.fls").read_text()


def test_tables_fit_a_paper(tmp_path: Path) -> None:
    saved = [
        path
        for name in ("best-f1", "epg-at-f1", "hypervolumes", "groups", "cost")
        for path in save(name, FRAME[name], tmp_path)
    ]
    said, _ = typeset(tmp_path, [path for path in saved if path.suffix == ".tex"])
    assert "Overfull" not in said


def test_no_name_stops_the_paper_or_is_run(tmp_path: Path) -> None:
    saved = [path for name in TABLES for path in save(name, FRAME[name].replace(NAMES), tmp_path)]
    rows = tuple(((Cell(LETTERS[start : start + 30], bold=start % 60 == 0),),) for start in range(0, len(LETTERS), 30))
    (tmp_path / "letters.tex").write_text(formats.latex(Table(LETTERS, 1, (LETTERS,), rows), "tab:letters"))
    tables = [path for path in saved if path.suffix == ".tex"]
    _, opened = typeset(tmp_path, [*tables, tmp_path / "letters.tex"])
    assert "passwd" not in opened
