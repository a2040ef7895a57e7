"""Many records in one file: the same numbers, whichever file they are read from, and each once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from test_store import BASELINE, GUIDED, row

from mgsweep import durable
from mgsweep.errors import StoreError
from mgsweep.store import Damaged, Store, compact, tables
from mgsweep.trial import Trial

OTHERS = [GUIDED.model_copy(update={"lambda_loc": number / 100}) for number in range(1, 6)]
TRIALS = [BASELINE, GUIDED, *(Trial(**trial.model_dump()) for trial in OTHERS)]


def rows_of(trial: Trial) -> list[dict[str, object]]:
    return [row(trial, epoch, probe=trial.measured[0], f1=epoch / 7, true_positives=[epoch, 2]) for epoch in (2, 1)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "demo")
    for trial in TRIALS:
        store.commit(trial.id, rows_of(trial))
    return store


@pytest.fixture
def before(store: Store) -> pd.DataFrame:
    return store.frame()


def record(store: Store, trial: Trial) -> Path:
    return store.path / "trials" / f"{trial.id}.parquet"


def same(store: Store, before: pd.DataFrame) -> bool:
    pd.testing.assert_frame_equal(Store(store.path).frame(), before)
    pd.testing.assert_frame_equal(Store(store.path.parent).frame(), before)  # and as one of several sweeps
    return True


def test_compacted_reads_the_same_and_the_files_stay(store: Store, before: pd.DataFrame) -> None:
    assert store.compact() == (7, 0)
    assert same(store, before)
    assert len(list((store.path / "trials").iterdir())) == 7
    assert store.compact() == (7, 0)
    assert same(store, before)


def test_it_is_the_compacted_file_that_is_read(store: Store, before: pd.DataFrame) -> None:
    store.compact()
    whole = record(store, GUIDED)
    stamp = whole.stat()
    whole.write_bytes(b"x" * stamp.st_size)
    os.utime(whole, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert same(store, before)
    assert store.finished() == {trial.id for trial in TRIALS}
    assert store.rows(GUIDED.id)[0]["f1"] == 2 / 7


def test_pruned_every_question_has_the_same_answer(store: Store, before: pd.DataFrame) -> None:
    store.fail(GUIDED.id, {"cause": "bug"})
    assert store.compact(prune=True) == (7, 7)
    assert durable.names(store.path / "trials") == []
    for reader in (store, Store(store.path)):
        assert same(reader, before)
        assert reader.finished() == reader.done(TRIALS) | {BASELINE.id} == {trial.id for trial in TRIALS}
        assert reader.has_record(GUIDED.id)
        assert [r["epoch"] for r in reader.rows(GUIDED.id)] == [2, 1]
        assert reader.failures() == {}
    assert store.compact(prune=True) == (7, 0)
    assert same(store, before)


@pytest.mark.parametrize("prune", [False, True])
def test_a_record_with_more_rows_that_is_written_after_it_wins(store: Store, before: pd.DataFrame, prune: bool) -> None:
    store.compact(prune)
    store.commit(GUIDED.id, [row(GUIDED, 1, probe=GUIDED.measured[0], f1=0.75)])
    assert same(store, before)  # of two the first stays
    store.commit(GUIDED.id, [row(GUIDED, epoch, probe=GUIDED.measured[0], f1=0.75) for epoch in (1, 2, 3)])
    frame = Store(store.path).frame()
    assert frame[frame.id == GUIDED.id].f1.tolist() == [0.75] * 3
    assert len(frame) == len(before) + 1
    assert frame.id.is_monotonic_increasing
    assert store.rows(GUIDED.id)[0]["f1"] == 0.75
    store.compact()
    assert Store(store.path).frame().equals(frame)


def test_a_record_that_was_deleted_is_run_again(store: Store) -> None:
    store.compact()
    record(store, GUIDED).unlink()
    assert GUIDED.id not in set(store.frame().id) | store.finished() | store.done(TRIALS)
    assert not store.has_record(GUIDED.id)
    with pytest.raises(Damaged):
        store.rows(GUIDED.id)
    assert store.compact() == (6, 0)


def test_a_pruned_record_may_be_set_aside(store: Store, before: pd.DataFrame) -> None:
    """A baseline whose weights are damaged is trained again, even if its record lies in the compacted file."""
    store.compact(prune=True)
    store.set_aside(BASELINE.id, "its weights are damaged")
    rest = before[before.id != BASELINE.id].reset_index(drop=True)
    assert same(store, rest)
    assert not store.has_record(BASELINE.id)
    (kept,) = (store.path / "damaged").glob("*.parquet.*[!n]")
    assert len(tables.from_bytes(kept.read_bytes(), BASELINE.id)) == 2
    store.commit(BASELINE.id, rows_of(BASELINE))
    assert same(store, before)


def test_prune_spares_what_is_being_worked_on(store: Store, before: pd.DataFrame) -> None:
    with store.lease(GUIDED.id) as ours:
        assert ours
        assert store.compact(prune=True) == (7, 6)
    assert durable.names(store.path / "trials") == [f"{GUIDED.id}.parquet"]
    assert same(store, before)


def test_copied_without_its_times_it_is_only_slower(store: Store, before: pd.DataFrame, tmp_path: Path) -> None:
    store.compact()
    copy = tmp_path / "elsewhere" / "demo"
    shutil.copytree(store.path, copy, copy_function=shutil.copyfile)
    for file in copy.glob("trials/*"):
        os.utime(file, (0, 0))
    assert same(Store(copy), before)


def bits(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), 397):
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    yield content[:-1]
    yield b""


def test_a_damaged_compacted_file_is_left_out_and_said(
    store: Store, before: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    store.compact()
    file = store.path / compact.NAME
    whole = file.read_bytes()
    for number, content in enumerate(bits(whole)):
        file.write_bytes(content)
        assert Store(store.path).frame().equals(before), number
        assert "compact the sweep again" in caplog.text
        caplog.clear()
    assert store.compact() == (7, 0)
    assert same(store, before)


def test_a_damaged_record_is_not_compacted(store: Store, before: pd.DataFrame) -> None:
    record(store, GUIDED).write_bytes(b"torn")
    assert store.compact(prune=True) == (6, 6)
    assert record(store, GUIDED).read_bytes() == b"torn"  # evidence is not pruned
    assert same(store, before[before.id != GUIDED.id].reset_index(drop=True))


def test_one_at_a_time(store: Store) -> None:
    with durable.locked(store.path / compact.LOCK), pytest.raises(StoreError, match="another process is compacting"):
        store.compact(prune=True)


def test_one_trial_of_many_row_groups(store: Store, before: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MANY", 0)
    monkeypatch.setattr(tables, "ROW_GROUP", 3)  # a record may lie in two
    store.compact(prune=True)
    assert same(store, before)
    for trial in TRIALS:
        assert [r["epoch"] for r in store.rows(trial.id)] == [2, 1]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("operation", range(1, 23))
def test_killed_anywhere_no_record_is_lost(
    store: Store, before: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, operation: int
) -> None:
    """The n-th change of the disk is the last: readers see every record once, and compacting again ends well."""
    count = 0

    def counted(name: str) -> object:
        real = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count >= operation:
                raise Stop
            return real(*arguments, **options)

        return call

    class Disk:
        def __getattr__(self, name: str) -> object:
            return counted(name) if name in ("write", "replace", "unlink", "fsync") else getattr(os, name)

    monkeypatch.setattr(durable, "os", Disk())
    with pytest.raises(Stop):
        store.compact(prune=True)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(Store(store.path).frame(), before)
    assert Store(store.path).finished() == {trial.id for trial in TRIALS}
    Store(store.path).compact(prune=True)
    pd.testing.assert_frame_equal(Store(store.path).frame(), before)
