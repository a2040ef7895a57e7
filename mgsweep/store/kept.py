"""Weights that children and later measurements need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mgsweep import durable
from mgsweep.store.part import Part


class Kept(Part):
    """Weights by trial and epoch: `checkpoints/<id>/<epoch>.pt`."""

    def weights(self, trial_id: str, epoch: int) -> bytes:
        """The kept weights of one epoch.

        Raises:
            Damaged: they are not there or cannot be trusted; the trial must be trained again.
        """
        return self._files.read(_weights(trial_id, epoch), f"{trial_id}/{epoch}")

    def kept(self, trial_id: str) -> set[int]:
        """The epochs whose weights are kept."""
        files = map(Path, durable.names(self.path / "checkpoints" / trial_id))
        return {int(file.stem) for file in files if file.suffix == ".pt" and file.stem.isdecimal()}

    def keep(self, trial_id: str, epoch: int, weights: bytes) -> None:
        """Keep the weights of an epoch."""
        self._files.write(_weights(trial_id, epoch), weights, f"{trial_id}/{epoch}")

    def drop(self, trial_id: str, epochs: Iterable[int]) -> None:
        """Remove weights that nothing needs any more."""
        for epoch in epochs:
            durable.remove(self.path, _weights(trial_id, epoch))


def _weights(trial_id: str, epoch: int) -> str:
    return f"checkpoints/{trial_id}/{epoch:04d}.pt"
