"""A training that replays recorded curves: orchestration is tested and measured on real rows, without training.

Hand `Replay(...)` to `execute`, `local.run` or `cluster.run`: no data set is read and no network built, all else is
real. Rows, weights and what to resume from depend on the trial alone, so whatever happened to a sweep, its records must
equal those of an undisturbed one bit for bit, their times included. A `Mishap` makes trials fail in a given way.

`plan` makes a plan of as many trials as are wanted.
"""

from __future__ import annotations

import csv
import ctypes
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mgsweep.errors import Diverged
from mgsweep.guidance.training import Epoch, State, Weights, members_of
from mgsweep.plan import Plan
from mgsweep.plan.schema import Resources
from mgsweep.trial import CONFIG, Probe, Trial

CURVES = Path(__file__).parents[1] / "tests" / "support" / "recorded_curves.csv"
SECONDS = 1.5
"""What an epoch claims to have taken: a constant, for records of two runs are compared."""


def plan(count: int, epochs: int = 3, name: str = "simulated", children: int = 9, **resources: float) -> Plan:
    """`count` trials, of every ten (`children` + 1) one a baseline that the others start from."""
    trials: list[Trial] = []
    for number in range(count):
        family, member = divmod(number, children + 1)
        shared = {"dataset": "shapes", "model": "bcos", "epochs": epochs, "seed": family}
        if member == 0:
            baseline = Trial(**shared)
            trials.append(baseline)
        else:
            guided = {"attribution": "bcos", "depth": "input", "loss": "energy", "lambda_loc": float(member)}
            trials.append(Trial(**shared, **guided, parent=baseline.id))
    trials.sort(key=lambda trial: trial.guided)
    return Plan(name, Path(f"{name}.yaml"), f"name: {name}\n", tuple(trials), Counter(), Resources(**resources), {}, {})


@dataclass(frozen=True)
class Mishap:
    """What befalls a trial as it begins an epoch.

    `kind` is bug, memory (unless in a micro-batch of at most `fits` images), diverged, kill, segfault, term, stop (as
    SIGSTOP does) or hang; `times` says how many attempts it befalls in all, over all processes.
    """

    kind: str
    epoch: int = 2
    times: int = 10**9
    fits: int = 0


@dataclass(frozen=True)
class Replay:
    """A training, see the module. Its folder `notes`, outside of the store, outlives every process.

    There `acknowledged` gets a line, on the disk before training goes on, for every epoch that was reported as safe:
    id, epoch and split. Each attempt adds a byte to `attempts.<id>`.
    """

    notes: Path | None = None
    delay: float = 0.0
    mishaps: Mapping[str, Mishap] = field(default_factory=dict)

    def __call__(
        self,
        trial: Trial,
        places: object,
        *,
        start: Weights | None,
        resume: State | None,
        device: object,
        micro_batch: int | None = None,
        checkpoint_stages: bool = False,
    ) -> Iterator[Epoch]:
        """The epochs of a trial, then one for each kept epoch as it is tested."""
        assert start is None or not trial.guided or int(start["parent"]) == number_of(trial.parent or "")
        self._note(f"attempts.{trial.id}", b".")
        state = resume or State()
        assert all(equal(weights, weights_of(trial, epoch)) for epoch, weights in state.members.items())
        for number in range(state.epoch + 1, trial.epochs + 1):
            self._befall(trial, number, micro_batch or trial.batch_size)
            time.sleep(self.delay)
            rows = (row_of(trial, number, "train"), row_of(trial, number, "val"))
            members = {epoch: weights_of(trial, epoch) for epoch in members_of(trial, (*state.rows, *rows))}
            state = State(number, weights_of(trial, number), {}, (*state.rows, *rows), members)
            yield Epoch(number, rows, state)
            self._note("acknowledged", f"{trial.id} {number} val\n".encode())
        for number in sorted(state.members):
            missing = tuple(row for row in rows_of_member(trial, number) if row not in state.rows)
            if missing:
                state = replace(state, rows=(*state.rows, *missing))
                yield Epoch(number, missing, state)
                self._note("acknowledged", f"{trial.id} {number} test\n".encode())

    def attempts(self, trial: Trial) -> int:
        """How often the trial was begun or taken up."""
        file = (self.notes or Path()) / f"attempts.{trial.id}"
        return file.stat().st_size if file.exists() else 0

    def acknowledged(self) -> list[tuple[str, int, str]]:
        """(id, epoch, split) of all that was ever reported as safe."""
        file = (self.notes or Path()) / "acknowledged"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [(trial, int(epoch), split) for trial, epoch, split in lines]

    def _note(self, name: str, text: bytes) -> None:
        if self.notes is None:
            return
        descriptor = os.open(self.notes / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, text)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _befall(self, trial: Trial, epoch: int, micro_batch: int) -> None:
        mishap = self.mishaps.get(trial.id)
        if mishap and mishap.epoch == epoch and self.attempts(trial) <= mishap.times:
            _HARM[mishap.kind](mishap, micro_batch)


