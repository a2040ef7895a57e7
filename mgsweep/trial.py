"""The one record that everything else speaks: a point of the experimental grid.

Field of `Trial` = key in a sweep file = key of Ray's config = column of the store = axis label.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def normalise(name: Any) -> Any:
    """The registry's spelling of a name: `RRR*`, `X-DNN` and `VOC 2007` become rrr, xdnn and voc2007."""
    return _spelt(name) if isinstance(name, str) else name


@lru_cache(maxsize=1024)  # a large grid asks for the same few names a million times
def _spelt(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "", name.lower())


def _plain(value: Any) -> Any:
    """A NumPy scalar as the Python number it holds: grids are often written with `linspace`."""
    return value.item() if hasattr(value, "item") else value


def _whole(value: Any) -> Any:
    value = _plain(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _positive_zero(value: Any) -> Any:
    value = _plain(value)
    return 0.0 if isinstance(value, int | float) and not isinstance(value, bool) and value == 0 else value


Name = Annotated[str, BeforeValidator(normalise)]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_positive_zero)]


_canonical = json.JSONEncoder(sort_keys=True).encode


class Probe(NamedTuple):
    """Where attributions are measured: a method and the depth of the network it is read at."""

    attribution: str
    depth: str


class Trial(BaseModel):
    """One training run, described completely. Frozen, validated, and identified by its content.

    A trial with `loss: none` is a baseline; any other is guided, and starts from the best checkpoint of `parent`.
    Fractions lie in [0, 1], sizes are pixels. Paths, devices and worker counts are deliberately not fields: they do
    not change what is measured. **Never change a default**, only add fields: ids of stored results depend on it.

    Raises:
        pydantic.ValidationError: a value of the wrong type or range, or two fields that contradict each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    dataset: Name = Field(description="data set, a name of the dataset registry")
    model: Name = Field(description="model family, a name of the model registry")
    backbone: Name = Field("resnet50", description="network of the family")
    weights: Name = Field("random", description="initial weights of the baseline: random, imagenet, or a file")
    attribution: Name | None = Field(None, description="attribution that the guidance loss acts on")
    depth: Name | None = Field(None, description="where the attribution is read: input, mid1, mid2, mid3 or final")
    loss: Name = Field("none", description="guidance loss; none makes the trial a baseline")
    lambda_loc: Number = Field(0.0, ge=0, description="weight of the guidance loss (paper eq. 1)")
    bbox_fraction: Number = Field(1.0, gt=0, le=1, description="share of training images whose boxes are used")
    bbox_dilation: Number = Field(0.0, ge=0, le=1, description="growth of each side of a box, as a share of its size")
    guidance_source: Literal["box", "mask"] = Field("box", description="guide by bounding boxes or segmentation masks")
    guidance_region: Literal["inside", "outside"] = Field("inside", description="pull attributions inside or outside")
    epochs: Whole = Field(50, ge=1, description="training epochs")
    batch_size: Whole = Field(64, ge=1, description="images in a step; the guidance loss is a sum over them")
    learning_rate: Number = Field(1e-4, gt=0, description="constant Adam learning rate")
    image_size: Whole = Field(224, ge=8, le=4096, description="side of the square input in pixels")
    seed: Whole = Field(0, ge=0, le=2**31 - 1, description="seed of initial weights, order, drawn classes, box subset")
    augmentation: Literal["none", "crop_flip"] = Field(
        "none", description="of training images: none, or a random resized crop and a flip that the boxes follow"
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="of what convolutions multiply in training; sums, maps, losses and measuring are fp32"
    )
    start: Literal["baseline", "weights"] = Field(
        "baseline", description="where a guided trial starts: its baseline's best checkpoint, or the initial weights"
    )
    parent: str | None = Field(None, description="id of the baseline trial whose best checkpoint training starts from")
    probes: tuple[Probe, ...] = Field((), description="further attributions and depths to measure at; not identity")

    @model_validator(mode="after")
    def _is_consistent(self) -> Trial:
        if problems := list(contradictions(self)):
            raise ValueError("\n".join(f"{key}: {message}" for key, message in problems))
        return self

    @property
    def guided(self) -> bool:
        """Whether a guidance loss acts in this trial."""
        return self.loss != "none"

    @property
    def measured(self) -> tuple[Probe, ...]:
        """Every probe to evaluate: the trial's own first, then the others asked for, each once."""
        own = (Probe(self.attribution, self.depth),) if self.attribution and self.depth else ()
        return tuple(dict.fromkeys(own + self.probes))

    @cached_property
    def id(self) -> str:
        """Twelve hex digits: a hash of the fields that differ from their default, so a new field keeps old ids.

        `probes` say what is measured, not what is trained, and stay outside: asking for one more never retrains.
        """
        fields = type(self).model_fields
        varied = {key: value for key, value in self.to_row().items() if value != fields[key].default}
        return hashlib.sha256(_canonical(varied).encode()).hexdigest()[:12]

    def to_row(self) -> dict[str, Any]:
        """The configuration as flat columns (everything but `probes`)."""
        return {key: getattr(self, key) for key in CONFIG}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Trial:
        """The trial a stored row belongs to; other columns of the row are left out. Probes are not in a row."""
        return cls(**{key: row[key] for key in CONFIG if key in row})


CONFIG: tuple[str, ...] = tuple(key for key in Trial.model_fields if key != "probes")


def contradictions(trial: Trial) -> Iterator[tuple[str, str]]:
    """Pairs (field, what is wrong) of fields that cannot stand together."""
    if not trial.guided:
        for key in ("attribution", "depth", "parent"):
            if getattr(trial, key) is not None:
                yield key, "a baseline (loss: none) has none; measure it with probes instead"
        if trial.lambda_loc:
            yield "lambda_loc", f"a baseline (loss: none) has none, got {trial.lambda_loc:g}"
        return
    for key in ("attribution", "depth"):
        if getattr(trial, key) is None:
            yield key, f"missing: the guidance loss {trial.loss!r} needs one to act on"
    if trial.lambda_loc == 0:
        yield "lambda_loc", "expected a number > 0, got 0; for an unguided trial write loss: none"
