"""Everything a run needs, looked at before any of it is trained: data decoded, weights there, room on the cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.models.weights import initial
from mgsweep.plan.schema import Resources
from mgsweep.runner.places import Places
from mgsweep.trial import Trial


def check(trials: Iterable[Trial], places: Places) -> None:
    """Decode every data set into the cache and read every weights file.

    Raises:
        InvalidInput: all that is missing or damaged, over all data sets and models.
    """
    trials = list(trials)
    problems = [*_misplaced(trials, places)]
    if problems:
        raise InvalidInput(problems)
    for dataset, size in sorted({(trial.dataset, trial.image_size) for trial in trials}):
        try:
            data = prepare(dataset, places.root(dataset), size, places.cache)
        except InvalidInput as error:
            problems += error.problems
            continue
        by_masks = any(trial.dataset == dataset and trial.guidance_source == "mask" for trial in trials)
        if by_masks and data.train.masks is None:
            message = "guidance_source is mask, and no training image has a segmentation; add them, or guide by box"
            problems.append(Problem(str(places.root(dataset) or dataset), "", message))
    starts = (trial for trial in trials if not trial.guided or trial.start == "weights")
    for trial in {(trial.model, trial.backbone, trial.weights): trial for trial in starts}.values():
        try:
            if file := places.weights_of(trial):
                initial(trial.model, trial.backbone, file)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)


def _misplaced(trials: Iterable[Trial], places: Places) -> Iterator[Problem]:
    """A problem for each reason why results must not go where they would."""
    results = places.results
    for dataset in sorted({trial.dataset for trial in trials}):
        root = places.root(dataset)
        if root and root in (results, *results.parents):
            yield Problem(str(results), "", f"inside the folder of {dataset}, {root}; choose another --store")
    for other in results.parent.iterdir() if results.parent.is_dir() else ():
        if other.name != results.name and other.name.lower() == results.name.lower():
            # They would share a folder on a file system that does not tell the two apart.
            yield Problem(str(results), "", f"there are results of a sweep {other.name!r} here; choose another name")


def slots(wanted: Resources, nodes: Iterable[Mapping[str, float]]) -> int:
    """How many trials fit at once, each with all it asks for on one of the nodes, which are what Ray says they have."""
    return sum(_fit(wanted, node) for node in nodes)


def _fit(wanted: Resources, node: Mapping[str, float]) -> int:
    of_gpu = node.get("GPU", 0) / wanted.gpu if wanted.gpu else float("inf")
    return int(min(node.get("CPU", 0) / wanted.cpu, of_gpu) + 1e-9)  # 1 // 0.2 is 4


def no_room(wanted: Resources, nodes: Collection[Mapping[str, float]]) -> Problem:
    """Why not one trial fits."""
    for name, need in (("cpu", wanted.cpu), ("gpu", wanted.gpu)):
        have = max((node.get(name.upper(), 0) for node in nodes), default=0)
        if need > have:
            message = f"a trial asks for {need:g}, the largest node has {have:g}"
            return Problem("", f"resources.{name}", message)
    return Problem("", "resources", f"no node has the {wanted.cpu:g} CPUs and the {wanted.gpu:g} GPUs of a trial")
