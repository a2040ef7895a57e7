"""Why attempts failed, and which of them no longer count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mgsweep import durable
from mgsweep.store.files import log
from mgsweep.store.part import Part

PASSING = ("preempted", "lost")
"""Causes that come from outside, and after which a trial is tried again however often they come."""


class Failed(Part):
    """Failed attempts of trials: `failed/<id>.<attempt>.json`. From a `forgiven` one backwards they do not count."""

    def fail(self, trial_id: str, failure: Mapping[str, Any]) -> None:
        """Write down why an attempt failed: `cause`, `error`, `traceback`, `host`, `pid`, `log`."""
        attempt = 1 + sum(name.startswith(f"{trial_id}.") for name in durable.names(self.path / "failed"))
        content = json.dumps({"id": trial_id, "attempt": attempt, **failure}, indent=1)
        durable.write(self.path, f"failed/{trial_id}.{attempt}.json", content.encode())

    def forgive(self, trial_id: str, attempt: int) -> None:
        """Mark an attempt as forgiven, for this run and those that resume it."""
        name = f"failed/{trial_id}.{attempt}.json"
        failure = json.loads(durable.read(self.path / name))
        if not failure.get("forgiven"):
            durable.write(self.path, name, json.dumps({**failure, "forgiven": True}, indent=1).encode())

    def attempts(self, trial_id: str = "") -> dict[str, list[dict[str, Any]]]:
        """Every failed attempt by trial, the first first: of all trials, or of one."""
        found: dict[str, list[dict[str, Any]]] = {}
        for failure in sorted(self._failures(trial_id), key=lambda failure: failure["attempt"]):
            found.setdefault(failure["id"], []).append(failure)
        return found

    def failures(self) -> dict[str, dict[str, Any]]:
        """The last failure of every trial that failed and has no record, by id: none from outside or forgiven."""
        last = {trial_id: attempts[-1] for trial_id, attempts in self.attempts().items()}
        return {
            trial_id: failure
            for trial_id, failure in last.items()
            if failure["cause"] not in PASSING and not failure["forgiven"] and self._records.flaw(trial_id)
        }

    def _failures(self, trial_id: str) -> Iterator[dict[str, Any]]:
        for name in durable.names(self.path / "failed"):
            if not name.startswith(trial_id):
                continue
            try:
                failure = json.loads(durable.read(self.path / "failed" / name))
                yield {
                    "id": str(failure["id"]),
                    "attempt": int(failure["attempt"]),
                    "cause": "unknown",
                    "forgiven": False,
                    **failure,
                }
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.warning("left out %s: not a readable failure (%s)", self.path / "failed" / name, error)
