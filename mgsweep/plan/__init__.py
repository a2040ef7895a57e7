"""From a sweep file to the trials it asks for: expanded, checked, each with its reason to exist or to be left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.own import OwnData
from mgsweep.guidance.validity import NAMES, is_own_data, why_unmeasurable
from mgsweep.plan.arguments import override, rescale, select, shard, shard_sizes
from mgsweep.plan.axes import SHARED, TRAINING
from mgsweep.plan.document import Document, parse, read
from mgsweep.plan.grid import Cell, Expansion, expand, misspelt
from mgsweep.plan.own_data import resolve
from mgsweep.plan.own_weights import resolve_weights
from mgsweep.plan.schema import EarlyStop, Resources, Search, Sweep
from mgsweep.plan.searching import Searched, searched
from mgsweep.plan.space import Space, space_of
from mgsweep.trial import Probe, Trial

__all__ = ["Plan", "called", "load", "scale_of"]


@dataclass(frozen=True)
class Plan:
    """What a sweep file asks for.

    `trials` are unique and ordered so that a parent stands before its children; `skipped` counts, by reason, the cells
    of the grids that make no trial; `data` holds the folders the file names, and the own data that it describes;
    `weights` the files of weights that it names. Of a search the trials are the baselines; what else is tried is chosen
    from `space` as results come in. `shards` says of a shard how many trials it and the others have.
    """

    name: str
    source: Path
    text: str
    trials: tuple[Trial, ...]
    skipped: Mapping[str, int]
    resources: Resources
    data: Mapping[str, Path | OwnData]
    weights: Mapping[str, Path]
    on_event: tuple[str, ...] = ()
    search: Search | None = None
    space: Space | None = None
    early_stop: EarlyStop | None = None
    shards: tuple[int, ...] = ()

    def shard(self, part: str) -> Plan:
        """The part of it that one of several clusters takes, see `arguments.shard`."""
        return replace(self, trials=shard(self.trials, part), shards=shard_sizes(self.trials, part))

    @property
    def baselines(self) -> tuple[Trial, ...]:
        """The unguided trials."""
        return tuple(trial for trial in self.trials if not trial.guided)

    @property
    def guided(self) -> tuple[Trial, ...]:
        """The trials that start from a baseline's best checkpoint."""
        return tuple(trial for trial in self.trials if trial.guided)


def load(
    path: str | os.PathLike[str], overrides: Iterable[str] = (), only: Iterable[str] = (), scale: str | None = None
) -> Plan:
    """Read a sweep file and derive its trials.

    Args:
        path: the sweep file.
        overrides: assignments as of `--set`, see `arguments.override`.
        only: assignments as of `--only`, see `arguments.select`.
        scale: a name of the file's section `scales`, which is written over the rest; the plan's name then ends with it.

    Raises:
        InvalidInput: every mistake in the file and the arguments, each with file, line, key and what to do.
    """
    document, only = read(path), tuple(only)
    if scale is not None:
        rescale(document, scale)
    for assignment in overrides:
        override(document, assignment)
    own, weights = resolve(document), resolve_weights(document)
    sweep = parse(document)
    expansions = [expand(document, sweep, number) for number in range(len(sweep.grids))]
    space = searched(document, sweep, sweep.search) if sweep.search and sweep.search.space else None
    parts: list[Expansion | Searched] = [*expansions, *([space] if space else [])]
    problems = [problem for found in parts for problem in found.problems]
    problems += _useless_probes(document, sweep, parts[0].cells if parts and not problems else [])
    problems += [*_undecided_training(document, sweep), *_mixed(document, sweep)]
    problems += [*_undescribed_data(document, parts, own), *_unsearched(sweep, only)]
    problems += _unknown_files(document, parts, weights)
    if problems:
        raise InvalidInput(problems)
    trials = tuple(_staged(sweep, [found.trials for found in parts]))
    return Plan(
        name=called(sweep.name, document.path, scale),
        source=document.path,
        text=document.path.read_text(encoding="utf-8"),
        trials=select((trial for trial in trials if not (sweep.search and trial.guided)), only),
        skipped=sum((found.skipped for found in expansions), Counter()),
        resources=sweep.resources,
        on_event=tuple(sweep.on_event),
        data={**{name: _folder(document.path, folder) for name, folder in sweep.data.items()}, **own},
        weights=weights,
        search=sweep.search,
        space=_space(sweep, space, trials) if sweep.search else None,
        early_stop=sweep.early_stop,
    )


def called(name: str | None, file: Path, scale: str | None) -> str:
    """What the results of a sweep are called, at a scale of it.

    One without a name is called like its file; the copy that a store keeps, sweep.yaml, like its folder, whose name
    has the scale in it.
    """
    ending = f"-{scale}" if scale else ""
    folder = file.resolve().parent.name.removesuffix(ending)
    return (name or (folder if file.name == "sweep.yaml" else file.stem)) + ending


def scale_of(said: Mapping[str, Any], file: Path, results: str) -> str | None:
    """The scale of a sweep file at which its results have this name."""
    scales = map(str, said.get("scales") or ())
    return next((scale for scale in scales if called(said.get("name"), file, scale) == results), None)


def _space(sweep: Sweep, space: Searched | None, trials: tuple[Trial, ...]) -> Space:
    """What a search chooses from: its own space, else the cells of the grids, staged as `trials`."""
    if space is None:
        return space_of(trial for trial in trials if trial.guided)
    baselines = {tuple(getattr(trial, key) for key in SHARED): trial for trial in trials if not trial.guided}
    probes = tuple(Probe(probe.attribution, probe.depth) for probe in sweep.probes)
    return Space(space.fixed, space.axes, baselines, probes, space.exclude)