def _raise(error: BaseException) -> None:
    raise error


def _hang() -> None:
    while True:
        time.sleep(60)


def _out_of_memory(mishap: Mishap, micro_batch: int) -> None:
    if micro_batch > mishap.fits:
        raise torch.OutOfMemoryError("CUDA out of memory (simulated)")


_HARM: dict[str, Any] = {
    "bug": lambda *_: _raise(ValueError("a simulated bug")),
    "memory": _out_of_memory,
    "diverged": lambda *_: _raise(Diverged("the training loss is no longer finite (simulated)")),
    "kill": lambda *_: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda *_: ctypes.string_at(0),
    "term": lambda *_: os.kill(os.getpid(), signal.SIGTERM),
    "stop": lambda *_: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": lambda *_: _hang(),
}


# What is replayed


def number_of(trial_id: str) -> int:
    """An id as a number that a float holds exactly."""
    return int(trial_id[:12] or "0", 16) % 2**20


def weights_of(trial: Trial, epoch: int) -> Weights:
    """Two numbers in place of a network."""
    return {"parent": torch.tensor(float(number_of(trial.id))), "epoch": torch.tensor(float(epoch))}


def equal(one: Weights, other: Weights) -> bool:
    """Whether two state dicts hold the same."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def row_of(trial: Trial, epoch: int, split: str, probe: Probe | None = None) -> dict[str, Any]:
    """A row as training makes it, from one of the recorded curves, which is chosen by the trial's id."""
    recorded = curves()[number_of(trial.id) % len(curves())]
    name, depth = probe or (trial.attribution, trial.depth)
    own = {"epoch": epoch, "split": split, "probe_attribution": name, "probe_depth": depth}
    own |= {"seconds": SECONDS, "peak_memory": 2**20}
    if split == "train":
        return {**own, "class_loss": 1 / epoch}
    measured = recorded[(epoch - 1) % len(recorded)]
    return {**own, **(measured if name else {"f1": measured["f1"]})}


def rows_of_member(trial: Trial, epoch: int) -> list[dict[str, Any]]:
    """What is measured of a kept epoch, at every probe; some of it is there before."""
    probes: list[Probe | None] = [*trial.measured] or [None]
    return [row_of(trial, epoch, split, probe) for split in ("val", "test") for probe in probes]


@cache
def curves() -> list[list[dict[str, float]]]:
    """The recorded validation curves of guided runs: of each its epochs with f1, epg and iou."""
    with CURVES.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    runs: dict[tuple[str, ...], list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        if row["origin"] == "curves" and row["epg"]:
            run = tuple(row[key] for key in CONFIG if key in row)
            runs[run].append({key: float(row[key]) for key in ("f1", "epg", "iou")})
    return list(runs.values())
