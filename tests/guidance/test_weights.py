"""Published ImageNet weights: found, checked, translated; and what is said when they are not there or do not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from golden import filled
from torch import Tensor

from mgsweep.errors import InvalidInput
from mgsweep.guidance.models import MODELS, build, weights

PREFIX = {"vanilla": "", "xdnn": "module.", "bcos": ""}


def published(model: str, folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A file as published, with 1000 classes, and the state of the network behind it."""
    state = filled(model, "resnet50", 1000).network.state_dict()
    content = {PREFIX[model] + name.removeprefix("0."): value for name, value in state.items()}
    draft = folder / "draft.pth"
    torch.save({"state_dict": content} if model == "xdnn" else content, draft)
    digits = hashlib.sha256(draft.read_bytes()).hexdigest()[:8]
    return draft.rename(folder / f"net-{digits}.pth"), state


@pytest.mark.parametrize("model", MODELS)
def test_the_body_is_loaded_and_the_head_stays_fresh(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, state = published(model, tmp_path)
    monkeypatch.setitem(weights.FILES, (model, "resnet50"), file.name)
    network = build(model, "resnet50", 20).network
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    weights.load(network, weights.imagenet(model, "resnet50", tmp_path))
    for name, value in network.state_dict().items():
        expected = fresh[name] if "fc." in name else state[name]
        assert torch.equal(value, expected), name


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = published("vanilla", tmp_path)
    monkeypatch.setitem(weights.FILES, ("vanilla", "resnet50"), file.name)
    whole = file.read_bytes()
    file.write_bytes(whole[:5000] + b"x" + whole[5001:])
    with pytest.raises(InvalidInput, match="the checksum in its name does not fit its content; download it again"):
        weights.imagenet("vanilla", "resnet50", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"resnet50-0676ba61.pth \(torchvision, IMAGENET1K_V1\) is not there"):
        weights.imagenet("vanilla", "resnet50", tmp_path)
    with pytest.raises(InvalidInput, match="no ImageNet weights are published for xdnn resnet18"):
        weights.imagenet("xdnn", "resnet18", tmp_path)


def test_everything_that_does_not_fit_is_listed() -> None:
    network = build("vanilla", "resnet10", 3).network
    state = dict(network.state_dict())
    state["conv1.weight"] = torch.zeros(1)
    state["conv7.weight"] = state.pop("layer1.0.conv1.weight")
    with pytest.raises(InvalidInput) as caught:
        weights.load(network, state)
    assert [problem.message for problem in caught.value.problems] == [
        "conv1.weight has shape (1,), expected (16, 3, 3, 3)",
        "conv7.weight is not a parameter of the network",
        "layer1.0.conv1.weight is missing",
    ]
