"""Reading the space of a search from a sweep file, and saying what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mgsweep.errors import Problem
from mgsweep.guidance.validity import NAMES, NO_LOSS, why_invalid
from mgsweep.plan.axes import AXES, SHARED
from mgsweep.plan.document import Document
from mgsweep.plan.grid import Cell, dead_values, misspelt, unequal
from mgsweep.plan.intervals import Interval
from mgsweep.plan.schema import Search, Sweep
from mgsweep.plan.space import Axis, Choice, Scale, Space
from mgsweep.trial import Trial

HERE = ("search", "space")

NEEDED = ("dataset", "model", "attribution", "depth", "loss", "lambda_loc")

ALONE = {
    "dataset": "a front over several data sets says nothing; write a sweep for each",
    "seed": "a search over seeds finds the luckiest; give one, and repeat the search with another",
}


@dataclass(frozen=True)
class Searched:
    """A space as the file describes it: its axes, and every combination of its names as a cell."""

    fixed: Cell
    axes: tuple[Axis, ...]
    exclude: tuple[Cell, ...]
    cells: list[Cell]
    trials: list[Trial]
    problems: list[Problem]


def searched(document: Document, sweep: Sweep, search: Search) -> Searched:
    """The space of a search. Only with no problems found are the cells complete."""
    assert search.space is not None
    own = {key: value for key, value in search.space.given().items() if key in AXES}
    groups = [group.given() for group in search.space.zip]
    given = {**sweep.common.given(), **own}
    varied = {*own, *(key for group in groups for key in group)}
    given |= {key: [value] for key, value in sweep.guided.given().items() if key not in varied}
    problems = [*_mistakes(document, sweep, search, given, groups)]
    if problems:
        return Searched({}, (), (), [], [], problems)
    zipped = {key for group in groups for key in group}
    fixed = {key: Trial.model_fields[key].default for key in AXES if key not in (*given, *zipped)}
    fixed |= {key: values[0] for key, values in given.items() if isinstance(values, list) and len(values) == 1}
    axes = [_axis(key, values) for key, values in given.items() if key not in fixed]
    axes += [Choice("+".join(group), tuple(_rows(group))) for group in groups]
    exclude = tuple(rule.given() for rule in search.space.exclude)
    space = Space(fixed, tuple(axes), {}, exclude=exclude)
    cells, lost = [], []
    for place in space.corners():
        cell = space.cell(place)
        reason = "it is excluded" if space.excludes(cell) else why_invalid(Trial(**cell))
        if reason:
            lost.append((cell, reason))
        else:
            cells.append(cell)
    problems += dead_values(document, HERE, cells, lost)
    return Searched(fixed, space.axes, exclude, cells, [Trial(**cell) for cell in cells], problems)


def _axis(key: str, values: Any) -> Axis:
    if isinstance(values, dict):
        return Scale(key, {loss: _numbers(own) for loss, own in values.items()})
    if key in NAMES or not (isinstance(values, Interval) or isinstance(values[0], int | float)):
        return Choice(key, tuple({key: value} for value in values))
    return Scale(key, {"": _numbers(values)})


def _numbers(values: Interval | list[Any]) -> Interval | tuple[float, ...]:
    return values if isinstance(values, Interval) else tuple(sorted(values))


def _rows(group: Mapping[str, list[Any]]) -> Iterator[Cell]:
    return (dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True))


# What is wrong


def _mistakes(
    document: Document, sweep: Sweep, search: Search, given: Mapping[str, Any], groups: list[dict[str, list[Any]]]
) -> Iterator[Problem]:
    assert search.space is not None
    everywhere = [(HERE, given), *(((*HERE, "zip", n), group) for n, group in enumerate(groups))]
    everywhere += [((*HERE, "exclude", n), rule.given()) for n, rule in enumerate(search.space.exclude)]
    for keys, axes in everywhere:
        for name in (name for name in axes if name in NAMES):
            yield from misspelt(document, (*keys, name), axes[name], NAMES[name])
        if isinstance(axes.get("lambda_loc"), dict):
            yield from misspelt(document, (*keys, "lambda_loc", "loss"), axes["lambda_loc"], NAMES["loss"][1:])
    yield from unequal(document, search.space.zip, HERE)
    values = dict(given)
    for group in groups:
        values |= group
    yield from (document.problem((*HERE, key), "missing") for key in NEEDED if key not in values)
    yield from _of_values(document, values)
    if search.sampler == "grid" and (endless := [key for key, own in values.items() if _endless(own)]):
        message = f"grid tries every value in turn, but {', '.join(endless)} has no end of them; list its values"
        yield document.problem(("search", "sampler"), message)


def _of_values(document: Document, values: Mapping[str, Any]) -> Iterator[Problem]:
    for key, own in values.items():
        several = isinstance(own, Interval) or len(own) > 1
        if key in ALONE and several:
            yield document.problem((*HERE, key), f"expected one value: {ALONE[key]}")
        elif key in SHARED and isinstance(own, Interval):
            yield document.problem((*HERE, key), "expected a list: each value needs a baseline of its own")
    losses = values.get("loss", [])
    if NO_LOSS in losses:
        yield document.problem((*HERE, "loss"), "remove none: the baselines are planned by themselves")
    lambdas = values.get("lambda_loc", [])
    for loss in losses if isinstance(lambdas, dict) else ():
        if loss not in lambdas and loss in NAMES["loss"][1:]:
            yield document.problem((*HERE, "lambda_loc"), f"missing: the lambdas of {loss}")
    for own in lambdas.values() if isinstance(lambdas, dict) else (lambdas,):
        if (own.low if isinstance(own, Interval) else min(own, default=1)) <= 0:
            yield document.problem((*HERE, "lambda_loc"), "expected numbers > 0; unguided trials are planned anyway")


def _endless(values: Any) -> bool:
    return isinstance(values, Interval) or (isinstance(values, dict) and any(map(_endless, values.values())))
