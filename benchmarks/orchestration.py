"""What orchestration costs, without any training: simulated trials of one epoch that replay recorded curves.

    python benchmarks/orchestration.py                  100 and 1,000 trials, beside plain Ray Tune
    python benchmarks/orchestration.py --trials 10000
    python benchmarks/orchestration.py --resume 10000   a store in which 9 of 10 trials are done

Each line is measured in a process and on a private cluster of its own, in turn. "ours" does all that a real trial does:
lease, checkpoint, progress, weights and record, every file synced. The two plain Tuners write no results of their own:
"function" is `tune.Tuner(function)` as most write it, "reused" a class with `reuse_actors` and without loggers. "ms a
trial" is the time from the first trial's start to the end over the number of trials, "driver CPU" the driver's part of
it in processor time, which a busy machine does not distort; memory is what the driver grew by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from replay import Replay, plan, row_of, rows_of_member

from mgsweep import durable, runner
from mgsweep.runner import Places, cluster, connection
from mgsweep.store import Store
from mgsweep.trial import Trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--function", type=int, default=50, help="trials of the function API, which are slow")
    parser.add_argument("--resume", type=int, help="measure resuming a store of so many trials instead")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(MEASURED[options.one[0]](int(options.one[1]))))
    elif options.resume:
        print(json.dumps(resumed(options.resume), indent=1))
    else:
        compare([("function", options.function), *((way, n) for n in options.trials for way in ("ours", "reused"))])


def compare(cases: list[tuple[str, int]]) -> None:
    print(f"{'':10}{'trials':>8}{'ms a trial':>12}{'driver CPU':>12}{'KB a trial':>12}")
    for way, count in cases:
        command = [sys.executable, __file__, "--one", way, str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        each = (1000 * found["seconds"] / count, 1000 * found["cpu"] / count, found["bytes"] / count / 1000)
        print(f"{way:10}{count:8}{each[0]:12.1f}{each[1]:12.1f}{each[2]:12.1f}", flush=True)


def memory() -> int:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """A listener that notes when the first trial started, and the memory then."""

    def __init__(self) -> None:
        self.first = self.bytes = self.cpu = 0.0

    def started(self, trial: Trial) -> None:
        if not self.first:
            self.first, self.bytes, self.cpu = time.perf_counter(), memory(), time.process_time()

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None: ...
    def finished(self, trial: Trial) -> None: ...
    def stopped(self, trial: Trial) -> None: ...
    def failed(self, trial: Trial, error: str) -> None: ...
    def repeated(self, trial: Trial, error: str) -> None: ...
    def left(self, trial: Trial) -> None: ...


def ours(count: int) -> dict[str, float]:
    watch, planned = Watch(), plan(count, epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "simulated")
        agenda = runner.agenda(planned, store)
        store.begin(planned.text, planned.trials)
        outcome = cluster.run(agenda, Places(store.path), watch, planned.resources, training=Replay())
        assert outcome.finished == count, outcome
    return {
        "seconds": time.perf_counter() - watch.first,
        "cpu": time.process_time() - watch.cpu,
        "bytes": memory() - watch.bytes,
    }


def tuned(count: int, trainable: Any, **options: Any) -> dict[str, float]:
    """A plain Tuner over a grid of so many values."""
    from ray import tune

    with tempfile.TemporaryDirectory() as folder, connection.connected(None):
        unsaved = tune.CheckpointConfig(checkpoint_at_end=False)
        tuner = tune.Tuner(
            trainable,
            param_space={"x": tune.grid_search(list(range(count)))},
            tune_config=tune.TuneConfig(**options),
            run_config=tune.RunConfig(name="plain", storage_path=folder, verbose=0, checkpoint_config=unsaved),
        )
        before, begun, cpu = memory(), time.perf_counter(), time.process_time()
        results = tuner.fit()
        assert len(results) == count
        assert not results.errors
        return {
            "seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "bytes": memory() - before,
        }  # fmt: skip


def function(count: int) -> dict[str, float]:
    connection.configure(None)
    del os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"]
    from ray import tune

    return tuned(count, lambda config: tune.report({"f1": config["x"]}))


def reused(count: int) -> dict[str, float]:
    connection.configure(None)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str((os.cpu_count() or 1) + 1)  # as ours; Tune's own choice is slower
    from ray import tune

    class Trainable(tune.Trainable):
        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.config = new_config
            return True

        def step(self) -> dict[str, Any]:
            return {"f1": self.config["x"], "done": True}

    return tuned(count, Trainable, reuse_actors=True)


MEASURED = {"ours": ours, "function": function, "reused": reused}


def resumed(count: int) -> dict[str, float]:
    """How long it takes until the first trial starts, and what of that is the agenda; then reading all records."""
    planned, watch = plan(count, epochs=1), Watch()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "simulated")
        store.begin(planned.text, planned.trials)
        _fill(store, planned.trials[: count * 9 // 10])
        connection.configure(None)
        begun = time.perf_counter()
        store = Store(store.path)
        agenda = runner.agenda(planned, store)
        asked = time.perf_counter()
        store.begin(planned.text, planned.trials)
        written = time.perf_counter()
        store.frame()
        read = time.perf_counter()
        store.compact()
        compacted = time.perf_counter()
        Store(store.path).frame()
        again = time.perf_counter()
        agenda = runner.agenda(planned, Store(store.path))
        last = time.perf_counter()
        assert len(agenda.to_run) == count - count * 9 // 10
        few = type(agenda)(agenda.done, agenda.failed, agenda.blocked, agenda.to_run[:2])
        ray = time.perf_counter()
        cluster.run(few, Places(store.path), watch, planned.resources, training=Replay())
        return {
            "agenda": asked - begun, "begin": written - asked, "frame": read - written,
            "frame compacted": again - compacted, "agenda compacted": last - again,
            "Ray and first trial": watch.first - ray,
        }  # fmt: skip


def _fill(store: Store, trials: tuple[Trial, ...]) -> None:
    """Records as runs would have left them, without waiting for the disk."""
    sync, durable.os.fsync = os.fsync, lambda descriptor: None  # type: ignore[assignment]
    for trial in trials:
        described = {"sweep": "simulated", "id": trial.id, **trial.to_row()}
        rows = [row_of(trial, 1, split) for split in ("train", "val")] + rows_of_member(trial, 1)[-1:]
        store.commit(trial.id, [{**described, **row} for row in rows])
    durable.os.fsync = sync


if __name__ == "__main__":
    main()
