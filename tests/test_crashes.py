"""SQLite's method: the n-th operation on the disk goes wrong, for n = 1, 2, ... until a run gets through.

A run here is the real one, `runner.local` with `runner.execution`, of a baseline and its child; only training is
replaced, by rows that are drawn, and weights that are a few bytes. Every row that was reported as safe goes to a log
outside the store. After each fault the same command, undisturbed, must complete with every one of them, and then find
nothing to do.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mgsweep import durable, runner
from mgsweep.errors import StoreError
from mgsweep.guidance.training import Epoch, State
from mgsweep.plan.schema import Resources
from mgsweep.runner import Outcome, Places, dispatch, execution, local
from mgsweep.store import Store, leases
from mgsweep.trial import Trial

BASELINE = Trial(dataset="shapes", model="bcos", epochs=3)
GUIDED = Trial(
    dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1.0, epochs=2,
    parent=BASELINE.id,
)  # fmt: skip
BOTH, ALONE = (BASELINE, GUIDED), (BASELINE,)


# Training without training


def training(trial: Trial, places: object, *, start: Any, resume: State | None, device: object) -> Iterator[Epoch]:
    """Rows are drawn, so that one that was made twice shows; the last epochs are members."""
    assert resume or start == (weights_of(BASELINE, 3) if trial.guided else None)
    state = resume or State()
    assert all(weights == weights_of(trial, epoch) for epoch, weights in state.members.items())
    for number in range(state.epoch + 1, trial.epochs + 1):
        members = {epoch: weights_of(trial, epoch) for epoch in members_at(trial, number)}
        state = State(number, rows=(*state.rows, drawn(trial, number, "val")), members=members)
        yield Epoch(number, state.rows[-1:], state)
    for number in sorted(state.members):
        if (number, "test") not in {(row["epoch"], row["split"]) for row in state.rows}:
            state = State(state.epoch, rows=(*state.rows, drawn(trial, number, "test")), members=state.members)
            yield Epoch(number, state.rows[-1:], state)


def drawn(trial: Trial, epoch: int, split: str) -> dict[str, Any]:
    probe = {"probe_attribution": trial.attribution, "probe_depth": trial.depth}
    return {"epoch": epoch, "split": split, **probe, "f1": epoch / 10, "seconds": random.random()}


def members_at(trial: Trial, epoch: int) -> set[int]:
    """As a rule one of a baseline, several of a guided trial."""
    return {epoch, epoch - 1} - {0} if trial.guided else {epoch}


def keys(trial: Trial) -> Counter[tuple[str, int, str]]:
    measured = [(epoch, "test") for epoch in members_at(trial, trial.epochs)]
    return Counter((trial.id, *key) for key in [*((n, "val") for n in range(1, trial.epochs + 1)), *measured])


def weights_of(trial: Trial, epoch: int) -> bytes:
    return f"{trial.id} {epoch}".encode()


def load_state(content: bytes, members: object) -> tuple[State, list[int]]:
    epoch, rows, epochs = json.loads(content)
    return State(epoch, rows=tuple(rows)), epochs


@pytest.fixture(autouse=True)
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", Disk())
    # A lease that a crash left in this process, which lives on, is dead once its counter has stood still for so long.
    monkeypatch.setattr(leases, "STALE", 0.1)
    monkeypatch.setattr(dispatch, "LOOK", 0.05)
    monkeypatch.setattr(local, "time", SimpleNamespace(sleep=lambda seconds: time.sleep(0.01)))
    monkeypatch.setattr(execution, "provenance", lambda device: {})
    monkeypatch.setattr(execution.device, "choose", lambda threads: torch.device("cpu"))
    monkeypatch.setattr(execution, "dump_weights", bytes)
    monkeypatch.setattr(execution, "load_weights", bytes)
    monkeypatch.setattr(execution, "load_state", load_state)
    monkeypatch.setattr(
        execution, "dump_state", lambda state: json.dumps([state.epoch, state.rows, list(state.members)]).encode()
    )


# Runs and what must hold after them


class Sweep:
    """A store and the log of what it acknowledged."""

    def __init__(self, folder: Path, trials: Sequence[Trial], stop_after: int | None = None) -> None:
        self.trials, self.store, self.log = trials, Store(folder / "demo"), folder / "acknowledged"
        self._stop_after, self.epochs = stop_after, 0
        self.store.path.mkdir(parents=True)
        self.log.touch()

    def run(self) -> Outcome | None:
        """As the command line does it; None if there is nothing to do."""
        agenda = runner.agenda(SimpleNamespace(trials=self.trials, resources=Resources()), self.store)  # type: ignore[arg-type]
        if not agenda.to_run:
            return None
        self.store.begin("text", self.trials)
        return local.run(agenda, Places(self.store.path), self, Resources(), training)  # type: ignore[arg-type]

    def started(self, trial: Trial) -> None: ...
    def finished(self, trial: Trial) -> None: ...
    def failed(self, trial: Trial, error: str) -> None: ...
    def repeated(self, trial: Trial, error: str) -> None: ...
    def left(self, trial: Trial) -> None: ...

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None:
        with self.log.open("a") as log:
            log.write(json.dumps([trial.id, row["seconds"]]) + "\n")
        self.epochs += 1
        if self.epochs == self._stop_after:
            raise KeyboardInterrupt

    def settle(self) -> None:
        """Run again, undisturbed, and see that nothing was lost, made twice or left lying about."""
        had_something_to_do = self.run() is not None
        assert self.run() is None
        rows = self.store.frame()
        assert Counter(zip(rows.id, rows.epoch, rows.split, strict=True)) == sum(map(keys, self.trials), Counter())
        acknowledged = {tuple(json.loads(line)) for line in self.log.read_text().splitlines()}
        assert acknowledged <= set(zip(rows.id, rows.seconds, strict=True)), "an acknowledged row was lost"
        for trial in self.trials:
            assert self.store.kept(trial.id) == members_at(trial, trial.epochs)
            for epoch in self.store.kept(trial.id):
                assert self.store.weights(trial.id, epoch) == weights_of(trial, epoch)
        assert not (self.store.path / "damaged").exists(), "a fault made a file that does not verify"
        if had_something_to_do:
            assert not durable.names(self.store.path / "running")
            drafts = {file.parent.name for file in self.store.path.rglob(".*.tmp")}
            assert drafts <= {"demo", "failed"}, "a trial's drafts are not tidied away"


# Disks


class Crash(BaseException):
    """The process is dead; nothing it does from here on reaches the disk."""


class Disk:
    """An `os` whose n-th operation meets a fault. Does not sync in earnest, as nothing here cuts the power."""

    COUNTED = ("open", "read", "write", "fsync", "replace", "link", "pwrite", "unlink", "mkdir", "rmdir", "listdir")

    def __init__(self, at: int = 0, fault: Callable[[], Any] | None = None, ever_after: bool = False) -> None:
        self.count, self._at, self._fault, self._ever_after = 0, at, fault, ever_after

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return partial(self._do, name, real) if name in self.COUNTED else real

    def _do(self, name: str, real: Callable[..., Any], *arguments: Any) -> Any:
        self.count += 1
        if self._fault and (self.count == self._at or (self._ever_after and self.count > self._at)):
            if name == "write" and self.count == self._at:
                os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            self._fault()
        return self.done(name, arguments, None if name == "fsync" else real(*arguments))

    def done(self, name: str, arguments: tuple[Any, ...], result: Any) -> Any:
        """The operation went well; what it returns."""
        return result


def crash() -> None:
    raise Crash


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> None:
    raise OSError(number, os.strerror(number))


class Forgetful(Disk):
    """At a power cut it has only what was synced: of each file its content, of each folder its names."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(at, crash, ever_after=True)
        self._root, self._alive = root, dict[int, int]()  # inode -> number of the file, for inodes are used again
        self._content, self._names = list[bytes](), dict[str, dict[str, int | None]]()

    def done(self, name: str, arguments: tuple[Any, ...], result: Any) -> Any:
        if name == "open" and arguments[1] & os.O_CREAT:
            inode = os.fstat(result).st_ino
            if arguments[1] & os.O_EXCL or inode not in self._alive:
                self._alive[inode] = len(self._content)
                self._content.append(b"")
        if name == "fsync":
            path = os.readlink(f"/proc/self/fd/{arguments[0]}")
            if os.path.isdir(path):
                self._names[path] = {entry.name: self._number(entry) for entry in os.scandir(path)}
            else:
                self._content[self._alive[os.fstat(arguments[0]).st_ino]] = Path(path).read_bytes()
        return result

    def _number(self, entry: os.DirEntry[str]) -> int | None:
        return None if entry.is_dir() else self._alive.get(entry.inode())

    def cut(self, names_too: bool) -> None:
        """Leave what the disk has: with the names as they were synced, or (a disk is free to) as they are now."""
        if not names_too:
            for folder, _, _ in os.walk(self._root):
                self._names[folder] = {entry.name: self._number(entry) for entry in os.scandir(folder)}
        shutil.rmtree(self._root)
        self._restore(str(self._root))

    def _restore(self, folder: str) -> None:
        os.mkdir(folder)
        for name, number in self._names.get(folder, {}).items():
            if number is not None:
                Path(folder, name).write_bytes(self._content[number])
            elif name != "logs":
                self._restore(os.path.join(folder, name))


