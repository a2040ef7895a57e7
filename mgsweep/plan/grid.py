"""Expanding the grids of a sweep into cells, and saying what is wrong with them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mgsweep.errors import Problem, did_you_mean
from mgsweep.guidance.validity import NAMES, NO_LOSS, is_own_data, why_invalid
from mgsweep.plan.axes import AXES, MOST, SHARED, TRAINING, Axes
from mgsweep.plan.document import Document
from mgsweep.plan.schema import Grid, Sweep
from mgsweep.trial import Probe, Trial

Cell = dict[str, Any]
"""One point of a grid: values of `Trial` fields."""

Values = Sequence[Any] | Mapping[str, Sequence[Any]]
"""Of an axis; of lambdas perhaps for each loss."""


@dataclass
class Expansion:
    """A grid's cells that make trials and these trials, how many do not and why, and what the user has to mend.

    The guided trials do not know their parent yet.
    """

    cells: list[Cell] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def expand(document: Document, sweep: Sweep, number: int) -> Expansion:
    """Every cell of the sweep's grid with this number."""
    grid, found = sweep.grids[number], Expansion()
    found.problems += _misspelt_axes(document, sweep, number)
    if found.problems:
        return found  # the product of misspelt names would only repeat the same mistakes
    if (count := _size(sweep, grid)) > MOST:
        message = f"it has {count:,} cells; a sweep may have {MOST:,}: split it, or coarsen its axes"
        found.problems.append(document.problem(("grids", number), message))
        return found
    lost: list[tuple[Cell, str]] = []
    for cell in _cells(sweep, grid):
        try:
            trial = unguided(cell) if is_baseline(cell) else Trial(**cell)
            reason = why_invalid(trial)
        except ValidationError as error:
            found.problems += _contradictions(document, number, error)
            continue
        if reason:
            lost.append((cell, reason))
        else:
            found.cells.append(cell)
            found.trials.append(trial)
    found.skipped.update(reason for _, reason in lost)
    if not found.problems:
        found.problems += dead_values(document, ("grids", number), found.cells, lost)
    return found


def is_baseline(cell: Cell) -> bool:
    """Whether a cell asks for an unguided trial."""
    return bool(cell.get("loss", NO_LOSS) == NO_LOSS)


def unguided(cell: Cell) -> Trial:
    """A cell with `loss: none`: a baseline, measured at the cell's attribution and depth if it has them."""
    own = {key: value for key, value in cell.items() if key in (*SHARED, *TRAINING)}
    measured = "attribution" in cell and "depth" in cell
    return Trial(**own, probes=(Probe(cell["attribution"], cell["depth"]),) if measured else ())


def misspelt(
    document: Document, keys: tuple[Any, ...], names: Iterable[str], known: tuple[str, ...]
) -> Iterator[Problem]:
    """A problem for each name that does not exist. Own data have the names that `own_data.resolve` gave them."""
    for name in names:
        if name not in known and not is_own_data(name):
            message = f"unknown {keys[-1]} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})"
            yield document.problem(keys, message)


# The product


def _size(sweep: Sweep, grid: Grid) -> int:
    """Cells of the product, before conditions and exclusions, without making them."""
    axes = {**sweep.common.given(), **{key: value for key, value in grid.given().items() if key in AXES}}
    lambdas = axes.pop("lambda_loc") if isinstance(axes.get("lambda_loc"), dict) else {}
    lengths = [len(values) for values in axes.values()]
    lengths += [max(map(len, group.given().values()), default=1) for group in grid.zip]
    return math.prod(lengths) * max(map(len, lambdas.values()), default=1)


def _cells(sweep: Sweep, grid: Grid) -> Iterator[Cell]:
    """The product of the axes and zipped groups, the conditions applied, the stage's settings filled in."""
    own = {key: value for key, value in grid.given().items() if key in AXES}
    axes = {**sweep.common.given(), **own}
    lambdas = axes.pop("lambda_loc") if isinstance(axes.get("lambda_loc"), dict) else {}
    groups = [group.given() for group in grid.zip]
    rows = [[dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True)] for group in groups]
    varied = {*own, *itertools.chain.from_iterable(groups)}
    stages = {stage: _stage(sweep, grid, stage, varied) for stage in ("baseline", "guided")}
    rules = [(rule.condition.given(), rule.then.given()) for rule in grid.when]
    excluded = [rule.given() for rule in grid.exclude]
    for parts in itertools.product(*([{key: value} for value in values] for key, values in axes.items()), *rows):
        cell: Cell = {key: value for part in parts for key, value in part.items()}
        cell |= stages["baseline" if is_baseline(cell) else "guided"]
        yield from (c for c in _conditional(cell, rules, lambdas) if not any(matches(c, rule) for rule in excluded))


