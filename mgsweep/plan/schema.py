"""What a sweep file may say. These models check it, and are the JSON Schema that editors complete from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from mgsweep.errors import did_you_mean
from mgsweep.guidance.validity import NAMES
from mgsweep.plan.axes import AXES, Axes, Section, Settings, searched, section
from mgsweep.trial import Name

SLUG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
"""What a sweep may be called: its name becomes a folder."""


class When(Section):
    """Axes that only some cells have."""

    condition: Axes = Field(alias="if", description="fields and values a cell must have")
    then: Axes = Field(description="axes those cells get, in place of the grid's")


class Grid(Axes):
    """The product of its axes, less what it excludes."""

    baseline: Settings = Field(Settings(), description="this grid's settings of the unguided stage")
    guided: Settings = Field(Settings(), description="this grid's settings of the guided stage")
    zip: list[Axes] = Field([], description="groups of axes of equal length that move together")
    when: list[When] = Field([], description="axes that depend on the others")
    exclude: list[Axes] = Field([], description="cells to leave out")


class Space(section(AXES, searched)):  # type: ignore[misc]
    """What a search chooses from: a list of values, or any number of an interval."""

    zip: list[Axes] = Field([], description="groups of axes of equal length that move together")
    exclude: list[Axes] = Field([], description="cells to leave out")


Direction = Literal["max", "min"]

OBJECTIVES: dict[str, Direction] = {
    "f1": "max",
    "mean_ap": "max",
    "epg": "max",
    "iou": "max",
    "iou_held_out": "max",
    "iou_adaptive": "max",
    "on_object_epg": "max",
    "accuracy": "max",
    "worst_group_accuracy": "max",
    "class_loss": "min",
    "guidance_loss": "min",
    "seconds": "min",
}
"""What trials can compete in, with the usual direction: columns of the store, on validation; `seconds` is the cost."""


def _one_of(kind: str, names: tuple[str, ...]) -> Any:
    def known(name: str) -> str:
        if name not in names:
            raise ValueError(f"unknown {kind} {name!r}{did_you_mean(name, names)} (known: {', '.join(names)})")
        return name

    return Annotated[str, AfterValidator(known), WithJsonSchema({"enum": list(names)})]


Objective: Any = _one_of("measurement", tuple(OBJECTIVES))
Objectives = Annotated[dict[Objective, Direction], Field(min_length=1)]


class Budget(Section):
    """How much guided trials may take, together. The baselines come on top."""

    trials: int | None = Field(None, gt=0, description="trials that are suggested")
    epochs: int | None = Field(None, gt=0, description="epochs they train; those of a stopped trial's rest are free")
    gpu_hours: float | None = Field(None, gt=0, description="GPUs of one trial times the hours of them all")

    @model_validator(mode="after")
    def _is_one(self) -> Budget:
        if len(self.given()) != 1:
            raise ValueError("expected one of trials, epochs and gpu_hours")
        return self


class Search(Section):
    """Trials that Optuna chooses, one after the other, for several objectives at once."""

    space: Space | None = Field(None, description="what to choose from; without it, from the cells of the grids")
    budget: Budget = Field(description="when to end")
    objectives: Objectives = Field({"f1": "max", "epg": "max"}, description="what to trade off, on validation")
    constraints: dict[Objective, Annotated[float, Field(ge=0)]] = Field(
        {}, description="how far a measurement may be worse than the baseline's"
    )
    sampler: Literal["tpe", "nsga2", "nsga3", "gp", "qmc", "random", "grid"] = Field("tpe", description="how to choose")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of the choices; not of the trials")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int | float | str) else value


OneOrMore = BeforeValidator(_listed)
"""A list, or its only value, as `--set` would write it."""


class EarlyStop(Section):
    """Ends a trial that adds nothing to the front. It can be continued with --continue-stopped."""

    at: Annotated[list[Annotated[int, Field(ge=1)]], OneOrMore] = Field(
        min_length=1, description="epochs after which a trial is judged"
    )
    rule: Literal["halving", "curve"] = Field("halving", description="who goes on: the best share, or whoever may add")
    keep: float = Field(0.5, gt=0, lt=1, description="halving: the share that goes on each time")
    objectives: Objectives = Field({"f1": "max", "epg": "max"}, description="as of a search; a search has its own")
    per: Annotated[list[_one_of("field", AXES)], OneOrMore] = Field(  # type: ignore[valid-type]
        [], description="fields whose values do not compete, such as loss"
    )


class ProbeEntry(Section):
    """A further attribution and depth to measure every trial at."""

    attribution: Annotated[Name, WithJsonSchema({"enum": list(NAMES["attribution"])})]
    depth: Annotated[Name, WithJsonSchema({"enum": list(NAMES["depth"])})]


class Resources(Section):
    """What one trial occupies."""

    cpu: float = Field(1, gt=0, description="CPU cores of one trial")
    gpu: float = Field(0, ge=0, description="GPUs of one trial; 0.5 lets two trials share one")
    timeout: float | None = Field(None, gt=0, description="seconds an epoch may take before its worker counts as hung")
    micro_batch: int | None = Field(
        None, ge=1, description="images computed at a time, of the same steps; default: the whole batch"
    )
    checkpoint_stages: bool = Field(
        False, description="less memory for more time: compute stages again in the backward"
    )

    @property
    def threads(self) -> int:
        """Threads of a trial. The same wherever it runs: sums over another number of threads round differently."""
        return max(1, int(self.cpu))


class Scale(Axes):
    """A smaller or larger form of a sweep: what it says takes the place of all that the file says about these keys."""

    resources: Resources = Field(Resources(), description="what one trial then occupies")


class Sweep(Section):
    """A sweep file of mgsweep."""

    name: str | None = Field(None, pattern=f"^{SLUG}$", description="folder in the store; default: the file's name")
    description: str = Field("", description="what the sweep is for")
    data: dict[Name, str] = Field({}, description="folder of each data set; default: $MGSWEEP_DATA/<dataset>")
    on_event: list[Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]] = Field(
        [], description="command and its arguments, run without a shell at done, failed, breaker; told as JSON on stdin"
    )
    resources: Resources = Field(Resources(), description="what one trial occupies")
    common: Axes = Field(Axes(), description="axes of every grid")
    baseline: Settings = Field(Settings(), description="settings of the unguided stage")
    guided: Settings = Field(Settings(), description="settings of the guided stage")
    probes: list[ProbeEntry] = Field([], description="where else to measure, beside each trial's own attribution")
    scales: dict[str, Scale] = Field({}, description="other sizes of the sweep by name, as in --scale smoke")
    grids: list[Grid] = Field([], min_length=1, description="the trials are the union of these grids")
    search: Search | None = Field(None, description="choose trials one after the other instead of all of a grid")
    early_stop: EarlyStop | None = Field(None, description="end trials that add nothing to the front")
