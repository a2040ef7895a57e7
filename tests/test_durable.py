"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mgsweep import durable
from mgsweep.errors import StoreError
from mgsweep.store import Store


def test_writes_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file"
    durable.write(tmp_path, "deep/file", b"one")
    durable.write(tmp_path, "deep/file", b"two")
    assert file.read_bytes() == b"two"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = tmp_path / "file"
    durable.write(tmp_path, "file", b"old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        durable.write(tmp_path, "file", b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_data_are_on_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, then rename, then fsync of the folder: any other order can lose the file at a power cut."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (calls.append(f"fsync {os.readlink(f'/proc/self/fd/{fd}')}"), fsync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("rename"), replace(a, b))[1])
    durable.write(tmp_path, "file", b"x")
    assert [call.partition(".file.")[0] for call in calls] == [f"fsync {tmp_path}/", "rename", f"fsync {tmp_path}"]
    calls.clear()
    durable.write_all(tmp_path, {"one": b"1", "two": b"2"})
    kinds = [call.partition("/.")[0] for call in calls]
    assert kinds == [f"fsync {tmp_path}", f"fsync {tmp_path}", "rename", "rename", f"fsync {tmp_path}"]
    assert [(tmp_path / name).read_bytes() for name in ("one", "two")] == [b"1", b"2"]


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


@pytest.mark.parametrize("said", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_there_are_no_locks_the_message_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int
) -> None:
    """As on Lustre that is mounted without -o flock."""
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: _raise(OSError(said, os.strerror(said))))
    with pytest.raises(OSError, match=f"knows no locks .*-o flock.*{tmp_path}/lock"), durable.locked(tmp_path / "lock"):
        pass
    with pytest.raises(StoreError, match=r"cannot write results here: .*knows no locks.*choose another --store"):
        Store(tmp_path / "demo").begin("name: demo", [])


def test_another_failure_to_lock_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: _raise(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OSError, match="Input/output error"), durable.locked(tmp_path / "lock"):
        pass


def test_looking_for_a_lock_makes_none(tmp_path: Path) -> None:
    assert not durable.is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_of_two_files_created_the_first_stays(tmp_path: Path) -> None:
    durable.write(tmp_path, "file", b"first", replace=False)
    with pytest.raises(FileExistsError):
        durable.write(tmp_path, "file", b"second", replace=False)
    assert (tmp_path / "file").read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_F30_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, content[:3]))
    durable.write(tmp_path, "file", b"more than three bytes")
    assert (tmp_path / "file").read_bytes() == b"more than three bytes"


def limited(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_F30_a_disk_that_takes_only_a_part(tmp_path: Path) -> None:
    """The kernel's own short write: 4096 bytes go in, the next write fails."""
    durable.write(tmp_path, "file", b"old")
    code = (
        "import sys, pathlib; from mgsweep.durable import write; write(pathlib.Path(sys.argv[1]), 'file', bytes(9999))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=lambda: limited(4096), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_passing_error_of_reading_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.write(tmp_path, "file", b"content")
    read, errors = os.read, [OSError(5, "Input/output error")]
    monkeypatch.setattr(os, "read", lambda fd, size: _raise(errors.pop()) if errors else read(fd, size))
    assert durable.read(tmp_path / "file") == b"content"


def _raise(error: OSError) -> bytes:
    raise error


def test_F34_a_link_on_the_way_is_refused_one_at_the_root_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "big")
    durable.write(tmp_path / "root", "a/file", b"x")
    assert (tmp_path / "big" / "a" / "file").read_bytes() == b"x"
    (tmp_path / "big" / "link").symlink_to(tmp_path / "big" / "a")
    for write in (durable.write, lambda root, name, _: durable.remove(root, name)):
        with pytest.raises(OSError, match="symbolic link"):
            write(tmp_path / "root", "link/file", b"y")
    assert (tmp_path / "big" / "a" / "file").read_bytes() == b"x"


def test_a_lock_on_a_file_that_was_removed_is_not_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last holder removes its file between our opening it and locking it."""
    file = tmp_path / "lock"
    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: (file.unlink(), flock(fd, how))[1])
    with durable.locked(file, blocking=False) as ours:
        assert not ours
