"""`mgsweep weights`: the ImageNet weights of every network: which there are, whether they are whole, getting them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mgsweep.cli.options import FormatOption, format_of
from mgsweep.errors import InvalidInput, Problem

app = typer.Typer(help="ImageNet weights: list, check and fetch their files.", no_args_is_help=True)

Asked = Annotated[
    list[str],
    typer.Argument(metavar="MODEL/BACKBONE|FILE...", help="Networks, or sweep files for all they need."),
]


@app.command(name="list")
def list_(form: FormatOption = "table") -> None:
    """List every network with its published file, licence, and where that is or is to be had. Reads no weights."""
    from mgsweep.guidance.models.sources import PUBLISHED
    from mgsweep.screen import console, show

    rows: list[dict[str, Any]] = []
    for model, backbone in _networks():
        row: dict[str, Any] = {"network": f"{model}/{backbone}", "there": _is_there(model, backbone)}
        weights = PUBLISHED.get((model, backbone))
        row["file"] = weights and weights.file.name
        row["licence"] = weights and weights.licence
        row["source"] = weights and weights.source
        if form != "table":
            row["url"] = weights and weights.file.url
        rows.append(row)
    show(rows, format_of(form))
    if form == "table":
        console.print(f"\nfolder: {_folder()} (MGSWEEP_WEIGHTS); addresses: --format json", soft_wrap=True)


@app.command()
def check() -> None:
    """Verify every file of weights that is there and load it into its network. Says what is wrong with it."""
    from mgsweep.guidance.models.sources import digest
    from mgsweep.guidance.models.weights import initial
    from mgsweep.screen import console

    problems: list[Problem] = []
    there = [pair for pair in _networks() if _is_there(*pair) == "yes"]
    for model, backbone in there:
        file = _located(model, backbone)
        try:
            tensors = initial(model, backbone, file)
        except InvalidInput as error:
            problems += error.problems
            continue
        known = "as published" if file.sha256 else "as noted at its first use"
        text = f"{model}/{backbone}: {len(tensors)} tensors, sha256 {digest(file.path)[:12]} {known}"
        console.print(f"[green]fits[/]  {text}", soft_wrap=True)
    if problems:
        raise InvalidInput(problems)
    if not there:
        console.print(f"no files of weights are in {_folder()}; mgsweep weights list says which there are")


@app.command()
def fetch(what: Asked) -> None:
    """Download published files and verify them. Goes on where it was interrupted; what is there stays."""
    from mgsweep import download
    from mgsweep.guidance.models.sources import PUBLISHED, verify
    from mgsweep.screen import bar, console

    problems: list[Problem] = []
    for model, backbone in dict.fromkeys(pair for text in what for pair in _asked(text)):
        try:
            if not PUBLISHED[model, backbone].package:
                file = PUBLISHED[model, backbone].file
                with bar(f"fetching {file.name}") as progress:
                    download.fetch(file, _folder(), progress)
            located = _located(model, backbone)
            verify(located)
        except InvalidInput as error:
            problems += error.problems
        else:
            console.print(f"[green]ready[/]  {model}/{backbone}: {located.path}", soft_wrap=True)
    if problems:
        raise InvalidInput(problems)


def _networks() -> Iterator[tuple[str, str]]:
    from mgsweep.guidance.models import MODELS

    return ((model.name, backbone) for model in MODELS.values() for backbone in model.backbones)


def _folder() -> Path:
    from mgsweep.runner.places import Places

    return Places(Path()).weights


def _located(model: str, backbone: str) -> Any:
    from mgsweep.guidance.models.sources import published

    return published(model, backbone, _folder())


def _is_there(model: str, backbone: str) -> str:
    from mgsweep.guidance.models.sources import PUBLISHED

    if (model, backbone) not in PUBLISHED:
        return "none published"
    try:
        return "yes" if _located(model, backbone).path.is_file() else "no"
    except InvalidInput:
        package = PUBLISHED[model, backbone].package
        return "no: extra [pretrained]" if package else "no"


def _asked(text: str) -> Iterator[tuple[str, str]]:
    """The networks with published weights that an argument asks for."""
    from mgsweep.guidance.models.sources import PUBLISHED
    from mgsweep.plan import load

    if Path(text).suffix in (".yaml", ".yml"):
        trials = load(text).trials
        yield from ((trial.model, trial.backbone) for trial in trials if trial.weights == "imagenet")
        return
    model, _, backbone = text.partition("/")
    if (model, backbone) not in PUBLISHED:
        known = ", ".join(map("/".join, PUBLISHED))
        raise InvalidInput.of(f"no weights are published for {text!r}; there are {known}")
    yield model, backbone