def points(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    trials: Sequence[Trial],
    disk_at: Callable[[int], Disk],
    step: int = 1,
) -> Iterator[tuple[Sweep, Disk]]:
    """For each n a fresh sweep that met its fault at the n-th operation; ends when a run gets through."""
    for n in range(1, 10_000, step):
        sweep = Sweep(folder / str(n), trials)
        with monkeypatch.context() as patch:
            disk = disk_at(n)
            patch.setattr(durable, "os", disk)
            try:
                outcome = sweep.run()
            except (Crash, OSError, StoreError):
                outcome = None
        if disk.count < n:
            assert outcome == Outcome(len(trials), 0, 0, 0)
            return
        yield sweep, disk


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def told(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end=" ")

    return told


Say = Callable[[str], None]


# Faults


def test_F02_F03_F04_F05_crash_at_every_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    """In the middle of every write, too."""
    count = 0
    for sweep, _ in points(tmp_path, monkeypatch, BOTH, lambda n: Disk(n, crash, ever_after=True)):
        sweep.settle()
        count += 1
    assert count >= 150
    say(f"{count} crash points")


def test_F05_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    """A real one, at every seventh operation."""
    count = 0
    for n in range(1, 120, 7):
        sweep = Sweep(tmp_path / str(n), ALONE)
        child = os.fork()
        if not child:
            durable.os = Disk(n, kill)  # type: ignore[attr-defined]
            sweep.run()
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        sweep.settle()
        count += 1
    say(f"{count} SIGKILLs")


