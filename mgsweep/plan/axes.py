"""Axes of a sweep file: the values to try of each field of a trial, in every form that a user may write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo

from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.validity import NAMES
from mgsweep.plan.intervals import KINDS, interval_or
from mgsweep.trial import Name, Trial

RANGES: dict[str, tuple[str, Callable[..., Any]]] = {
    "range": ("[start, stop] or [start, stop, step], whole numbers, stop excluded", lambda *a: range(*a)),
    "linspace": ("[first, last, count]", lambda a, b, n: np.linspace(a, b, n)),
    "geomspace": ("[first, last, count], evenly spaced on a log scale", lambda a, b, n: np.geomspace(a, b, n)),
}


MOST = 1_000_000
"""Trials that one sweep may ask for, and values that an axis may have."""

LAMBDAS = ("values", "values per loss")
PATHS = ("one path", "a path for each split")
CUTS = ("shares of the images", "a list for each split")
BRANCHES = (*LAMBDAS, *PATHS, *CUTS)
"""The two ways to write lambdas, the paths of own data, and how these are split."""


def _spread(value: Any) -> Any:
    """One value, a list of values or a range, as a list without repeats."""
    if isinstance(value, dict):
        value = _range(value)
    if not isinstance(value, list):
        return [value]
    if any(isinstance(item, list | dict) for item in value):
        raise ValueError("expected a list of values, got a list within a list")
    return list(dict.fromkeys(value))


def _range(value: dict[Any, Any]) -> list[Any]:
    known = ", ".join(f"{{{name}: {form}}}" for name, (form, _) in RANGES.items())
    if len(value) != 1 or next(iter(value)) not in RANGES:
        raise ValueError(f"expected a value, a list of values or a range: {known}")
    ((kind, bounds),) = value.items()
    form, make = RANGES[kind]
    try:
        if kind != "range" and bounds[2] > MOST:
            raise ValueError(f"at most {MOST:,} values")
        numbers = make(*bounds)
        if len(numbers) > MOST:
            raise ValueError(f"at most {MOST:,} values")
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise ValueError(f"expected {kind}: {form}, got {bounds!r} ({error})") from None
    # Twelve digits: 0.001 and the 0.0010000000000000002 of a geometric series are one value, hence one trial.
    return [float(f"{n:.12g}") if isinstance(n, float) else int(n) for n in numbers]


def _typed(name: str, info: FieldInfo) -> Any:
    """The type of a `Trial` field with its constraints, without the None that stands for "not given"."""
    if name in NAMES:
        return Name
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _schema(name: str, info: FieldInfo) -> dict[str, Any]:
    if name == "dataset":
        return {"anyOf": [{"enum": list(NAMES[name])}, _self_contained(OwnDataset.model_json_schema())]}
    if name == "weights":
        path = {"type": "string", "pattern": r"[/.]", "description": "path to a file, relative to the sweep file"}
        return {"anyOf": [{"enum": list(NAMES[name])}, path]}
    return {"enum": list(NAMES[name])} if name in NAMES else TypeAdapter(_typed(name, info)).json_schema()


def _self_contained(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its definitions in the places that refer to them, so that it can stand inside another."""
    definitions = schema.pop("$defs", {})

    def filled(node: Any) -> Any:
        if isinstance(node, list):
            return [filled(part) for part in node]
        if isinstance(node, dict):
            return (
                definitions[node["$ref"].rpartition("/")[2]]
                if "$ref" in node
                else {k: filled(v) for k, v in node.items()}
            )
        return node

    return dict(filled(schema))


def _axis(name: str, info: FieldInfo, further: tuple[str, ...] = ()) -> Any:
    """An axis: values, or (for lambdas) values per loss.

    Args:
        further: kinds of `Interval` it may be, beside the ranges.
    """
    value = _schema(name, info)
    kinds = (*RANGES, *further)
    ranges = {"type": "object", "properties": {kind: {"type": "array"} for kind in kinds}, "maxProperties": 1}
    schema = {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}, {**ranges, "minProperties": 1}]}
    item: Any = _typed(name, info)
    values: Any = Annotated[list[item], BeforeValidator(_spread), Field(min_length=1)]
    if further:
        values = Annotated[values, WrapValidator(interval_or(whole=further == ("int",)))]
    if name != "lambda_loc":
        return Annotated[values, WithJsonSchema(schema)]
    per_loss: Any = dict[Name, values]
    schema = {"anyOf": [*schema["anyOf"], {"type": "object", "additionalProperties": schema}]}
    return Annotated[
        Annotated[values, Tag(LAMBDAS[0])] | Annotated[per_loss, Tag(LAMBDAS[1])],
        Discriminator(lambda value: LAMBDAS[isinstance(value, dict) and not set(value) <= set(kinds)]),
        WithJsonSchema(schema),
    ]


