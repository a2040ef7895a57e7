"""Whether a search (tpe) gains by a warm start from another data set, replayed on curves that are known.

    python benchmarks/search_transfer.py [--seeds 30] [--target voc coco shapes]

Cold and warm with the same seeds, with and without early stop, up to 70 % of the grid's epochs; a search that has not
reached 95 % of the grid's hypervolume by then counts as if it just did. Warm, the like of the other data set's best
trials is tried, either all before the study is asked or in turn with its answers.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from search import STOPS, interval
from search_pickers import Ours
from search_replays import replay, until
from search_tables import Table, table

from mgsweep.plan.schema import EarlyStop
from mgsweep.search.stopping import ranked
from mgsweep.trial import Trial

PAIRS = (("voc", "coco"), ("coco", "voc"), ("voc", "shapes"), ("shapes", "voc"))
ALIKE = ("model", "depth", "loss")
RULES = {"the best 10 first": (10, 1), "the best 5 in turn": (5, 2)}
LIMIT = 0.7


class Warm(Ours):
    """Of every so many trials the first is one of those given, as long as there are any."""

    def __init__(self, table: Table, seed: int, given: Sequence[Trial], every: int) -> None:
        super().__init__(table, seed, "tpe")
        self._given, self._every, self._asked = list(given), every, 0

    def next(self) -> Trial | None:
        self._asked += 1
        while self._given and self._asked % self._every == 1 % self._every:
            trial = self._given.pop(0)
            if trial not in self._study:
                self._study.add(trial)
                return trial
        return super().next()


def like(target: Table, source: Table) -> list[Trial]:
    """The trials of the target that are most like the best of the source, the best first."""
    best = (source.trials[name] for name in ranked({name: curve.feasible for name, curve in source.curves.items()}))
    found: dict[Trial, None] = {}
    for trial in best:
        fits = [other for other in target.trials.values() if all(getattr(other, k) == getattr(trial, k) for k in ALIKE)]
        if fits:
            found[min(fits, key=lambda other: abs(other.lambda_loc - trial.lambda_loc))] = None
    return [*found]


def took(target: Table, seeds: int, stop: EarlyStop | None, make: partial[Ours]) -> NDArray[np.float64]:
    """The share of the epochs that each search needs."""
    walks = [replay(target, make(target, seed), stop, LIMIT) for seed in range(seeds)]
    return np.array([min(LIMIT, until(walk, 0.95, target.epochs)) for walk in walks])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--target", nargs="+", choices=("voc", "coco", "shapes"), default=("voc", "coco", "shapes"))
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print("epochs to 95 % of the hypervolume, medians; points saved, mean and 95 % interval")
    for name, other in (pair for pair in PAIRS if pair[0] in asked.target):
        target, best = table(name), like(table(name), table(other))
        for stop in (None, EarlyStop(at=STOPS[name])) if name in STOPS else (None,):
            cold = took(target, asked.seeds, stop, partial(Ours, sampler="tpe"))
            for rule, (count, every) in RULES.items():
                warm = took(target, asked.seeds, stop, partial(Warm, given=best[:count], every=every))
                saved = "{:+.1f} ({:+.1f} to {:+.1f})".format(*interval(list(100 * (cold - warm))))
                what = f"{name} from {other}{' + halving' if stop else ''}, {rule}"
                print(f"{what:50} {np.median(cold):.1%} -> {np.median(warm):.1%}   saved {saved}", flush=True)


if __name__ == "__main__":
    main()
