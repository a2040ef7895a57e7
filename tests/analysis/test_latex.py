"""Every table through pdfTeX: it fits the page of a paper, and no name stops the paper or is run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from crowded import SETTINGS, crowded
from test_tables import FRAME, HOSTILE

from analysis.tables import TABLES, save
from analysis.tables.latex import MOST_FLOATS, latex
from analysis.tables.layout import Cell, Table
from mgsweep.guidance.datasets.coco2014 import CLASSES

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: `make tools`")

PAPER = """\\documentclass[%s]{article}
\\usepackage{booktabs}
\\begin{document}
%s
\\end{document}
"""
PAPERS = ["10pt,twocolumn", "10pt", "10pt,a4paper,twocolumn", "10pt,a4paper"]
NAMES = {"energy": HOSTILE[:60], "bcos": "[a]", "resnet50": "a|b", "ixg": "\\input{/etc/passwd}", "rrr": "*[b]"}
LETTERS = "".join(chr(code) for code in range(0x20, 0x250) if not 0x7F <= code < 0xA0)


def typeset(folder: Path, tables: list[Path], paper: str = PAPERS[0]) -> tuple[str, str]:
    """What pdfTeX says, and the files it opened."""
    inputs = (f"\\input{{{path.name}}}" for path in tables if path.suffix == ".tex")
    (folder / "paper.tex").write_text(PAPER % (paper, "\n\\clearpage\n".join(inputs)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "-recorder", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout, (folder / "paper.fls").read_text()


def ill_fitting(said: str) -> list[str]:
    return re.findall(r"^(?:Overfull|.*Float too large).*", said, re.MULTILINE)


@pytest.mark.parametrize("paper", PAPERS)
def test_tables_fit_a_paper(paper: str, tmp_path: Path) -> None:
    saved = [path for name, frame in FRAME.items() for path in save(name, frame, tmp_path)]
    said, _ = typeset(tmp_path, saved, paper)
    assert ill_fitting(said) == []


@pytest.mark.parametrize("seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_thirty_settings_and_eighty_classes_fit_a_paper(seeds: int, tmp_path: Path) -> None:
    frame = crowded(seeds)
    saved = [
        path
        for name in ("best-f1", "epg-at-f1", "hypervolumes", "per-class", "cost")
        for path in save(name, frame, tmp_path)
    ]
    for paper in PAPERS:
        said, _ = typeset(tmp_path, saved, paper)
        assert ill_fitting(said) == []


def test_a_table_of_many_pages_is_whole_and_says_what_it_continues(tmp_path: Path) -> None:
    [tex, _, numbers] = save("per-class", crowded(), tmp_path)
    text = tex.read_text()
    floats = text.split("\\begin{table*}")[1:]
    assert text.count("\\label{tab:per-class}") == 1
    assert "\\caption" in floats[0]
    assert all("Table~\\ref{tab:per-class}, continued" in one for one in floats[1:])
    assert len(floats) > MOST_FLOATS
    assert text.count("\\clearpage") == (len(floats) - 1) // MOST_FLOATS
    rows = [line.removesuffix(" \\\\").split(" & ") for line in text.splitlines() if line.split(" &")[0] in CLASSES]
    for name in CLASSES:
        assert sum(len(row) - 1 for row in rows if row[0] == name) == 2 * (len(SETTINGS) + 1)
    titles = [line for line in text.splitlines() if line.startswith("Class")]
    assert not [line for line in titles if "F1" in line and "EPG" in line]  # of each panel
    assert len(numbers.read_text().splitlines()) == 1 + len(CLASSES) * 2 * (len(SETTINGS) + 1)


def test_panels_of_a_table_share_a_float_if_a_page_holds_them(tmp_path: Path) -> None:
    columns = [f"setting {number}" for number in range(20)]
    rows = tuple((Cell(f"class {number}"), *(Cell("12.3") for _ in columns)) for number in range(10))
    tex = latex(Table("", 1, ("Class", *columns), (rows,)), "tab:a")
    assert (tex.count("\\begin{table*}"), tex.count("\\begin{tabular*}")) == (1, 3)
    assert tex.count("class 9 &") == 3


def test_a_group_that_no_page_holds_is_cut_and_its_names_are_said_again() -> None:
    group = tuple((Cell("model"), Cell(f"loss {number}"), Cell("12.3")) for number in range(70))
    few = (Cell("other"), Cell("loss"), Cell("1.0"))
    tex = latex(Table("", 2, ("Model", "Loss", "F1"), ((few,), group, (few,))), "tab:a")
    assert tex.count("\\begin{table}") == 2
    assert tex.count("model & loss") == 2
    assert tex.count("other & loss") == 2
    losses = [line.split(" & ")[1] for line in tex.splitlines() if "& loss" in line]
    assert losses == ["loss", *(f"loss {number}" for number in range(70)), "loss"]


LONG = "energy, bbox_fraction 0.01, bbox_dilation 0.5"


def table_of(rows: int, columns: int, name: str = "row", title: str = "F1", cell: str = "12.3") -> Table:
    """With a caption of four lines, as the longest are."""
    row = (Cell(name), *(Cell(cell, bold=True) for _ in range(columns)))
    return Table("Caption " * 35, 1, ("Row", *[title] * columns), ((row,) * rows,))


def test_any_number_of_rows_and_columns_fits_a_page(tmp_path: Path) -> None:
    tables = [
        *(table_of(number, 1) for number in range(36, 60, 3)),
        *(table_of(number, 4, name=LONG) for number in range(18, 60, 3)),
        *(table_of(number, 6, title=LONG) for number in range(27, 51, 2)),
        *(table_of(5, number, cell="88.8 ± 8.8") for number in range(3, 13)),
        *(table_of(5, number, name="WWWWWW", title="MWMW") for number in range(3, 16)),
    ]
    paths = [tmp_path / f"{number}.tex" for number in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        path.write_text(latex(table, f"tab:{path.stem}"))
    for paper in ("10pt", "10pt,twocolumn"):
        said, _ = typeset(tmp_path, paths, paper)
        assert ill_fitting(said) == []


def test_columns_of_different_sections_share_no_panel() -> None:
    row = (Cell("class"), *(Cell(f"{number}") for number in range(20)))
    titles = ("Class", *(f"setting {number}" for number in range(20)))
    cut = latex(Table("", 1, titles, ((row,),), sections=(5,)), "tab:a")
    assert "class & 0 & 1 & 2 & 3 \\\\" in cut
    whole = latex(Table("", 1, titles[:9], ((row[:9],),), sections=(5,)), "tab:a")
    assert "class & 0 & 1 & 2 & 3 & 4 & 5 & 6 & 7 \\\\" in whole


def test_long_names_and_titles_stand_in_several_lines() -> None:
    tex = latex(table_of(1, 1, LONG, LONG), "tab:a")
    assert r"\begin{tabular}[t]{@{}l@{}}energy, bbox\_fraction 0.01, \\ ~~bbox\_dilation 0.5\end{tabular} &" in tex
    tex = latex(table_of(1, 12, title=LONG), "tab:a")
    assert r"[b]{@{}r@{}}energy, \\ bbox\_ \\ fraction \\ 0.01, \\ bbox\_ \\ dilation \\ 0.5\end{tabular}" in tex


def test_no_name_stops_the_paper_or_is_run(tmp_path: Path) -> None:
    saved = [path for name in TABLES for path in save(name, FRAME[name].replace(NAMES), tmp_path)]
    rows = tuple(((Cell(LETTERS[start : start + 30], bold=start % 60 == 0),),) for start in range(0, len(LETTERS), 30))
    (tmp_path / "letters.tex").write_text(latex(Table(LETTERS, 1, (LETTERS,), rows), "tab:letters"))
    _, opened = typeset(tmp_path, [*saved, tmp_path / "letters.tex"])
    assert "passwd" not in opened
