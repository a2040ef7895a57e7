"""Search and early stop: sweeps that decide as results come in. The only place that imports Optuna.

The records are all the state there is. A study is made from them whenever a run starts, a suggestion is in the plan
before it runs, so nothing here has to survive a crash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, replace

from mgsweep import runner
from mgsweep.errors import InvalidInput
from mgsweep.pareto import Goals
from mgsweep.plan import Plan
from mgsweep.runner import Agenda
from mgsweep.runner.schedule import Schedule
from mgsweep.search.history import History
from mgsweep.search.schedule import Judged, Searching
from mgsweep.store import Store
from mgsweep.trial import Trial

__all__ = ["LiveAgenda", "agenda", "goals_of", "suggestions"]


@dataclass(frozen=True)
class LiveAgenda(Agenda):
    """The agenda of a sweep with `search` or `early_stop`: what is on it is only the beginning."""

    plan: Plan | None = None
    history: History | None = None

    @property
    def wanting(self) -> bool:
        """Whether there is anything to run: of a search also what is not suggested yet."""
        return not self.schedule().settled

    @property
    def foreseen(self) -> bool:
        """Of early stopping alone they are."""
        return not (self.plan and self.plan.search)

    def schedule(self) -> Schedule:
        """A fresh schedule, from what the store knows by now."""
        assert self.plan
        assert self.history
        kind = Searching if self.plan.search else Judged
        return kind(self.plan, self, self.history, self.history.seen())


def goals_of(plan: Plan) -> Goals:
    """What the trials of a sweep compete in."""
    if plan.search:
        return Goals(plan.search.objectives, plan.search.constraints)
    return Goals(plan.early_stop.objectives if plan.early_stop else {}, {})


def agenda(plan: Plan, store: Store, retry: Collection[str] = (), continue_stopped: bool = False) -> LiveAgenda:
    """What a run of such a sweep has before it: of a search the baselines, and what was suggested and is not done.

    Args:
        retry: as of `runner.agenda`.
        continue_stopped: run stopped trials to their end, and stop none.

    Raises:
        InvalidInput: the store holds a search of this name, but none of its trials lies in this space.
    """
    if continue_stopped:
        plan = replace(plan, early_stop=None)
    plan = replace(plan, trials=(*plan.trials, *_suggested(plan, store)))
    base = runner.agenda(plan, store, retry, continue_stopped)
    history = History(store, goals_of(plan))
    fields = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    return LiveAgenda(**fields, plan=plan, history=history)


def _suggested(plan: Plan, store: Store) -> list[Trial]:
    if plan.space is None:
        return []
    before = [trial for trial in store.planned() if trial.guided]
    inside = [trial for trial in before if plan.space.place(trial) is not None]
    if before and not inside:
        message = f"its {len(before)} trials lie in another space than {plan.source} describes; give it another name"
        raise InvalidInput.of(message, where=str(store.path))
    return inside


def suggestions(plan: Plan, store: Store, count: int) -> list[Trial]:
    """What a search would try next, on what the store knows by now. Nothing is written, nothing runs."""
    from mgsweep.search.study import Study

    assert plan.search
    assert plan.space
    study = Study(plan.space, plan.search)
    for one in History(store, goals_of(plan)).seen():
        if study.add(one.trial) and one.state != "open":
            study.tell(one.trial, one.curve if one.state != "failed" else None)
    found = (study.ask() for _ in range(count))
    return [trial for trial in found if trial]
