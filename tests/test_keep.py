"""What looks after a store: verify, clean, merge, export, shards."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import test_listings
from hypothesis import given
from hypothesis import strategies as st
from test_listings import BASELINE, BUG, DONE, INTERRUPTED, RUNNING, TRIALS, rows, snapshot
from typer.testing import CliRunner

from analysis.report import results
from mgsweep import durable
from mgsweep.cli import app
from mgsweep.errors import InvalidInput, StoreError
from mgsweep.listings.trials import by_trial
from mgsweep.plan.arguments import shard
from mgsweep.runner.limits import Timings
from mgsweep.store import Store
from mgsweep.store.columns import COLUMNS
from mgsweep.store.gallery import Gallery
from mgsweep.store.states import look, state_of
from mgsweep.store.verify import verify
from mgsweep.trial import Probe, Trial

store = test_listings.store


@pytest.fixture
def full(store: Store) -> Store:
    """The same, with kept weights and pictures."""
    for epoch in (2, 4):
        store.keep(BASELINE.id, epoch, b"weights of a baseline")
    for epoch in (5, 10):
        store.keep(DONE.id, epoch, b"weights")
    Gallery(store.path).hang(DONE.id, [{"id": DONE.id, **DONE.to_row(), "image": n} for n in (1, 2)], ["circle"])
    return store


def mgsweep(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "140"})
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def flawed(store: Store) -> dict[str, str]:
    return {str(file.relative_to(store.path)): flaw for file, flaw in verify(store.path) if flaw}


# verify


def test_where_no_sweep_is_nothing_is_verified(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nonexistent"):
        with pytest.raises(InvalidInput, match=f"{folder}: expected a store with results of at least one sweep"):
            CliRunner().invoke(app, ["verify", "--store", str(folder)], catch_exceptions=False)


def test_verify_finds_nothing_in_a_store_as_it_was_written(full: Store) -> None:
    full.stop(INTERRUPTED.id)
    assert flawed(full) == {}
    full.compact()
    assert flawed(full) == {}
    looked = {str(file.relative_to(full.path)) for file, _ in verify(full.path)}
    written = {str(file.relative_to(full.path)) for file in full.path.rglob("*") if file.is_file()}
    assert written - looked == {
        "sweep.yaml", ".compacting", f"logs/{RUNNING.id}.log",
        *(name for name in written if "/lease." in name or name.endswith(".lock")),
    }  # fmt: skip


def sealed_files(store: Store) -> Iterator[Path]:
    for name in ("plan.parquet", "compacted.parquet", f"trials/{DONE.id}.parquet", f"checkpoints/{DONE.id}/0005.pt",
                 f"running/{INTERRUPTED.id}/progress.parquet", f"running/{INTERRUPTED.id}/checkpoint.pt",
                 f"stopped/{INTERRUPTED.id}.parquet", f"gallery/{DONE.id}.parquet"):  # fmt: skip
        yield store.path / name


def test_verify_finds_a_flipped_bit_in_any_file(full: Store) -> None:
    full.stop(INTERRUPTED.id)
    full.compact()
    for file in sealed_files(full):
        whole = file.read_bytes()
        file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:] if len(whole) > 100 else b"x" + whole[1:])
        assert list(flawed(full)) == [str(file.relative_to(full.path))]
        file.write_bytes(whole)
    (full.path / "failed" / f"{BUG.id}.1.json").write_text("[1]")
    assert flawed(full) == {f"failed/{BUG.id}.1.json": "not a readable failure"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made + made[:1], "two rows of the key"),
        (lambda made: [{**row, "lambda_loc": 9.0} for row in made], "its configuration is that of"),
        (lambda made: [{**made[0], "lambda_loc": 9.0}, *made[1:]], "differ in their configuration"),
        (lambda made: [{**row, "bbox_fraction": 7.0} for row in made], "is none: "),
    ],
)
def test_verify_checks_ids_and_row_keys(full: Store, change: Any, said: str) -> None:
    (full.path / "trials" / f"{DONE.id}.parquet").unlink()
    full.commit(DONE.id, change(rows(DONE, 3)))
    ((name, flaw),) = flawed(full).items()
    assert name == f"trials/{DONE.id}.parquet"
    assert said in flaw
    assert "1 damaged" in mgsweep("verify", "--store", full.path.parent, code=1)


def test_verify_checks_whose_pictures_they_are(full: Store) -> None:
    Gallery(full.path).hang(DONE.id, [{"id": DONE.id, **INTERRUPTED.to_row(), "image": 1}], ["circle"])
    ((name, flaw),) = flawed(full).items()
    assert (name, flaw.endswith(f"is that of {INTERRUPTED.id}")) == (f"gallery/{DONE.id}.parquet", True)


# clean


def aged(store: Store) -> None:
    for file in store.path.rglob("*"):
        os.utime(file, (0, 0))


def test_clean_removes_leftovers_and_never_what_can_be_used(full: Store) -> None:
    left_over = [
        full.path / "trials" / f".{DONE.id}.parquet.0.tmp",
        full.path / "running" / DONE.id / "progress.parquet",
        full.path / "running" / "0123456789ab" / "progress.parquet",
        full.path / "damaged" / "x.reason",
    ]
    before = snapshot(full.path)
    for file in left_over:
        durable.place(full.path, str(file.relative_to(full.path))).write_bytes(b"old")
    assert "0 removed" in mgsweep("clean", "demo", "--store", full.path.parent)  # all of it is new
    aged(full)
    listed = mgsweep("clean", "demo", "--dry-run", "--store", full.path.parent)
    assert "4 would be removed" in listed
    assert all(file.exists() for file in left_over)
    assert "4 removed" in mgsweep("clean", "demo", "--store", full.path.parent)
    assert {name: content for name, (_, content) in snapshot(full.path).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_probe_that_is_still_measured_keeps_its_checkpoint(full: Store) -> None:
    """The record is there and sound, and lacks the probe: the checkpoint is ahead of it."""
    full.plan([DONE.model_copy(update={"probes": (Probe("bcos", "final"),)})])
    full.save(DONE.id, b"state", rows(DONE, 10))
    aged(full)
    assert "0 removed" in mgsweep("clean", "demo", "--store", full.path.parent)
    full.plan([DONE])
    assert "1 removed" in mgsweep("clean", "demo", "--store", full.path.parent)


@pytest.mark.parametrize("spoil", [lambda plan: plan.write_bytes(b"torn"), Path.unlink])
def test_without_its_plan_a_sweep_is_not_cleaned(full: Store, spoil: Any) -> None:
    """What can be resumed would be of trials in no plan."""
    durable.place(full.path, "damaged/x").write_bytes(b"old")
    aged(full)
    spoil(full.path / "plan.parquet")
    before = snapshot(full.path)
    with pytest.raises(StoreError, match=r"plan.parquet: .*; nothing was removed. Run the sweep again"):
        CliRunner().invoke(app, ["clean", "demo", "--store", str(full.path.parent)], catch_exceptions=False)
    assert snapshot(full.path) == before
    full.begin("name: demo", TRIALS)  # as the next run does
    aged(full)
    mgsweep("clean", "demo", "--store", full.path.parent)
    assert INTERRUPTED.id in full.begun()
    assert not (full.path / "damaged" / "x").exists()


def test_an_empty_plan_is_no_lost_one(tmp_path: Path) -> None:
    """As of a shard that no trial falls into."""
    Store(tmp_path / "demo").begin("name: demo", [])
    assert "0 removed" in mgsweep("clean", "demo", "--store", tmp_path)


def test_clean_keeps_the_weights_of_the_best_epoch(full: Store) -> None:
    full.keep(RUNNING.id, 1, b"in use")
    mgsweep("clean", "demo", "--store", full.path.parent)
    assert (full.kept(BASELINE.id), full.kept(DONE.id)) == ({2, 4}, {5, 10})
    mgsweep("clean", "demo", "--checkpoints", "--store", full.path.parent)
    assert (full.kept(BASELINE.id), full.kept(DONE.id), full.kept(RUNNING.id)) == ({4}, {10}, {1})


def test_clean_keeps_what_children_start_from_where_accuracy_decides(tmp_path: Path) -> None:
    """Of epochs 1 and 2 the first is better by accuracy, the second by F1."""
    store = Store(tmp_path / "demo")
    store.begin("name: demo", [BASELINE])
    scores = {1: (0.5, 0.9), 2: (0.8, 0.7)}
    described = {"id": BASELINE.id, **BASELINE.to_row(), "split": "val"}
    store.commit(BASELINE.id, [{**described, "epoch": n, "f1": f, "accuracy": a} for n, (f, a) in scores.items()])
    for epoch in scores:
        store.keep(BASELINE.id, epoch, b"weights")
    mgsweep("clean", "demo", "--checkpoints", "--store", tmp_path)
    assert store.kept(BASELINE.id) == {1}
    store.drop(BASELINE.id, {1})
    store.keep(BASELINE.id, 2, b"weights")
    mgsweep("clean", "demo", "--checkpoints", "--store", tmp_path)
    assert store.kept(BASELINE.id) == {2}  # better than nothing


# merge


def shards(folder: Path) -> list[Store]:
    made = []
    for number, trials in enumerate((TRIALS[:2], TRIALS[2:5])):
        store = Store(folder / f"shard{number}" / "demo")
        store.begin("name: demo", trials)
        for trial in trials:
            store.commit(trial.id, rows(trial, trial.epochs))
            store.keep(trial.id, 3, trial.id.encode())
        made.append(store)
    return made


def test_merged_shards_are_the_whole_sweep(tmp_path: Path) -> None:
    parts = shards(tmp_path)
    parts[1].compact(prune=True)
    sources = [part.path.parent for part in parts]
    text = mgsweep("merge", *sources, "--into", tmp_path / "all")
    assert "2 copied" in text
    assert "3 copied" in text
    whole = Store(tmp_path / "all" / "demo")
    expected = pd.concat([part.frame() for part in parts]).sort_values("id", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(whole.frame(), expected)
    assert {trial.id for trial in whole.planned()} == {trial.id for trial in TRIALS[:5]}
    assert whole.weights(TRIALS[2].id, 3) == TRIALS[2].id.encode()
    again = snapshot(whole.path / "trials")
    assert "2 kept" in mgsweep("merge", *sources, "--into", tmp_path / "all")
    assert snapshot(whole.path / "trials") == again


def test_of_two_records_the_first_stays_unless_the_other_measures_more(tmp_path: Path) -> None:
    first, _ = shards(tmp_path)
    other = Store(tmp_path / "other" / "demo")
    other.begin("name: demo", TRIALS[:1])
    less = [row for row in rows(BASELINE, 2) if row.get("probe_depth") != "final"]
    other.commit(BASELINE.id, less)
    mgsweep("merge", other.path.parent, "--into", first.path.parent)
    assert len(first.rows(BASELINE.id)) == len(rows(BASELINE, 4))
    mgsweep("merge", first.path.parent, "--into", other.path.parent)
    assert len(other.rows(BASELINE.id)) == len(rows(BASELINE, 4))


def stopped_and_hung(store: Store) -> Store:
    """One trial of it done, with pictures, one stopped early."""
    store.begin("name: demo", TRIALS[:2])
    store.commit(BASELINE.id, rows(BASELINE, 4))
    Gallery(store.path).hang(BASELINE.id, [{"id": BASELINE.id, **BASELINE.to_row(), "image": 3}], ["circle"])
    store.save(DONE.id, b"state", rows(DONE, 2))
    store.stop(DONE.id)
    return store


def test_merged_are_also_pictures_and_what_was_stopped_early(tmp_path: Path) -> None:
    source = stopped_and_hung(Store(tmp_path / "a" / "demo"))
    text = mgsweep("merge", source.path.parent, "--into", tmp_path / "all")
    assert "1 copied, 1 stopped early" in text
    assert "under way" not in text
    whole = Store(tmp_path / "all" / "demo")
    assert whole.stopped() == {DONE.id}
    assert whole.rows_of_stopped(DONE.id) == source.rows_of_stopped(DONE.id)
    assert Gallery(whole.path).images(BASELINE.id) == {3}
    assert state_of(whole) == state_of(source) == {BASELINE.id: "done", DONE.id: "stopped"}


def test_listings_and_budgets_know_what_was_stopped_in_another_store(tmp_path: Path) -> None:
    source, whole = stopped_and_hung(Store(tmp_path / "a" / "demo")), Store(tmp_path / "all" / "demo")
    mgsweep("merge", source.path.parent, "--into", whole.path.parent)
    assert by_trial(whole) == by_trial(source)
    (stopped,) = (row for row in by_trial(whole) if row["id"] == DONE.id)
    assert (stopped["state"], stopped["epoch"], stopped["f1"], stopped["seconds"]) == ("stopped", 2, 0.52, 80)
    assert look(whole).spent == look(source).spent == pytest.approx((4 + 2) * 40)
    assert Timings(whole).spent == Timings(source).spent == pytest.approx((4 + 2) * 40)
    assert set(results.read(whole).rows["id"]) == {BASELINE.id, DONE.id}  # the report's
    shown = mgsweep("show", DONE.id, "--store", whole.path.parent)
    assert "F1 on validation, epochs 1 to 2: 51.0 to 52.0" in shown


@pytest.mark.parametrize("first", ["record", "stopped"])
def test_a_record_beats_a_stopped_trial(tmp_path: Path, first: str) -> None:
    stopped, done = stopped_and_hung(Store(tmp_path / "a" / "demo")), Store(tmp_path / "b" / "demo")
    done.begin("name: demo", TRIALS[:2])
    done.commit(DONE.id, rows(DONE, 10))
    sources = [store.path.parent for store in ((done, stopped) if first == "record" else (stopped, done))]
    mgsweep("merge", *sources, "--into", tmp_path / "all")
    whole = Store(tmp_path / "all" / "demo")
    assert (whole.stopped(), len(whole.rows(DONE.id))) == (set(), len(rows(DONE, 10)))
    assert not whole.frame(stopped=True).stopped.any()


def test_what_has_begun_here_is_not_stopped_by_a_merge(tmp_path: Path) -> None:
    source, here = stopped_and_hung(Store(tmp_path / "a" / "demo")), Store(tmp_path / "all" / "demo")
    here.begin("name: demo", TRIALS[:2])
    here.save(DONE.id, b"state", rows(DONE, 5))
    mgsweep("merge", source.path.parent, "--into", here.path.parent)
    assert state_of(here)[DONE.id] == "interrupted"


def refused(*arguments: object) -> None:
    CliRunner().invoke(app, ["merge", *map(str, arguments)], catch_exceptions=False)


def test_merge_refuses_what_is_damaged_and_copies_nothing(tmp_path: Path) -> None:
    parts = shards(tmp_path)
    (parts[1].path / "trials" / f"{TRIALS[3].id}.parquet").write_bytes(b"torn")
    with pytest.raises(InvalidInput, match=f"{TRIALS[3].id}.parquet.*run the sweep there again"):
        CliRunner().invoke(
            app,
            ["merge", *(str(p.path.parent) for p in parts), "--into", str(tmp_path / "all")],
            catch_exceptions=False,
        )
    assert not (tmp_path / "all").exists()
    with pytest.raises(InvalidInput, match="expected a store with results"):
        refused(tmp_path, "--into", tmp_path / "all")


# shards


@given(st.integers(1, 6), st.integers(0, 10), st.integers(1, 5))
def test_shards_are_a_partition_that_keeps_families_together(baselines: int, children: int, count: int) -> None:
    trials = []
    for seed in range(baselines):
        parent = Trial(dataset="shapes", model="bcos", seed=seed)
        trials += [parent, *(
            Trial(dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", seed=seed,
                  lambda_loc=number + 1.0, parent=parent.id)
            for number in range(children)
        )]  # fmt: skip
    parts = [shard(trials, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(trial.id for part in parts for trial in part) == sorted(trial.id for trial in trials)
    for part in parts:
        ids = {trial.id for trial in part}
        assert all(trial.parent is None or trial.parent in ids for trial in part)
    assert (
        shard(trials[: len(trials) // 2], f"1/{count}")
        == parts[0][: len(shard(trials[: len(trials) // 2], f"1/{count}"))]
    )


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "1.5/2"])
def test_what_is_no_shard(part: str) -> None:
    with pytest.raises(InvalidInput, match="--shard: expected i/n with 1 <= i <= n"):
        shard([], part)


# export


def test_an_exported_sweep_is_one_file_and_a_card(full: Store, tmp_path: Path) -> None:
    (full.path / "trials" / f"{DONE.id}.parquet").unlink()
    full.commit(DONE.id, [{**row, "host": "secret-node", "device": "A100 | 40 GB"} for row in rows(DONE, 2)])
    full.compact(prune=True)
    mgsweep(
        "export",
        "demo",
        "--store",
        full.path.parent,
        "--out",
        tmp_path / "x",
        "--dataset-card",
        "--license",
        "CC-BY-4.0",
    )
    assert sorted(file.name for file in (tmp_path / "x").iterdir()) == ["README.md", "demo.parquet"]
    frame = pd.read_parquet(tmp_path / "x" / "demo.parquet")
    assert frame.drop(columns="host").equals(full.frame(stopped=True).drop(columns="host"))
    card = (tmp_path / "x" / "README.md").read_text()
    assert card.startswith('---\nlicense: "CC-BY-4.0"\n')
    assert "Results of 2 trials" in card
    assert "A100 \\| 40 GB" in card
    assert all(f"| `{column.name}` | {column.type} |" in card for column in COLUMNS)
    assert b"secret-node" not in (tmp_path / "x" / "demo.parquet").read_bytes()
    (snippet,) = (part.split("```")[0] for part in card.split("```python\n")[1:])
    before = os.getcwd()
    os.chdir(tmp_path / "x")
    try:
        exec(snippet, {})  # what the card tells its readers to do
    finally:
        os.chdir(before)


def test_an_export_holds_what_was_stopped_early_and_says_what_that_means(full: Store, tmp_path: Path) -> None:
    """Who was stopped was behind on validation: the scores of the others alone would be a selection."""
    full.stop(INTERRUPTED.id)
    mgsweep("export", "demo", "--store", full.path.parent, "--out", tmp_path, "--dataset-card")
    frame = pd.read_parquet(tmp_path / "demo.parquet")
    assert set(frame.id[frame.stopped]) == {INTERRUPTED.id}
    assert set(frame.id[~frame.stopped]) == {BASELINE.id, DONE.id}
    assert len(frame[frame.stopped]) == len(rows(INTERRUPTED, 1))
    card = (tmp_path / "README.md").read_text()
    assert "Results of 3 trials" in card
    assert "while they train; 1 stopped early." in card
    assert "A trial was stopped early (`stopped` is true) because its\nscores on validation were behind" in card
    assert "| `stopped` | bool |" in card
    described = json.loads((pq.read_schema(tmp_path / "demo.parquet").metadata or {})[b"mgsweep"])
    assert set(described["columns"]) == set(frame.columns)


def test_export_without_a_licence_says_so(full: Store, tmp_path: Path) -> None:
    mgsweep("export", "demo", "--store", full.path.parent, "--out", tmp_path / "x", "--dataset-card")
    card = (tmp_path / "x" / "README.md").read_text()
    assert "license:" not in card
    assert "Not stated." in card
    shutil.rmtree(tmp_path / "x")
    mgsweep("export", "demo", "--store", full.path.parent, "--out", tmp_path / "x")
    assert [file.name for file in (tmp_path / "x").iterdir()] == ["demo.parquet"]
