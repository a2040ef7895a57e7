"""How much of a grid's front a search finds for how much of its epochs, replayed on curves that are known.

    python benchmarks/search.py [--seeds 40] [--table voc shapes] [--picture docs/search.png]
    python benchmarks/search.py --record results/shapes_table     # make benchmarks/shapes_table.csv from a store

Tables: `voc`, 48 published runs (2 models x 2 depths x 4 losses x 3 lambdas, 50 epochs each) on VOC 2007; `shapes`, our
own grid on generated images (shapes_table.yaml: 2 depths x 4 losses x 6 lambdas, 8 epochs). A replayed trial yields its
recorded epochs one by one. What counts is the validated front over (F1, EPG) of every epoch that was trained: its
hypervolume above the worst corner of the whole grid's front, less a tenth of its range, as a share of the whole grid's.

Beside ours, on the same cells: Optuna's TPE alone and Ray Tune's OptunaSearch, each told a trial's last epoch. They may
suggest a cell again, which then costs its epochs again.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray

from mgsweep.pareto import front, hypervolume
from mgsweep.plan.schema import Budget, EarlyStop, Search
from mgsweep.plan.space import Choice, Space, space_of
from mgsweep.search.curves import Curve
from mgsweep.search.stopping import Group
from mgsweep.search.study import Study
from mgsweep.store import Store
from mgsweep.trial import Trial

ROOT = Path(__file__).parents[1]
OBJECTIVES = ("f1", "epg")
KEYS = ["model", "attribution", "depth", "loss", "lambda_loc"]
SHARES = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
STOPS = {"voc": [5, 10, 20], "shapes": [1, 2, 4]}
Walk = list[tuple[int, float]]
"""Epochs spent so far and the share of the hypervolume reached, after each epoch."""


@dataclass(frozen=True)
class Table:
    """Trials whose every epoch is known."""

    name: str
    curves: dict[str, Curve]
    trials: dict[str, Trial]

    @property
    def space(self) -> Space:
        return space_of(self.trials.values())

    @property
    def epochs(self) -> int:
        return sum(len(curve.epochs) for curve in self.curves.values())


@cache
def table(name: str) -> Table:
    rows = voc() if name == "voc" else pd.read_csv(ROOT / "benchmarks/shapes_table.csv")
    curves, trials = {}, {}
    for key, own in rows.sort_values("epoch").groupby(KEYS, sort=True):
        cell = dict(zip(KEYS, key, strict=True))
        trial = Trial(**cell, dataset="voc2007", epochs=len(own), parent=cell["model"])
        curves[trial.id] = Curve(own["epoch"].to_numpy(), own[[*OBJECTIVES]].to_numpy(), np.empty((len(own), 0)))
        trials[trial.id] = trial
    return Table(name, curves, trials)


def voc() -> pd.DataFrame:
    rows = pd.read_csv(ROOT / "tests/support/recorded_curves.csv", comment="#")
    whole = (rows["bbox_fraction"] == 1) & (rows["bbox_dilation"] == 0) & rows["depth"].isin(["input", "final"])
    return rows[(rows["origin"] == "curves") & (rows["loss"] != "none") & whole]


def record(folder: Path) -> None:
    """Write the curves of a finished sweep as the table `shapes`."""
    rows = Store(folder).frame()
    own = (rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == rows["depth"])
    rows = rows[(rows["loss"] != "none") & (rows["split"] == "val") & own]
    rows = rows.drop_duplicates([*KEYS, "epoch"]).sort_values([*KEYS, "epoch"])
    rows = rows[[*KEYS, "epoch", *OBJECTIVES]].round(dict.fromkeys(OBJECTIVES, 5))
    rows.to_csv(ROOT / "benchmarks/shapes_table.csv", index=False)


# Replays


class Account:
    """What has been spent and what has been reached of the front of some curves."""

    def __init__(self, curves: list[Curve]) -> None:
        every = np.concatenate([curve.points for curve in curves])
        best = every[front(every)]
        self._corner = best.min(axis=0) - 0.1 * (best.max(axis=0) - best.min(axis=0))
        self._whole = hypervolume(best, self._corner)
        self._reached = np.empty((0, len(OBJECTIVES)))

    def add(self, point: NDArray[np.float64]) -> None:
        self._reached = np.concatenate([self._reached, point[None]])
        self._reached = self._reached[front(self._reached)]

    @property
    def share(self) -> float:
        return hypervolume(self._reached, self._corner) / self._whole


class Picker:
    """Chooses the next trial. `panels`: trials of another model or depth do not compete, as in a grid."""

    panels = False

    def next(self) -> Trial | None:
        raise NotImplementedError

    def tell(self, trial: Trial, curve: Curve) -> None:
        """How it came out."""


class InOrder(Picker):
    """A grid in any order."""

    def __init__(self, table: Table, seed: int, panels: bool = False) -> None:
        self.panels = panels
        self._left = list(table.trials.values())
        random.Random(seed).shuffle(self._left)

    def next(self) -> Trial | None:
        return self._left.pop() if self._left else None


class Ours(Picker):
    """The study of `mgsweep run`."""

    def __init__(self, table: Table, seed: int, sampler: str) -> None:
        self._study = Study(table.space, Search(budget=Budget(trials=1), sampler=sampler, seed=seed))

    def next(self) -> Trial | None:
        return self._study.ask()

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._study.tell(trial, curve)


class OptunaAlone(Picker):
    """Optuna's TPE as its documentation shows it, over the indices of the cells' values."""

    def __init__(self, table: Table, seed: int) -> None:
        self._space = table.space
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(directions=["maximize"] * len(OBJECTIVES), sampler=sampler)

    def next(self) -> Trial | None:
        while True:
            self._asked = self._study.ask()
            place = {
                axis.name: self._asked.suggest_int(axis.name, 0, len(axis.options) - 1)
                if isinstance(axis, Choice)
                else self._asked.suggest_float(axis.name, 0, 1)
                for axis in self._space.axes
            }
            if trial := self._space.trial(place):
                return trial
            self._study.tell(self._asked, state=optuna.trial.TrialState.FAIL)

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._study.tell(self._asked, curve.points[-1].tolist())


class OptunaSearchOfTune(Picker):
    """Ray Tune's searcher, called as Tune calls it."""

    def __init__(self, table: Table, seed: int) -> None:
        from ray import tune
        from ray.tune.search.optuna import OptunaSearch

        self._space, self._number = table.space, 0
        space = {
            axis.name: tune.randint(0, len(axis.options)) if isinstance(axis, Choice) else tune.uniform(0, 1)
            for axis in self._space.axes
        }
        logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
        self._search = OptunaSearch(space, metric=[*OBJECTIVES], mode=["max"] * len(OBJECTIVES), seed=seed)

    def next(self) -> Trial | None:
        while True:
            self._number += 1
            place = self._search.suggest(str(self._number))
            if trial := self._space.trial(place):
                return trial
            self._search.on_trial_complete(str(self._number), error=True)

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._search.on_trial_complete(str(self._number), dict(zip(OBJECTIVES, curve.points[-1].tolist(), strict=True)))


