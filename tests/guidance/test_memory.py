"""Less memory for the same step: micro-batches, and stages that are computed again."""

from __future__ import annotations

import pytest
import torch
from golden import filled
from splits import CLASSES, SIZE, random_split
from torch import Tensor

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.datasets.cache import Data
from mgsweep.guidance.models.bcos import BcosNetwork
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.step import guided_loss
from mgsweep.guidance.training import guided_training
from mgsweep.trial import Trial

CPU = torch.device("cpu")
METHOD = {"vanilla": "gradcam", "xdnn": "ixg", "bcos": "bcos"}
SPLIT = random_split(1)


def trial(model: str) -> Trial:
    return Trial(
        dataset="shapes", model=model, backbone="resnet10", image_size=SIZE, batch_size=5, epochs=1,
        attribution=METHOD[model], depth="mid1", loss="energy", lambda_loc=0.5,
    )  # fmt: skip


def step(given: Trial, model: Classifier, size: int = 5) -> Tensor:
    """Sums of a step of five images, the third not annotated, its gradients in the parameters."""
    usable = torch.tensor([True, True, False, True, True])
    classes, sums = SPLIT.labels[:5].int().argmax(1), torch.zeros(4, dtype=torch.float64)
    for part in torch.arange(5).split(size):
        loss, parts = guided_loss(given, model, SPLIT, part, classes[part], usable[part], CPU, share=len(part) / 5)
        loss.backward()
        sums += parts
    return sums


def gradients(model: Classifier) -> dict[str, Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("model", METHOD)
def test_micro_batches_make_the_same_step(model: str, size: int) -> None:
    """With norms in evaluation mode, where no image sees another; to the step's sums and gradients."""
    whole, split = filled(model, classes=CLASSES).eval(), filled(model, classes=CLASSES).eval()
    torch.testing.assert_close(step(trial(model), split, size), step(trial(model), whole), rtol=1e-5, atol=0)
    for name, gradient in gradients(whole).items():
        torch.testing.assert_close(gradients(split)[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_the_batch_of_a_norm_is_the_micro_batch() -> None:
    whole, split = (filled("vanilla", classes=CLASSES).train() for _ in range(2))
    step(trial("vanilla"), whole)
    step(trial("vanilla"), split, 2)
    tracked = "network.bn1.num_batches_tracked"
    assert (whole.state_dict()[tracked], split.state_dict()[tracked]) == (1, 3)


def test_a_trial_in_micro_batches_ends_where_it_would_have_and_says_so() -> None:
    data = Data(("a", "b", "c"), "none", SPLIT, random_split(2), random_split(3, 6))
    whole, split = (list(guided_training(trial("xdnn"), data, micro_batch=size)) for size in (None, 2))
    for name, value in whole[0].state.network.items():
        # Adam turns a gradient of nothing but rounding into a whole step.
        assert (split[0].state.network[name] - value).abs().max() <= 2.1e-4, name
    assert whole[0].rows[0]["class_loss"] == pytest.approx(split[0].rows[0]["class_loss"], rel=1e-3)
    assert {row["micro_batch"] for epoch in split for row in epoch.rows} == {2}
    assert {row["micro_batch"] for epoch in whole for row in epoch.rows} == {None}


def backward(model: Classifier, depth: str | None) -> None:
    """A step in double precision on two images, guided at a depth or standard."""
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).double()
    if depth is None:
        model(images).square().mean().backward()
        return
    (reading,) = model.read(images, [depth])
    maps = ATTRIBUTIONS["bcos" if isinstance(model.network, BcosNetwork) else "ixg"](reading, torch.tensor([0, 1]))
    (reading.logits.square().mean() + maps.square().sum()).backward()


@pytest.mark.parametrize("depth", ["input", "mid2", "final", None])
@pytest.mark.parametrize("model", METHOD)
def test_computing_stages_again_changes_nothing(model: str, depth: str | None) -> None:
    """Running statistics not by a bit, as the second computation must not update them again. Nor the gradients of a
    standard step; those of a guided one but for the order in which its two parts are added."""
    plain, again = (filled(model).double().train() for _ in range(2))
    again.checkpoint_stages = True
    for classifier in (plain, again):
        backward(classifier, depth)
    assert gradients(plain).keys() == gradients(again).keys()
    for name, gradient in gradients(plain).items():
        bound = 0 if depth is None else 1e-11 * gradient.abs().max()
        assert (gradients(again)[name] - gradient).abs().max() <= bound, name
    for name, value in plain.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("model", METHOD)
def test_less_is_saved_for_the_backward(model: str) -> None:
    """Bytes of what the graph of an attribution holds, inputs of blocks and gradients between them included."""
    classifier, images, kept = filled(model, "resnet50").train(), torch.rand(2, 3, 64, 64), {}
    weights = {weight.data_ptr() for weight in classifier.parameters()}
    for again in (False, True):
        classifier.checkpoint_stages = again
        saved: dict[int, int] = {}

        def pack(x: Tensor, saved: dict[int, int] = saved) -> Tensor:
            saved[x.data_ptr()] = x.nbytes * (x.data_ptr() not in weights)
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            (reading,) = classifier.read(images, ["input"])
            maps = (reading.features * reading.gradient(torch.tensor([0, 1]))).sum()
        kept[again] = sum(saved.values())
        del maps, reading
    assert kept[True] < 0.7 * kept[False]
