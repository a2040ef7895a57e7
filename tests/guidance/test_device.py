"""Where images lie: the decision, on a machine without a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mgsweep.guidance.device import RESIDENT, resident

IMAGES = torch.zeros(2, 3, 5, 5, dtype=torch.uint8)


@pytest.mark.parametrize(("free", "moves"), [(150 / RESIDENT, True), (149 / RESIDENT, False)])
def test_a_split_that_fits_is_uploaded_once(monkeypatch: pytest.MonkeyPatch, free: float, moves: bool) -> None:
    uploaded: list[torch.device] = []

    def to(images: Tensor, device: torch.device) -> Tensor:
        uploaded.append(device)
        return images

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    monkeypatch.setattr(Tensor, "to", to)
    resident(IMAGES, torch.device("cuda"))
    assert uploaded == [torch.device("cuda")] * moves


def test_on_a_cpu_they_stay_a_shared_memory_map() -> None:
    assert resident(IMAGES, torch.device("cpu")) is IMAGES
