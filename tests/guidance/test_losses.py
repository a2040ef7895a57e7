"""The contract of a guidance loss, over all of them, and the published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mgsweep.guidance import boxes
from mgsweep.guidance.losses import LOSSES

GOLDEN = Path(__file__).parents[1] / "golden"
PUBLISHED = {"energy": "Energy", "l1": "L1", "ppce": "PPCE", "rrr": "RRR"}
EMPTY_MASK = 10

every_loss = pytest.mark.parametrize("loss", LOSSES)


def random_case(seed: int, count: int = 5, h: int = 8, size: int = 32) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(count, h, h, generator=draw)
    corners = torch.randint(0, size - 1, (count, 2, 2, 2), generator=draw).sort(dim=2).values
    return maps, boxes.masks(corners.reshape(count, 2, 4), size)


@pytest.mark.parametrize("maps", ["attributions", "coarse"])
@pytest.mark.parametrize("loss", PUBLISHED)
def test_published_numbers(loss: str, maps: str) -> None:
    with np.load(GOLDEN / "losses_metrics.npz") as stored:
        attributions = torch.tensor(stored[maps])
        expected = torch.tensor(stored[f"loss_{PUBLISHED[loss]}{'_coarse' if maps == 'coarse' else ''}"]).float()
    corners = json.loads((GOLDEN / "losses_metrics.json").read_text())["boxes"]
    masks = boxes.masks([torch.tensor(box) for box in corners], 32)
    if loss == "ppce":
        assert expected[EMPTY_MASK].isnan(), "the published loss is NaN on an empty mask; ours costs nothing"
        expected[EMPTY_MASK] = 0
    torch.testing.assert_close(LOSSES[loss](attributions, masks), expected, rtol=1e-5, atol=1e-6)


@every_loss
def test_one_finite_value_an_image_whatever_the_map(loss: str) -> None:
    maps, masks = random_case(0, count=6)
    maps[0] = 0
    maps[1] = -maps[1].abs()
    maps[2] = 1e-12
    masks[3] = False
    masks[4] = True
    maps.requires_grad_()
    values = LOSSES[loss](maps, masks)
    assert values.shape == (6,)
    assert values.isfinite().all()
    (gradient,) = torch.autograd.grad(values.sum(), maps)
    assert gradient.isfinite().all()


@every_loss
@pytest.mark.parametrize("h", [8, 32])
def test_a_gradient_reaches_the_maps(loss: str, h: int) -> None:
    maps, masks = random_case(1, h=h)
    maps.requires_grad_()
    (gradient,) = torch.autograd.grad(LOSSES[loss](maps, masks).sum(), maps)
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


@every_loss
@given(seed=st.integers(0, 1000))
def test_a_batch_equals_a_loop(loss: str, seed: int) -> None:
    maps, masks = random_case(seed)
    alone = torch.cat([LOSSES[loss](maps[i : i + 1], masks[i : i + 1]) for i in range(len(maps))])
    torch.testing.assert_close(LOSSES[loss](maps, masks), alone, rtol=1e-5, atol=1e-6)


@every_loss
def test_best_when_the_map_is_the_mask(loss: str) -> None:
    """Of the mask itself, its inverse and noise, the mask costs least."""
    _, masks = random_case(2)
    noise = torch.rand(masks.shape, generator=torch.Generator().manual_seed(3))
    right, wrong, random = (LOSSES[loss](maps, masks) for maps in (masks.float(), (~masks).float(), noise))
    assert (right < wrong).all()
    assert (right < random).all()
    if loss != "ppce":
        assert right.abs().max() < 1e-6


@every_loss
@given(scale=st.floats(1e-3, 1e3))
def test_the_scale_of_a_map_does_not_matter(loss: str, scale: float) -> None:
    maps, masks = random_case(4)
    torch.testing.assert_close(LOSSES[loss](maps * scale, masks), LOSSES[loss](maps, masks), rtol=1e-4, atol=1e-5)


@every_loss
def test_gradients_in_double_precision(loss: str) -> None:
    maps, masks = random_case(5, count=2, h=4, size=8)
    assert torch.autograd.gradcheck(lambda m: LOSSES[loss](m, masks), maps.double().requires_grad_())
