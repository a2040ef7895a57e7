"""Files of weights in a sweep: `weights: path`, from the plan to a trained trial."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import voc_folder
from golden import filled

from mgsweep.errors import InvalidInput
from mgsweep.guidance.checkpoint import load_weights
from mgsweep.guidance.models.weights import initial
from mgsweep.guidance.training import State
from mgsweep.plan import load
from mgsweep.runner import Places, preflight
from mgsweep.runner.execution import execute
from mgsweep.store import Store

SWEEP = """
name: own
data: {voc2007: %s}
common: {dataset: voc2007, model: vanilla, backbone: resnet10, image_size: 32, batch_size: 3, seed: 4}
baseline: {epochs: 1}
grids:
  - weights: [random, nets/first.pth, ./nets/second.pth]
    loss: none
"""

REAL = """
data: {voc2007: %s}
common: {dataset: voc2007, model: vanilla, backbone: efficientnet_lite0, weights: imagenet, image_size: 32}
baseline: {epochs: 1, learning_rate: 1e-6}
guided: {epochs: 1, learning_rate: 1e-6}
grids: [{attribution: ixg, depth: mid3, loss: energy, lambda_loc: 0.01}]
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSWEEP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "nets").mkdir()
    torch.save(filled("vanilla", classes=7).network.state_dict(), tmp_path / "nets" / "first.pth")
    torch.save(filled("vanilla", classes=8).network.state_dict(), tmp_path / "nets" / "second.pth")
    file = tmp_path / "own.yaml"
    file.write_text(SWEEP % voc_folder.write(tmp_path / "data"))
    return file


def test_a_file_is_known_by_its_content_not_by_its_path(sweep: Path) -> None:
    plan, nets = load(sweep), sweep.parent / "nets"
    digests = [hashlib.sha256((nets / f"{name}.pth").read_bytes()).hexdigest()[:12] for name in ("first", "second")]
    assert [trial.weights for trial in plan.trials] == ["random", *(f"file_{digest}" for digest in digests)]
    assert plan.weights == {f"file_{d}": nets / f"{n}.pth" for d, n in zip(digests, ("first", "second"), strict=True)}
    (nets / "first.pth").rename(nets.parent / "moved.pth")
    sweep.write_text(sweep.read_text().replace("nets/first.pth", str(nets.parent / "moved.pth")))
    assert [trial.id for trial in load(sweep).trials] == [trial.id for trial in plan.trials]
    torch.save({}, nets / "second.pth")
    changed = [trial.id for trial in load(sweep).trials]
    assert changed[:2] == [trial.id for trial in plan.trials[:2]]
    assert changed[2] != plan.trials[2].id


def test_a_trial_starts_from_the_body_in_its_file(sweep: Path) -> None:
    plan = load(sweep, ["weights=nets/first.pth"])
    (trial,) = plan.trials
    places = Places(Store(sweep.parent / "results").path, plan.data, own_weights=plan.weights)
    preflight.check(plan.trials, places)
    started: list[dict[str, torch.Tensor]] = []

    def training(*given: object, start: dict[str, torch.Tensor], resume: State | None, device: object) -> object:
        started.append(start)
        return iter(())

    list(execute(trial, places, training=training))  # type: ignore[arg-type]
    expected = torch.load(sweep.parent / "nets" / "first.pth", weights_only=True)
    assert started[0].keys() == {name for name in expected if not name.startswith("fc.")}
    assert all(torch.equal(value, expected[name]) for name, value in started[0].items())


def test_mistakes_are_told_with_their_lines(sweep: Path) -> None:
    sweep.write_text(sweep.read_text().replace("nets/first.pth", "nets/third.pth").replace("./nets/", "nowhere/"))
    with pytest.raises(InvalidInput) as caught:
        load(sweep)
    first, second = map(str, caught.value.problems)
    path = sweep.parent / "nets" / "third.pth"
    assert first == f"{sweep}:7: grids[0].weights[1]: {path}: cannot read the weights: No such file or directory"
    assert "nowhere/second.pth: cannot read the weights" in second
    sweep.write_text(SWEEP % "data")
    with pytest.raises(InvalidInput, match=r"unknown weights 'imagnet'; did you mean 'imagenet'\?"):
        load(sweep, ["weights=imagnet"])
    with pytest.raises(InvalidInput, match="no file with the content file_0123456789ab is named; write the path to it"):
        load(sweep, ["weights=file_0123456789ab"])


def test_real_weights_are_fine_tuned_offline(sweep: Path) -> None:
    """From the installed package through baseline and guided trial, at a rate that hardly moves them."""
    sweep.write_text(REAL % (sweep.parent / "data"))
    plan, store = load(sweep), Store(sweep.parent / "results" / "real")
    places = Places(store.path, plan.data)
    preflight.check(plan.trials, places)
    published = initial("vanilla", "efficientnet_lite0", places.weights_of(plan.trials[0]) or pytest.fail("no file"))
    assert [trial.guided for trial in plan.trials] == [False, True]
    for trial in plan.trials:
        assert list(execute(trial, places))
        (content,) = (store.weights(trial.id, epoch) for epoch in store.kept(trial.id))
        tuned = load_weights(content)
        for name, value in published.items():
            if name.endswith("conv.weight"):
                assert (tuned[name] - value).abs().max() <= 1e-4, name
                assert not torch.equal(tuned[name], value), name


def test_weights_that_nobody_published_make_no_trial(sweep: Path) -> None:
    with pytest.raises(InvalidInput, match="imagenet makes no trial: no ImageNet weights are published for vanilla"):
        load(sweep, ["weights=imagenet"])


def test_wrong_files_are_found_before_anything_trains(sweep: Path) -> None:
    torch.save(filled("xdnn").network.state_dict(), sweep.parent / "nets" / "first.pth")
    (sweep.parent / "nets" / "second.pth").write_bytes(b"damaged")
    plan = load(sweep)
    with pytest.raises(InvalidInput) as caught:
        preflight.check(plan.trials, Places(sweep.parent / "results", plan.data, own_weights=plan.weights))
    said = str(caught.value)
    assert "first.pth: weights: bn1.bias is missing" in said
    assert "second.pth: weights: refused" in said
