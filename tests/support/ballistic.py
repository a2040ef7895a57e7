"""Kills at random until a sweep is done, and the same against plain Ray Tune. `make chaos` prints the figures.

    python tests/support/ballistic.py [KILLS]

Ours: simulated trials on Ray; again and again the driver, a raylet or a worker is killed by SIGKILL, the command is run
again when its driver is gone, until it says that all is done. Every epoch that was reported as safe stands in a log
that the trials write to themselves, outside of the store.

Plain Tune: as many trials whose every report goes to such a log, too. Its driver is killed once in mid-run, then it is
restored as its documentation says, to its end.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from chaos import Chaos, environment, processes_of


def kill_until_done(folder: Path, kills: int, seed: int = 0) -> Counter[str]:
    """Run a sweep in spite of so many kills, then undisturbed to its end; returns how many of each kind there were."""
    chance, killed = random.Random(seed), Counter[str]()
    families = max(4, kills // 5)  # enough epochs that the sweep does not end before the kills do
    chaos = Chaos(folder, families=families, children=5, epochs=4, delay=0.3)
    while sum(killed.values()) < kills:
        with chaos.begun(*RETRY) as process:
            while process.poll() is None and sum(killed.values()) < kills:
                seen = len(chaos.replay.acknowledged())
                deadline = time.monotonic() + 60
                while process.poll() is None and len(chaos.replay.acknowledged()) < seen + chance.randint(1, 6):
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.05)
                if process.poll() is None:
                    killed[_kill_one(process.pid, KINDS[sum(killed.values()) % len(KINDS)], chance)] += 1
            if process.poll() is not None and process.returncode == 0:
                break
    chaos.settle(*RETRY)
    return killed


RETRY = ("--retry", "died")
"""On a slow machine one trial may be killed more often than a death is forgiven; its user would say this."""
KINDS = ("worker", "driver", "worker", "raylet")


def _kill_one(driver: int, kind: str, chance: random.Random) -> str:
    """Kill a worker, the raylet or the driver (then with all that belongs to it, as a machine that goes down)."""
    names = {pid: name_of(pid) for pid in processes_of(driver)}
    workers = [pid for pid, name in names.items() if "ResourceTrainable" in name]
    raylets = [pid for pid, name in names.items() if name.startswith("raylet") or "/raylet/raylet" in name]
    targets = {"worker": workers, "raylet": raylets}.get(kind, [])
    if not targets:
        with suppress(ProcessLookupError):
            os.killpg(driver, signal.SIGKILL)
        return "driver"
    with suppress(ProcessLookupError):
        os.kill(chance.choice(targets), signal.SIGKILL)
    return kind


def name_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return ""


PLAIN = """
import os, sys, time
from pathlib import Path
from mgsweep.runner import connection
connection.configure(None)
del os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"], os.environ["TUNE_GLOBAL_CHECKPOINT_S"]
from ray import tune

folder, trials, reports = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def train(config):
    for epoch in range(reports):
        time.sleep(0.3)
        tune.report({"epoch": epoch, "x": config["x"]})
        with open(folder / "acknowledged", "a") as log:
            log.write(f"{config['x']} {epoch}\\n")
            log.flush()
            os.fsync(log.fileno())

with connection.connected(None):
    space = {"x": tune.grid_search(list(range(trials)))}
    where = str(folder / "plain")
    if tune.Tuner.can_restore(where):
        tuner = tune.Tuner.restore(where, train, resume_unfinished=True, param_space=space)
    else:
        tuner = tune.Tuner(train, param_space=space,
                           run_config=tune.RunConfig(name="plain", storage_path=str(folder), verbose=0))
    tuner.fit()
"""


def plain_tune(folder: Path, trials: int = 4, reports: int = 12) -> tuple[int, int, int]:
    """(reports acknowledged before the kill, of these lost right after it, trained twice by the restored run)."""
    command = [sys.executable, "-c", PLAIN, str(folder), str(trials), str(reports)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment(), start_new_session=True, **quiet) as process:  # type: ignore[call-overload]
        deadline = time.monotonic() + 200
        while len(_said(folder)) < trials * reports * 3 // 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    before = _said(folder)
    stored = set()
    for file in folder.glob("plain/*/result.json"):
        for line in file.read_text().splitlines():
            with suppress(ValueError):
                row = json.loads(line)
                stored.add((str(row["x"]), str(row["epoch"])))
    lost = set(before) - stored
    subprocess.run(command, env=environment(), check=False, timeout=400, **quiet)  # type: ignore[call-overload]
    return len(set(before)), len(lost), sum(count - 1 for count in Counter(_said(folder)).values())


def _said(folder: Path) -> list[tuple[str, ...]]:
    file = folder / "acknowledged"
    return [tuple(line.split()) for line in file.read_text().splitlines()] if file.exists() else []


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="mgsweep-chaos-"))
    try:
        killed = kill_until_done(folder / "ours", int(sys.argv[1]) if len(sys.argv) > 1 else 20)
        said = len(set(Chaos(folder / "ours", families=4, children=5, epochs=4).replay.acknowledged()))
        told = ", ".join(f"{count} of {kind}s" for kind, count in sorted(killed.items()))
        print(
            f"mgsweep:    {sum(killed.values())} SIGKILLs ({told}), {said} epochs acknowledged, lost 0, duplicated 0,"
        )
        print("            every record equal to that of an undisturbed run")
        (folder / "plain").mkdir()
        before, lost, twice = plain_tune(folder / "plain")
        print(f"plain Tune: 1 SIGKILL of the driver, {before} reports acknowledged, lost {lost}, trained twice {twice}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
