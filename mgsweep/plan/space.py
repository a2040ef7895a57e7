"""What a search chooses from: every trial of a space has a place in it, and every place at most one trial."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mgsweep.guidance.validity import NAMES, why_invalid, why_unmeasurable
from mgsweep.plan.axes import AXES, SHARED
from mgsweep.plan.grid import Cell, matches
from mgsweep.plan.intervals import Interval
from mgsweep.trial import Probe, Trial

Place = Mapping[str, float | int]
"""By axis: the number of an option, or the position of a number in [0, 1]."""

Numbers = Interval | tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """One of several options without an order: names, or zipped axes, which set several fields at once."""

    name: str
    options: tuple[Cell, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields it sets."""
        return tuple(self.options[0])

    def cell(self, place: Place, loss: str) -> Cell:
        """The fields it sets."""
        return self.options[int(place[self.name])]

    def of(self, row: Mapping[str, Any]) -> float | int | None:
        """Where a trial's row stands, None if it is no option."""
        fits = (n for n, option in enumerate(self.options) if all(row[key] == value for key, value in option.items()))
        return next(fits, None)


@dataclass(frozen=True)
class Scale:
    """A number, addressed by its position in [0, 1].

    The lambdas of two losses are not of one size. Where each loss has its own numbers, what is searched is the position
    among them, so that the losses learn from each other and every sampler sees a space without branches.
    """

    name: str
    numbers: Mapping[str, Numbers]
    """By loss; under "" those of every other."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The field it sets."""
        return (self.name,)

    def cell(self, place: Place, loss: str) -> Cell:
        """The field it sets."""
        numbers, position = self._of(loss), place[self.name]
        if isinstance(numbers, Interval):
            return {self.name: numbers.at(position)}
        return {self.name: numbers[min(int(position * len(numbers)), len(numbers) - 1)]}

    def of(self, row: Mapping[str, Any]) -> float | int | None:
        """Where a trial's row stands, None if its number is not among them."""
        numbers, value = self._of(row["loss"]), row[self.name]
        if isinstance(numbers, Interval):
            return numbers.position(value)
        return (numbers.index(value) + 0.5) / len(numbers) if value in numbers else None

    def _of(self, loss: str) -> Numbers:
        return self.numbers.get(loss) or self.numbers[""]

    def steps(self) -> list[float] | None:
        """A position for every number it can be, None if there is no end of them."""
        lists = [numbers for numbers in self.numbers.values() if not isinstance(numbers, Interval)]
        if len(lists) < len(self.numbers):
            return None
        most = max(map(len, lists))
        return [(n + 0.5) / most for n in range(most)]


Axis = Choice | Scale


@dataclass(frozen=True)
class Space:
    """Guided trials of one data set: `fixed` is what they share, `axes` is what tells them apart.

    A trial is made from `baselines`, by the values of SHARED, unless `members` holds all there are, by those of AXES.
    """

    fixed: Cell
    axes: tuple[Axis, ...]
    baselines: Mapping[tuple[Any, ...], Trial]
    probes: tuple[Probe, ...] = ()
    exclude: tuple[Cell, ...] = ()
    members: Mapping[tuple[Any, ...], Trial] | None = None

    def cell(self, place: Place) -> Cell:
        """The fields of a guided trial at a place, its stage before left open."""
        cell = dict(self.fixed)
        for axis in self._choices_first:
            cell |= axis.cell(place, cell.get("loss", ""))
        return cell

    @property
    def _choices_first(self) -> list[Axis]:
        """A lambda needs to know the loss, and that it is one of this space."""
        return sorted(self.axes, key=lambda axis: isinstance(axis, Scale))

    def excludes(self, cell: Cell) -> bool:
        """Whether the sweep leaves these fields out."""
        return any(matches(cell, rule) for rule in self.exclude)

    def trial(self, place: Place) -> Trial | None:
        """The trial at a place, None if there the combination is excluded or makes no sense."""
        cell = self.cell(place)
        if self.members is not None:
            return self.members.get(_values(cell, AXES))
        baseline = self.baselines.get(_values(cell, SHARED))
        if baseline is None or self.excludes(cell) or why_invalid(trial := Trial(**cell, parent=baseline.id)):
            return None
        probes = tuple(probe for probe in self.probes if not why_unmeasurable(trial.model, probe))
        return trial.model_copy(update={"probes": probes})

    def place(self, trial: Trial) -> Place | None:
        """Where a trial stands, None if it is outside: whatever sweep asked for it, only its fields count."""
        row = trial.to_row()
        if self.members is not None:
            member = self.members.get(_values(row, AXES))
            inside = member is not None and member.id == trial.id
        else:
            baseline = self.baselines.get(_values(row, SHARED))
            inside = trial.guided and baseline is not None and baseline.id == trial.parent and not self.excludes(row)
        if not inside or any(row[key] != value for key, value in self.fixed.items()):
            return None
        place: dict[str, float | int] = {}
        for axis in self._choices_first:
            position = axis.of(row)
            if position is None:
                return None
            place[axis.name] = position
        return place

    @property
    def finite(self) -> bool:
        """Whether all its trials can be listed."""
        return all(isinstance(axis, Choice) or axis.steps() is not None for axis in self.axes)

    def trials(self) -> Iterator[Trial]:
        """Every trial of a finite space, each once, the last axis moving fastest."""
        if self.members is not None:
            yield from self.members.values()
            return
        found: set[str] = set()
        for place in self.corners():
            trial = self.trial(place)
            if trial and trial.id not in found:
                found.add(trial.id)
                yield trial

    def corners(self) -> Iterator[Place]:
        """Places with every combination of what can be listed, the middle of what cannot."""
        steps = [range(len(axis.options)) if isinstance(axis, Choice) else axis.steps() or [0.5] for axis in self.axes]
        for numbers in itertools.product(*steps):
            yield dict(zip((axis.name for axis in self.axes), numbers, strict=True))


def space_of(trials: Iterable[Trial]) -> Space:
    """The space whose places are these guided trials, the cells of some grids."""
    trials = list(trials)
    rows = [trial.to_row() for trial in trials]
    values = {key: list(dict.fromkeys(row[key] for row in rows)) for key in AXES}
    axes: list[Axis] = []
    for key in (key for key in AXES if len(values[key]) > 1):
        if key in NAMES or not all(isinstance(value, int | float) for value in values[key]):
            axes.append(Choice(key, tuple({key: value} for value in values[key])))
        elif key == "lambda_loc":
            losses = values["loss"]
            axes.append(Scale(key, {x: _ascending(row[key] for row in rows if row["loss"] == x) for x in losses}))
        else:
            axes.append(Scale(key, {"": _ascending(values[key])}))
    return Space(
        fixed={key: found[0] for key, found in values.items() if len(found) == 1},
        axes=tuple(axes),
        baselines={},
        members={_values(row, AXES): trial for row, trial in zip(rows, trials, strict=True)},
    )


def _ascending(numbers: Iterable[Any]) -> tuple[float, ...]:
    return tuple(sorted(set(numbers)))


def _values(row: Mapping[str, Any], keys: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row.get(key, Trial.model_fields[key].default) for key in keys)
