"""What a trial pays for its data: a memory map of bytes, beside a file of float tensors a split, as published.

    python benchmarks/data.py                           the generated data set at 224 pixels
    python benchmarks/data.py --size 96 --json out.json

Each way is read by two processes, one after the other has begun: what is told of memory is the second's, that of a
further trial on a machine. Memory is private (USS), pages that both have count for neither. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.evaluation import pixels
from mgsweep.guidance.models.classifier import Normalise

BATCH = 64
DATASET = "shapes"
CPU = torch.device("cpu")

Reader = Callable[[Tensor], Tensor]


def ours(cache: Path, size: int) -> tuple[int, Reader]:
    """Bytes on disk, read by index, scaled and normalised batch by batch."""
    split, normalise = prepare(DATASET, None, size, cache).train, Normalise()
    return len(split), lambda index: normalise(pixels(split, index, CPU))


def naive(cache: Path, size: int) -> tuple[int, Reader]:
    """A tensor of floats that is loaded whole."""
    images = torch.load(cache / "train.pt", weights_only=True)["data"]
    return len(images), lambda index: images[index]


WAYS: dict[str, Callable[[Path, int], tuple[int, Reader]]] = {"ours": ours, "naive": naive}


def write(cache: Path, size: int) -> dict[str, int]:
    """Make both; bytes each takes on disk for the training split."""
    count, read = ours(cache, size)
    torch.save({"data": torch.cat([read(index) for index in torch.arange(count).split(BATCH)])}, cache / "train.pt")
    (images,) = cache.glob(f"{DATASET}-{size}-*/train.images.npy")
    return {"ours": images.stat().st_size, "naive": (cache / "train.pt").stat().st_size}


def private() -> int:
    """Bytes of memory that this process alone has."""
    lines = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return 1024 * sum(int(line[1]) for line in lines if line[0].startswith("Private_"))


def child(way: str, cache: Path, size: int) -> None:
    """Read an epoch in random order, say what it took, and stay until standard input ends."""
    torch.set_num_threads(1)
    before, start = private(), time.perf_counter()
    count, read = WAYS[way](cache, size)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).split(BATCH)
    read(order[0])
    first, cpu = time.perf_counter() - start, time.process_time()
    for index in order:
        read(index)
    took = {"first": first, "rate": len(order) / (time.process_time() - cpu), "memory": private() - before}
    print(json.dumps(took), flush=True)
    sys.stdin.read()


def second(way: str, cache: Path, size: int) -> dict[str, float]:
    """What the second of two processes says."""
    command = [sys.executable, __file__, "--child", way, str(cache), "--size", str(size)]
    processes = []
    for _ in range(2):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        processes.append(process)
        said = process.stdout.readline()
    for process in processes:
        process.communicate()
    return dict(json.loads(said))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments.child[0], Path(arguments.child[1]), arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        bytes_on_disk = write(Path(folder), arguments.size)
        turns = [{way: second(way, Path(folder), arguments.size) for way in WAYS} for _ in range(arguments.repeats)]
    print(f"{DATASET}, {arguments.size} pixels, batches of {BATCH}, one thread\n")
    print(
        "| | on disk | time to first batch | batches a CPU second | memory of a further trial |\n|---|---|---|---|---|"
    )
    rows = []
    for way in WAYS:
        best = {"first": min(turn[way]["first"] for turn in turns), "rate": max(turn[way]["rate"] for turn in turns)}
        rows.append({"way": way, "disk": bytes_on_disk[way], **best, "memory": max(t[way]["memory"] for t in turns)})
        row = rows[-1]
        cells = [f"{row['disk'] / 1e6:.0f} MB", f"{row['first']:.2f} s", f"{row['rate']:.0f}"]
        print(f"| {way} | {' | '.join(cells)} | {row['memory'] / 1e6:.0f} MB |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