def _stage(sweep: Sweep, grid: Grid, stage: str, varied: Container[str]) -> Cell:
    """The settings of a stage that are not axes of the grid."""
    given = {**getattr(sweep, stage).given(), **getattr(grid, stage).given()}
    return {key: value for key, value in given.items() if key not in varied}


def _conditional(
    cell: Cell, rules: list[tuple[Mapping[str, Values], Mapping[str, Values]]], lambdas: Mapping[str, list[float]]
) -> Iterable[Cell]:
    """The rules applied one after the other, each to what those before it made."""
    cells = list(_varied(cell, {"lambda_loc": lambdas}))
    for condition, then in rules:
        cells = [made for one in cells for made in (_varied(one, then) if matches(one, condition) else (one,))]
    return map(dict, dict.fromkeys(tuple(one.items()) for one in cells))  # a rule may give several the same value


def _varied(cell: Cell, axes: Mapping[str, Values]) -> Iterator[Cell]:
    """The cell with each combination of these values in place of its own."""
    rest = {key: values for key, values in axes.items() if key != "lambda_loc"}
    for row in itertools.product(*rest.values()):
        made = {**cell, **dict(zip(rest, row, strict=True))}
        lambdas = _of_loss(axes.get("lambda_loc", ()), made)
        yield from ({**made, "lambda_loc": value} for value in lambdas) if lambdas else (made,)


def _of_loss(values: Values, cell: Cell) -> Sequence[Any]:
    """Lambdas may be written for each loss: those of the cell's."""
    return values.get(cell.get("loss", NO_LOSS), ()) if isinstance(values, Mapping) else values


def matches(cell: Cell, condition: Mapping[str, Values]) -> bool:
    """Whether a cell has one of the values of every field of a condition."""
    return all(
        cell.get(key, Trial.model_fields[key].default) in _of_loss(values, cell) for key, values in condition.items()
    )


# What is wrong


def _misspelt_axes(document: Document, sweep: Sweep, number: int) -> Iterator[Problem]:
    grid, here = sweep.grids[number], ("grids", number)
    places: list[tuple[tuple[Any, ...], dict[str, Any]]] = [(("common",), sweep.common.given())]
    places.append((here, {key: value for key, value in grid.given().items() if key in AXES}))
    places += [((*here, "zip", n), group.given()) for n, group in enumerate(grid.zip)]
    places += [((*here, "exclude", n), rule.given()) for n, rule in enumerate(grid.exclude)]
    for n, rule in enumerate(grid.when):
        places += [((*here, "when", n, "if"), rule.condition.given()), ((*here, "when", n, "then"), rule.then.given())]
    for keys, axes in places:
        for name in (name for name in axes if name in NAMES):
            yield from misspelt(document, (*keys, name), axes[name], NAMES[name])
        if isinstance(axes.get("lambda_loc"), dict):
            yield from misspelt(document, (*keys, "lambda_loc", "loss"), axes["lambda_loc"], NAMES["loss"][1:])
    given = set().union(*(axes for _, axes in places))
    yield from (document.problem((*here, key), "missing") for key in ("dataset", "model") if key not in given)
    yield from unequal(document, grid.zip, here)


def unequal(document: Document, groups: Iterable[Axes], here: tuple[Any, ...]) -> Iterator[Problem]:
    """A problem for each group of axes that cannot move together."""
    for n, group in enumerate(groups):
        if isinstance(group.given().get("lambda_loc"), dict):
            message = "lambdas of each loss move with no other axis; write them outside of zip, or under when"
            yield document.problem((*here, "zip", n, "lambda_loc"), message)
            continue
        lengths = {key: len(values) for key, values in group.given().items()}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{key} has {count}" for key, count in lengths.items())
            yield document.problem((*here, "zip", n), f"expected axes of equal length: {text}")


def _contradictions(document: Document, number: int, error: ValidationError) -> Iterator[Problem]:
    """What `trial.contradictions` found in a cell, each at the key it concerns."""
    for detail in error.errors():
        for part in str(detail.get("ctx", {}).get("error", detail["msg"])).splitlines():
            key, _, message = part.partition(": ")
            yield document.problem(("grids", number, key), message)


def dead_values(
    document: Document, here: tuple[Any, ...], cells: list[Cell], lost: list[tuple[Cell, str]]
) -> Iterator[Problem]:
    """A value that survives in no trial of its part is a mistake; one that only some combinations lose is not."""
    alive = {(key, value) for cell in cells for key, value in cell.items()}
    reasons = {
        (key, cell[key]): reason
        for cell, reason in lost
        for key in ("backbone", "attribution", "depth", "model", "weights", "guidance_source")
        if key in cell and (key, cell[key]) not in alive
    }
    for (key, value), reason in reasons.items():
        message = f"{value} makes no trial: {reason}; remove it, or add a combination that works"
        yield document.problem((*here, key), message)
