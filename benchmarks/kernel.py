"""How much a guided step costs, beside a standard one and beside plain double backward. Alternating, in one process.

    python benchmarks/kernel.py                         ResNet-50, 224 pixels, batch 8
    python benchmarks/kernel.py --backbone resnet18 --size 112 --json out.json

"standard" is a step without guidance; "ours" the guided step as it trains; "naive" the same step with the attribution
by `autograd.grad(create_graph=True)`, channels first, as published. "floor" counts the operations that exact gradients
need beside a standard step's: three more passes over what lies above the depth. "1 %" is the mean over steps whose
images are annotated with that probability, "losses" the share of losses and masks in a guided step, "compiled" is ours
by `torch.compile` once it has compiled, and memory the growth of a fresh process in its first step, with the stages
computed again in brackets.

On a CPU, times are seconds of the process: another process that wants the same cores does not count. The least of the
repeats is taken; trust the ratios.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mgsweep.guidance import boxes
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.step import guided_loss
from mgsweep.trial import Trial

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import double_backward
from operations import Operations

CLASSES = 20
ATTRIBUTION = {"vanilla": "ixg", "xdnn": "ixg", "bcos": "bcos"}
LAMBDA = 1e-3
FRACTION = 0.01

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
    guided(model, depth, name)(*given).backward()


def guided(model: Classifier, depth: str, name: str) -> Callable[..., Tensor]:
    """The loss of that step. Attribution and guidance loss are imported before, which no compiled graph could hold."""
    attribution, guidance = ATTRIBUTIONS[ATTRIBUTION[name]].load(), LOSSES["energy"].load()

    def loss(images: Tensor, labels: Tensor, classes: Tensor, masks: Tensor) -> Tensor:
        (reading,) = model.read(images, [depth])
        entropy = binary_cross_entropy_with_logits(reading.logits, labels)
        return entropy + LAMBDA * guidance(attribution(reading, classes), masks).sum()

    return loss


def compiled(model: Classifier, given: Batch, depth: str, name: str) -> Callable[[], None]:
    """The same step by `torch.compile`, attribution and losses in the one graph that is differentiated."""
    torch.compiler.reset()  # the graphs of earlier rows count against a limit
    loss = torch.compile(guided(model, depth, name), fullgraph=True)
    return lambda: loss(*given).backward()


def naive(model: Classifier, given: Batch, depth: str, name: str) -> None:
    """The same by PyTorch's double backward, which is also the referee of the tests."""
    images, labels, classes, masks = given
    logits, maps = double_backward.guided(model, images, classes, ATTRIBUTION[name], depth)
    loss = binary_cross_entropy_with_logits(logits, labels)
    (loss + LAMBDA * LOSSES["energy"](maps, masks).sum()).backward()


