"""Faults of the store's surroundings: full, read-only and slow disks, other devices, wrong clocks, garbage of Ray's."""

from __future__ import annotations

import os
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from chaos import Chaos, Silent
from replay import Replay, plan

from mgsweep import durable, runner
from mgsweep.errors import StoreError
from mgsweep.runner import Outcome, Places, local
from mgsweep.store import Store


def run(store: Store, count: int = 3) -> Outcome:
    planned = plan(count)
    agenda = runner.agenda(planned, store)
    store.begin(planned.text, planned.trials)
    return local.run(agenda, Places(store.path), Silent(), planned.resources, Replay())


@pytest.mark.slow
def test_f29_a_full_disk_that_is_freed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        (disk / "ballast").write_bytes(bytes(1_000_000))
        store = Store(disk / "store")
        with suppress(StoreError):
            assert run(store).failed > 0
        assert all(failure["cause"] == "disk" for failure in store.failures().values())
        (disk / "ballast").unlink()
        assert run(store).failed == 0
        assert len(store.finished()) == 3
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_f33_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """Known before anything is trained. A file in the folder's place, as permissions mean nothing to root."""
    (tmp_path / "results").write_text("a file")
    chaos = Chaos(tmp_path)
    done = chaos.run("--local")
    assert done.returncode == 2
    assert "cannot write results here" in done.stderr
    assert "Traceback" not in done.stderr
    assert chaos.replay.acknowledged() == []


class Slow:
    """An `os` whose every call takes its time, and whose every fifth read says ESTALE."""

    def __init__(self) -> None:
        self._chance, self.calls, self.reads, self.errors = random.Random(0), 0, 0, 0

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        if name not in ("open", "read", "write", "fsync", "replace", "link", "unlink", "listdir"):
            return real

        def slowly(*arguments: object) -> object:
            self.calls += 1
            time.sleep(self._chance.uniform(0.0005, 0.005))
            self.reads += name == "read"
            if name == "read" and self.reads % 5 == 0:
                self.errors += 1
                raise OSError(116, "Stale file handle")
            return real(*arguments)

        return slowly


def test_f43_a_slow_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(durable, "os", slow)
    assert run(Store(tmp_path / "store")) == Outcome(3, 0, 0, 0)
    assert slow.calls > 200
    assert slow.errors > 0
    monkeypatch.undo()
    assert len(Store(tmp_path / "store").finished()) == 3


def test_f44_no_file_comes_from_another_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rename and link is within a folder, or between two of the store, wherever TMPDIR is."""
    monkeypatch.setenv("TMPDIR", "/dev/shm")
    moves: list[tuple[Path, Path]] = []

    def noted(name: str) -> object:
        return lambda old, new: (moves.append((Path(old), Path(new))), getattr(os, name)(old, new))[1]

    names = {name: getattr(os, name) for name in dir(os)}
    monkeypatch.setattr(durable, "os", SimpleNamespace(**{**names, "replace": noted("replace"), "link": noted("link")}))
    run(Store(tmp_path / "store"))
    assert len(moves) > 20
    assert all(file.is_relative_to(tmp_path / "store") for move in moves for file in move)


def test_f45_clocks_that_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day to and fro at every look: neither order nor leases nor durations come from the clock on the wall."""
    now, chance = time.time(), random.Random(0)
    monkeypatch.setattr(time, "time", lambda: now + chance.choice([-86400, 86400]))
    store = Store(tmp_path / "store")
    assert run(store) == Outcome(3, 0, 0, 0)
    rows = store.frame()
    assert (rows.seconds > 0).all()
    assert all(list(group.epoch[group.split == "val"]) == [1, 2, 3] for _, group in rows.groupby("id"))


def test_f48_what_ray_keeps_is_never_read(tmp_path: Path) -> None:
    """Of an earlier run, torn, and with a pickle that would do harm."""
    store = Store(tmp_path / "store")
    scratch = store.path / ".ray" / "0123"
    scratch.mkdir(parents=True)
    (scratch / "tuner.pkl").write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "harmed").encode())
    (scratch / "experiment_state-2026-01-01.json").write_text('{"trial_data": [')
    assert run(store) == Outcome(3, 0, 0, 0)
    assert runner.agenda(plan(3), store).to_run == ()
    assert not (tmp_path / "harmed").exists()
