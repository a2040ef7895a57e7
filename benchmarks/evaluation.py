"""What measuring EPG costs, beside a forward pass and beside the published way. Alternating, in one process.

    python benchmarks/evaluation.py                     ResNet-50, 224 pixels, 1.6 pairs an image

"forward" classifies the images; "ours" is `guidance.evaluation`, F1 included; "naive" explains each (image, class) pair
by a whole-batch backward with `create_graph`, in batches of 4, as published.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import torch
from kernel import ATTRIBUTION, clocked, plain

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.evaluation import evaluate, pixels
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.trial import Probe

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import double_backward

PUBLISHED_BATCH = 4
CLASSES = 20


def split_of(count: int, size: int) -> Split:
    """Random images: of five, three have two classes and two have one, so 1.6 pairs an image."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draw)
    labels = torch.zeros(count, CLASSES, dtype=torch.bool)
    for image in range(count):
        labels[image, torch.randperm(CLASSES, generator=draw)[: 2 if image % 5 < 3 else 1]] = True
    pairs = labels.nonzero()
    pair_of = torch.full(labels.shape, -1)
    pair_of[labels] = torch.arange(len(pairs))
    corners = torch.tensor([size // 4, size // 4, 3 * size // 4, 3 * size // 4]).expand(len(pairs), 1, 4)
    return Split(images, labels, pairs, pair_of, corners, None)


def forward(model: Classifier, split: Split, device: torch.device, batch_size: int) -> None:
    """Logits of all images."""
    with torch.inference_mode():
        for index in torch.arange(len(split)).split(batch_size):
            model(pixels(split, index, device))


def naive(model: Classifier, split: Split, probe: Probe, device: torch.device) -> None:
    """Each pair by a backward over its whole batch."""
    for index in torch.arange(len(split)).split(PUBLISHED_BATCH):
        images = pixels(split, index, device)
        for row, image in enumerate(index):
            for label in split.labels[image].nonzero().flatten():
                classes = label.repeat(len(index)).to(device)
                _, maps = double_backward.guided(model, images, classes, *probe)
                mask = boxes.masks(split.boxes[split.pair_of[image, label]][None].to(device), images.shape[-1])
                metrics.epg(maps[row : row + 1].detach(), mask).item()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8, help="images in a batch of ours")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of a CPU")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--depths", nargs="+", default=["input", "final"], choices=DEPTHS)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = split_of(arguments.images, arguments.size)
    print(f"{arguments.backbone}, {arguments.size} pixels, {len(split.pairs) / len(split):.1f} pairs an image\n")
    print("| model | depth | forward s | ours s | naive s | ours / forward | naive / forward |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name in arguments.models:
        model = build(name, arguments.backbone, CLASSES).to(device).eval()
        for depth in arguments.depths:
            probe = Probe(ATTRIBUTION[name], depth)
            ways = {
                "forward": partial(forward, model, split, device, arguments.batch),
                "ours": partial(evaluate, model, split, [probe], device, arguments.batch),
                "naive": partial(naive, plain(model), split, probe, device),
            }
            median = clocked(ways, arguments.repeats, device)
            ratios = {kind: median[kind] / median["forward"] for kind in ("ours", "naive")}
            rows.append({"model": name, "depth": depth, **median, **{f"{k}/forward": v for k, v in ratios.items()}})
            times = " | ".join(f"{median[kind]:.2f}" for kind in ways)
            print(f"| {name} | {depth} | {times} | {ratios['ours']:.2f} | {ratios['naive']:.2f} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
