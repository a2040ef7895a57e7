"""`mgsweep data`: fetch, check and decode data sets before a sweep needs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgsweep.cli.options import Scale
from mgsweep.errors import InvalidInput, Problem, UnknownName

if TYPE_CHECKING:
    from mgsweep.guidance.datasets.own import OwnData

app = typer.Typer(help="Fetch, check and decode data sets.", no_args_is_help=True)

What = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A data set, or a sweep file for all it trains on.")]
Root = Annotated[Path | None, typer.Option(help="Its folder. Default: as the sweep says, else $MGSWEEP_DATA/NAME.")]
Size = Annotated[int, typer.Option(help="Side of the input in pixels; a sweep file says its own.")]


@app.command()
def check(what: What, root: Root = None, size: Size = 224, scale: Scale = None) -> None:
    """Count images, classes, pairs and boxes of every split, and list all mistakes. Decodes and writes nothing."""
    from mgsweep.guidance.datasets import DATASETS
    from mgsweep.guidance.datasets.census import census, duplicates
    from mgsweep.screen import console, show

    problems: list[Problem] = []
    for name, place, side in _asked(what, root, size, scale):
        console.print(f"[bold]{name}[/] at {side} pixels")
        try:
            source = DATASETS[name](place)
            counts = census(source, side)
        except InvalidInput as error:
            problems += error.problems
            continue
        show([{key: value for key, value in vars(count).items() if key != "per_class"} for count in counts])
        show([{"class": label, **{c.split: c.per_class[label] for c in counts}} for label in source.classes])
        for problem in duplicates(source):
            console.print(f"[yellow]note[/] {problem}", soft_wrap=True)
    if problems:
        raise InvalidInput(problems)


@app.command()
def prepare(what: What, root: Root = None, size: Size = 224, scale: Scale = None) -> None:
    """Decode into the cache that all trials of this machine share. Safe to stop and start again."""
    from mgsweep.guidance.datasets import cache
    from mgsweep.runner.places import Places
    from mgsweep.screen import bar, console

    problems: list[Problem] = []
    for name, place, side in _asked(what, root, size, scale):
        try:
            with bar(f"{name} at {side} pixels") as progress:
                data = cache.prepare(name, place, side, Places(Path()).cache, progress)
        except InvalidInput as error:
            problems += error.problems
        else:
            counts = ", ".join(f"{split} {len(getattr(data, split)):,}" for split in ("train", "val", "test"))
            console.print(f"[green]ready[/]  {name} at {side} pixels: {counts} images, {len(data.classes)} classes")
    if problems:
        raise InvalidInput(problems)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A data set that has a published archive.")], root: Root = None
) -> None:
    """Download the published archives, verify and unpack them. Goes on where it was interrupted."""
    from mgsweep.download import fetch
    from mgsweep.extraction import extract
    from mgsweep.guidance.datasets.published import ARCHIVES, BY_HAND
    from mgsweep.screen import bar, console

    ((_, folder, _),) = _asked(name, root, 0)
    if not isinstance(folder, Path) or name not in ARCHIVES:
        known = f"archives are known of {', '.join(ARCHIVES)}"
        raise InvalidInput.of(BY_HAND.get(name, known), where=str(folder or name))
    for archive in ARCHIVES[name]:
        with bar(f"fetching {archive.name}") as progress:
            path = fetch(archive, folder, progress)
        with bar(f"unpacking {archive.name}") as progress:
            extract(path, folder, progress)
    console.print(f"[green]ready[/]  {name} in {folder}. Next: mgsweep data check {name}")


def _asked(
    what: str, root: Path | None, size: int, scale: str | None = None
) -> Iterator[tuple[str, Path | OwnData | None, int]]:
    """(data set, where it lies, input size) of a name, or of everything that a sweep file trains on."""
    from mgsweep.guidance.datasets import DATASETS
    from mgsweep.plan import load
    from mgsweep.runner.places import Places

    if Path(what).suffix not in (".yaml", ".yml"):
        if scale:
            raise InvalidInput.of(
                f"a data set has no sizes of a sweep, got {scale!r}; name a sweep file", where="--scale"
            )
        if what not in DATASETS:
            raise InvalidInput.of(f"{UnknownName('dataset', what, DATASETS)}; data of your own: name the sweep file")
        yield what, (root if root and DATASETS[what].needs_root else Places(Path()).root(what)), size
        return
    if root:
        raise InvalidInput.of("a sweep file says where its data lie; change its key data", where="--root")
    plan = load(what, scale=scale)
    places = Places(Path(), plan.data)
    for name, side in sorted({(trial.dataset, trial.image_size) for trial in plan.trials}):
        yield name, places.root(name), side
