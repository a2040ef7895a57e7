"""Figures, tables and one-liners from real store folders: mixed versions, foreign and corrupt files, hostile names."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored import fill
from synthetic import HOSTILE, grouped, small

from analysis.figures import FIGURES
from analysis.figures import save as draw
from analysis.outputs import NothingToDraw
from analysis.tables import TABLES
from analysis.tables import save as tabulate
from mgsweep.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    frame = small().replace({"id": r"[^a-z0-9]", "parent": r"[^a-z0-9]"}, "", regex=True)
    return fill(tmp_path / "results" / "demo", frame)


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return FIGURES["epg-f1"].load().data(frame)


def test_foreign_corrupt_and_older_files_are_left_out_or_read(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = numbers(store.frame())
    records = store.path / "trials"
    first, second = sorted(records.iterdir())[1:3]
    (records / "foreign.parquet").write_bytes(b"PAR1 not really")
    (records / "notes.txt").write_text("a user's own")
    pq.write_table(pa.table({"x": [1]}), records / "other.parquet")
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    older = pq.read_table(second).drop_columns(["iou", "masks_empty"])  # as before these were measured
    pq.write_table(older.replace_schema_metadata({"mgsweep": '{"schema_version": 0}'}), second)
    with caplog.at_level(logging.WARNING):
        frame = store.frame()
    assert {name for name in (first.stem, "foreign") if any(name in text for text in caplog.messages)} == {
        first.stem,
        "foreign",
    }
    assert set(numbers(frame)["id"]) == set(before["id"]) - {first.stem}
    assert frame.loc[frame["id"] == second.stem, "iou"].isna().all()
    assert draw("epg-f1", frame, tmp_path / "figures")
    assert tabulate("best-f1", frame, tmp_path / "tables")


def test_an_empty_store_says_what_each_needs(tmp_path: Path) -> None:
    frame = Store(tmp_path / "results").frame()
    for registry, save in ((FIGURES, draw), (TABLES, tabulate)):
        for name in registry:
            with pytest.raises(NothingToDraw, match="nothing to draw: needs .*; 0 trials have none"):
                save(name, frame, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_hostile_names_become_text_in_every_file(tmp_path: Path) -> None:
    frame = small().replace(dict.fromkeys(["energy", "bcos", "resnet50"], HOSTILE) | {"voc2007": "=cmd()"})
    frame = frame[frame["depth"].isna() | (frame["depth"] == "input")]
    for path in draw("epg-f1", frame, tmp_path):
        assert path.parent == tmp_path
        content = path.read_bytes()
        if path.suffix in (".pdf", ".svg"):
            assert b"<script" not in content
            assert b"/JS" not in content
        if path.suffix == ".csv":
            assert all(not cell.startswith("=") for cell in content.decode().replace("\n", ",").split(","))


def test_ties_and_equal_numbers_are_drawn_and_tabulated(tmp_path: Path) -> None:
    frame = small().assign(f1=0.5, epg=0.5, iou=0.5, mean_ap=0.5)
    assert draw("epg-f1", frame, tmp_path)
    assert tabulate("hypervolumes", frame, tmp_path)
    assert tabulate("groups", grouped().assign(accuracy=0.5, worst_group_accuracy=0.5), tmp_path)


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_lines_of_the_readme(tmp_path: Path, exclusive: bool) -> None:
    """As they stand there, pandas and DuckDB choose the same epoch of each guided trial and tell the same scores."""
    frame = small().replace({"id": r"[^a-z0-9]", "parent": r"[^a-z0-9]"}, "", regex=True)
    store = fill(tmp_path / "demo", frame.assign(accuracy=1 - frame["f1"]) if exclusive else frame)
    readme = (Path(__file__).parents[2] / "README.md").read_text().replace("results/quickstart", str(store.path))
    (python,) = re.findall(r"```python\n(from analysis\.selection.*?)\n(rows\[.*?\])\n```", readme, re.DOTALL)
    (sql,) = re.findall(r'```\nduckdb -c "(.*?)"\n```', readme, re.DOTALL)
    names: dict[str, Any] = {}
    exec(python[0], names)
    by_pandas = eval(python[1], names).set_index("id").sort_index()
    by_duckdb = duckdb.sql(sql).df().set_index("id").sort_index()
    assert len(by_pandas) > 3
    pd.testing.assert_frame_equal(by_duckdb, by_pandas, check_dtype=False, check_index_type=False)