def test_F12_power_cut_at_every_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    """What was not synced is gone: contents, and names or not."""
    count = 0
    for names_too in (False, True):
        folder = tmp_path / str(names_too)
        for sweep, disk in points(folder, monkeypatch, ALONE, lambda n: Forgetful(folder / str(n) / "demo", n)):  # noqa: B023
            assert isinstance(disk, Forgetful)
            disk.cut(names_too)
            sweep.settle()
            count += 1
    say(f"{count} power cuts")


@pytest.mark.parametrize(
    ("number", "ever_after"),
    [
        pytest.param(errno.EIO, False, id="EIO once"),
        pytest.param(errno.ENOSPC, True, id="ENOSPC for ever"),
        pytest.param(errno.ENOSPC, False, id="ENOSPC once", marks=pytest.mark.slow),
        pytest.param(errno.EIO, True, id="EIO for ever", marks=pytest.mark.slow),
    ],
)
def test_F31_F32_error_at_every_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say, number: int, ever_after: bool
) -> None:
    """Of a write half is written before, and fsync is among the operations."""
    count = 0
    for sweep, _ in points(tmp_path, monkeypatch, ALONE, lambda n: Disk(n, partial(fail, number), ever_after)):
        sweep.settle()
        count += 1
    say(f"{count} errors")


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("ever_after", [False, True], ids=["once", "persistent"])
def test_F31_error_and_then_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, ever_after: bool
) -> None:
    """Two faults, with a child in the game."""
    for first in range(1, 260, 9):
        for sweep, _ in points(tmp_path / str(first), monkeypatch, BOTH, lambda n: Disk(n, crash, True), step=31):
            with monkeypatch.context() as patch, suppress(OSError, StoreError):
                patch.setattr(durable, "os", Disk(first, partial(fail, number), ever_after))
                sweep.run()
            sweep.settle()


def test_F30_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, content[:100]))
    sweep = Sweep(tmp_path, BOTH)
    assert sweep.run() == Outcome(2, 0, 0, 0)
    sweep.settle()


def test_F39_drafts_are_no_files(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, BOTH)
    for name in (
        f"trials/.{BASELINE.id}.parquet",
        f"running/{BASELINE.id}/.checkpoint.pt",
        "damaged/.x",
        ".plan.parquet",
    ):
        file = sweep.store.path / f"{name}.0123.tmp"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half a file")
    shutil.rmtree(sweep.store.path / "damaged")
    assert sweep.run() == Outcome(2, 0, 0, 0)
    sweep.settle()