def replay(table: Table, pick: Picker, stop: EarlyStop | None = None, limit: float = 1.0) -> Walk:
    """Run one trial after the other, until nothing is left or this share of the grid's epochs is spent."""
    panels: dict[Any, Account] = {}
    for key in {_panel(trial, pick) for trial in table.trials.values()}:
        panels[key] = Account([table.curves[name] for name, t in table.trials.items() if _panel(t, pick) == key])
    groups = {key: Group(stop) for key in panels} if stop else {}
    walk: Walk = [(0, 0.0)]
    while len(walk) <= limit * table.epochs and (trial := pick.next()):
        curve, panel, last = table.curves[trial.id], _panel(trial, pick), 0
        for epoch, point in zip(curve.epochs.tolist(), curve.points, strict=True):
            last = epoch
            panels[panel].add(point)
            walk.append((len(walk), float(np.mean([account.share for account in panels.values()]))))
            ended = epoch == trial.epochs
            if groups and (ended or epoch in groups[panel].rule.at):
                groups[panel].know(trial.id, curve.until(epoch), ended)
                if not ended and groups[panel].stops(trial.id, epoch):
                    break
        pick.tell(trial, curve.until(last))
    return walk


def _panel(trial: Trial, pick: Picker) -> Any:
    return (trial.model, trial.depth) if pick.panels else ()


