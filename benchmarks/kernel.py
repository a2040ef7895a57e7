"""How much a guided step costs, beside a standard one and beside plain double backward. Alternating, in one process.

    python benchmarks/kernel.py                         the table of the README: ResNet-50, 224 pixels, batch 8
    python benchmarks/kernel.py --backbone resnet18 --size 112 --json out.json

"standard" is a step without guidance; "ours" the guided step as it trains; "naive" the same step with the attribution
by `autograd.grad(create_graph=True)` on the same network, as published. Times are medians; trust the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.classifier import Classifier

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import double_backward

CLASSES = 20
ATTRIBUTION = {"vanilla": "ixg", "xdnn": "ixg", "bcos": "bcos"}

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def batch(size: int, count: int, device: torch.device) -> Batch:
    """Random images, labels, one class an image, and boxes of half the side as masks."""
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, size, size, generator=draw)
    classes = torch.randint(0, CLASSES, (count,), generator=draw)
    masks = torch.zeros(count, size, size, dtype=torch.bool)
    masks[:, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = True
    labels = torch.nn.functional.one_hot(classes, CLASSES).float()
    return images.to(device), labels.to(device), classes.to(device), masks.to(device)


def standard(model: Classifier, given: Batch) -> None:
    """A step without guidance."""
    images, labels, _, _ = given
    binary_cross_entropy_with_logits(model(images), labels).backward()


def ours(model: Classifier, given: Batch, depth: str, name: str) -> None:
    """The guided step of `guidance.step`."""
    images, labels, classes, masks = given
    (reading,) = model.read(images, [depth])
    maps = ATTRIBUTIONS[ATTRIBUTION[name]](reading, classes)
    loss = binary_cross_entropy_with_logits(reading.logits, labels)
    (loss + 1e-3 * LOSSES["energy"](maps, masks).sum()).backward()


def naive(model: Classifier, given: Batch, depth: str, name: str) -> None:
    """The same by PyTorch's double backward, which is also the referee of the tests."""
    images, labels, classes, masks = given
    logits, maps = double_backward.guided(model, images, classes, ATTRIBUTION[name], depth)
    loss = binary_cross_entropy_with_logits(logits, labels)
    (loss + 1e-3 * LOSSES["energy"](maps, masks).sum()).backward()


def clocked(steps: dict[str, Callable[[], None]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each step, taken in turn so that a drift of the machine meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(
    name: str, depths: list[str], arguments: argparse.Namespace, device: torch.device
) -> list[dict[str, object]]:
    """One row for each depth of one model."""
    torch.manual_seed(0)
    model = build(name, arguments.backbone, CLASSES).to(device).train()
    given = batch(arguments.size, arguments.batch, device)
    rows: list[dict[str, object]] = []
    for depth in depths:
        steps: dict[str, Callable[[], None]] = {
            "standard": partial(standard, model, given),
            "ours": partial(ours, model, given, depth, name),
            "naive": partial(naive, model, given, depth, name),
        }
        median = clocked(steps, arguments.repeats, device)
        ratios = {f"{kind}/standard": median[kind] / median["standard"] for kind in ("ours", "naive")}
        rows.append({"model": name, "depth": depth, **median, **ratios})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=8, help="images")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--depths", nargs="+", default=["input", "mid2", "final"], choices=DEPTHS)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{arguments.backbone}, {arguments.size} pixels, batch {arguments.batch}, {where}, torch {torch.__version__}\n"
    )
    print("| model | depth | standard s | ours s | naive s | ours / standard | naive / standard |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name in arguments.models:
        for row in compare(name, arguments.depths, arguments, device):
            rows.append(row)
            times = " | ".join(f"{row[kind]:.3f}" for kind in ("standard", "ours", "naive"))
            ratios = " | ".join(f"{row[f'{kind}/standard']:.2f}" for kind in ("ours", "naive"))
            print(f"| {row['model']} | {row['depth']} | {times} | {ratios} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
