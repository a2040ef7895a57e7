"""The house: who may import whom, the world outside included. Imports point downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOOR = {"mgsweep", "mgsweep.errors", "mgsweep.registry", "mgsweep.trial", "mgsweep.pareto", "mgsweep.durable"}
FLOOR |= {"mgsweep.best"}
KERNEL = FLOOR | {"mgsweep.guidance"}

# Part of the house -> the parts it may import from. The most specific line counts; nothing may be missing here.
MAY_IMPORT: dict[str, set[str]] = {
    "mgsweep": set(),
    "mgsweep.errors": set(),
    "mgsweep.durable": set(),
    "mgsweep.download": {"mgsweep.errors"},
    "mgsweep.extraction": {"mgsweep.errors", "mgsweep.download"},
    "mgsweep.pareto": set(),
    "mgsweep.best": set(),
    "mgsweep.trial": set(),
    "mgsweep.registry": {"mgsweep.errors"},
    "mgsweep.guidance": KERNEL,
    "mgsweep.guidance.contracts": {"mgsweep.registry", "mgsweep.errors"},
    # The four kinds of component know the contracts, never each other.
    "mgsweep.guidance.losses": FLOOR
    | {"mgsweep.guidance.contracts", "mgsweep.guidance.maps", "mgsweep.guidance.metrics"},
    "mgsweep.guidance.attributions": FLOOR | {"mgsweep.guidance.contracts", "mgsweep.guidance.reading"},
    "mgsweep.guidance.models": FLOOR | {"mgsweep.guidance.contracts", "mgsweep.guidance.reading", "mgsweep.download"},
    "mgsweep.guidance.datasets": FLOOR | {"mgsweep.guidance.contracts", "mgsweep.download"},
    "mgsweep.plan": FLOOR
    | {"mgsweep.guidance.validity", "mgsweep.guidance.contracts", "mgsweep.guidance.datasets.own"}
    | {"mgsweep.guidance.models.sources"},
    "mgsweep.store": FLOOR,
    "mgsweep.runner": KERNEL | {"mgsweep.plan", "mgsweep.store"},
    "mgsweep.mirrors": FLOOR | {"mgsweep.runner"},
    "mgsweep.search": FLOOR | {"mgsweep.plan", "mgsweep.store", "mgsweep.runner"},
    "mgsweep.labels": {"mgsweep.trial"},
    "mgsweep.screen": FLOOR | {"mgsweep.labels"},
    "mgsweep.listings": KERNEL
    | {"mgsweep.plan", "mgsweep.store", "mgsweep.labels", "mgsweep.screen", "mgsweep.runner"},
    "mgsweep.cli": {"mgsweep", "analysis"},
    "mgsweep.__main__": {"mgsweep.cli"},
    "analysis": FLOOR | {"mgsweep.store"},
}

# Foreign package -> the only parts that may import it when they run (type checking aside).
OWNERS: dict[str, set[str]] = {
    "torch": {"mgsweep.guidance"},
    "torchvision": {"mgsweep.guidance"},
    "PIL": {"mgsweep.guidance.datasets", "analysis.report"},
    "pycocotools": {"mgsweep.guidance.datasets"},
    "ray": {"mgsweep.runner"},
    "tensorboardX": {"mgsweep.mirrors"},
    "wandb": {"mgsweep.mirrors"},
    "mlflow": {"mgsweep.mirrors"},
    "optuna": {"mgsweep.search"},
    "scipy": {"mgsweep.search"},
    "pyarrow": {"mgsweep.store"},
    "pandas": {"analysis"},
    "matplotlib": {"analysis"},
    "ruamel": {"mgsweep.plan"},
    "pydantic": {"mgsweep.plan", "mgsweep.trial"},
    "typer": {"mgsweep.cli"},
    "rich": {"mgsweep.screen"},
    "numpy": {"mgsweep", "analysis"},
}

FILES = sorted([*ROOT.glob("mgsweep/**/*.py"), *ROOT.glob("analysis/**/*.py")])


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def within(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def line_for(module: str) -> str:
    return max((part for part in MAY_IMPORT if within(module, part)), key=len)


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, inside functions too; those for type checking only are left out."""
    tree = ast.parse(file.read_text())
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                known = full in MODULES
                yield node.lineno, full if known else str(node.module)


MODULES = {module_of(file) for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_point_downward(file: Path) -> None:
    module = module_of(file)
    line = line_for(module)
    assert line != "mgsweep" or module == "mgsweep", f"{module} has no line in MAY_IMPORT: where does it belong?"
    for number, imported in imports(file):
        if imported.split(".")[0] not in ("mgsweep", "analysis"):
            continue
        exact = {"mgsweep"} if line != "mgsweep.cli" else set()  # the bare package holds the version and nothing else
        allowed = any(
            imported == part if part in exact else within(imported, part) for part in MAY_IMPORT[line] | {line}
        )
        assert allowed, f"{file}:{number}: {line} may not import {imported}"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_foreign_packages_have_owners(file: Path) -> None:
    module = module_of(file)
    for number, imported in imports(file):
        package = imported.split(".")[0]
        if package in sys.stdlib_module_names or package in ("mgsweep", "analysis"):
            continue
        assert any(within(module, owner) for owner in OWNERS[package]), f"{file}:{number}: {module} imports {package}"


LIGHT = {
    "mgsweep --help": ["--help"],
    "mgsweep run --help": ["run", "--help"],
    "mgsweep plan": ["plan", str(ROOT / "sweeps/full_grid.yaml")],
    "mgsweep status": ["status", "--store", "nowhere"],
    "mgsweep schema": ["schema"],
    "mgsweep weights list": ["weights", "list"],
}


@pytest.mark.parametrize("command", LIGHT)
def test_light_commands_load_nothing_heavy(command: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom mgsweep.cli import main\n"
        f"sys.argv = ['mgsweep', *{LIGHT[command]!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'ray', 'optuna', 'matplotlib', 'torchvision'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
