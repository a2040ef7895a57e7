"""What disks do to files: cut, flipped, zeroed, misplaced. It is noticed, said, and never taken for a number."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from test_store import BASELINE, GUIDED, row

from mgsweep.listings.sweeps import by_sweep
from mgsweep.store import Damaged, Store, tables
from mgsweep.store.columns import table
from mgsweep.store.states import state_of

# Records


def test_F36_every_bit_of_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Flipped, it is noticed: or it is one of the 13 bytes that say that here is a seal, and all else is well."""
    rows = table([{"id": GUIDED.id, **GUIDED.to_row(), "epoch": epoch, "f1": epoch / 7} for epoch in (1, 2)])
    whole, harmless = tables.to_bytes(rows, GUIDED.id), 0
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            try:
                assert tables.from_bytes(bytes(flipped), GUIDED.id).equals(rows)
                harmless += 1
            except ValueError:
                pass
    assert harmless == 8 * len(b"mgsweep seal ")
    with capsys.disabled():
        print(f"\n{8 * len(whole)} flipped bits, {8 * len(whole) - harmless} noticed, {harmless} harmless")


def test_F35_F38_every_cut_and_every_tail_of_zeros_of_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    whole = tables.to_bytes(table([{"id": GUIDED.id, "f1": 0.5}]), GUIDED.id)
    for position in range(len(whole)):
        for content in (whole[:position], whole[:position] + bytes(len(whole) - position)):
            with pytest.raises((ValueError, OSError)):
                tables.from_bytes(content, GUIDED.id)
    with capsys.disabled():
        print(f"\n{2 * len(whole)} cuts and tails noticed")


@pytest.mark.parametrize("size", [0, 4, 1000, -8, -1])
def test_F35_a_truncated_record_is_named(tmp_path: Path, size: int) -> None:
    store = Store(tmp_path)
    store.commit(GUIDED.id, [row(GUIDED)])
    file = tmp_path / "trials" / f"{GUIDED.id}.parquet"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(Damaged, match=f"trials/{GUIDED.id}.parquet: "):
        store.rows(GUIDED.id)