def one_annotated(model: Classifier, given: Batch, depth: str, name: str) -> None:
    """A step of which a single image is annotated."""
    images, _, classes, _ = given
    size, count = images.shape[-1], len(images)
    labels = torch.nn.functional.one_hot(classes.cpu(), CLASSES).bool()
    pair_of = torch.where(labels, torch.arange(count)[:, None], -1)
    corners = torch.tensor([size // 4, size // 4, 3 * size // 4, 3 * size // 4]).expand(count, 1, 4)
    split = Split((images * 255).byte().cpu(), labels, labels.nonzero(), pair_of, corners)
    trial = Trial(
        dataset="shapes", model=name, attribution=ATTRIBUTION[name], depth=depth, loss="energy", lambda_loc=LAMBDA
    )
    index = torch.arange(count)
    loss, _ = guided_loss(trial, model, split, index, classes.cpu(), index == 0, images.device)
    loss.backward()


def losses(maps: Tensor, size: int) -> None:
    """Masks from boxes and a guidance loss, forward and back, of a batch of maps."""
    corners = torch.tensor([size // 4, size // 4, 3 * size // 4, 3 * size // 4], device=maps.device)
    masks = boxes.masks(corners.expand(len(maps), 1, 4), size)
    LOSSES["energy"](maps.detach().requires_grad_(), masks).sum().backward()


def plain(model: Classifier) -> Classifier:
    """The network with its channels first, as published: double backward is much slower with channels last."""
    return copy.deepcopy(model).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def seconds(device: torch.device) -> float:
    """A clock that another process does not slow down, where there is one."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def clocked(steps: dict[str, Callable[[], None]], repeats: int, device: torch.device) -> dict[str, float]:
    """Least seconds of each step, taken in turn so that a drift of the machine meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start = seconds(device)
            step()
            times[name].append(seconds(device) - start)
    return {name: min(values) for name, values in times.items()}


def flops(name: str, depth: str, backbone: str, size: int) -> dict[str, float]:
    """Operations of a guided step, ours, and of the floor, both beside a standard step's."""
    device = torch.device("meta")
    model = build(name, backbone, CLASSES).to(device).train()
    given: Batch = tuple(part.to(device) for part in batch(size, 2, torch.device("cpu")))  # type: ignore[assignment]
    counts = {}
    for kind, step in {
        "standard": partial(standard, model, given),
        "ours": partial(ours, model, given, depth, name),
        "forward": torch.no_grad()(partial(model, given[0])),
        "read": torch.no_grad()(lambda: model.read(given[0], [depth])[0].gradient(given[2])),
    }.items():
        with Operations() as counted:
            step()
        counts[kind] = counted.flops
    floor = counts["standard"] + 3 * (counts["read"] - counts["forward"])
    return {"flops": counts["ours"] / counts["standard"], "floor": floor / counts["standard"]}


def peak(name: str, kind: str, depth: str, backbone: str, size: int, count: int) -> int:
    """Bytes by which a fresh process grows in a step."""
    arguments = (name, kind, depth, backbone, size, count)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, arguments)


def _growth(name: str, kind: str, depth: str, backbone: str, size: int, count: int) -> int:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, given = build(name, backbone, CLASSES).to(device).train(), batch(size, count, device)
    model.checkpoint_stages = kind == "again"
    steps = {"standard": partial(standard, model, given), "naive": partial(naive, plain(model), given, depth, name)}
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        steps.get(kind, partial(ours, model, given, depth, name))()
        return torch.cuda.max_memory_allocated() - before
    before = _highest()
    steps.get(kind, partial(ours, model, given, depth, name))()
    return _highest() - before


def _highest() -> int:
    """Most memory this process had, in bytes. What `getrusage` tells of a child begins at its parent's; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def compare(name: str, depth: str, model: Classifier, given: Batch, arguments: argparse.Namespace) -> dict[str, object]:
    """One row: seconds of each way, and what is made of them."""
    device, size, count = given[0].device, arguments.size, arguments.batch
    side = model.read(given[0][:1], [depth])[0].features.shape[-1]
    maps = torch.rand(count, side, side, device=device)
    steps: dict[str, Callable[[], None]] = {
        "standard": partial(standard, model, given),
        "ours": partial(ours, model, given, depth, name),
        "naive": partial(naive, plain(model), given, depth, name),
        "one": partial(one_annotated, model, given, depth, name),
        "losses": partial(losses, maps, size),
    }
    if arguments.compiled:
        steps["compiled"] = compiled(model, given, depth, name)
        steps["compiled"]()
    least = clocked(steps, arguments.repeats, device)
    ratio = {f"{kind}/standard": least[kind] / least["standard"] for kind in ("ours", "naive", "one")}
    annotated = 1 - (1 - FRACTION) ** count
    row = {"model": name, "depth": depth, **least, **ratio, **flops(name, depth, arguments.backbone, size)}
    row["to_floor"] = ratio["ours/standard"] / row["floor"]
    row["one_percent"] = 1 - annotated + annotated * ratio["one/standard"]
    row |= {f"{kind}/ours": least[kind] / least["ours"] for kind in ("losses", "compiled") if kind in least}
    if arguments.memory:
        kinds = ("standard", "ours", "again", "naive")
        row |= {f"{kind} MB": peak(name, kind, depth, arguments.backbone, size, count) / 1e6 for kind in kinds}
    return row


def line(row: dict[str, object]) -> str:
    """A row of the table."""
    cells = [row["model"], row["depth"], f"{row['standard']:.2f}"]
    cells += [f"{row[key]:.2f}" for key in ("ours/standard", "naive/standard", "flops", "floor", "to_floor")]
    cells += [f"{row['one_percent']:.2f}", f"{100 * row['losses/ours']:.1f} %"]
    if "compiled/ours" in row:
        cells.append(f"{row['compiled/ours']:.2f}")
    if "ours MB" in row:
        cells += [
            f"{row['standard MB']:.0f}",
            f"{row['ours MB']:.0f} ({row['again MB']:.0f})",
            f"{row['naive MB']:.0f}",
        ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=8, help="images")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of a CPU")
    parser.add_argument("--compiled", action="store_true", help="time torch.compile, too; it needs a C++ compiler")
    parser.add_argument("--memory", action="store_true", help="measure memory, too")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--depths", nargs="+", default=["input", "mid2", "final"], choices=DEPTHS)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{arguments.backbone}, {arguments.size} pixels, batch {arguments.batch}, {where}, torch {torch.__version__}\n"
    )
    titles = ["model", "depth", "standard s", "ours / standard", "naive / standard", "operations", "floor"]
    titles += ["ours / floor", "1 %", "losses", *["compiled / ours"] * arguments.compiled]
    titles += [*["standard MB", "ours MB", "naive MB"] * arguments.memory]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    given, rows = batch(arguments.size, arguments.batch, device), []
    networks = {name: build(name, arguments.backbone, CLASSES).to(device).train() for name in arguments.models}
    for name, model in networks.items():
        for depth in arguments.depths:
            rows.append(compare(name, depth, model, given, arguments))
            print(line(rows[-1]), flush=True)
    least = clocked({n: partial(standard, m, given) for n, m in networks.items()}, arguments.repeats, device)
    print("\nstandard steps: " + ", ".join(f"{name} {least[name]:.2f} s" for name in least))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "standard": least}, indent=1) + "\n")


if __name__ == "__main__":
    main()
