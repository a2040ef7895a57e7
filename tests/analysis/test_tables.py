"""Every table from synthetic stores: its numbers against an independent few lines, its files, and hostile names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import LOSSES, grouped, small, store, with_classes

from analysis.figures import FIGURES
from analysis.outputs import NothingToDraw, to_csv
from analysis.pareto import front, hypervolume
from analysis.tables import TABLES, layout, save
from analysis.tables.latex import latex
from analysis.tables.layout import Cell, Measure, Table
from analysis.tables.markdown import markdown

HOSTILE = ("=cmd()|'/c calc'!A1 \\input{x} $x_1$ 100% & <script>alert(1)</script> \N{GRINNING FACE} ../../\n| a" * 9)[
    :300
]
FRAME = {
    "best-f1": store(),
    "epg-at-f1": store(),
    "hypervolumes": store(),
    "per-class": with_classes(small()),
    "groups": grouped(),
    "cost": small(),
}


def printed(name: str, frame: pd.DataFrame) -> list[list[str]]:
    """Names and numbers of all rows of a table, as text."""
    module = TABLES[name].load()
    tables = [layout.table(module, page) for _, page in module.data(frame).groupby([*module.PAGE])]
    return [[cell.text for cell in row] for table in tables for group in table.groups for row in group]


def bold(name: str, frame: pd.DataFrame) -> list[list[str]]:
    module = TABLES[name].load()
    table = layout.table(module, module.data(frame))
    return [[cell.text for cell in row if cell.bold] for group in table.groups for row in group]


def test_best_f1_is_chosen_on_validation_and_shown_on_test() -> None:
    frame = store()
    rows = iter(printed("best-f1", frame))
    for model, depth in (("vanilla", "input"), ("vanilla", "final"), ("bcos", "input"), ("bcos", "final")):
        assert next(rows)[2:] == ["Baseline", "79.0", "79.0", "44.0", "22.0"]
        for loss in LOSSES:
            cell = frame[(frame[["model", "depth", "loss"]] == [model, depth, loss]).all(axis=1)]
            chosen = cell[cell["split"] == "val"].sort_values("f1").iloc[-1]
            shown = cell[(cell["split"] == "test") & (cell["id"] == chosen["id"]) & (cell["epoch"] == chosen["epoch"])]
            assert next(rows)[3:] == [f"{100 * shown[name].item():.1f}" for name in ("f1", "mean_ap", "epg", "iou")]


def test_epg_at_f1_by_brute_force() -> None:
    frame = store()
    cell = frame.query("model == 'bcos' and depth == 'input' and loss == 'energy'")
    val = cell[cell["split"] == "val"].set_index(["id", "epoch"])
    test = cell[cell["split"] == "test"].set_index(["id", "epoch"])
    row = next(row for row in printed("epg-at-f1", frame)[10:] if row[2] == "Energy")
    for text, points in zip(row[3:], (0, 1, 2, 5), strict=True):
        good = val[val["f1"] >= 0.8 - points / 100]
        assert text == f"{100 * test.loc[good['epg'].idxmax(), 'epg']:.1f}"


def test_rows_without_a_first_number_stay_in_the_order_of_the_paper() -> None:
    rows = [row for row in printed("epg-at-f1", small()) if row[1] == "Input"]
    assert [row[2] for row in rows] == [
        "Baseline",
        "Energy, bbox_fraction 0.01", "Energy", "Energy, bbox_dilation 0.1", "Energy, bbox_dilation 0.5",
        "L1, bbox_fraction 0.01", "L1", "L1, bbox_dilation 0.1", "L1, bbox_dilation 0.5",
    ]  # fmt: skip
    assert [row[3] == "–" for row in rows[1:5]] == [True, False, True, True]


def test_hypervolumes_above_nothing_and_beyond_the_own_baseline() -> None:
    frame = store()
    cell = frame.query("model == 'vanilla' and depth == 'input' and loss == 'energy'")
    val, test = (cell[cell["split"] == split][["f1", "epg"]].to_numpy() for split in ("val", "test"))
    points = test[front(val)]
    first = printed("hypervolumes", frame)[0]
    assert first[:3] == ["Vanilla (IxG)", "Input", "Energy"]
    assert first[3] == f"{100 * hypervolume(points, (0, 0)):.1f}"
    assert first[4] == f"{1e4 * hypervolume(points, (0.79, 0.44)):.1f}"


def test_hypervolumes_without_a_baseline() -> None:
    row = printed("hypervolumes", store().query("loss != 'none'"))[0]
    assert [row[3] != "–", len(row)] == [True, 5]  # the columns beyond it are left out


def test_several_seeds_have_a_spread_and_the_best_its_equals() -> None:
    frame = pd.concat([store(seed=seed) for seed in range(4)])
    first = printed("best-f1", frame)[1]
    f1 = [printed("best-f1", store(seed=seed))[1][3] for seed in range(4)]
    assert first[3] == pytest.approx(np.mean([float(x) for x in f1]), abs=0.1) or "±" in first[3]
    mean, spread = map(float, first[3].split(" ± "))
    assert mean == pytest.approx(np.mean([float(x) for x in f1]), abs=0.06)
    assert spread == pytest.approx(np.std([float(x) for x in f1], ddof=1), abs=0.06)
    module = TABLES["best-f1"].load()
    assert layout.table(module, module.data(frame)).caption.endswith("deviation over 4 seeds.")


def contest(*rows: tuple[str, float, float, float]) -> list[bool]:
    page = pd.DataFrame(rows, columns=["variant", "mean", "low", "high"]).assign(measure="f1", metric="f1")
    page["class"] = "a"
    module = TABLES["per-class"].load()
    page["measure"] = page["variant"] + " f1"
    return layout._bold(page, module).tolist()


def test_bold_is_the_best_and_what_its_interval_holds_or_prints_the_same() -> None:
    assert contest(("a", 0.90, 0.87, 0.93), ("b", 0.88, 0.5, 0.95), ("c", 0.86, 0.2, 0.99)) == [True, True, False]
    assert contest(("a", 0.9001, 0.9001, 0.9001), ("b", 0.9004, 0.9004, 0.9004)) == [True, True]
    assert contest(("a", 0.90, 0.90, 0.90), ("b", 0.89, 0.89, 0.89)) == [True, False]
    assert contest(("a", 0.90, 0.90, 0.90)) == [False]


def test_per_class_from_counts() -> None:
    row = printed("per-class", with_classes(small()))[0]
    assert row[0] == "class 0"
    assert row[1] == f"{100 * 2 * 8 / (2 * 8 + 1 + 3):.1f}"
    assert "27.5" in row  # a sum of 1.65 over 6 pairs
    named = with_classes(small())
    named.attrs["classes"] = {"voc2007": ["cat", "dog"]}
    assert [row[0] for row in printed("per-class", named)[:2]] == ["cat", "dog"]


def test_metrics_of_classes_are_sections() -> None:
    module = TABLES["per-class"].load()
    table = layout.table(module, module.data(FRAME["per-class"].query("depth != 'mid2' and depth != 'final'")))
    [start] = table.sections
    assert {title.rpartition(" ")[2] for title in table.titles[1:start]} == {"F1"}
    assert {title.rpartition(" ")[2] for title in table.titles[start:]} == {"EPG"}


def test_groups_have_two_columns_for_each_task() -> None:
    module = TABLES["groups"].load()
    data = module.data(grouped())
    assert list(module.measures(data)) == [
        *("waterbirds worst_group_accuracy", "waterbirds accuracy"),
        *("waterbirds_reversed worst_group_accuracy", "waterbirds_reversed accuracy"),
    ]
    rows = printed("groups", grouped())
    assert [row[0] for row in rows] == ["Baseline", "Energy", "L1"]
    assert rows[0][1] == "43.0 ± 1.4"  # of 0.42 and 0.44


def test_costs_count_a_pass_once_though_it_measured_several_probes() -> None:
    frame = small().assign(device="x")
    frame["seconds"] = np.where(frame["split"] == "train", frame["seconds"], 5.0)
    energy = next(row for row in printed("cost", frame) if row[1].endswith("at Mid2") and row[2] == "Energy")
    trial = frame[(frame["depth"] == "mid2") & (frame["loss"] == "energy")]
    train = trial[trial["split"] == "train"]["seconds"]
    expected = train.sum() + 2 * 3 * 5.0  # validation and test of three epochs
    assert energy[4:] == ["1", f"{expected / 3600:.2f}", f"{train.median():.1f}", "5.0"]


@pytest.mark.parametrize("name", TABLES)
def test_three_files_and_the_same_bytes_whatever_the_order(name: str, tmp_path: Path) -> None:
    paths = save(name, FRAME[name], tmp_path / "a")
    assert [path.suffix for path in paths] == [".tex", ".md", ".csv"] * (len(paths) // 3)
    shuffled = FRAME[name].sample(frac=1, random_state=0)
    assert [path.read_bytes() for path in save(name, shuffled, tmp_path / "b")] == [p.read_bytes() for p in paths]
    tex = paths[0].read_text()
    columns = tex.split("\\begin{tabular}{@{}")[1].split("@{}")[0]
    rows = [line for line in tex.splitlines() if line.endswith("\\\\")]
    assert {line.count(" & ") + 1 for line in rows} == {len(columns)}
    assert pd.read_csv(paths[2])["measure"].notna().all()


@pytest.mark.parametrize("name", TABLES)
def test_nothing_to_show_is_one_clear_error_and_leaves_nothing_of_before(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}-mine.txt").write_text("not ours")
    save(name, FRAME[name], tmp_path)
    for frame in (pd.DataFrame(), FRAME[name].head(0), FRAME[name].query("loss == 'no such'")):
        with pytest.raises(NothingToDraw, match=f"table '{name}': nothing to draw: needs "):
            save(name, frame, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}-mine.txt", ".mgsweep.json"}


@pytest.mark.parametrize("name", TABLES)
def test_hostile_names_stay_text_in_every_format(name: str, tmp_path: Path) -> None:
    hostile = {"energy": HOSTILE, "bcos": "=1+1", "resnet50": "a|b", "ixg": "\\input{/etc/passwd}", "x": "@SUM(A1)"}
    paths = save(name, FRAME[name].replace(hostile), tmp_path)
    assert all(path.parent == tmp_path for path in paths)
    for path in paths:
        text = path.read_text()
        if path.suffix == ".tex":
            assert set(re.findall(r"\\([a-zA-Z]+)", text)) <= ALLOWED
            assert all(ord(letter) < 0x180 for letter in text)
        elif path.suffix == ".md":
            lines = [line for line in text.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
            assert not re.search(r"(?<!\\)<", text)
        else:
            cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
            assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") or re.match(r"-[^\d]", cell)]


ALLOWED = {
    *(
        "begin",
        "end",
        "centering",
        "small",
        "footnotesize",
        "setlength",
        "tabcolsep",
        "linewidth",
        "extracolsep",
        "fill",
    ),
    *("caption", "label", "ref", "par", "medskip", "clearpage", "toprule", "midrule", "bottomrule", "textbf"),
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "textasciigrave"),
    *("pm", "lambda", "times", "leq", "uparrow", "downarrow", "ldots"),
}


def test_csv_defuses_formulas_and_leaves_numbers_alone() -> None:
    data = pd.DataFrame({"name": ["=cmd()", "-x", "fine", None, "@a", "\tb"], "value": [-1.5, 2, 3, 4, 5, 6]})
    lines = to_csv(data).splitlines()
    assert lines[1:] == ["'=cmd(),-1.5", "'-x,2.0", "fine,3.0", ",4.0", "'@a,5.0", "'\tb,6.0"]


def test_formats_of_a_small_table() -> None:
    table = Table("a_b", 1, ("n|m", "F1 (%) ↑"), (((Cell("x&y"), Cell("1.0 ± 0.1", True)),), ((Cell("z"), Cell("–")),)))
    assert latex(table, "tab:a").splitlines()[4:] == [
        r"\begin{tabular}{@{}lr@{}}",
        r"\toprule",
        r"n\textbar{}m & F1 (\%)~$\uparrow$ \\",
        r"\midrule",
        r"x\&y & \textbf{1.0 $\pm$ 0.1} \\",
        r"\midrule",
        r"z & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\caption{a\_b}",
        r"\label{tab:a}",
        r"\end{table}",
    ]
    assert markdown(table).splitlines() == [
        "| n\\|m | F1 (%) ↑ |",
        "| --- | ---: |",
        "| x\\&y | **1.0 ± 0.1** |",
        "| z | – |",
        "",
        "a\\_b",
    ]


def test_a_name_that_the_row_above_has_is_left_out_but_for_the_last() -> None:
    rows = (("a", "b", "c"), ("a", "b", "c"), ("a", "d", "c"), ("e", "d", "c"))
    group = tuple(tuple(map(Cell, row)) for row in rows)
    shown = [[cell.text for cell in row] for row in layout.unrepeated(group, 2)]
    assert shown == [["a", "b", "c"], ["", "b", "c"], ["", "d", "c"], ["e", "d", "c"]]
    table = Table("", 2, ("n", "m", "F1"), (group,))
    assert "| a | b | c |\n|  | b | c |" in markdown(table)
    assert "a & b & c \\\\\n & b & c" in latex(table, "tab:a")


@pytest.mark.parametrize("letter", '\\{}$&#_%^~<>|`"')
def test_latex_specials_are_letters(letter: str) -> None:
    cell = latex(Table("", 1, ("t",), (((Cell(f"a{letter}b"),),),)), "tab:a").splitlines()[8]
    name = cell.removesuffix(" \\\\")
    assert re.fullmatch(r"a(\\[{}$&#_%]|\\[a-z]+\{\}|'')b", name), name


def test_a_measure_rounds_as_it_prints() -> None:
    assert Measure("F1").text(0.12345) == "12.3"


def test_tables_and_figures_say_what_they_show() -> None:
    assert all(line.shows and line.needs for line in (*TABLES.values(), *FIGURES.values()))


@pytest.mark.parametrize(("name", "title"), [("best-f1", "EPG (%) ↓"), ("epg-at-f1", "EPG at −5 F1 ↓")])
def test_less_is_better_where_guidance_is_outside_of_the_boxes(name: str, title: str) -> None:
    """On that data set alone, and there of the baseline, too."""
    here = store(("energy",)).query(
        "model == 'bcos' and (depth == 'input' or loss == 'none') and probe_depth == 'input'"
    )
    outside = here.assign(dataset="reversed", epg=here["epg"].where(here["loss"] == "none", 0.1))
    outside = outside.assign(guidance_region=np.where(outside["loss"] == "none", "inside", "outside"))
    outside = outside.assign(id="r" + outside["id"], parent="r" + outside["parent"])
    module = TABLES[name].load()
    numbers = module.data(pd.concat([here, outside]))
    pages = {page: layout.table(module, rows) for page, rows in numbers.groupby("dataset")}
    assert title in pages["reversed"].titles
    assert title not in pages["voc2007"].titles
    assert [row[pages["reversed"].titles.index(title)].bold for row in pages["reversed"].groups[0]] == [False, True]
    assert set(TABLES["hypervolumes"].load().data(pd.concat([here, outside]))["dataset"]) == {"voc2007"}