def test_F35_what_is_damaged_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Readers skip it and write nothing: neither a move to damaged/ nor anything else."""
    store = Store(tmp_path / "demo")
    store.begin("text", [BASELINE, GUIDED])
    store.commit(BASELINE.id, [row(BASELINE)])
    store.commit(GUIDED.id, [row(GUIDED, f1=0.5)])
    file = store.path / "trials" / f"{GUIDED.id}.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    before = contents(tmp_path)
    assert set(store.frame().id) == set(Store(tmp_path).frame().id) == {BASELINE.id}
    assert store.finished() == {BASELINE.id}
    assert not store.is_done(GUIDED)
    assert state_of(store)[GUIDED.id] == "waiting"
    assert by_sweep(tmp_path)[0]["done"] == 1
    assert caplog.text.count(f"left out {file}: its content") + caplog.text.count(f"left out {file}: Parquet") >= 4
    assert contents(tmp_path) == before


def test_a_damaged_record_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(GUIDED.id, [row(GUIDED)])
    store.set_aside(GUIDED.id, "it looks odd")
    store.set_aside(GUIDED.id, "again")  # there is nothing any more
    moved, reason = sorted((tmp_path / "damaged").iterdir())
    assert moved.name.startswith(f"trials.{GUIDED.id}.parquet.")
    assert reason.read_text() == f"trials/{GUIDED.id}.parquet: it looks odd\n"
    assert not store.has_record(GUIDED.id)
    assert {moved, reason} <= set(store.files(GUIDED.id))


def test_b60_a_file_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    """As copies by hand, by a synchronising tool or by a repaired file system leave them."""
    store = Store(tmp_path)
    store.commit(BASELINE.id, [row(BASELINE)])
    shutil.copy(tmp_path / "trials" / f"{BASELINE.id}.parquet", tmp_path / "trials" / f"{GUIDED.id}.parquet")
    store.keep(BASELINE.id, 1, b"one")
    shutil.copy(tmp_path / "checkpoints" / BASELINE.id / "0001.pt", tmp_path / "checkpoints" / BASELINE.id / "0002.pt")
    assert len(store.frame()) == 1
    assert store.finished() == {BASELINE.id}
    with pytest.raises(Damaged, match="does not match its seal"):
        store.weights(BASELINE.id, 2)
    (tmp_path / "checkpoints" / GUIDED.id).mkdir()
    shutil.copy(tmp_path / "checkpoints" / BASELINE.id / "0001.pt", tmp_path / "checkpoints" / GUIDED.id / "0001.pt")
    with pytest.raises(Damaged, match="does not match its seal"):
        store.weights(GUIDED.id, 1)


def test_a_copied_store_is_valid(tmp_path: Path) -> None:
    store = Store(tmp_path / "here")
    store.commit(GUIDED.id, [row(GUIDED)])
    store.keep(GUIDED.id, 1, b"weights")
    copy = Store(shutil.copytree(tmp_path / "here", tmp_path / "there"))
    assert copy.rows(GUIDED.id) == store.rows(GUIDED.id)
    assert copy.weights(GUIDED.id, 1) == b"weights"


def unsealed(rows: list[dict[str, Any]], file: Path) -> None:
    """A record as it was written before there were seals."""
    file.parent.mkdir(parents=True)
    pq.write_table(table(rows), file, compression="zstd", write_page_checksum=True)


def test_older_records_are_read(tmp_path: Path) -> None:
    store, rows = Store(tmp_path), [row(BASELINE, probe=probe) for probe in BASELINE.probes]
    unsealed(rows, tmp_path / "trials" / f"{BASELINE.id}.parquet")
    assert [{k: v for k, v in r.items() if v is not None} for r in store.rows(BASELINE.id)] == [
        {k: v for k, v in r.items() if v is not None} for r in rows
    ]
    assert store.finished() == {BASELINE.id}
    assert store.is_done(BASELINE)


def test_an_older_record_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    unsealed([row(BASELINE)], tmp_path / "trials" / f"{GUIDED.id}.parquet")
    with pytest.raises(Damaged, match=f"holds rows of trial {BASELINE.id}"):
        Store(tmp_path).rows(GUIDED.id)
    assert Store(tmp_path).finished() == set()


def test_F37_of_two_checkpoints_one_may_be_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(GUIDED.id, b"state 1", [row(GUIDED, 1)])
    assert store.checkpoint(GUIDED.id, "previous.pt") is None
    store.save(GUIDED.id, b"state 2", [row(GUIDED, 1), row(GUIDED, 2)])
    file = tmp_path / "running" / GUIDED.id / "checkpoint.pt"
    for content in damages(file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(Damaged):
            store.checkpoint(GUIDED.id)
    assert store.checkpoint(GUIDED.id, "previous.pt") == b"state 1"


def damages(whole: bytes) -> Iterator[bytes]:
    """Cut at every byte, every byte flipped, a tail of zeros from every byte."""
    for position, byte in enumerate(whole):
        yield whole[:position]
        yield whole[:position] + bytes([byte ^ 16]) + whole[position + 1 :]
        yield whole[:position] + bytes(len(whole) - position)


def test_F37_kept_weights_that_are_damaged_are_no_weights(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(GUIDED.id, 3, b"weights")
    file = tmp_path / "checkpoints" / GUIDED.id / "0003.pt"
    for content in damages(file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(Damaged):
            store.weights(GUIDED.id, 3)


def test_F38_damaged_progress_counts_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    store.save(GUIDED.id, b"state", [row(GUIDED)])
    file = tmp_path / "running" / GUIDED.id / "progress.parquet"
    file.write_bytes(file.read_bytes()[:-20] + bytes(20))
    assert store.progress(GUIDED.id) == []
    assert f"left out {file}" in caplog.text
    assert store.begun() == {GUIDED.id}


def test_a_damaged_plan_is_written_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    store.begin("text", [BASELINE])
    (tmp_path / "plan.parquet").write_bytes(b"no plan")
    assert store.planned() == []
    assert "left out" in caplog.text
    store.begin("text", [BASELINE, GUIDED])
    assert store.planned() == [BASELINE, GUIDED]
    assert len(list((tmp_path / "damaged").glob("plan.parquet.*"))) == 2


@pytest.mark.parametrize("content", ["", "[1]", '{"id": 1}', '{"id": "x", "attempt": "one"}', "{" + chr(0) * 9])
def test_a_damaged_failure_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str) -> None:
    store = Store(tmp_path)
    store.fail(GUIDED.id, {"cause": "bug", "error": "first"})
    (tmp_path / "failed" / f"{BASELINE.id}.1.json").write_text(content)
    assert set(store.failures()) == {GUIDED.id}
    assert "not a readable failure" in caplog.text


def test_F39_drafts_of_a_trial_are_tidied_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(BASELINE.id, [row(BASELINE)])
    store.keep(GUIDED.id, 1, b"weights")
    mine = [f"trials/.{GUIDED.id}.parquet.0.tmp", f"running/{GUIDED.id}/.checkpoint.pt.0.tmp"]
    mine.append(f"checkpoints/{GUIDED.id}/.0002.pt.0.tmp")
    other = f"trials/.{BASELINE.id}.parquet.0.tmp"
    for name in (*mine, other):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    assert (store.finished(), store.kept(GUIDED.id), store.checkpoint(GUIDED.id)) == ({BASELINE.id}, {1}, None)
    store.tidy(GUIDED.id)
    assert [name for name in (*mine, other) if (tmp_path / name).exists()] == [other]


@pytest.mark.parametrize("folder", ["trials", "running", "checkpoints", "failed", "damaged", "logs"])
def test_F34_nothing_is_written_through_a_link(tmp_path: Path, folder: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    store = Store(tmp_path / "demo")
    store.begin("text", [GUIDED])
    (store.path / folder).symlink_to(tmp_path / "elsewhere")
    writes: dict[str, Callable[[], object]] = {
        "trials": lambda: store.commit(GUIDED.id, [row(GUIDED)]),
        "running": lambda: store.save(GUIDED.id, b"state", [row(GUIDED)]),
        "checkpoints": lambda: store.keep(GUIDED.id, 1, b"weights"),
        "failed": lambda: store.fail(GUIDED.id, {"cause": "bug"}),
        "damaged": lambda: (store.commit(GUIDED.id, [row(GUIDED)]), store.set_aside(GUIDED.id, "odd")),
        "logs": lambda: store.log(GUIDED.id),
    }
    with pytest.raises(OSError, match="a symbolic link is in the place of a folder"):
        writes[folder]()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert folder != "damaged" or store.is_done(GUIDED) or store.has_record(GUIDED.id)


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_reading_many_records_is_fast(tmp_path: Path) -> None:
    """Verifying one takes 0.1 ms and reading it 2; the limits leave room for a busy machine."""
    store = Store(tmp_path)
    rows = [{"epoch": epoch, "split": "val", "f1": 0.5, **GUIDED.to_row()} for epoch in range(1, 51)]
    for n in range(200):
        store.commit(f"{n:012x}", [{**row, "id": f"{n:012x}"} for row in rows])
    begun = time.perf_counter()
    assert len(store.finished()) == 200
    verified = time.perf_counter()
    assert len(store.frame()) == 200 * 50
    assert verified - begun < 0.5
    assert time.perf_counter() - verified < 4