# Damage


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_F35_a_damaged_record_is_set_aside_and_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sweep = Sweep(tmp_path, BOTH)
    sweep.run()
    file = sweep.store.path / "trials" / f"{BASELINE.id}.parquet"
    spoil(file)
    damaged = file.read_bytes()
    assert set(sweep.store.frame().id) == {GUIDED.id}
    assert sweep.run() == Outcome(1, 0, 0, 0)
    moved, reason = sorted((sweep.store.path / "damaged").iterdir())
    assert moved.read_bytes() == damaged
    assert "does not match its seal" in reason.read_text()
    assert f"{file}: " in caplog.text
    assert sweep.store.finished() == {BASELINE.id, GUIDED.id}
    assert sweep.run() is None


def interrupted(tmp_path: Path, after: int) -> tuple[Sweep, Path]:
    sweep = Sweep(tmp_path, ALONE, stop_after=after)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    return sweep, sweep.store.path / "running" / BASELINE.id


def seconds(sweep: Sweep) -> list[float]:
    return [row["seconds"] for row in sweep.store.rows(BASELINE.id)]


@pytest.mark.parametrize(("spoiled", "lost"), [(["checkpoint.pt"], 1), (["checkpoint.pt", "previous.pt"], 3)])
def test_F37_a_damaged_checkpoint(tmp_path: Path, spoiled: list[str], lost: int) -> None:
    """The one before takes its place, with its rows; then the beginning."""
    sweep, folder = interrupted(tmp_path, after=3)
    before = [row["seconds"] for row in sweep.store.progress(BASELINE.id)]
    for name in spoiled:
        spoil(folder / name)
    sweep.run()
    kept = 3 - lost
    assert seconds(sweep)[:kept] == before[:kept]
    assert not set(seconds(sweep)[kept:]) & set(before)
    assert Counter((BASELINE.id, row["epoch"], row["split"]) for row in sweep.store.rows(BASELINE.id)) == keys(BASELINE)
    log = sweep.store.log(BASELINE.id).read_text()
    assert all(f"cannot resume from {name}: " in log for name in spoiled)
    assert log.count("started from epoch 0") == (2 if lost == 3 else 1)
    assert log.count("resumed from epoch 2") == (0 if lost == 3 else 1)
    assert len(list((sweep.store.path / "damaged").glob("*.reason"))) == len(spoiled)
    assert sweep.run() is None


def test_F37_damaged_rows_are_taken_from_the_checkpoint(tmp_path: Path) -> None:
    sweep, folder = interrupted(tmp_path, after=3)
    spoil(folder / "progress.parquet")
    sweep.settle()


@pytest.mark.parametrize(("epochs", "saved"), [([3], 2), ([2], 3), ([2, 3], 0)])
def test_F37_damaged_weights_of_an_interrupted_trial(tmp_path: Path, epochs: list[int], saved: int) -> None:
    """A checkpoint is worth as much as the weights that it refers to: the newest here to 3, the one before to 2."""
    sweep, _ = interrupted(tmp_path, after=3)
    before = [row["seconds"] for row in sweep.store.progress(BASELINE.id)]
    for epoch in epochs:
        spoil(sweep.store.path / "checkpoints" / BASELINE.id / f"000{epoch}.pt")
    sweep.run()
    assert len(set(seconds(sweep)) & set(before)) == saved
    assert sweep.run() is None


@pytest.mark.parametrize("harm", [spoil, Path.unlink], ids=["damaged", "missing"])
def test_F37_damaged_weights_of_a_parent(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """The child fails, not for good: the next run trains the parent again, and then the child."""
    sweep = Sweep(tmp_path, BOTH)
    sweep.trials = ALONE
    sweep.run()
    sweep.trials = BOTH
    harm(sweep.store.path / "checkpoints" / BASELINE.id / "0003.pt")
    assert sweep.run() == Outcome(finished=0, failed=1, blocked=0, unfinished=0)
    assert sweep.store.failures()[GUIDED.id]["cause"] == "damaged"
    assert sweep.store.finished() == set()
    assert sweep.run() == Outcome(2, 0, 0, 0)
    assert sweep.run() is None


def test_what_is_left_of_a_finished_trial_does_not_outrank_its_record(tmp_path: Path) -> None:
    """A crash in the midst of cleaning up leaves an older checkpoint; measuring one more probe must not train again."""
    sweep, folder = interrupted(tmp_path, after=3)
    left_over = shutil.copytree(folder, tmp_path / "left over")
    sweep.run()
    before = seconds(sweep)
    shutil.copytree(left_over, folder)
    state, rows = execution._left_off(BASELINE, sweep.store, {})
    assert state
    assert state.epoch == BASELINE.epochs
    assert [row["seconds"] for row in rows] == before
