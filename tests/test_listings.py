"""What `status`, `trials`, `show` and `logs` say, of a sweep with a trial in every state, from its files alone."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mgsweep.best import best_epoch
from mgsweep.cli import app
from mgsweep.errors import InvalidInput
from mgsweep.listings.plot import curve
from mgsweep.listings.sweeps import by_sweep
from mgsweep.listings.trials import COLUMNS, by_trial, choose
from mgsweep.runner.retry import ANSWERS
from mgsweep.store import Store
from mgsweep.store.failed import PASSING
from mgsweep.store.states import look
from mgsweep.trial import Probe, Trial

BASELINE = Trial(dataset="shapes", model="bcos", epochs=4, probes=(Probe("bcos", "input"), Probe("bcos", "final")))
DONE, RUNNING, STALE, INTERRUPTED, BUG, MEMORY, WAITING = (
    Trial(
        dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=number,
        parent=BASELINE.id, epochs=10,
    )
    for number in range(1, 8)
)  # fmt: skip
TRIALS = (BASELINE, DONE, RUNNING, STALE, INTERRUPTED, BUG, MEMORY, WAITING)


def rows(trial: Trial, epochs: int) -> list[dict[str, Any]]:
    common = {"sweep": "demo", "id": trial.id, **trial.to_row()}
    made: list[dict[str, Any]] = []
    for epoch in range(1, epochs + 1):
        made.append({**common, "epoch": epoch, "split": "train", "seconds": 20.0})
        for probe in trial.measured:
            own = {"probe_attribution": probe.attribution, "probe_depth": probe.depth}
            scores = {"f1": 0.5 + epoch / 100, "epg": trial.lambda_loc / 10 + (probe.depth == "final") / 20}
            made.append({**common, "epoch": epoch, "split": "val", **own, **scores, "seconds": 20.0})
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "demo")
    store.begin("name: demo", TRIALS)
    for trial in (BASELINE, DONE):
        store.commit(trial.id, rows(trial, trial.epochs))
    for trial, epochs in ((RUNNING, 4), (STALE, 2), (INTERRUPTED, 1)):
        store.save(trial.id, b"state", rows(trial, epochs))
    trace = "\n".join(f"frame {number}" for number in range(40))
    store.fail(BUG.id, {"cause": "memory", "error": "too large", "traceback": trace, "host": "node1"})
    store.fail(BUG.id, {"cause": "bug", "error": "KeyError: [/x]\nmore", "traceback": trace, "host": "node2"})
    store.fail(MEMORY.id, {"cause": "memory", "error": "too large", "traceback": trace})
    store.log(RUNNING.id).write_text("epoch 1\nepoch [2]\n")
    with store.lease(RUNNING.id), store.lease(STALE.id):
        quiet_since(store, STALE, hours=2)
        yield store


def quiet_since(store: Store, trial: Trial, hours: float) -> None:
    """No file of it has come or gone for so long; its lease is renewed all the same."""
    then = time.time() - 3600 * hours
    for file in (store.path / "running" / trial.id).iterdir():
        os.utime(file, None if file.name.startswith("lease.") else (then, then))
    os.utime(store.path / "running" / trial.id, (then, then))


def mgsweep(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_state_is_told_from_the_files(store: Store) -> None:
    assert look(store).states == {
        BASELINE.id: "done", DONE.id: "done", RUNNING.id: "running", STALE.id: "stale", INTERRUPTED.id: "interrupted",
        BUG.id: "failed", MEMORY.id: "failed", WAITING.id: "waiting",
    }  # fmt: skip


def test_a_trial_in_its_first_epoch_runs_however_long_that_takes(store: Store) -> None:
    with store.lease(WAITING.id):
        quiet_since(store, WAITING, hours=2)
        seen = look(store)
        assert (seen.states[WAITING.id], seen.progress[WAITING.id].epoch) == ("running", 0)
        assert seen.left == pytest.approx((6 + 8 + 9 + 10) * 40)
        (row,) = [row for row in by_trial(store) if row["id"] == WAITING.id]
        assert (row["state"], row["epoch"]) == ("running", 0)
    assert look(store).states[WAITING.id] == "waiting"


def test_a_trial_that_was_left_long_ago_and_is_taken_up_again_is_not_stale(store: Store) -> None:
    quiet_since(store, INTERRUPTED, hours=50)
    assert look(store).progress[INTERRUPTED.id].age == pytest.approx(50 * 3600, rel=0.01)
    with store.lease(INTERRUPTED.id):
        assert look(store).states[INTERRUPTED.id] == "running"


@pytest.mark.parametrize("cause", PASSING)
def test_what_was_ended_from_outside_has_not_failed(store: Store, cause: str) -> None:
    for trial in (INTERRUPTED, WAITING):
        store.fail(trial.id, {"cause": cause, "error": "the node is gone"})
    seen = look(store)
    assert (seen.states[INTERRUPTED.id], seen.states[WAITING.id]) == ("interrupted", "waiting")
    assert store.failures().keys() == {BUG.id, MEMORY.id}
    assert store.attempts(WAITING.id)[WAITING.id][0]["cause"] == cause


def test_those_causes_are_the_ones_that_are_tried_again_without_end() -> None:
    assert {cause for cause, answer in ANSWERS.items() if answer.later and answer.again == math.inf} == set(PASSING)


def test_what_was_stopped_early_is_not_waited_for(store: Store) -> None:
    store.stop(INTERRUPTED.id)
    seen = look(store)
    assert seen.states[INTERRUPTED.id] == "stopped"
    assert seen.left == pytest.approx((6 + 8 + 10) * 40)


def test_rate_time_left_and_hours(store: Store) -> None:
    seen = look(store)
    assert seen.rate == pytest.approx(4 / (4 * 40))  # the running trial alone: 40 s an epoch
    assert seen.left == pytest.approx((6 + 8 + 9 + 10) * 40)  # what failed is not waited for
    assert seen.spent == pytest.approx((4 + 10 + 4 + 2 + 1) * 40)  # the two probes of the baseline together
    before = seen.spent
    store.compact(prune=True)
    assert look(Store(store.path)).spent == pytest.approx(before)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def test_looking_writes_nothing(store: Store) -> None:
    before, folder = snapshot(store.path), str(store.path.parent)
    mgsweep("status", "--store", folder)
    mgsweep("trials", "demo", "--store", folder)
    mgsweep("show", BUG.id, "--store", folder)
    mgsweep("logs", RUNNING.id, "--store", folder)
    mgsweep("verify", "--store", folder)
    assert snapshot(store.path) == before


def test_status_groups_failures_by_cause(store: Store) -> None:
    text = mgsweep("status", "--store", str(store.path.parent))
    assert {"bug", "memory"} <= set(text.split())  # how the table breaks its lines depends on its numbers
    assert "KeyError: [/x]" in text
    assert "more" not in text  # the first line of a message is enough here
    assert "2.0 h ago" in text
    (row,) = json.loads(mgsweep("status", "--store", str(store.path.parent), "--format", "json"))
    assert {key: row[key] for key in ("trials", "done", "running", "stale", "interrupted", "failed", "waiting")} == {
        "trials": 8, "done": 2, "running": 1, "stale": 1, "interrupted": 1, "failed": 2, "waiting": 1,
    }  # fmt: skip
    assert row["failed_by"] == {"bug": 1, "memory": 1}


def test_what_was_stopped_early_is_not_on_its_way(store: Store) -> None:
    store.stop(INTERRUPTED.id)
    _, under_way = mgsweep("status", "--store", str(store.path.parent)).split("On their way")
    assert RUNNING.id in under_way
    assert INTERRUPTED.id not in under_way


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("name: demo", 0),
        ("name: demo\nresources: {gpu: 0.5}", 0.5),
        ("resources: {gpu: 0.5}\nscales: {large: {resources: {gpu: 2}}}", 0.5),
        ("name: other\nscales: {demo: {resources: {gpu: 2}}}", 0),
        ("[]", 0),
        ("resources: {gpu: [a]}", 0),
        ("scales: 3", 0),
    ],
)
def test_gpu_hours_are_those_of_the_gpus_a_trial_occupies(store: Store, text: str, gpus: float) -> None:
    """As in `plan` and `--budget`. The rest is hours of trials."""
    (store.path / "sweep.yaml").write_text(text)
    (row,) = json.loads(mgsweep("status", "--store", str(store.path.parent), "--format", "json"))
    assert row["hours"] == pytest.approx(21 * 40 / 3600, abs=1e-3)
    assert row["gpu_hours"] == pytest.approx(gpus * 21 * 40 / 3600, abs=1e-3)
    shown = mgsweep("status", "--store", str(store.path.parent)).partition("On their way")[0]
    assert ("GPU" in shown) == bool(gpus)


def test_gpu_hours_of_a_scale_are_by_what_it_says(store: Store) -> None:
    (store.path / "sweep.yaml").write_text("scales: {large: {resources: {gpu: 2}}}")
    large = store.path.rename(store.path.parent / "demo-large")
    (row,) = by_sweep(large.parent)
    assert row["gpu_hours"] == pytest.approx(2 * row["hours"], abs=2e-3)


def test_the_best_epoch_is_the_one_that_children_start_from(store: Store) -> None:
    """By accuracy where there is one, else by F1, of equals the earliest: in `trials` as in `show`."""
    trial = Trial.from_row(DONE.to_row() | {"lambda_loc": 9.0})
    made = [row | {"f1": 0.5, "epg": row["epoch"] / 10} for row in rows(trial, 4) if row["split"] == "val"]
    for number, accuracies in enumerate(([None] * 4, [0.6, 0.9, 0.9, 0.7])):
        one = Trial.from_row(trial.to_row() | {"seed": number})
        told = [row | {"id": one.id, "seed": number, "accuracy": accuracies[row["epoch"] - 1]} for row in made]
        store.plan([one])
        store.commit(one.id, told)
        (found,) = (row for row in by_trial(store) if row["id"] == one.id)
        best = best_epoch(told)
        assert (best, found["best_epoch"], found["epg"]) == ((1, 2)[number], best, best / 10)
        shown = mgsweep("show", one.id, "--store", str(store.path.parent)).split("Best on validation")[1]
        assert [line.split()[0] for line in shown.splitlines() if " val " in line] == [str(best), "4"]


def test_trials_as_data(store: Store) -> None:
    found = {row["id"]: row for row in by_trial(store)}
    assert set(found) == {trial.id for trial in TRIALS}
    assert all(tuple(row) == COLUMNS for row in found.values())
    done = found[DONE.id]
    assert (done["epoch"], done["best_epoch"], done["f1"], done["epg"]) == (10, 10, 0.6, 0.1)
    assert done["seconds"] == 400
    assert done["trial"] == "shapes bcos bcos@input energy λ=1"  # all train for 10 epochs
    assert (found[STALE.id]["epoch"], found[STALE.id]["f1"], found[STALE.id]["seconds"]) == (2, 0.52, 80)
    assert (found[BUG.id]["attempts"], found[BUG.id]["cause"], found[BUG.id]["f1"]) == (2, "bug", None)


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (["state=done"], [BASELINE, DONE]),
        (["state=done,failed", "loss=Energy"], [DONE, BUG, MEMORY]),
        (["lambda_loc=2.0,3"], [RUNNING, STALE]),
        (["lambda_loc>=6"], [MEMORY, WAITING]),
        (["f1>0.51", "epoch<10"], [BASELINE, RUNNING, STALE]),
        (["f1<1"], [BASELINE, DONE, RUNNING, STALE, INTERRUPTED]),  # one without a score meets no comparison
        (["depth=input", "epg<=0.1"], [DONE]),
    ],
)
def test_filters(store: Store, filters: list[str], left: list[Trial]) -> None:
    assert [row["id"] for row in choose(by_trial(store), filters, None, None)] == [trial.id for trial in left]


def test_own_data_are_filtered_by_their_plain_name(tmp_path: Path) -> None:
    own, other = Trial(dataset="pets_0123456789ab", model="bcos"), Trial(dataset="shapes", model="bcos")
    store = Store(tmp_path / "own")
    store.begin("name: own", [own, other])
    for name in ("pets", own.dataset):
        assert choose(by_trial(store), [f"dataset={name}"], None, "id") == [{"id": own.id}]


def test_sorted_and_cut(store: Store) -> None:
    made = by_trial(store)
    largest = choose(made, ["loss=energy"], "-f1", "lambda_loc")
    assert largest == [{"lambda_loc": float(number)} for number in (1, 2, 3, 4, 5, 6, 7)]
    smallest = choose(made, ["loss=energy"], "f1", "lambda_loc,f1")
    assert [row["lambda_loc"] for row in smallest] == [4, 3, 2, 1, 5, 6, 7]  # without a value: last, either way


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filters": ["lamda_loc=1"]}, "--filter: unknown column 'lamda_loc'; did you mean 'lambda_loc'?"),
        ({"filters": ["f1>high"]}, "--filter: expected a number after >, got 'high'"),
        ({"filters": ["epg>30"]}, "--filter: epg lies in [0, 1], got 30"),
        ({"filters": ["loss=l1,energi"]}, "--filter: unknown loss 'energi'; did you mean 'energy'?"),
        ({"filters": ["guidance_source=masks"]}, "--filter: unknown guidance_source 'masks'; did you mean 'mask'?"),
        ({"filters": ["state=don"]}, "--filter: unknown state 'don'; did you mean 'done'?"),
        ({"filters": ["f1"]}, "--filter: expected key=value,value or key>number"),
        ({"filters": [">1"]}, "--filter: expected key=value,value or key>number"),
        ({"filters": ["f1 = __import__('os')"]}, "--filter: unknown column 'f1 '"),
        ({"sort": "--f1"}, "--sort: unknown column '-f1'"),
        ({"columns": "id,F1"}, "--columns: unknown column 'F1'; did you mean 'f1'?"),
    ],
)
def test_wrong_filters(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose([], **{"filters": [], "sort": None, "columns": None, **options})
    assert said in str(caught.value)


@pytest.mark.parametrize(("form", "said"), [("table", "no trial meets this\n"), ("json", "[]\n")])
def test_a_filter_that_no_trial_meets(store: Store, form: str, said: str) -> None:
    folder = str(store.path.parent)
    for test in ("epg>0.99", "loss=L1", "dataset=voc2007"):  # names that there are, though not here
        assert mgsweep("trials", "demo", "--store", folder, "--filter", test, "--format", form) == said


def test_csv_and_the_same_data_from_the_command_line(store: Store) -> None:
    text = mgsweep("trials", "demo", "--store", str(store.path.parent), "--format", "csv", "--filter", "state=failed")
    assert [row["cause"] for row in csv.DictReader(io.StringIO(text))] == ["bug", "memory"]
    table = mgsweep("trials", "demo", "--store", str(store.path.parent), "--sort=-epg", "--columns", "id,epg")
    assert table.split()[:4] == ["id", "EPG", INTERRUPTED.id, "40.0"]


def test_show_tells_configuration_parent_curves_files_and_attempts(store: Store) -> None:
    folder = str(store.path.parent)
    text = mgsweep("show", DONE.id, "--store", folder)
    assert f"{BASELINE.id}  shapes bcos baseline" in text
    assert "F1 on validation, epochs 1 to 10: 51.0 to 60.0" in text
    assert any(0x2800 < ord(letter) < 0x2900 for letter in text)
    assert f"{DONE.id}.parquet" in text
    failed = mgsweep("show", BUG.id, "--store", folder)
    assert "memory in attempt 1 on node1: too large" in failed
    assert "bug in attempt 2 on node2: KeyError: [/x]" in failed
    assert "frame 39" in failed
    assert "frame 24" not in failed
    assert "25 lines before" in failed


def test_logs(store: Store) -> None:
    folder = str(store.path.parent)
    assert mgsweep("logs", RUNNING.id[:6], "--store", folder) == "epoch 1\nepoch [2]\n"
    with pytest.raises(InvalidInput, match="has no log; it has not been started"):
        CliRunner().invoke(app, ["logs", WAITING.id, "--store", folder], catch_exceptions=False)


def test_following_a_log_ends_with_its_trial(store: Store) -> None:
    """Nobody holds the interrupted trial, so there is nothing to wait for."""
    store.log(INTERRUPTED.id).write_text("epoch 1\n")
    assert mgsweep("logs", INTERRUPTED.id, "-f", "--store", str(store.path.parent)) == "epoch 1\n"


def dots(lines: list[str]) -> set[tuple[int, int]]:
    bits = {0x01: (0, 0), 0x02: (0, 1), 0x04: (0, 2), 0x40: (0, 3), 0x08: (1, 0), 0x10: (1, 1), 0x20: (1, 2)}
    bits[0x80] = (1, 3)
    return {
        (2 * x + dx, 4 * y + dy)
        for y, line in enumerate(lines)
        for x, letter in enumerate(line)
        for bit, (dx, dy) in bits.items()
        if (ord(letter) - 0x2800) & bit
    }


@given(st.lists(st.floats(0, 1), min_size=2, max_size=300))
def test_a_curve_shows_its_ends_and_peaks(values: list[float]) -> None:
    drawn = dots(curve(values, width=20, height=3))
    assert {x for x, _ in drawn} == set(range(40))
    if max(values) - min(values) > 1e-6:
        rows = [y for _, y in drawn]
        assert (min(rows), max(rows)) == (0, 11)
        first = round((1 - (values[0] - min(values)) / (max(values) - min(values))) * 11)
        assert (0, first) in drawn


def test_a_constant_curve_is_a_line() -> None:
    assert len({y for _, y in dots(curve([0.5, 0.5, 0.5]))}) == 1
