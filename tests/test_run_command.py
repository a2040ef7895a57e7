"""What `mgsweep run` says and leaves behind: its summary, the command it advises, shards, forgiven failures."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chaos import Chaos, Silent
from replay import Mishap, Replay
from typer.testing import CliRunner

from mgsweep import runner
from mgsweep.cli import app
from mgsweep.cli.run import _write_down as write_down
from mgsweep.cli.summary import useful
from mgsweep.guidance.training import Epoch
from mgsweep.plan.arguments import shard, shard_sizes
from mgsweep.runner import Outcome, Places, local, preflight
from mgsweep.store import Store
from mgsweep.store.states import state_of
from mgsweep.trial import Trial


@pytest.fixture
def chaos(tmp_path: Path) -> Chaos:
    return Chaos(tmp_path, epochs=4)


def mgsweep(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def train(chaos: Chaos) -> None:
    planned = chaos.plan
    chaos.store.begin(planned.text, planned.trials)
    agenda = runner.agenda(planned, chaos.store)
    local.run(agenda, Places(chaos.store.path), Silent(), planned.resources, Replay())


def test_the_summary_counts_the_trials_that_were_asked_for(chaos: Chaos) -> None:
    """Not those that another command had stopped."""
    train(chaos)
    stopped, *_ = [trial for trial in chaos.plan.trials if trial.lambda_loc == 1.0]
    (chaos.store.path / f"trials/{stopped.id}.parquet").unlink()
    chaos.store.stop(stopped.id)
    store = ("--store", chaos.store.path.parent)
    assert "all 4 done" in mgsweep("run", chaos.file, "--only", "lambda_loc=2", *store)
    assert "7 done, 1 stopped early" in mgsweep("run", chaos.file, *store)


@pytest.mark.parametrize(
    ("stopped", "advised"),
    [
        ("--until is reached", "run a.yaml --budget=3"),
        ("--budget 3h is used up", "run a.yaml --until 18:30"),
        ("interrupted", "run a.yaml --until 18:30 --budget=3"),
    ],
)
def test_the_limit_that_ended_the_run_is_not_advised_again(stopped: str, advised: str) -> None:
    typed = ["run", "a.yaml", "--until", "18:30", "--budget=3"]
    assert useful(typed, Outcome(0, 0, 0, 1, stopped)) == advised.split()
    assert useful(typed, None) == typed


def simulated(monkeypatch: pytest.MonkeyPatch, training: Callable[..., object]) -> None:
    monkeypatch.setattr(local, "run", partial(local.run, training=training))
    monkeypatch.setattr(preflight, "check", lambda trials, places: None)


def test_a_budget_that_is_used_up_asks_for_a_larger_one(chaos: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated(monkeypatch, Replay())
    typed = ("run", chaos.file, "--local", "--store", chaos.store.path.parent, "--budget", "0.001")
    monkeypatch.setattr("sys.argv", ["mgsweep", *map(str, typed)])
    said = mgsweep(*typed, code=1)
    assert "0 of 8 done, every finished epoch is kept. Resume with a larger --budget: mgsweep run" in said
    assert "--budget 0.001" not in said.split("Resume")[1]


def test_what_failed_is_advised_to_be_tried_again_once(chaos: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, *_ = chaos.plan.trials
    simulated(monkeypatch, Replay(mishaps={failing.id: Mishap("bug")}))
    typed = ("run", chaos.file, "--local", "--retry", "bug", "--retry=all", "--store", chaos.store.path.parent)
    monkeypatch.setattr("sys.argv", ["mgsweep", *map(str, typed)])
    _, again = mgsweep(*typed, code=1).split("Again: ")
    assert again.split() == f"mgsweep run {chaos.file} --local --store {chaos.store.path.parent} --retry all".split()


def test_a_failure_is_forgiven_until_the_trial_fails_anew(chaos: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, *_ = chaos.plan.trials
    command = ("run", chaos.file, "--local", "--store", chaos.store.path.parent)

    def states() -> str:
        return state_of(chaos.store)[failing.id]

    simulated(monkeypatch, Replay(mishaps={failing.id: Mishap("bug", epoch=2)}))
    mgsweep(*command, code=1)
    assert states() == "failed"
    simulated(monkeypatch, interrupted_after(3, failing))
    mgsweep(*command, "--retry", "all", code=130)
    assert states() == "interrupted"
    simulated(monkeypatch, Replay(mishaps={failing.id: Mishap("bug", epoch=4)}))
    assert "1 failed. Look" in mgsweep(*command, code=1), "it was not taken up again"
    assert [attempt["forgiven"] for attempt in chaos.store.attempts()[failing.id]] == [True, False]
    simulated(monkeypatch, Replay())
    mgsweep(*command, code=1)
    assert states() == "failed", "its new failure was forgiven, too"
    mgsweep(*command, "--retry", "bug")
    assert states() == "done"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 75), (signal.SIGINT, 130)], ids=str
)
def test_a_signal_while_the_data_are_decoded(
    chaos: Chaos, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    """Nothing is begun after it, and nothing runs whose end Ctrl-C would wait for."""
    simulated(monkeypatch, Replay())
    decoded: list[str] = []

    def decode(*_: object) -> None:
        os.kill(os.getpid(), number)
        decoded.append("to the end")

    monkeypatch.setattr(preflight, "check", decode)
    said = mgsweep("run", chaos.file, "--local", "--store", chaos.store.path.parent, code=code)
    assert not chaos.store.path.exists()
    assert bool(decoded) == ("0 of 8 done, every finished epoch is kept" in said) == (code == 75)


def test_what_another_driver_stops_meanwhile_stays_stopped(chaos: Chaos) -> None:
    """While this one decodes the data and starts Ray. Only those it was asked to continue lose their mark."""
    before, meanwhile, *_ = chaos.plan.trials
    chaos.store.stop(before.id)
    agendas = [runner.agenda(chaos.plan, chaos.store, continue_stopped=continued) for continued in (False, True)]
    chaos.store.stop(meanwhile.id)
    for agenda, left in zip(agendas, ({before.id, meanwhile.id}, {meanwhile.id}), strict=True):
        write_down(chaos.plan, agenda, Places(chaos.store.path))
        assert chaos.store.stopped() == left


def interrupted_after(epoch: int, trial: Trial) -> Callable[..., object]:
    """A training with Ctrl-C in it."""

    def training(one: Trial, places: object, **options: Any) -> Iterator[Epoch]:
        for made in Replay()(one, places, **options):
            if one.id == trial.id and made.number == epoch:
                os.kill(os.getpid(), signal.SIGINT)
            yield made

    return training


def test_every_shard_is_told_and_an_empty_one_leaves_a_store_to_merge(
    chaos: Chaos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated(monkeypatch, Replay())
    trials = chaos.plan.trials
    count = next(count for count in range(3, 9) if 0 in shard_sizes(trials, f"1/{count}"))
    sizes = shard_sizes(trials, f"1/{count}")
    assert sizes == tuple(len(shard(trials, f"{number}/{count}")) for number in range(1, count + 1))
    told = f"shards 1 to {count} have {', '.join(map(str, sizes))} trials"
    stores = []
    for number, size in enumerate(sizes, 1):
        stores.append(tmp_path / f"shard{number}")
        part = (chaos.file, "--shard", f"{number}/{count}", "--store", stores[-1])
        assert told in mgsweep("plan", *part)
        assert told in mgsweep("run", *part, "--dry-run")
        assert not stores[-1].exists()
        said = mgsweep("run", *part, "--local")
        assert told in said
        assert ("No trial falls into this shard" in said) == (size == 0)
    mgsweep("merge", *stores, "--into", tmp_path / "all")
    assert Store(tmp_path / "all" / "chaos").finished() == {trial.id for trial in trials}