# What is shown


def at(walk: Walk, share: float, epochs: int) -> float:
    """The share of the hypervolume reached for this share of the grid's epochs."""
    return walk[min(int(share * epochs), len(walk) - 1)][1]


def until(walk: Walk, level: float, epochs: int) -> float:
    """The share of the grid's epochs that it took to reach this share of its hypervolume; infinite if it did not."""
    return next((spent / epochs for spent, share in walk if share >= level), float("inf"))


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % bootstrap interval."""
    draw = np.random.default_rng(0)
    means = np.mean(draw.choice(values, (4000, len(values))), axis=1)
    return float(np.mean(values)), *map(float, np.percentile(means, [2.5, 97.5]))


def methods(name: str) -> dict[str, tuple[Callable[[Table, int], Picker], EarlyStop | None]]:
    halving, curve = (EarlyStop(at=STOPS[name], rule=rule) for rule in ("halving", "curve"))
    found: dict[str, tuple[Callable[[Table, int], Picker], EarlyStop | None]] = {}
    for label, stop in (("", None), (" + halving", halving), (" + curve", curve)):
        found[f"grid{label}"] = InOrder, stop
        for sampler in ("random", "tpe", "nsga2"):
            found[f"{sampler}{label}"] = lambda table, seed, sampler=sampler: Ours(table, seed, sampler), stop
    return {**found, "Optuna alone": (OptunaAlone, None), "Tune's OptunaSearch": (OptunaSearchOfTune, None)}


def compare(name: str, seeds: int) -> dict[str, list[Walk]]:
    known = table(name)
    print(f"\n{name}: {len(known.trials)} trials, {known.epochs} epochs, {seeds} seeds; share of the hypervolume")
    print(f"{'':24}" + "".join(f"{f'at {share:.0%}':>9}" for share in SHARES) + "   epochs to 95 % (quartiles)")
    walks: dict[str, list[Walk]] = {}
    for label, (make, stop) in methods(name).items():
        walks[label] = [replay(known, make(known, seed), stop) for seed in range(seeds)]
        reached = [np.median([at(walk, share, known.epochs) for walk in walks[label]]) for share in SHARES]
        took = np.percentile([until(walk, 0.95, known.epochs) for walk in walks[label]], [50, 25, 75], method="lower")
        print(
            f"{label:24}" + "".join(f"{100 * value:9.1f}" for value in reached)
            + "   {:.1%} ({:.1%} to {:.1%})".format(*took),
            flush=True,
        )  # fmt: skip
    for better, worse in (("tpe", "random"), ("tpe + halving", "random"), ("tpe + halving", "Tune's OptunaSearch")):
        gains = [
            100 * (at(one, 0.35, known.epochs) - at(other, 0.35, known.epochs))
            for one, other in zip(walks[better], walks[worse], strict=True)
        ]
        text = "{:+.1f} points (95 % interval {:+.1f} to {:+.1f})".format(*interval(gains))
        print(f"{better} over {worse}, at 35 % of the epochs: {text}")
    return walks


def stopping(name: str, seeds: int) -> None:
    """What early stop alone saves of a grid, its four panels each with a front of its own, or with one front."""
    known = table(name)
    for panels in (True, False):
        for rule, keep in (("halving", 0.5), ("halving", 0.34), ("curve", 0.5)):
            stop = EarlyStop(at=STOPS[name], rule=rule, keep=keep)
            walks = [replay(known, InOrder(known, seed, panels), stop) for seed in range(seeds)]
            saved = np.median([1 - walk[-1][0] / known.epochs for walk in walks])
            lost = np.percentile([1 - walk[-1][1] for walk in walks], [50, 90])
            what = f"{rule} {keep:g} at {stop.at}, {'a front a panel' if panels else 'one front'}"
            print(f"early stop alone, {what}: saves {saved:.1%}, loses {lost[0]:.1%} (90 % of seeds <= {lost[1]:.1%})")


def overhead() -> None:
    """What asking and rebuilding cost."""
    trials = [
        Trial(dataset="shapes", model="bcos", attribution="bcos", depth=depth, loss=loss, lambda_loc=n + 1, parent="p")
        for n in range(1300) for depth in ("input", "final") for loss in ("energy", "l1", "ppce", "rrr")
    ]  # fmt: skip
    draw, space = np.random.default_rng(0), space_of(trials)
    random.Random(0).shuffle(trials)
    curve = Curve(np.arange(1, 51), draw.random((50, 2)), np.empty((50, 0)))
    for count in (2000, 10000):
        began = time.process_time()
        study = Study(space, Search(budget=Budget(trials=1)))
        for trial in trials[:count]:
            study.add(trial)
            study.tell(trial, Curve(curve.epochs, draw.random((50, 2)), curve.excess))
        built = time.process_time() - began
        study.ask()  # lists the cells, once
        took = []
        for _ in range(5):
            began = time.process_time()
            study.ask()
            took.append(time.process_time() - began)
        asked = f"asked in {1000 * np.median(took):.0f} ms"
        print(f"{count} told trials: study made in {built:.2f} s, {asked} of processor time (tpe)")


def picture(walks: dict[str, dict[str, list[Walk]]], file: Path) -> None:
    from matplotlib.figure import Figure

    looks = {
        "grid": ("0.45", ":"), "random": ("#E69F00", "-"), "nsga2": ("#009E73", "-"), "tpe": ("#0072B2", "-"),
        "tpe + halving": ("#D55E00", "-"), "Tune's OptunaSearch": ("#CC79A7", "--"), "Optuna alone": ("0.2", "-."),
    }  # fmt: skip
    figure = Figure(figsize=(6.9, 2.9), layout="constrained", dpi=200)
    for axes, (name, own) in zip(figure.subplots(1, len(walks), squeeze=False)[0], walks.items(), strict=True):
        epochs, shares = table(name).epochs, np.linspace(0, 1, 201)
        for label, (color, line) in looks.items():
            reached = np.array([[at(walk, share, epochs) for share in shares] for walk in own[label]])
            low, middle, high = (100 * np.percentile(reached, q, axis=0) for q in (25, 50, 75))
            axes.plot(100 * shares, middle, line, color=color, label=label, linewidth=1.2)
            if label in ("random", "tpe + halving"):
                axes.fill_between(100 * shares, low, high, color=color, alpha=0.15, linewidth=0)
        axes.axhline(95, color="0.6", linewidth=0.6, linestyle=":")
        axes.set(xlim=(0, 100), ylim=(50, 100.5), xlabel="epochs spent (% of the grid)", title=name)
        axes.grid(color="0.92", linewidth=0.5)
    figure.axes[0].set_ylabel("hypervolume (% of the grid)")
    figure.axes[-1].legend(fontsize=7, loc="lower right", frameon=False)
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--table", nargs="+", choices=STOPS, default=list(STOPS))
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    if asked.record:
        record(asked.record)
        return
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    overhead()
    walks = {}
    for name in asked.table:
        walks[name] = compare(name, asked.seeds)
        stopping(name, asked.seeds)
    if asked.picture:
        picture(walks, asked.picture)


if __name__ == "__main__":
    main()
