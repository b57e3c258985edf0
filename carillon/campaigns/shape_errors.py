"""What pydantic found wrong with a file, in words for a person, with the path to the place."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from carillon.campaigns import shape
from carillon.campaigns.prune import Path
from carillon.campaigns.readers import kind

_LATER = {"approval", "canary", "variants", "repeat_guard", "audience_cap"}
_OF_SECTION: dict[str, type[BaseModel]] = {
    "defaults": shape.Defaults,
    "platforms": shape.CreatorDefaults,
    "creators": shape.Creator,
    "audiences": shape.Lists,
    "campaigns": shape.Campaign,
}
_INSIDE: dict[str, type[BaseModel]] = {
    "schedule": shape.Schedule,
    "lists": shape.Lists,
    "tag_users": shape.Tagged,
}


@dataclass(frozen=True)
class Fault:
    """`path` leads through the file's own keys; `at_key` says that the last key is wrong, not its value.

    `meant` is the key that an unknown one was probably meant to be, `lacks` one that is missing.
    """

    path: Path
    at_key: bool
    message: str
    meant: Path | None = None
    lacks: Path | None = None


def faults(error: ValidationError) -> list[Fault]:
    """All that is wrong, without what only follows from something deeper."""
    details = error.errors(include_url=False)
    paths = [_path(detail) for detail in details]
    return [
        _fault(detail, path)
        for detail, path in zip(details, paths, strict=True)
        if detail["type"] != "too_short" or not _deeper(path, paths)
    ]


def _path(detail: ErrorDetails) -> Path:
    loc = detail["loc"][:-1] if _names_key(detail) else detail["loc"]
    return tuple(step for step in loc if not str(step).startswith(shape.BRANCH))


def _names_key(detail: ErrorDetails) -> bool:
    """Whether the path ends in pydantic's own word for a wrong key of a mapping of names."""
    return detail["loc"][-1:] == ("[key]",) and detail["type"] == "value_error"


def _deeper(path: Path, paths: list[Path]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _fault(detail: ErrorDetails, path: Path) -> Fault:
    if detail["type"] == "extra_forbidden":
        key, model = str(path[-1]), _model(path[:-1])
        meant = _meant(key, model)
        return Fault(path, True, unknown_key(key, model), meant=(*path[:-1], meant) if meant else None)
    if detail["type"] == "missing":
        return Fault(path[:-1], True, f"`{path[-1]}` is missing", lacks=path)
    return Fault(path, _names_key(detail), _words(detail))


def _words(detail: ErrorDetails) -> str:
    value: Any = detail["input"]
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "tuple_type":
        return f"a list is wanted here, not {kind(value)}"
    if detail["type"] in ("dict_type", "model_type"):
        return f"keys and values are wanted here, not {kind(value)}"
    if detail["type"] == "too_short":
        return "at least one entry is wanted here"
    return detail["msg"]


def unknown_key(key: str, model: type[BaseModel]) -> str:
    """A sentence on a key that `model` does not have, with the nearest that it has."""
    if key in _LATER:
        return f"`{key}` comes later; this version of Carillon does not know it"
    if _of_schedule(key, model):
        return f"`{key}` belongs under `schedule`"
    near = _meant(key, model)
    hint = f"did you mean `{near}`?" if near else f"known are {', '.join(_keys(model))}"
    return f"`{key}` is not a key here; {hint}"


def _meant(key: str, model: type[BaseModel]) -> str | None:
    """The key of `model` that an unknown one stands for, if any is near."""
    if _of_schedule(key, model):
        return "schedule"
    near = [] if key in _LATER else get_close_matches(key, _keys(model), 1)
    return near[0] if near else None


def _of_schedule(key: str, model: type[BaseModel]) -> bool:
    return issubclass(model, shape.Variant) and key in shape.Schedule.model_fields


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model(path: Sequence[str | int]) -> type[BaseModel]:
    """The model of the mapping at `path`."""
    if not path:
        return shape.CampaignFile
    inner = path[1 if path[0] == "defaults" else 2 :]
    if inner and inner[-1] in _INSIDE:
        return _INSIDE[str(inner[-1])]
    return shape.Variant if "for" in inner else _OF_SECTION[str(path[0])]
