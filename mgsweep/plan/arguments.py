"""`--scale`, `--set` and `--only`: changing a sweep from the command line, in Hydra's spelling `key=value,value`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from ruamel.yaml import YAML

from mgsweep.errors import InvalidInput, Problem, did_you_mean
from mgsweep.guidance.validity import NAMES, is_own_data
from mgsweep.plan.axes import AXES, in_full
from mgsweep.plan.document import Document, inner
from mgsweep.trial import Trial, normalise


def rescale(document: Document, scale: str) -> None:
    """Write what the sweep file's own section `scales.<scale>` says over the rest of it.

    Raises:
        InvalidInput: the file has no such scale, or it changes a key that is tied to others.
    """
    scales = document.data.get("scales") or {}
    if not isinstance(scales, dict) or not isinstance(scales.get(scale), dict):
        known = f" (known: {', '.join(map(str, scales))})" if scales else "; the file has none under scales"
        raise InvalidInput.of(f"unknown scale {scale!r}{did_you_mean(scale, map(str, scales))}{known}", where="--scale")
    for key, value in scales[scale].items():
        if key == "resources":
            document.data[key] = value
        elif key in AXES:  # others are named by the check of the whole file
            _assign(document.data, key, value, "--scale")
            document.changed[key] = document.problem(("scales", scale, key), "")


def override(document: Document, assignment: str) -> None:
    """Write `key=value` over everything a sweep file says about the key; several values make an axis.

    `section.key=value` sets one key of one section, as in `resources.gpu=0.5` or `search.budget.trials=40`.

    Raises:
        InvalidInput: not an assignment, an unknown key, or one that is tied to others by `zip` or `when`.
    """
    key, values = _assignment(assignment, "--set")
    value = values[0] if len(values) == 1 else values
    *sections, name = key.split(".")
    if sections:
        _section(document.data, sections)[name] = value
    else:
        _check_key(key, "--set")
        _assign(document.data, key, value, "--set")
    document.changed[inner(key.split("."))] = Problem(f"--set {assignment}", "", "")


def _assign(data: dict[str, Any], key: str, value: Any, option: str) -> None:
    search = data.get("search")
    parts = [*(data.get("grids") or []), search.get("space") if isinstance(search, dict) else None]
    for place in [data, *(part for part in parts if isinstance(part, dict))]:
        _refuse_tied(place, key, option)
        for part in (place, place.get("baseline"), place.get("guided")):
            if isinstance(part, dict):
                part.pop(key, None)
    data["common"] = {**(data.get("common") or {}), key: value}


def _section(data: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A section of a sweep file's data, or of a section; made if it is not there."""
    for name in names:
        inner = data.get(name)
        data[name] = dict(inner) if isinstance(inner, dict) else {}
        data = data[name]
    return data


def select(trials: Iterable[Trial], assignments: Iterable[str]) -> tuple[Trial, ...]:
    """The trials that have one of the values of every `key=value,value`, and the baselines they start from.

    Raises:
        InvalidInput: not an assignment, an unknown key, or no trial is left.
    """
    trials = tuple(trials)
    conditions = [_assignment(text, "--only") for text in assignments]
    for key, values in conditions:
        _check_key(key, "--only")
        check_words(key, values, (said(key, getattr(trial, key)) for trial in trials), "--only")
    wanted = [trial for trial in trials if _meets(trial, conditions)]
    if conditions and not wanted:
        raise InvalidInput.of("no trial of the sweep has these values", where="--only")
    chosen = {name for trial in wanted for name in (trial.id, trial.parent)}
    return tuple(trial for trial in trials if trial.id in chosen)


def shard(trials: Iterable[Trial], part: str) -> tuple[Trial, ...]:
    """The trials of one of n shards, `part` being `i/n` with i from 1.

    A baseline's id decides, and its children go with it: nothing is trained twice, and a trial stays in its shard
    whatever else the sweep comes to ask for. More shards than baselines are of no use.

    Raises:
        InvalidInput: not of this form.
    """
    number, count = _part(part)
    return tuple(trial for trial in trials if _shard_of(trial, count) == number)


def shard_sizes(trials: Iterable[Trial], part: str) -> tuple[int, ...]:
    """How many trials each of the n shards has, the first first. Of few baselines they are uneven, and may be empty."""
    _, count = _part(part)
    dealt = Counter(_shard_of(trial, count) for trial in trials)
    return tuple(dealt[number] for number in range(1, count + 1))


def _shard_of(trial: Trial, count: int) -> int:
    return int(trial.parent or trial.id, 16) % count + 1


def _part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise InvalidInput.of(f"expected i/n with 1 <= i <= n, as in 1/4, got {text!r}", where="--shard")
    return int(number), int(count)


def _assignment(text: str, option: str) -> tuple[str, list[Any]]:
    key, _, values = text.partition("=")
    if not key or not values:
        raise InvalidInput.of(f"expected key=value or key=value,value, got {text!r}", where=option)
    return key, [_scalar(value) for value in values.split(",")]


def _scalar(text: str) -> Any:
    value = YAML(typ="safe", pure=True).load(text)
    return value if isinstance(value, bool | int | float) else text


def _check_key(key: str, option: str) -> None:
    if key not in AXES:
        raise InvalidInput.of(f"unknown key {key!r}{did_you_mean(in_full(key), AXES)}", where=option)


def check_words(key: str, words: Iterable[Any], met: Iterable[Any], option: str) -> None:
    """Refuse names that a field of trials never has: those of its registry, and those that are `met`, it may have.

    Raises:
        InvalidInput: with the closest name that there is.
    """
    choices = NAMES.get(key) or get_args(Trial.model_fields[key].annotation)
    if not isinstance(next(iter(choices), None), str):
        return
    known = dict.fromkeys((*choices, *met))
    for word in words:
        if word not in known and normalise(word) not in known:
            raise InvalidInput.of(f"unknown {key} {word!r}{did_you_mean(word, map(str, known))}", where=option)


def _refuse_tied(place: Mapping[str, Any], key: str, option: str) -> None:
    tied = [*(place.get("zip") or []), *_consequences(place)]
    if any(key in axes for axes in tied):
        raise InvalidInput.of(f"{key} is tied to other axes by zip or when; choose trials with --only", where=option)


def _consequences(place: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (rule.get("then", {}) for rule in place.get("when") or [])


def _meets(trial: Trial, conditions: list[tuple[str, list[Any]]]) -> bool:
    return all(
        said(key, getattr(trial, key)) in [normalise(value) if key in NAMES else value for value in values]
        for key, values in conditions
    )


def said(key: str, value: Any) -> Any:
    """A field's value as a user writes it: own data have a fingerprint behind their name."""
    return value.rpartition("_")[0] if key == "dataset" and is_own_data(value) else value
