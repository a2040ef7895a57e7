"""What a store on an object store (S3, GCS) would ask of it, and whether its rules hold. There is none yet.

    python benchmarks/object_store.py

First, simulated trials of 50 epochs do on this disk what any trial does, and every operation counts as the request it
would be: a rename PUT, an exclusive link PUT with If-None-Match, a renewed lease PUT with If-Match, reading GET, a look
HEAD, a listing LIST. From that follow requests a second of clusters, and what 1,000 trials would cost at S3's list
prices of 2025. Then the rules of docs/cluster.md: a trial of two epochs, a worker that stalls and one that takes over,
in every order of their requests, either of them dying anywhere; and the same with PUTs that ask for nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

from replay import Replay, plan

from mgsweep import durable, runner
from mgsweep.runner import Places, local
from mgsweep.store import Store, leases

EPOCHS, TRIALS = 50, 10
PRICE = {"PUT": 5e-6, "LIST": 5e-6, "GET": 4e-7, "HEAD": 4e-7, "DELETE": 0.0}
"""US dollars a request."""


def main() -> None:
    requests = counted()
    print(f"a trial of {EPOCHS} epochs:", ", ".join(f"{n / TRIALS:.0f} {kind}" for kind, n in requests.most_common()))
    of_trial = sum(PRICE[kind.split()[0]] * n for kind, n in requests.items()) / TRIALS
    of_leases = PRICE["PUT"] * EPOCHS * 60 / leases.RENEWED
    print(f"1,000 trials, a minute an epoch: ${1000 * of_trial:.0f}, and ${1000 * of_leases:.0f} for their leases")
    puts = sum(n for kind, n in requests.items() if kind.startswith("PUT")) / TRIALS / EPOCHS / 60
    for gpus in (80, 8000):
        print(
            f"{gpus} GPUs: {gpus * puts:.0f} PUT/s, and {gpus / leases.RENEWED:.0f} for leases; S3 takes 3,500 a prefix"
        )
    for name, conditional in (("by the rules", True), ("PUTs that ask for nothing", False)):
        print(f"{name}: {verdict(conditional)}")


class Requests:
    """In the place of `os` in `durable`: does what is asked for, and counts it as requests to an object store."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _count(self, kind: str, path: Any) -> None:
        if not str(path).endswith(".tmp"):  # there are no drafts where a PUT is whole or not at all
            self.counts[kind] += 1

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        if flags == os.O_RDONLY and not os.path.isdir(path):
            self._count("GET", path)
        return os.open(path, flags, mode)

    def replace(self, source: Any, target: Any) -> None:
        self._count("PUT", target)
        os.replace(source, target)

    def link(self, source: Any, target: Any) -> None:
        self._count("PUT if absent", target)
        os.link(source, target)

    def stat(self, path: Any) -> os.stat_result:
        self._count("HEAD", path)
        return os.stat(path)

    def listdir(self, path: Any) -> list[str]:
        self._count("LIST", path)
        return os.listdir(path)

    def unlink(self, path: Any) -> None:
        self._count("DELETE", path)
        os.unlink(path)


class Silent:
    """A listener that hears nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def counted() -> Counter[str]:
    """The requests of a baseline and its children."""
    planned, requests, exists = plan(TRIALS, EPOCHS), Requests(), Path.exists
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "simulated")
        agenda = runner.agenda(planned, store)
        store.begin(planned.text, planned.trials)
        durable.os, Path.exists = requests, lambda path: requests._count("HEAD", path) or exists(path)  # type: ignore
        try:
            outcome = local.run(agenda, Places(store.path), Silent(), planned.resources, training=Replay())
        finally:
            durable.os, Path.exists = os, exists  # type: ignore
    assert outcome.finished == TRIALS, outcome
    return requests.counts


class Refused(Exception):
    """412: the object is not, or no longer, as the request asked."""


class Bucket:
    """Objects with versions. A PUT that names a version, or None for absence, is refused if that is not so."""

    def __init__(self, conditional: bool) -> None:
        self.objects: dict[str, tuple[int, Any]] = {}
        self._conditional, self._version = conditional, 0

    def get(self, key: str) -> tuple[int | None, Any]:
        return self.objects.get(key, (None, 0))

    def put(self, key: str, value: Any, version: int | None) -> int:
        if self._conditional and self.get(key)[0] != version:
            raise Refused(key)
        self._version += 1
        self.objects[key] = self._version, value
        return self._version


def worker(bucket: Bucket, acknowledged: list[int], records: list[int]) -> Iterator[None]:
    """One attempt at a trial of two epochs; stops after each request. It takes the lease whoever may hold it."""
    held, number = bucket.get("lease")
    yield
    bucket.put("lease", number + 1, held)
    yield
    version, epoch = bucket.get("progress")
    yield
    while epoch < 2:
        version, epoch = bucket.put("progress", epoch + 1, version), epoch + 1
        acknowledged.append(epoch)
        yield
    bucket.put("record", epoch, None)
    records.append(epoch)


def advance(attempt: Iterator[None]) -> None:
    """To its next request, if it has not ended or been refused."""
    with suppress(Refused):
        next(attempt, None)


REQUESTS = 6
LIVES = [(REQUESTS, REQUESTS), *((n, REQUESTS) for n in range(REQUESTS)), *((REQUESTS, n) for n in range(REQUESTS))]
"""How many requests each of two workers lives to make."""


def verdict(conditional: bool) -> str:
    """What becomes of a trial in every order of the requests of two workers, each of which may die before any."""
    runs = lost = twice = 0
    for first in combinations(range(2 * REQUESTS), REQUESTS):
        order = ["AB"[position not in first] for position in range(2 * REQUESTS)]
        for lives in LIVES:
            acknowledged, records = outcome(conditional, order, lives)
            runs, lost = runs + 1, lost + (len(set(acknowledged)) < len(acknowledged))
            twice += len(records) != 1
    return f"{runs:,} orders, acknowledged epochs lost in {lost:,}, other than one record in {twice:,}"


def outcome(conditional: bool, order: Sequence[str], lives: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Epochs as they were acknowledged, and records as they were published, a third worker ending what is left."""
    bucket, acknowledged, records = Bucket(conditional), list[int](), list[int]()
    attempts = {name: worker(bucket, acknowledged, records) for name in "AB"}
    left = dict(zip("AB", lives, strict=True))
    for name in order:
        if left[name]:
            left[name] -= 1
            advance(attempts[name])
    if "record" not in bucket.objects:
        last = worker(bucket, acknowledged, records)
        for _ in range(REQUESTS):
            advance(last)
    return acknowledged, records


if __name__ == "__main__":
    main()
