"""What the documents say of columns, commands and files is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML

from mgsweep import store
from mgsweep.cli import app
from mgsweep.store.export import schema_table

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def test_the_columns_are_todays() -> None:
    """After a change: put `mgsweep.store.export.schema_table()` between the two marks."""
    text = (ROOT / "docs/store.md").read_text()
    assert text.split("<!-- columns -->\n")[1].split("\n<!-- end of columns -->")[0] == schema_table()


def test_every_file_of_a_sweep_is_described() -> None:
    text = (ROOT / "docs/store.md").read_text()
    named = re.findall(r"^  (\S+)/?", (store.__doc__ or "").split("<sweep>/")[1], flags=re.M)
    assert {name.split("/")[0] for name in named} <= {
        name.split("/")[0] for name in re.findall(r"^  (\S+)", text, re.M)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(document: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, rest in re.findall(r"\bmgsweep ([a-z-]+)\b((?:(?!mgsweep)[^`\n|])*)", document.read_text()):
        if name not in commands:
            assert not rest.startswith(" -"), f"{document.name}: mgsweep {name}"
            continue
        known = {option for parameter in commands[name].params for option in parameter.opts}
        known |= {o for sub in getattr(commands[name], "commands", {}).values() for p in sub.params for o in p.opts}
        for option in re.findall(r"(?<=\s)(--[a-z-]+|-[a-z])\b", rest.split(";")[0]):
            assert option in known | {"--help"}, f"{document.name}: mgsweep {name} {option}"


def test_the_kubernetes_manifest_is_yaml_of_a_ray_job() -> None:
    (text,) = re.findall(r"```yaml\n(apiVersion.*?)```", (ROOT / "docs/cluster.md").read_text(), flags=re.S)
    job = YAML(typ="safe").load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    groups = [job["spec"]["rayClusterSpec"]["headGroupSpec"], *job["spec"]["rayClusterSpec"]["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
