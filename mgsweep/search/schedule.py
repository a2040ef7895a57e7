"""Schedules that decide while results come in: which trial to stop early, and in a search, which to try next."""

from __future__ import annotations

from typing import Any

from mgsweep.plan import Plan
from mgsweep.plan.schema import Budget, EarlyStop
from mgsweep.runner import Agenda
from mgsweep.runner.schedule import Schedule
from mgsweep.search.curves import Curve, columns_of
from mgsweep.search.history import History, Seen
from mgsweep.search.stopping import Group
from mgsweep.search.study import Study
from mgsweep.store import Damaged
from mgsweep.trial import Trial

PEERS = ("parent", "attribution", "depth")
"""In a grid trials compete that start from one baseline and are read at one place: in one panel of a figure."""


class Judged(Schedule):
    """A schedule whose guided trials are judged as they go, if the sweep says by what rule."""

    def __init__(self, plan: Plan, agenda: Agenda, history: History, seen: list[Seen]) -> None:
        super().__init__(agenda.to_run, agenda.done, agenda.failed)
        self._history, self._store, self._rule = history, history.own, plan.early_stop
        self._per = (*(() if plan.search else PEERS), *(plan.early_stop.per if plan.early_stop else ()))
        self._groups: dict[tuple[Any, ...], Group] = {}
        self._left_at = {one.trial.id: one.curve.last for one in seen if one.curve and one.state == "open"}
        for one in seen:
            if one.curve:
                self._know(one.trial, one.curve, ended=one.state == "done")

    def next(self) -> Trial | None:
        """The next trial. One that was interrupted just when it was to be judged is judged now."""
        while trial := super().next():
            epoch = self._left_at.pop(trial.id, 0)
            if not self.stops(trial, epoch):
                return trial
            self.stop(trial)
        return None

    def stops(self, trial: Trial, epoch: int) -> bool:
        """Judge a trial whose epoch is safe on disk; one that is to end here is marked so in the store."""
        if self._rule is None or not trial.guided or epoch not in self._rule.at or epoch >= trial.epochs:
            return False
        self._know(trial, self._history.curve(trial, self._store.progress(trial.id)))
        if not self._group(trial, self._rule).stops(trial.id, epoch):
            return False
        self._store.stop(trial.id)
        return True

    def finish(self, trial: Trial) -> None:
        """The trial is done; others are judged by it."""
        super().finish(trial)
        if trial.guided and (curve := self._recorded(trial)):
            self._know(trial, curve, ended=True)

    def _recorded(self, trial: Trial) -> Curve | None:
        try:
            return self._history.curve(trial, self._store.rows(trial.id, columns_of(self._history.goals)))
        except Damaged:
            return None

    def _know(self, trial: Trial, curve: Curve, ended: bool = False) -> None:
        if self._rule:
            self._group(trial, self._rule).know(trial.id, curve, ended)

    def _group(self, trial: Trial, rule: EarlyStop) -> Group:
        return self._groups.setdefault(tuple(getattr(trial, field) for field in self._per), Group(rule))


class Searching(Judged):
    """First the baselines and what an earlier run began; then, as long as the budget lasts, what the study suggests."""

    def __init__(self, plan: Plan, agenda: Agenda, history: History, seen: list[Seen]) -> None:
        assert plan.search
        assert plan.space
        self._study, self._spending = Study(plan.space, plan.search), Spending(plan.search.budget, plan.resources.gpu)
        self._hopeless = set(agenda.failed)
        self._refused = False
        self._dry = self._hopeless >= {baseline.id for baseline in plan.baselines}
        inside = [one for one in seen if self._study.add(one.trial)]
        super().__init__(plan, agenda, history, inside)
        planned = {trial.id for trial in history.own.planned()}
        to_run = {trial.id for trial in agenda.to_run}
        for one in inside:
            if one.state != "open" and one.trial.id not in to_run:
                self._study.tell(one.trial, one.curve if one.state != "failed" else None)
            if one.trial.id in planned:
                self._spending.note(one)

    def next(self) -> Trial | None:
        """The next of the baselines or of what was begun; else, once the baselines have ended, a new suggestion."""
        if trial := super().next():
            return trial
        if self._is_over or not all(trial.guided for trial in self.running.values()):
            return None
        trial = self._study.ask(without=self._hopeless)
        if trial is None:
            self._dry = True
            return None
        self._store.plan([trial])  # before it runs: whatever is killed now, it is not suggested again
        self._spending.note(Seen(trial, "open"))
        self.running[trial.id] = trial
        return trial

    def refuse(self, trial: Trial) -> None:
        """What the run may still use is too little for this one: then none is suggested after it."""
        self._refused = True

    def offer(self, trial_id: str) -> None:
        """It may be enough by now, then for others, too."""
        super().offer(trial_id)
        self._refused = False

    def finish(self, trial: Trial) -> None:
        """The trial is done: the study learns of it."""
        super().finish(trial)
        self._tell(trial, "done", self._recorded(trial))

    def stop(self, trial: Trial) -> None:
        """The trial was stopped early: the study learns how far it got."""
        super().stop(trial)
        self._tell(trial, "stopped", self._history.curve(trial, self._store.rows_of_stopped(trial.id)))

    def fail(self, trial: Trial) -> None:
        """The trial failed: the study avoids its like; from a baseline that failed nothing is suggested."""
        super().fail(trial)
        self._hopeless.add(trial.id)
        self._tell(trial, "failed", None)

    def _tell(self, trial: Trial, state: str, curve: Curve | None) -> None:
        if trial in self._study:
            self._study.tell(trial, curve)
            self._spending.note(Seen(trial, state, curve))

    @property
    def _is_over(self) -> bool:
        return self._dry or self._refused or self._spending.is_over

    @property
    def settled(self) -> bool:
        """Whether nothing runs, nothing is ready, and nothing more will be suggested."""
        return super().settled and self._is_over

    @property
    def unfinished(self) -> int:
        """How many trials could still be run; of those not suggested yet, one."""
        return super().unfinished + (not self._is_over)


class Spending:
    """What a search has spent: on a trial that is to run, all it can take; on one that ended, what it took."""

    def __init__(self, budget: Budget, gpus: float) -> None:
        self._budget, self._gpus = budget, gpus
        self._noted: dict[str, Seen] = {}

    def note(self, seen: Seen) -> None:
        """Take the latest of a trial into account."""
        self._noted[seen.trial.id] = seen

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to give out. What runs then may still take a little more."""
        ((kind, most),) = self._budget.given().items()
        return bool(sum(map(getattr(self, f"_{kind}"), self._noted.values())) >= most)

    def _trials(self, seen: Seen) -> int:
        return 1

    def _epochs(self, seen: Seen) -> int:
        if seen.state in ("open", "done"):
            return seen.trial.epochs
        return seen.curve.last if seen.curve else 0

    def _gpu_hours(self, seen: Seen) -> float:
        return self._gpus * (seen.curve.seconds if seen.curve else 0) / 3600
