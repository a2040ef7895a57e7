"""What figures and tables read of a store: the same numbers as from all of it, in a fraction of the memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import million_rows
import pandas as pd
import pytest
from stored import fill
from synthetic import grouped, rich, store

from analysis import selection
from analysis.classes import COUNTS
from analysis.figures import FIGURES
from analysis.figures.names import plain
from analysis.records import read
from analysis.report import results
from analysis.selection import best, best_of_cells, fronts, gains, last
from analysis.tables import TABLES
from mgsweep.store import Store, tables

Select = Callable[[pd.DataFrame], pd.DataFrame]
LINES = {name: line for name, line in {**FIGURES, **TABLES}.items() if line.reads != "pictures"}


def stored(folder: Path, frame: pd.DataFrame) -> Store:
    """The frame in a store, whose ids and nothing else are plain."""
    ids = {key: frame[key].str.replace(r"[^a-z0-9]", "", regex=True) for key in ("id", "parent")}
    return fill(folder, frame.assign(**ids))


def compacted(store: Store) -> Store:
    """The same store in one file, of several row groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MANY", 0)
        patch.setattr(tables, "ROW_GROUP", 7)
        store.compact(prune=True)
    return store


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What fills every figure and table, compacted but for some."""
    folder = tmp_path_factory.mktemp("results") / "demo"
    frame = rich().assign(peak_memory=10**9, device="x", accuracy=lambda rows: rows["epg"])  # not the best F1's epochs
    compacted(stored(folder, frame))
    return stored(folder, grouped().assign(seconds=1.0))


@pytest.fixture(scope="module")
def slim(full: Store) -> dict[str, pd.DataFrame]:
    return {kind: read(full, kind) for kind in ("records", "counts", "stopped")}


@pytest.fixture(scope="module")
def whole(full: Store) -> dict[str, pd.DataFrame]:
    return {"stopped": full.frame(stopped=True)} | dict.fromkeys(["records", "counts"], full.frame())


@pytest.mark.parametrize("name", LINES)
def test_the_same_numbers_as_from_all_columns(
    slim: dict[str, pd.DataFrame], whole: dict[str, pd.DataFrame], name: str
) -> None:
    line = LINES[name]
    expected = line.load().data(whole[line.reads])
    assert len(expected)
    pd.testing.assert_frame_equal(line.load().data(slim[line.reads]), expected)


def test_text_is_read_as_categories(slim: dict[str, pd.DataFrame]) -> None:
    assert not {*COUNTS, "sweep", "host"} & {*slim["records"]}
    for kind in ("records", "counts"):
        assert slim[kind].select_dtypes(["str", "object"]).columns.difference(COUNTS).empty
        assert slim[kind]["id"].dtype == "category"


@pytest.mark.parametrize("pack", [lambda store: store, compacted], ids=["files", "compacted"])
def test_lists_are_read_of_test_rows_only(tmp_path: Path, pack: Callable[[Store], Store]) -> None:
    frame = store(("energy",))
    frame["epg_by_class"] = [[0.5, 1.0]] * len(frame)
    counts = read(pack(stored(tmp_path / "demo", frame)), "counts")
    assert (counts["epg_by_class"].notna() == (counts["split"] == "test")).all()
    assert counts["split"].value_counts().to_dict() == frame["split"].value_counts().to_dict()


@pytest.mark.parametrize(
    "select", [fronts, gains, best_of_cells, last, lambda frame: best(frame, True), lambda frame: best(frame, False)]
)
def test_only_what_is_chosen_is_told(
    monkeypatch: pytest.MonkeyPatch, select: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """Of a million epochs the configuration alone takes hundreds of MB: it is not spelt out to choose a few of them."""
    told: list[int] = []
    tell = selection._told

    def noted(frame: pd.DataFrame, rows: pd.DataFrame, *what: object, **more: object) -> pd.DataFrame:
        told.append(len(rows))
        return tell(frame, rows, *what, **more)

    monkeypatch.setattr(selection, "_told", noted)
    frame = store()
    chosen = select(frame)
    assert len(chosen) > 0
    assert max(told) <= max(len(chosen), frame["id"].nunique())


OWN = ("pets_142806c89a21", "pets_000006c89a21", "my_pets_142806c89a21")


@pytest.mark.parametrize("text", ["str", "category", "object"])
def test_own_data_have_the_name_their_user_gave_where_no_other_has_it(text: str) -> None:
    frame = pd.DataFrame({"dataset": ["voc2007", OWN[0], OWN[2], OWN[0]]}).astype(text)
    assert plain(frame)["dataset"].tolist() == ["voc2007", "pets", "my_pets", "pets"]
    several = pd.DataFrame({"dataset": [*OWN, "my_pets"]}).astype(text)
    assert plain(several)["dataset"].tolist() == [*OWN, "my_pets"]  # as `my_pets` itself is there
    named = pd.DataFrame({"dataset": ["voc2007_0123456789ab", "none_0123456789ab"]})
    assert plain(named).equals(named), "a user's `voc2007` is not VOC 2007, with its published points"


def test_figures_and_the_report_read_own_data_by_their_name(tmp_path: Path) -> None:
    frame = store(("energy",), dataset=OWN[0])
    one = stored(tmp_path / "demo", frame)
    for kind in ("records", "counts", "stopped"):
        assert set(read(one, kind)["dataset"]) == {"pets"}
    assert set(results.read(one).rows["dataset"]) == {"pets"}


def test_the_benchmark_of_a_million_rows_draws_a_page_and_agrees_with_the_naive_way() -> None:
    few = million_rows.frame(1)
    assert len(million_rows.naive(few)) == len(million_rows.fronts(few))
    assert "a page" in million_rows.once(FIGURES["epg-f1"].load(), few)
