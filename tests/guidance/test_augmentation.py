"""Crops and flips against torchvision, and the region that follows them in a guided step."""

from __future__ import annotations

import pytest
import torch
from golden import filled
from hypothesis import given
from hypothesis import strategies as st
from splits import split_of
from torch import Tensor
from torchvision.transforms import InterpolationMode, RandomResizedCrop, functional

from mgsweep.guidance import boxes
from mgsweep.guidance.augmentation import Crops, draw
from mgsweep.guidance.step import guidance_masks, guided_loss
from mgsweep.trial import Trial

SIZE = 32
CPU = torch.device("cpu")


def drawn(seed: int, count: int = 8) -> Crops:
    return draw(count, SIZE, torch.Generator().manual_seed(seed))


def by_torchvision(image: Tensor, box: list[int], flipped: bool, mode: InterpolationMode) -> Tensor:
    cropped = functional.resized_crop(image, *box, [SIZE, SIZE], mode, antialias=False)
    return functional.hflip(cropped) if flipped else cropped


@given(st.integers(0, 2**16))
def test_images_and_masks_against_torchvision(seed: int) -> None:
    crops = drawn(seed)
    images = torch.rand(8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    masks = images[:, 0] > 0.6
    ours = zip(crops.of_images(images), crops.of_masks(masks), strict=True)
    for number, (image, mask) in enumerate(ours):
        box, flipped = crops.boxes[number].tolist(), bool(crops.flipped[number])
        expected = by_torchvision(images[number], box, flipped, InterpolationMode.BILINEAR)
        torch.testing.assert_close(image, expected, rtol=0, atol=2e-5)
        region = by_torchvision(masks[number, None].float(), box, flipped, InterpolationMode.NEAREST_EXACT)
        assert torch.equal(mask, region[0] > 0.5)


def test_crops_are_distributed_as_torchvision_draws_them() -> None:
    """Means of height, width, corners and their squares over many draws; the errors of the means are about 0.05."""
    ours = draw(20_000, SIZE, torch.Generator().manual_seed(0)).boxes.double()
    torch.manual_seed(0)
    image = torch.zeros(3, SIZE, SIZE)
    params = [RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(20_000)]
    theirs = torch.tensor(params, dtype=torch.float64)
    torch.testing.assert_close(ours.mean(0), theirs.mean(0), rtol=0.02, atol=0.1)
    torch.testing.assert_close(ours.std(0), theirs.std(0), rtol=0.02, atol=0.1)
    ratios, expected = (torch.log(sides[:, 3] / sides[:, 2]).mean() for sides in (ours, theirs))
    torch.testing.assert_close(ratios, expected, rtol=0, atol=0.006)
    flips = draw(20_000, SIZE, torch.Generator().manual_seed(1)).flipped
    assert 0.48 < flips.float().mean() < 0.52


@given(st.integers(0, 2**16), st.integers(4, 40))
def test_crops_lie_inside(seed: int, size: int) -> None:
    top, left, height, width = draw(50, size, torch.Generator().manual_seed(seed)).boxes.unbind(1)
    assert (height >= 1).all()
    assert (width >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= size).all()
    assert (left + width <= size).all()


def test_a_whole_image_stays_as_it_is() -> None:
    whole = Crops(torch.tensor([[0, 0, SIZE, SIZE]]), torch.tensor([False]))
    image = torch.rand(1, 3, SIZE, SIZE)
    torch.testing.assert_close(whole.of_images(image), image, rtol=0, atol=1e-5)
    mask = image[:, 0] > 0.5
    assert torch.equal(whole.of_masks(mask), mask)


@given(st.integers(0, 2**16), st.integers(0, 20), st.integers(0, 20), st.integers(4, 11), st.integers(4, 11))
def test_a_box_follows_its_pixels(seed: int, left: int, top: int, width: int, height: int) -> None:
    """An image that is white in the box alone is white where the cropped mask says, at its corners a quarter."""
    mask = boxes.masks([torch.tensor([[left, top, left + width, top + height]])] * 4, SIZE)
    crops = drawn(seed, 4)
    white = crops.of_images(mask[:, None].float().expand(-1, 3, -1, -1).contiguous())[:, 0]
    followed = crops.of_masks(mask)
    assert (white[followed] > 0.249).all()
    assert (white[~followed] < 0.501).all()


def trial(**fields: object) -> Trial:
    given = {"dataset": "shapes", "model": "vanilla", "backbone": "resnet10", "attribution": "ixg", "depth": "input"}
    return Trial(**{**given, "loss": "energy", "lambda_loc": 1.0, "image_size": SIZE, **fields})


@pytest.mark.parametrize("region", ["inside", "outside"])
def test_a_box_that_leaves_the_crop_costs_nothing_and_is_counted(region: str) -> None:
    images = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = split_of(images, torch.ones(2, 1, dtype=torch.bool), [[[0, 0, 8, 8]], [[20, 20, 30, 30]]])
    lower_right = Crops(torch.tensor([[16, 16, 16, 16]] * 2), torch.tensor([False, True]))
    given, index = trial(guidance_region=region), torch.arange(2)
    masks = guidance_masks(given, split, index, CPU, lower_right)
    inside = masks if region == "inside" else ~masks
    assert not inside[0].any()
    assert inside[1].nonzero().amin(0).tolist() == [8, 4]  # mirrored: 20 ... 30 is 8 ... 28, from the right 4 ... 24
    assert inside[1].nonzero().amax(0).tolist() == [27, 23]
    arguments = (index, torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.bool), CPU)
    _, parts = guided_loss(given, filled("vanilla", classes=1).train(), split, *arguments, lower_right)
    assert parts[2:].tolist() == [1, 1]  # one image guided, one mask empty


def test_the_network_sees_the_crop() -> None:
    images = torch.randint(0, 256, (1, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = split_of(images, torch.ones(1, 1, dtype=torch.bool), [[[0, 0, 8, 8]]])
    crop = Crops(torch.tensor([[4, 6, 20, 18]]), torch.tensor([True]))
    model = filled("vanilla", classes=1).eval()
    seen = by_torchvision(images[0] / 255, [4, 6, 20, 18], True, InterpolationMode.BILINEAR)[None]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(model(seen), torch.ones(1, 1))
    index = torch.zeros(1, dtype=torch.int64)
    loss, _ = guided_loss(trial(loss="none", attribution=None, depth=None, lambda_loc=0), model, split, index, index,
                          torch.ones(1, dtype=torch.bool), CPU, crop)  # fmt: skip
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
