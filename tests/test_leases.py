"""Leases: exclusive, ended by death, taken over when the count stands still, and then the old holder writes no more."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgsweep.store import Busy, Store, leases

TRIAL = "0123456789ab"

HOLD = """
import sys, time
from mgsweep.store import Store
with Store(sys.argv[1]).lease(sys.argv[2]) as lease, lease.renewed():
    print(lease is not None, flush=True)
    time.sleep(60)
"""


@contextmanager
def held_by_another_process(store: Store) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(store.path), TRIAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def elsewhere(store: Store, **changed: object) -> None:
    """Turn the lease that is there into one of another machine, whose locks this one does not see."""
    for file in (store.path / "running" / TRIAL).glob("lease.*"):
        count, _, text = file.read_text().partition(" ")
        fields = {**json.loads(text), "host": "node7", "kernel": "of node7"}
        file.write_text(f"{changed.get('count', count)} {json.dumps(fields)}\n")


def test_it_ends_with_its_process_even_by_sigkill(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with held_by_another_process(store) as process:
        found = store.holder(TRIAL)
        assert found
        assert (found.pid, found.number, found.here) == (process.pid, 1, True)
        with store.lease(TRIAL) as lease:
            assert lease is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not store.is_held(TRIAL)
    assert store.observer().live(f"running/{TRIAL}") is None
    with store.lease(TRIAL) as lease:
        assert lease
        lease.check()
        assert [file.name for file in (tmp_path / "running" / TRIAL).iterdir()] == ["lease.2"]
    assert list((tmp_path / "running" / TRIAL).iterdir()) == []


def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    assert Store(tmp_path).holder(TRIAL) is None
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_try_at_once_one_has_it(tmp_path: Path) -> None:
    store, got = Store(tmp_path), list[leases.Lease]()
    barrier = threading.Barrier(8)

    def attempt() -> None:
        barrier.wait()
        if lease := leases.take(store.path, f"running/{TRIAL}"):
            got.append(lease)

    for _ in range(20):
        got.clear()
        threads = [threading.Thread(target=attempt) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        got[0].check()
        got[0].release()


def test_F41_F42_another_machines_lease_is_dead_when_its_count_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the clock of whoever looks, and on no other; a pid that means something here too means nothing."""
    store, now = Store(tmp_path), [1000.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    with store.lease(TRIAL) as old:
        assert old
        elsewhere(store)
        observer = store.observer()
        for _ in range(5):  # as long as it counts it lives, however long that is
            now[0] += leases.STALE - 1
            old._renew()
            elsewhere(store)
            assert observer.live(f"running/{TRIAL}")
        now[0] += leases.STALE - 1
        seen = observer.live(f"running/{TRIAL}")
        assert seen
        now[0] += 2
        assert observer.live(f"running/{TRIAL}") is None
        with store.lease(TRIAL) as lease:
            assert lease is None, "it was taken over without having been observed"
        old.check()
        with store.lease(TRIAL, over=seen.number) as new:
            assert new
            new.check()
            with pytest.raises(Busy):
                old.check()
        with pytest.raises(Busy):
            old.check()


def test_F41_a_stopped_process_is_taken_over_and_finds_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(leases, "STALE", 0.3)
    with held_by_another_process(store) as process:
        os.kill(process.pid, signal.SIGSTOP)
        observer, looks = store.observer(), 0
        while found := observer.live(f"running/{TRIAL}"):
            number = found.number
            looks += 1
        assert looks > 1
        with store.lease(TRIAL, over=number) as lease:
            assert lease
            assert not (tmp_path / "running" / TRIAL / f"lease.{number}").exists()


def test_one_that_was_released_and_made_again_is_another(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = leases.take(store.path, f"running/{TRIAL}")
    assert first
    (tmp_path / "running" / TRIAL / "lease.1").unlink()
    with store.lease(TRIAL) as second:
        assert second
        with pytest.raises(Busy):
            first.check()
        first.release()
        second.check()


def test_a_file_that_says_nothing_counts_as_long_as_it_is_locked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.lease(TRIAL):
        (tmp_path / "running" / TRIAL / "lease.1").write_text("?")
        assert store.is_held(TRIAL)
    (tmp_path / "running" / TRIAL / "lease.1").write_text("?")
    with store.lease(TRIAL) as lease:
        assert lease


def test_a_holder_is_what_its_file_says(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.lease(TRIAL) as lease:
        assert lease
        before = store.holder(TRIAL)
        assert before == leases.Holder(1, os.uname().nodename, os.getpid(), leases.kernel(), 0)
        lease._renew()
        assert store.holder(TRIAL) == dataclasses.replace(before, count=1)
