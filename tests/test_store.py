"""The results folder: what is written comes back, and what is damaged is not taken for a number."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mgsweep.errors import StoreError
from mgsweep.store import Damaged, Store
from mgsweep.store.columns import COLUMNS, SCHEMA, SCHEMA_VERSION
from mgsweep.trial import CONFIG, Probe, Trial

BASELINE = Trial(dataset="shapes", model="bcos", probes=(Probe("bcos", "input"), Probe("bcos", "final")))
GUIDED = Trial(
    dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1e-3,
    parent=BASELINE.id,
)  # fmt: skip


def row(trial: Trial, epoch: int = 1, split: str = "val", probe: Probe | None = None, **values: Any) -> dict[str, Any]:
    attribution, depth = probe or (None, None)
    keys = {"sweep": "demo", "id": trial.id, "epoch": epoch, "split": split}
    return {**keys, **trial.to_row(), "probe_attribution": attribution, "probe_depth": depth, **values}


def test_a_record_comes_back_as_one_tidy_table(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.commit(GUIDED.id, [row(GUIDED, 1, f1=1 / 3, epg=0.25, true_positives=[1, 2]), row(GUIDED, 2, f1=0.5)])
    store.commit(BASELINE.id, [row(BASELINE)])
    frame = store.frame()
    assert list(frame.columns) == SCHEMA.names
    assert len(frame) == 3
    mine = frame[frame.id == GUIDED.id]
    assert mine.f1.tolist() == [1 / 3, 0.5]  # every bit of it
    assert list(mine.true_positives.iloc[0]) == [1, 2]
    assert math.isnan(mine.epg.iloc[1])
    assert Trial.from_row({k: mine.iloc[0][k] for k in CONFIG}).id == GUIDED.id
    assert len(Store(tmp_path).frame()) == 3  # all sweeps of a folder


def test_an_empty_store_has_the_columns(tmp_path: Path) -> None:
    assert list(Store(tmp_path).frame().columns) == SCHEMA.names


def test_columns_say_their_unit_and_meaning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(GUIDED.id, [row(GUIDED)])
    schema = pq.read_schema(tmp_path / "trials" / f"{GUIDED.id}.parquet")
    described = json.loads(schema.metadata[b"mgsweep"])
    assert described["schema_version"] == SCHEMA_VERSION
    for column in COLUMNS:
        assert column.description
        assert described["columns"][column.name]["unit"] == column.unit


def test_a_record_of_an_older_version_is_read(tmp_path: Path) -> None:
    """A metric it lacks is null; a field of its trial that was added later has its default, so its id is the same."""
    store, added = Store(tmp_path), ("accuracy", "augmentation", "start")
    store.commit(GUIDED.id, [row(GUIDED)])
    path = tmp_path / "trials" / f"{GUIDED.id}.parquet"
    older = pq.read_table(path).drop_columns(list(added)).replace_schema_metadata({"mgsweep": '{"schema_version": 1}'})
    pq.write_table(older, path)
    (read,) = store.rows(GUIDED.id)
    assert [read[name] for name in added] == [None, "none", "baseline"]
    assert Trial.from_row(read).id == GUIDED.id


def test_a_column_the_schema_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="loss_of_words"):
        Store(tmp_path).commit(GUIDED.id, [row(GUIDED, loss_of_words=1)])


def test_drafts_and_foreign_files_are_not_records(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(GUIDED.id, [row(GUIDED)])
    (tmp_path / "trials" / ".x.parquet.0.tmp").write_bytes(b"half")
    (tmp_path / "trials" / "notes.txt").write_text("hello")
    assert store.finished() == {GUIDED.id}
    assert len(store.frame()) == 1


def test_done_means_every_probe_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.is_done(BASELINE)
    store.commit(BASELINE.id, [row(BASELINE), row(BASELINE, probe=BASELINE.probes[0])])
    assert not store.is_done(BASELINE)
    assert store.done([BASELINE, GUIDED]) == set()
    assert store.is_done(BASELINE.model_copy(update={"probes": BASELINE.probes[:1]}))
    assert store.done([BASELINE.model_copy(update={"probes": BASELINE.probes[:1]})]) == {BASELINE.id}
    store.commit(BASELINE.id, [row(BASELINE), *(row(BASELINE, probe=probe) for probe in BASELINE.probes)])
    assert store.is_done(BASELINE)


def test_progress_until_the_record_is_published(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert (store.checkpoint(GUIDED.id), store.progress(GUIDED.id), store.begun()) == (None, [], set())
    store.save(GUIDED.id, b"state 1", [row(GUIDED, 1)])
    store.save(GUIDED.id, b"state 2", [row(GUIDED, 1), row(GUIDED, 2)])
    assert store.checkpoint(GUIDED.id) == b"state 2"
    assert [r["epoch"] for r in store.progress(GUIDED.id)] == [1, 2]
    assert store.begun() == {GUIDED.id}
    store.commit(GUIDED.id, [row(GUIDED, 1), row(GUIDED, 2)])
    assert (store.checkpoint(GUIDED.id), store.begun()) == (None, set())
    assert not (tmp_path / "running" / GUIDED.id).exists()


def test_the_plan_grows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin("text", [BASELINE])
    store.begin("more text", [BASELINE, GUIDED])
    assert store.planned() == [BASELINE, GUIDED]
    assert (tmp_path / "sweep.yaml").read_text() == "more text"


def test_weights_are_kept_and_dropped_by_epoch(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for epoch in (1, 2, 12):
        store.keep(GUIDED.id, epoch, bytes([epoch]))
    store.drop(GUIDED.id, [2, 7])
    assert store.kept(GUIDED.id) == {1, 12}
    assert store.weights(GUIDED.id, 12) == bytes([12])
    with pytest.raises(Damaged, match="0002.pt: No such file"):
        store.weights(GUIDED.id, 2)


def test_failures_are_kept_until_the_trial_succeeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.fail(GUIDED.id, {"cause": "bug", "error": "first"})
    store.fail(GUIDED.id, {"cause": "memory", "error": "second"})
    last = {"id": GUIDED.id, "attempt": 2, "cause": "memory", "error": "second", "forgiven": False}
    assert store.failures()[GUIDED.id] == last
    store.forgive(GUIDED.id, 1)
    assert store.failures()[GUIDED.id] == last, "the one after it counts"
    store.forgive(GUIDED.id, 2)
    assert store.failures() == {}
    file = tmp_path / "failed" / f"{GUIDED.id}.2.json"
    before = file.stat().st_ino
    store.forgive(GUIDED.id, 2)
    assert file.stat().st_ino == before, "what is forgiven is not written again by each run that resumes"
    store.fail(GUIDED.id, {"cause": "bug", "error": "third"})
    assert store.failures()[GUIDED.id]["attempt"] == 3
    store.commit(GUIDED.id, [row(GUIDED)])
    assert store.failures() == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write results here: .*; choose another --store"):
        Store(tmp_path / "file" / "demo").begin("text", [BASELINE])
