"""Searches on the command line: what is refused, what is printed, and the whole path on Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgsweep.store import Store

ROOT = Path(__file__).parents[2]
SWEEP = """
name: hunt
common: {dataset: shapes, model: bcos, attribution: bcos, depth: final, backbone: resnet10, image_size: 32}
baseline: {epochs: 3, batch_size: 16, learning_rate: 2e-3}
guided: {epochs: 2}
search:
  space: {loss: [energy, l1], lambda_loc: {log: [1e-3, 1e-1]}}
  budget: {trials: 4}
early_stop: {at: [1]}
"""


def mgsweep(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mgsweep", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "160", "PYTHONPATH": str(ROOT), "MGSWEEP_CACHE": str(cwd / "cache")}
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=cwd, env=environment)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    file = tmp_path / "hunt.yaml"
    file.write_text(SWEEP)
    return file


def test_bad_input_is_one_message_and_writes_nothing(sweep: Path, tmp_path: Path) -> None:
    sweep.write_text(SWEEP.replace("[1e-3, 1e-1]", "[1e-1, 1e-3]").replace("trials: 4", "trials: 0"))
    before = sorted(tmp_path.rglob("*"))
    done = mgsweep("run", sweep, "--local", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("2 errors")
    assert "search.space.lambda_loc: expected log: [low, high] with 0 < low < high" in done.stderr
    assert "search.budget.trials: expected a number > 0, got 0" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_suggest_prints_what_would_be_tried_and_writes_nothing(sweep: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = mgsweep("suggest", sweep, "-n", 3, "--format", "json", "--set", "search.seed=5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [sorted(row) for row in rows] == [["id", "lambda_loc", "loss"]] * 3
    assert sorted(tmp_path.rglob("*")) == before
    no_search = mgsweep("suggest", ROOT / "sweeps" / "quickstart.yaml", cwd=tmp_path)
    assert no_search.returncode == 2
    assert "this sweep is no search" in no_search.stderr


@pytest.mark.slow
def test_a_search_on_ray(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hunt  1 trials: 0 done, 1 to run; tpe suggests more, up to 4 trials" in done.stdout
    assert "The front on validation: hypervolume" in done.stdout
    store = Store(tmp_path / "results" / "hunt")
    assert len(store.planned()) == 5
    assert len(store.finished()) + len(store.stopped()) == 5
    again = mgsweep("run", sweep, cwd=tmp_path)
    assert (again.returncode, "started" in again.stdout) == (0, False)
    drawn = mgsweep("figures", sweep, cwd=tmp_path)
    assert (tmp_path / "figures" / "hunt" / "search.csv").exists(), drawn.stdout + drawn.stderr
