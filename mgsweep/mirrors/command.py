"""`on_event`: a command of the user's, run when a trial fails for good, and when a run is done or breaks off."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from mgsweep.mirrors import Event

TOLD = ("done", "failed", "breaker")
TIMEOUT = 30.0
"""Seconds after which the command is killed."""


class Command:
    """Runs the arguments as they are, without a shell, with the event as JSON on its standard input."""

    name = "on_event"

    def __init__(self, arguments: Sequence[str], timeout: float = TIMEOUT) -> None:
        self._arguments, self._timeout = list(arguments), timeout

    def write(self, event: Event) -> None:
        """Run it, if this is an event to be told.

        Raises:
            OSError, subprocess.SubprocessError: it cannot be started, failed, or took too long.
        """
        if event.kind in TOLD:
            content: dict[str, Any] = {"event": event.kind, "sweep": event.sweep, "error": event.error or None}
            content["trial"] = {"id": event.trial.id, **event.trial.to_row()} if event.trial else None
            subprocess.run(
                self._arguments, input=json.dumps(content).encode(), timeout=self._timeout, check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def close(self) -> None:
        """Nothing is open."""
