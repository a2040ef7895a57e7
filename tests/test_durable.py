"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mgsweep import durable


def test_writes_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file"
    durable.write(file, b"one")
    durable.write(file, b"two")
    assert file.read_bytes() == b"two"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = tmp_path / "file"
    durable.write(file, b"old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(OSError, match="No space left"):
        durable.write(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_data_are_on_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, then rename, then fsync of the folder: any other order can lose the file at a power cut."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (calls.append(f"fsync {os.readlink(f'/proc/self/fd/{fd}')}"), fsync(fd))
    )
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("rename"), replace(a, b))[1])
    durable.write(tmp_path / "file", b"x")
    assert [call.partition(".file.")[0] for call in calls] == [f"fsync {tmp_path}/", "rename", f"fsync {tmp_path}"]


HOLD = "import sys, time, pathlib; from mgsweep import durable\n" + (
    "with durable.locked(pathlib.Path(sys.argv[1])) as ours:\n    print(ours, flush=True)\n    time.sleep(60)\n"
)


def test_a_lock_ends_with_its_process_even_by_sigkill(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    with holder.stdout:
        assert holder.stdout.readline() == "True\n"
        assert durable.is_locked(file)
        with durable.locked(file, blocking=False) as ours:
            assert not ours
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not durable.is_locked(file)
    with durable.locked(file, blocking=False) as ours:
        assert ours
        assert durable.is_locked(file)


def test_looking_for_a_lock_makes_none(tmp_path: Path) -> None:
    assert not durable.is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []
