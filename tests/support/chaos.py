"""What the tests of faults share: a sweep of simulated trials, drivers to be killed, and what must hold after anything.

The invariants, after each fault and an undisturbed run of the same command:
I1 every row that was acknowledged is stored; I2 none is there twice; I3 every record verifies; I5 a further run has
nothing to do; I6 the rows equal those of an undisturbed run; I7 no process, lease or draft is left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from replay import Replay, row_of, rows_of_member

from mgsweep import runner
from mgsweep.plan import Plan, load
from mgsweep.store import Store
from mgsweep.trial import Trial

SIMULATED = [sys.executable, str(Path(__file__).with_name("simulated.py"))]

SWEEP = """
name: chaos
common: {{dataset: shapes, model: bcos, seed: {{range: [0, {families}]}}}}
baseline: {{epochs: {epochs}}}
guided: {{epochs: {epochs}}}
grids: [{{attribution: bcos, depth: input, loss: energy, lambda_loc: {lambdas}}}]
"""


@dataclass
class Chaos:
    """A sweep in a folder of its own, its store and its log of what was acknowledged."""

    folder: Path
    families: int = 2
    children: int = 3
    epochs: int = 3
    delay: float = 0.0
    extra: str = ""
    mishaps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lambdas = [float(n + 1) for n in range(self.children)]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "chaos.yaml"
        self.file.write_text(
            SWEEP.format(families=self.families, epochs=self.epochs, lambdas=lambdas) + self.extra + "\n"
        )
        self.store = Store(self.folder / "results" / "chaos")
        self.replay = Replay(self.folder)

    @property
    def plan(self) -> Plan:
        return load(self.file)

    def command(self, *arguments: object) -> list[str]:
        options = {"notes": str(self.folder), "delay": self.delay, "mishaps": self.mishaps}
        store = self.folder / "results"
        return [*SIMULATED, json.dumps(options), "run", str(self.file), "--store", str(store), *map(str, arguments)]

    def run(self, *arguments: object, timeout: float = 200) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout, check=False, env=environment()
        )

    @contextmanager
    def begun(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """A run in a process group of its own, which nothing survives the block of."""
        process = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env=environment(),
        )  # fmt: skip
        try:
            with process:
                yield process
                process.kill()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def wait_for(self, epochs: int, timeout: float = 120) -> None:
        """Until so many epochs have been acknowledged since the beginning of time."""
        until(lambda: len(self.replay.acknowledged()) >= epochs, timeout)

    def settle(self, *arguments: object) -> None:
        """Run to the end, undisturbed, and see that all is well."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        self.check()

    def check(self) -> None:
        """The invariants."""
        trials = self.plan.trials
        rows = self.store.frame()
        assert not rows.duplicated(["id", "epoch", "split", "probe_attribution", "probe_depth"]).any()
        lost = set(self.replay.acknowledged()) - set(zip(rows.id, rows.epoch, rows.split, strict=True))
        assert not lost, f"acknowledged rows are lost: {lost}"
        assert self.store.finished() == {trial.id for trial in trials}
        assert not list((self.store.path / "damaged").glob("*"))
        for trial in trials:
            expected_rows(trial, rows[rows.id == trial.id])
        assert runner.agenda(self.plan, self.store).to_run == ()
        left = [*self.store.path.rglob("lease.*"), *self.store.path.rglob(".ray"), *self.store.path.glob("running/*")]
        assert not left, f"left behind: {left}"


class Silent:
    """A listener that hears nothing."""

    def started(self, trial: Trial) -> None: ...
    def progressed(self, trial: Trial, row: dict[str, Any]) -> None: ...
    def finished(self, trial: Trial) -> None: ...
    def stopped(self, trial: Trial) -> None: ...
    def failed(self, trial: Trial, error: str) -> None: ...
    def repeated(self, trial: Trial, error: str) -> None: ...
    def left(self, trial: Trial) -> None: ...


def expected_rows(trial: Trial, rows: pd.DataFrame) -> None:
    """That these are the rows that the trial has, whatever befell it, to the last bit."""
    wanted = [row_of(trial, epoch, split) for epoch in range(1, trial.epochs + 1) for split in ("train", "val")]
    members = sorted(set(rows[rows.split == "test"].epoch))
    wanted += [row for epoch in members for row in rows_of_member(trial, epoch) if row not in wanted]
    names = ["epoch", "split", "probe_attribution", "f1", "epg", "iou", "seconds", "class_loss"]
    got = rows[names].astype(object).where(rows[names].notna(), None).to_dict("records")
    assert got == [{name: row.get(name) for name in names} for row in wanted]
    assert members


def environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "benchmarks")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def until(holds: Callable[[], object], timeout: float = 60) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def processes_of(group: int) -> set[int]:
    """The processes of a session, as /proc tells: those that a run has started, and theirs."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == group and fields[0] != "Z":
                found.add(int(stat.parent.name))
    return found
