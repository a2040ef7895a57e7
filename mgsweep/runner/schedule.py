"""Which trial is next. Ray Tune and the in-process loop both ask here, so they agree on order and dependencies."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable

from mgsweep.trial import Trial


class Schedule:
    """The trials still to run: parents before children, a child of a failed parent never.

    Every trial handed out by `next` must be given back by `finish`, `fail`, `again` or `stop`.
    """

    def __init__(self, trials: Iterable[Trial], done: Collection[str] = (), failed: Collection[str] = ()) -> None:
        self._ready: deque[Trial] = deque()
        self._waiting: dict[str, list[Trial]] = defaultdict(list)
        self.running: dict[str, Trial] = {}
        self.blocked: list[Trial] = []
        for trial in trials:
            if trial.id in done or trial.id in failed:
                continue
            if trial.parent is None or trial.parent in done:
                self._ready.append(trial)
            else:
                self._waiting[trial.parent].append(trial)
        for parent in failed:
            self._block(parent)

    def next(self) -> Trial | None:
        """The next trial whose parent is done, or None when there is none at the moment."""
        if not self._ready:
            return None
        trial = self._ready.popleft()
        self.running[trial.id] = trial
        return trial

    def finish(self, trial: Trial) -> None:
        """The trial is done: its children become ready."""
        del self.running[trial.id]
        self._ready.extend(self._waiting.pop(trial.id, ()))

    def fail(self, trial: Trial) -> None:
        """The trial failed: its children are blocked."""
        del self.running[trial.id]
        self._block(trial.id)

    def again(self, trial: Trial) -> None:
        """The trial failed in a way that another attempt may mend: it is ready again, after the others."""
        del self.running[trial.id]
        self._ready.append(trial)

    def refuse(self, trial: Trial) -> None:
        """The trial is more than the run may still use: it is not begun, or goes no further, and stays unfinished."""

    def offer(self, trial_id: str) -> None:
        """The trial was refused and may fit by now: it is ready again, before the others."""
        self._ready.appendleft(self.running.pop(trial_id))

    def stops(self, trial: Trial, epoch: int) -> bool:
        """Whether the trial is to end here, after an epoch that is safe on disk. Here none is."""
        return False

    def stop(self, trial: Trial) -> None:
        """The trial was stopped early: it runs no more, and nothing starts from it."""
        del self.running[trial.id]

    def _block(self, parent: str) -> None:
        for child in self._waiting.pop(parent, ()):
            self.blocked.append(child)
            self._block(child.id)

    @property
    def settled(self) -> bool:
        """Whether nothing is ready and nothing runs that could make something ready."""
        return not self._ready and not self.running

    @property
    def unfinished(self) -> int:
        """How many trials could still be run."""
        return len(self._ready) + len(self.running) + sum(map(len, self._waiting.values()))
