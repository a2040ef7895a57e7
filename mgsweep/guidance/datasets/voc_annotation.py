"""The reader of PASCAL VOC's XML annotations: strict, and safe on files from anywhere.

No document type and no entity is accepted, so a file can neither expand to gigabytes nor reach for other files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from mgsweep.errors import InvalidInput, Problem, did_you_mean
from mgsweep.guidance.datasets.samples import Instance

MAX_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_TEXT = 60
"""Characters kept of an element: names and numbers are shorter, and messages quote them."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Text(NamedTuple):
    """An element's text and the line it stands on."""

    text: str
    line: int


Fields = Mapping[str, Text]
"""Elements by their path below the root, such as `object/bndbox/xmin`; the first of its path counts."""


def read_annotation(path: Path, classes: tuple[str, ...]) -> tuple[tuple[int, int], tuple[Instance, ...]]:
    """The image's (width, height) in pixels and its objects, difficult ones included.

    Boxes stay as published: VOC counts pixels from 1 and its corners are not shifted.

    Raises:
        InvalidInput: every mistake in the file, each with its line.
    """
    header, objects = _parse(path)
    check = _Check(path, classes)
    size = (check.side(header, "width"), check.side(header, "height"))
    instances = tuple(check.instance(fields, size) for fields in objects)
    if check.problems:
        raise InvalidInput(check.problems)
    return size, instances


def class_names(path: Path) -> list[str]:
    """The class of every object that has one, as written.

    Raises:
        InvalidInput: the file cannot be read or is not such an annotation.
    """
    _, objects = _parse(path)
    return [fields["object/name"].text for fields in objects if "object/name" in fields]


class _Check:
    """Turns texts into values. A mistake is noted and a harmless value given, so that all of them are found."""

    def __init__(self, path: Path, classes: tuple[str, ...]) -> None:
        self.path, self.classes = path, classes
        self.problems: list[Problem] = []

    def note(self, line: int, key: str, message: str) -> None:
        self.problems.append(Problem(f"{self.path}:{line}" if line else str(self.path), key, message))

    def side(self, fields: Fields, key: str) -> int:
        value, line = self.number(fields, f"size/{key}", 0)
        if math.isnan(value):
            return 0
        if value < 1 or not value.is_integer():
            self.note(line, key, f"expected the image's {key} in pixels, a whole number from 1, got {value:g}")
            return 0
        return int(value)

    def instance(self, fields: Fields, size: tuple[int, int]) -> Instance:
        line = fields["object"].line
        corners = tuple(self.number(fields, f"object/bndbox/{key}", line)[0] for key in CORNERS)
        xmin, ymin, xmax, ymax = corners
        got = f"got [{', '.join(f'{corner:g}' for corner in corners)}]"
        if xmin > xmax or ymin > ymax:
            self.note(line, "bndbox", f"expected xmin <= xmax and ymin <= ymax, {got}; swap the corners")
        elif min(corners) < 0 or (all(size) and (xmax > size[0] or ymax > size[1])):
            self.note(line, "bndbox", f"expected a box inside the image of {size[0]} x {size[1]} pixels, {got}")
        return Instance(self.label(fields, line), (xmin, ymin, xmax, ymax))

    def label(self, fields: Fields, line: int) -> int:
        name = fields.get("object/name")
        if name is not None and name.text in self.classes:
            return self.classes.index(name.text)
        if name is None:
            self.note(line, "name", f"missing; expected one of {', '.join(self.classes)}")
        else:
            guess = did_you_mean(name.text, self.classes) or f"; expected one of {', '.join(self.classes)}"
            self.note(name.line, "name", f"unknown class {name.text!r}{guess}")
        return 0

    def number(self, fields: Fields, path: str, line: int) -> tuple[float, int]:
        """The value and its line; NaN when there is none, which no later comparison complains about again."""
        key = path.rpartition("/")[2]
        if path not in fields:
            self.note(line, key, f"missing; expected <{path.replace('/', '><')}> with a number in pixels")
            return math.nan, line
        text, line = fields[path]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value, line
        self.note(line, key, f"expected a number in pixels, got {text!r}")
        return math.nan, line


def _parse(path: Path) -> tuple[Fields, list[Fields]]:
    """The elements outside of objects, and those of each object."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput.of(f"cannot read the annotation: {error.strerror}", where=str(path)) from error
    if len(data) > MAX_BYTES:
        raise InvalidInput.of(
            f"expected an annotation of at most {MAX_BYTES:,} bytes, the file is larger", where=str(path)
        )
    return _Handlers(path).parse(data)


class _Handlers:
    """Collects the elements that expat reports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack: list[str] = []
        self.text = ""
        self.header: dict[str, Text] = {}
        self.objects: list[dict[str, Text]] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.refuse_doctype
        self.parser.EntityDeclHandler = self.refuse_doctype

    def parse(self, data: bytes) -> tuple[Fields, list[Fields]]:
        try:
            self.parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: an unusable encoding
            self.refuse(f"malformed XML: {error}")
        return self.header, [*self.objects]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.stack.append(name)
        if len(self.stack) > MAX_DEPTH:
            self.refuse(f"expected elements nested at most {MAX_DEPTH} deep")
        if self.stack[0] != "annotation":
            self.refuse(f"expected <annotation> as the outermost element, got <{name}>")
        if self.stack[1:] == ["object"]:
            self.objects.append({"object": Text("", self.parser.CurrentLineNumber)})
        self.text = ""

    def end(self, name: str) -> None:
        fields = self.objects[-1] if self.stack[1:2] == ["object"] else self.header
        text = self.text.strip()[:MAX_TEXT]
        fields.setdefault("/".join(self.stack[1:]), Text(text, self.parser.CurrentLineNumber))
        self.stack.pop()
        self.text = ""

    def characters(self, data: str) -> None:
        self.text += data

    def refuse_doctype(self, *declaration: object) -> None:
        self.refuse("a document type or entity is not accepted; remove the <!DOCTYPE ...> part")

    def refuse(self, message: str) -> NoReturn:
        raise InvalidInput.of(message, where=f"{self.path}:{self.parser.CurrentLineNumber}")