def searched(name: str, info: FieldInfo) -> Any:
    """An axis of a search: a number may also lie anywhere in an interval."""
    if info.annotation in (int, float):
        return _axis(name, info, ("int",) if info.annotation is int else tuple(KINDS))
    return _axis(name, info)


class Section(BaseModel):
    """Keys that belong together; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """What the user wrote in this section, without the keys left out."""
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}


class Shares(Section):
    """A cut by chance: train is what val and test leave."""

    val: float = Field(gt=0, lt=1, description="share of the images")
    test: float = Field(gt=0, lt=1, description="share of the images")
    seed: int = Field(0, description="another seed is another cut")


class BySplit(Section):
    """A path for each split."""

    train: str
    val: str
    test: str


def _complete(splits: Any) -> Any:
    """A cut as written, whose keys decide what it is."""
    wanted = [name for name in SPLITS if name != "train" or _by_list(splits)]
    missing = [name for name in wanted if isinstance(splits, dict) and name not in splits]
    if missing:
        form = "give shares for val and test, or a list file each for train, val and test"
        raise ValueError(f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} missing; {form}")
    return splits


def _by_list(splits: Any) -> bool:
    return isinstance(splits, BySplit) or (
        isinstance(splits, dict) and any(name == "train" or isinstance(value, str) for name, value in splits.items())
    )


Paths = Annotated[
    Annotated[str, Tag(PATHS[0])] | Annotated[BySplit, Tag(PATHS[1])],
    Discriminator(lambda value: PATHS[isinstance(value, dict | BySplit)]),
]
Cut = Annotated[
    Annotated[Shares, Tag(CUTS[0])] | Annotated[BySplit, Tag(CUTS[1])],
    Discriminator(lambda value: CUTS[_by_list(value)]),
    BeforeValidator(_complete),
]


class OwnDataset(Section):
    """Images and boxes of your own. Paths are relative to `root`, that one to the sweep file."""

    layout: Literal["voc", "coco"] = Field(description="voc: an XML file an image; coco: one JSON file")
    name: str = Field("own", pattern="^[a-z][a-z0-9_]{0,39}$", description="what figures and tables call it")
    root: str = Field(".", description="folder that the other paths start from")
    images: Paths = Field("JPEGImages", description="folder of the images, or one for each split")
    annotations: Paths = Field("Annotations", description="XML folder or JSON file, or one for each split")
    classes: list[str] = Field([], description="their order; default: as found in the annotations")
    splits: Cut | None = Field(
        None, description="shares, or a list of image names for each split; default: VOC's ImageSets/Main"
    )

    @model_validator(mode="after")
    def _is_complete(self) -> OwnDataset:
        if self.layout == "coco" and not {"images", "annotations"} <= self.model_fields_set:
            raise ValueError("layout coco needs images (a folder) and annotations (a JSON file, or one for each split)")
        if isinstance(self.annotations, BySplit) and self.splits is not None:
            raise ValueError("the annotations come split by split, so splits has nothing to say; remove it")
        if isinstance(self.images, BySplit) and not isinstance(self.annotations, BySplit):
            raise ValueError("images come split by split, so annotations must, too")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: a name stands twice")
        return self


AXES = tuple(name for name in Trial.model_fields if name not in ("parent", "probes"))
"""The fields of `Trial` a sweep file may set."""

SHORTHANDS = {"lr": "learning_rate"}


def in_full(key: str) -> str:
    """A key as it may have been meant, where its letters alone would not tell."""
    return SHORTHANDS.get(key.lower(), key)


SHARED = ("dataset", "model", "backbone", "weights", "image_size", "augmentation", "precision", "seed")
"""What a guided trial has in common with its baseline."""

TRAINING = ("epochs", "batch_size", "learning_rate")
"""What may differ between the two stages without being an axis of the grid."""


def section(names: tuple[str, ...], make: Callable[[str, FieldInfo], Any]) -> Any:
    """A base class with a key for each of these fields of `Trial`; Any, as the keys are not known to a type checker."""
    fields = {name: Trial.model_fields[name] for name in names}
    keys: dict[str, Any] = {
        name: (make(name, info), Field(None, description=info.description)) for name, info in fields.items()
    }
    return create_model("Section", __base__=Section, **keys)


def _setting(name: str, info: FieldInfo) -> Any:
    return Annotated[_typed(name, info), WithJsonSchema(_schema(name, info))]


class Axes(section(AXES, _axis)):  # type: ignore[misc]
    """Values to try, by field of a trial."""


class Settings(section(TRAINING, _setting)):  # type: ignore[misc]
    """How a stage trains."""
