"""Reading a sweep file: YAML 1.2 with line numbers, and findings put in words that say what to do."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from mgsweep.errors import InvalidInput, Problem, did_you_mean
from mgsweep.plan.axes import AXES, BRANCHES, OwnDataset, in_full
from mgsweep.plan.schema import Budget, EarlyStop, Grid, Resources, Search, Sweep


@dataclass(frozen=True)
class Document:
    """A sweep file as read: plain data, and for error messages the tree that knows the lines.

    `changed` says of a key that the command line set, as `inner` has it, where the value stands instead.
    """

    path: Path
    data: dict[str, Any]
    tree: Any
    changed: dict[str, Problem] = field(default_factory=dict)

    def where(self, keys: Sequence[Any]) -> str:
        """`file:line` of the deepest of these nested keys that stands in the file."""
        node, line = self.tree, 0
        for key in keys:
            try:
                position = node.lc.data[key]
                node = node[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                continue  # a value that was written as one scalar, or a tag of a union
            line = position[0]
        return f"{self.path}:{line + 1}"

    def problem(self, keys: Sequence[Any], message: str) -> Problem:
        """A mistake at these nested keys."""
        at = inner(keys)
        for key, place in self.changed.items():
            if f"{at}.".startswith(f"{key}.") or (f"{key}.".startswith(f"{at}.") and not self._holds(keys)):
                return replace(place, message=message)
        return Problem(self.where(keys), dotted(self.data, keys), message)

    def _holds(self, keys: Sequence[Any]) -> bool:
        """Whether these nested keys stand in the file: a section that does not is there by the key set in it."""
        node = self.tree
        for key in keys:
            if not isinstance(node, dict) or key not in node:
                return False
            node = node[key]
        return True


def inner(keys: Sequence[Any]) -> str:
    """`loss`, `resources.gpu`: nested keys without those that only say where an axis stands."""
    outer = 2 if tuple(keys[:2]) == ("search", "space") else {"common": 1, "grids": 2}.get(keys[0], 0)
    return ".".join(map(str, keys[outer:]))


def read(path: str | os.PathLike[str]) -> Document:
    """Parse a sweep file.

    Raises:
        InvalidInput: no such file, not YAML, a repeated key, or not a mapping.
    """
    file = Path(path)
    try:
        tree = YAML(typ="rt").load(_text(file))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInput.of(f"not valid YAML: {(error.problem or '').strip()}", where=f"{file}:{line}") from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput.of(f"cannot read the sweep file: {reason}", where=str(file)) from None
    except RecursionError:
        raise InvalidInput.of("it is nested too deeply to be a sweep", where=str(file)) from None
    try:
        data = _plain(tree, iter(range(NODES)))
    except StopIteration:
        message = f"it stands for more than {NODES} values, aliases written out; a sweep needs far fewer"
        raise InvalidInput.of(message, where=str(file)) from None
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        raise InvalidInput.of(f"expected a mapping with the key grids, got {got}", where=str(file))
    return Document(file, data, tree)


BYTES = 2**20
"""Size that no sweep file exceeds."""

NODES = 100_000
"""Values that no sweep file exceeds: a few bytes of aliases of aliases could stand for millions."""


def _text(file: Path) -> str:
    """A regular file's text: reading a pipe would wait for ever, a large file fill the memory."""
    if file.exists() and not file.is_file():
        raise InvalidInput.of("expected a sweep file, got a folder or something else that is no file", where=str(file))
    if file.exists() and file.stat().st_size > BYTES:
        raise InvalidInput.of(f"expected a sweep file, got one of {file.stat().st_size:,} bytes", where=str(file))
    return file.read_text(encoding="utf-8-sig")


def _plain(node: Any, left: Iterator[int]) -> Any:
    """ruamel's annotated values as the builtins they stand for.

    Raises:
        StopIteration: there are more of them than `left`.
    """
    next(left)
    if isinstance(node, dict):
        return {_plain(key, left): _plain(value, left) for key, value in node.items()}
    if isinstance(node, list):
        return list(map(_plain, node, itertools.repeat(left)))
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def parse(document: Document) -> Sweep:
    """Check a document.

    Raises:
        InvalidInput: every mistake in it, each with file, line, key, what was expected and what was got.
    """
    try:
        return Sweep.model_validate(document.data)
    except ValidationError as error:
        raise InvalidInput(explain(document, error)) from None


def explain(document: Document, error: ValidationError, under: Sequence[Any] = ()) -> list[Problem]:
    """pydantic's findings in our words; `under` are the keys that lead to what was checked."""
    return [
        document.problem((*under, *detail["loc"]), _message(dict(detail))) for detail in error.errors(include_url=False)
    ]


def dotted(data: Any, keys: Sequence[Any]) -> str:
    """`grids[0].lambda_loc`: nested keys as the user would write them.

    pydantic also names the branch of a union, marks keys, and numbers the only value of an axis: not in the file.
    """
    parts = ""
    for key in keys:
        if key in (*BRANCHES, "[key]") or (isinstance(key, int) and not isinstance(data, list)):
            continue
        parts += f"[{key}]" if isinstance(key, int) else f".{key}"
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            data = None
    return parts.lstrip(".")


SECTIONS = (Sweep, Grid, Resources, OwnDataset, Search, Budget, EarlyStop)
KEYS = (*(key for section in SECTIONS for key in section.model_fields), "if", "then")
"""Every key of a sweep file, at any level."""

EXPECTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "bool_type": "true or false",
    "string_too_short": "text",
    "missing": "a value",
}


def _unknown(key: str) -> str:
    if key in AXES:
        return "a field of trials; write it under common, or in a grid"
    if key in KEYS:
        return "not a key of this section, though of another"
    return f"unknown key{did_you_mean(in_full(key), KEYS)}"


def _message(detail: dict[str, Any]) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        return _unknown(str(detail["loc"][-1]))
    if kind == "missing":
        return "missing"
    if kind == "too_short":
        return "expected at least one value, got none"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"expected {context['expected']}, got {got!r}"
    if kind == "string_pattern_mismatch":
        return f"expected up to 64 letters, digits, dots, dashes, underscores, beginning with none of . -, got {got!r}"
    for bound, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
        if bound in context:
            return f"expected a number {sign} {context[bound]:g}, got {got!r}"
    hint = "; write it without quotes" if kind in ("float_type", "int_type") and _is_number(got) else ""
    return f"expected {EXPECTED.get(kind, detail['msg'])}, got {got!r}{hint}"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
