"""What training and measuring take: seconds and memory."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch


def forget_peak(device: torch.device) -> None:
    """Let the peak memory be of what comes, not of a trial that this process trained before. A GPU must be in use."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # only Linux can; elsewhere the peak is that of the process so far
            Path("/proc/self/clear_refs").write_text("5")


class Clock:
    """Seconds since the last reading, and the peak memory of this attempt at the trial."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._last = device, time.perf_counter()

    def read(self) -> dict[str, Any]:
        """`seconds` and `peak_memory` (bytes), columns of a record."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            peak = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return {"seconds": seconds, "peak_memory": peak}