def _unsearched(sweep: Sweep, only: Iterable[str]) -> Iterator[Problem]:
    if sweep.search and any(only):
        yield Problem("--only", "", "a search chooses its trials itself; narrow what it chooses from with --set")


def _mixed(document: Document, sweep: Sweep) -> Iterator[Problem]:
    """What grids and a search cannot mean together."""
    search = sweep.search
    if not sweep.grids and not (search and search.space):
        missing = "search.space" if search else "grids"
        yield document.problem(tuple(missing.split(".")), "missing: there is nothing to try")
    if search and search.space and sweep.grids:
        message = "a search chooses from its space or from the cells of grids; remove one of them"
        yield document.problem(("search", "space"), message)
    if search and search.budget.gpu_hours and not sweep.resources.gpu:
        message = "trials occupy no GPU (resources.gpu is 0); give trials or epochs"
        yield document.problem(("search", "budget", "gpu_hours"), message)
    stop = sweep.early_stop
    if stop and sorted(set(stop.at)) != stop.at:
        yield document.problem(("early_stop", "at"), f"expected ascending epochs, got {stop.at}")
    if stop and search and "objectives" in stop.given():
        yield document.problem(("early_stop", "objectives"), "remove it: those of the search hold")


def _folder(sweep_file: Path, folder: str) -> Path:
    """A data folder as written: relative to the sweep file, with ~ and environment variables."""
    return (sweep_file.parent / Path(os.path.expandvars(folder)).expanduser()).resolve()


def _staged(sweep: Sweep, grids: list[list[Trial]]) -> Iterator[Trial]:
    """Every trial of the grids, after the baselines: shared by their children, measured wherever one of them is."""
    baselines: dict[str, Trial] = {}
    measured: dict[str, dict[Probe, None]] = {}
    children: dict[str, Trial] = {}
    for number, trials in enumerate(grids):
        parent_of = _parents(_baseline_training(sweep, number))
        extra = _extra_probes(sweep, {trial.model for trial in trials})
        for trial in trials:
            baseline = parent_of(trial) if trial.guided else trial
            if trial.guided:
                # Not validated again: this is half the time of a plan of 100,000 trials.
                child = trial.model_copy(update={"parent": baseline.id, "probes": extra[trial.model]})
                children.setdefault(child.id, child)
            baselines.setdefault(baseline.id, baseline)
            measured.setdefault(baseline.id, {}).update(dict.fromkeys(trial.measured + extra[trial.model]))
    for name, baseline in baselines.items():
        yield baseline.model_copy(update={"probes": tuple(measured[name])})
    yield from children.values()


def _extra_probes(sweep: Sweep, models: Iterable[str]) -> dict[str, tuple[Probe, ...]]:
    """Of the probes that the sweep asks for beside each trial's own, those that fit each model."""
    asked = [Probe(probe.attribution, probe.depth) for probe in sweep.probes]
    return {model: tuple(probe for probe in asked if not why_unmeasurable(model, probe)) for model in models}


def _parents(training: Cell) -> Callable[[Trial], Trial]:
    """The baseline that each trial of a grid starts from; trials that share one share the object."""
    known: dict[tuple[Any, ...], Trial] = {}

    def parent_of(trial: Trial) -> Trial:
        shared = tuple(getattr(trial, key) for key in SHARED)
        if shared not in known:
            known[shared] = Trial(**dict(zip(SHARED, shared, strict=True)), **training)
        return known[shared]

    return parent_of


def _baseline_training(sweep: Sweep, number: int) -> Cell:
    """The training settings of the unguided stage: the grid's own, else the sweep's, else those common to all."""
    common = {key: values[0] for key, values in sweep.common.given().items() if key in TRAINING}
    own = sweep.grids[number].baseline.given() if sweep.grids else {}
    return {**common, **sweep.baseline.given(), **own}


def _undecided_training(document: Document, sweep: Sweep) -> Iterator[Problem]:
    for key, values in sweep.common.given().items():
        if key in TRAINING and len(values) > 1 and key not in sweep.baseline.given():
            message = f"common.{key} has {len(values)} values; say which one the baselines train with"
            yield document.problem(("baseline", key), f"missing: {message}")


def _undescribed_data(
    document: Document, parts: Iterable[Expansion | Searched], own: Mapping[str, OwnData]
) -> Iterator[Problem]:
    used = {cell["dataset"] for found in parts for cell in found.cells}
    for name in sorted(name for name in used - set(own) if is_own_data(name)):
        yield document.problem(("dataset",), f"{name} is not described; write dataset: {{layout: ..., root: ...}}")


def _unknown_files(
    document: Document, expansions: Iterable[Expansion | Searched], known: Mapping[str, Path]
) -> Iterator[Problem]:
    used: set[str] = {cell["weights"] for found in expansions for cell in found.cells if "weights" in cell}
    for name in sorted(used - {*NAMES["weights"], *known}):
        yield document.problem(("weights",), f"no file with the content {name} is named; write the path to it")


def _useless_probes(document: Document, sweep: Sweep, cells: list[Cell]) -> Iterator[Problem]:
    models = sorted({cell["model"] for cell in cells})
    for number, entry in enumerate(sweep.probes):
        probe = Probe(entry.attribution, entry.depth)
        unknown = [
            problem
            for key, name in probe._asdict().items()
            for problem in misspelt(document, ("probes", number, key), [name], NAMES[key])
        ]
        yield from unknown
        reasons = [] if unknown else [why_unmeasurable(model, probe) for model in models]
        if reasons and all(reasons):
            yield document.problem(("probes", number), f"fits no model of this sweep: {reasons[0]}")
