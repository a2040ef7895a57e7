"""A sweep small enough to run again and again: thirteen noise images in VOC's layout, three classes of trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import voc_folder

SWEEP = """
name: tiny
data: {voc2007: %s}
common: {dataset: voc2007, backbone: resnet10, image_size: 32, batch_size: 3, learning_rate: 1e-3}
baseline: {epochs: 3}
guided: {epochs: 2}
grids:
  - zip: [{model: [vanilla, bcos], attribution: [ixg, bcos]}]
    depth: final
    loss: [energy, l1]
    lambda_loc: 0.01
"""


@pytest.fixture(scope="session")
def write_sweep() -> Callable[[Path], Path]:
    """Writes the sweep file and its data to a folder, the same ones wherever that is."""

    def write(folder: Path) -> Path:
        file = folder / "tiny.yaml"
        file.write_text(SWEEP % voc_folder.write(folder / "data"))
        return file

    return write


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_sweep: Callable[[Path], Path]) -> Path:
    """A sweep file of 2 baselines and 4 guided trials, its data, and a cache of its own."""
    monkeypatch.setenv("MGSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return write_sweep(tmp_path)
