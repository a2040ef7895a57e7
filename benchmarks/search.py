"""How much of a grid's front a search finds for how much of its epochs, replayed on curves that are known.

    python benchmarks/search.py [--seeds 40] [--table voc shapes] [--picture docs/search.png]

`search_tables.py` has the curves, `search_replays.py` what counts, `search_pickers.py` what is compared: ours, and on
the same cells Optuna's TPE alone and Ray Tune's OptunaSearch. `search_overhead.py` measures what asking costs.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
from matplotlib.figure import Figure
from search_pickers import InOrder, OptunaAlone, OptunaSearchOfTune, Ours, Picker
from search_replays import Walk, at, replay, until
from search_tables import Table, table

from analysis.figures import style
from mgsweep.plan.schema import EarlyStop

SHARES = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
STOPS = {"voc": [5, 10, 20], "shapes": [1, 2, 4]}
TITLES = {"voc": "VOC 2007", "shapes": "Shapes"}


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


LOOKS = {
    "grid": ("a grid in random order", "0.45", ":"),
    "random": ("random", "#E69F00", "-"),
    "nsga2": ("NSGA-II", "#009E73", "-"),
    "tpe": ("TPE", "#0072B2", "-"),
    "tpe + halving": ("TPE with early stop", "#D55E00", "-"),
    "Tune's OptunaSearch": ("Tune's OptunaSearch", "#CC79A7", "--"),
    "Optuna alone": ("Optuna alone", "0.2", "-."),
}


@style.paper()
def picture(walks: dict[str, dict[str, list[Walk]]], file: Path) -> None:
    entries = [(said, {"color": color, "linestyle": line}) for said, color, line in LOOKS.values()]
    figure = Figure(figsize=(6.9, 2.9), layout="constrained", dpi=200)
    for axes, (name, own) in zip(figure.subplots(1, len(walks), squeeze=False)[0], walks.items(), strict=True):
        known, shares = table(name), np.linspace(0, 1, 201)
        for method, (_, color, line) in LOOKS.items():
            reached = np.array([[at(walk, share, known.epochs) for share in shares] for walk in own[method]])
            low, middle, high = (100 * np.percentile(reached, q, axis=0) for q in (25, 50, 75))
            axes.plot(100 * shares, middle, line, color=color)
            if method in ("random", "tpe + halving"):
                axes.fill_between(100 * shares, low, high, color=color, alpha=0.15, linewidth=0)
        axes.axhline(95, color="0.6", linewidth=0.6, linestyle=":")
        axes.set(xlim=(0, 100), ylim=(50, 100.5), xlabel="epochs spent (% of the grid)")
        axes.set_title(f"{TITLES[name]}: {len(known.trials)} trials")
        axes.grid(color="0.92", linewidth=0.5)
    figure.axes[0].set_ylabel("hypervolume (% of the grid)")
    style.legend(figure, entries)
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--table", nargs="+", choices=STOPS, default=list(STOPS))
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    walks = {}
    for name in asked.table:
        walks[name] = compare(name, asked.seeds)
        stopping(name, asked.seeds)
    if asked.picture:
        picture(walks, asked.picture)


if __name__ == "__main__":
    main()
