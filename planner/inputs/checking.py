"""Turns what a model refuses into one error whose sentences say where, what, and what to do about it."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from planner.errors import InputError
from planner.inputs.fields import (
    BY_PROVIDER,
    EXAMPLE_DAY,
    ONE_NUMBER,
    Place,
    dotted,
    nearest,
    no_number,
    shown,
    unknown,
)

Marks = dict[Place, int]
Model = TypeVar("Model", bound=BaseModel)

MAX_PROBLEMS = 10
_NO_PLACES = (ONE_NUMBER, BY_PROVIDER, "[key]")


def validated(
    model_cls: type[Model],
    data: object,
    marks: Mapping[Place, int] | None = None,
    file: str | Path | None = None,
) -> Model:
    """Check data against a model.

    Parameters
    ----------
    model_cls : pydantic model
    data : object
        Usually the dict that `read` gave.
    marks : dict from place to int, optional
        Line of each field.
    file : str or Path, optional
        Named in messages.

    Raises
    ------
    InputError
        One for all that is wrong: the first problem, with the further ones in ``others``.
    """
    try:
        return model_cls.model_validate(data)
    except ValidationError as error:
        found = _in_order(error.errors(include_url=False), model_cls)
    except RecursionError:
        raise InputError("is nested too deep.", file=file) from None
    problems = [_problem(detail, model_cls, marks or {}, file) for detail in found[:MAX_PROBLEMS]]
    if len(found) > MAX_PROBLEMS:
        problems.append(InputError(f"and {len(found) - MAX_PROBLEMS} more problems of this kind.", file=file))
    raise _joined(problems)


def _in_order(details: list[ErrorDetails], model_cls: type[BaseModel]) -> list[ErrorDetails]:
    """Unknown fields first, without what follows from another: the missing fields meant, lists short of bad entries."""
    below = {detail["loc"][:n] for detail in details for n in range(len(detail["loc"]))}
    details = [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in below]
    surplus = [detail for detail in details if detail["type"] == "extra_forbidden"]
    meant = {_meant(detail["loc"], model_cls) for detail in surplus[:MAX_PROBLEMS]}
    others = (detail for detail in details if detail["type"] != "extra_forbidden")
    return surplus + [detail for detail in others if detail["type"] != "missing" or detail["loc"] not in meant]


def _meant(place: Place, model_cls: type[BaseModel]) -> Place:
    owner = _model(model_cls, place[:-1])
    return *place[:-1], nearest(str(place[-1]), _fields(owner) if owner else ()) or ""


def _joined(problems: list[InputError]) -> InputError:
    first = problems[0]
    return InputError(first.message, file=first.file, line=first.line, field=first.field, others=problems[1:])


def _problem(
    detail: ErrorDetails, model_cls: type[BaseModel], marks: Mapping[Place, int], file: str | Path | None
) -> InputError:
    place = _place(detail)
    message = _sentence(detail, place, model_cls)
    return InputError(message, file=file, line=_line(place, marks), field=dotted(place) if place else None)


def _place(detail: ErrorDetails) -> Place:
    """Where the reader wrote it: without pydantic's own steps, with those that a validator added."""
    if detail["type"] == "extra_forbidden":
        return detail["loc"]
    own = tuple(key for key in detail["loc"] if key not in _NO_PLACES)
    return own + tuple(detail.get("ctx", {}).get("path", ()))


def _line(place: Place, marks: Mapping[Place, int]) -> int | None:
    candidates = (place[:n] for n in range(len(place), -1, -1))
    return next((marks[part] for part in candidates if part in marks), None)


def _sentence(detail: ErrorDetails, place: Place, model_cls: type[BaseModel]) -> str:
    kind, value, ctx = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return _missing(place, _field(model_cls, place))
    if kind == "extra_forbidden":
        return _surplus(place, _model(model_cls, place[:-1]))
    text = _remedy(detail, _model(model_cls, place))
    if ctx.get("path"):
        return text
    if text[:1].isupper():
        return f"{dotted(place[:-1] if detail['loc'][-1:] == ('[key]',) else place)}: {text}"
    return f"{dotted(place)} is {shown(value)}, {text}"


def _missing(place: Place, field: FieldInfo | None) -> str:
    title = f" ({field.title})" if field and field.title else ""
    example = f", for example {place[-1]}: {field.examples[0]}" if field and field.examples else ""
    return f"{dotted(place)} is missing{title}. Add it{example}."


def _surplus(place: Place, owner: type[BaseModel] | None) -> str:
    where = f" in {dotted(place[:-1])}" if len(place) > 1 else ""
    return unknown("field", place[-1], _fields(owner) if owner else (), where)


def _remedy(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    """Say what pydantic refuses, and what to write instead."""
    kind, value, ctx = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "planner":
        return str(ctx["text"])
    if kind.startswith(("int_", "float_")):
        return no_number(value, whole_number=kind.startswith("int_"))
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(_figure(next(iter(ctx.values()))))
    if kind in {"literal_error", "enum"}:
        return f"which is not one of: {_choices(str(ctx.get('expected')), value)}"
    if kind.endswith(("too_long", "too_short")):
        return _length(ctx)
    if kind in {"model_type", "dict_type", "model_attributes_type", "mapping_type"}:
        fields = f": {', '.join(_fields(model))}" if model else ""
        return f"not a group of fields. Write them indented below it{fields}."
    return _TYPES.get(kind, f"which is not accepted: {detail['msg']}.")


_BOUNDS = {
    "greater_than": "which is too small. Write a number above {}.",
    "greater_than_equal": "which is too small. Write a number of at least {}.",
    "less_than": "which is too large. Write a number below {}.",
    "less_than_equal": "which is too large. Write a number of at most {}.",
}

_TYPES = {
    "finite_number": "not a finite number. Write digits only, for example 12000.",
    "string_type": "not text. Write a word.",
    "string_unicode": "which has characters that are not text. Write plain letters.",
    "bool_type": "neither yes nor no. Write yes or no.",
    "bool_parsing": "neither yes nor no. Write yes or no.",
    "list_type": "not a list. Write one entry a line, each after a dash.",
    "tuple_type": "not a list. Write one entry a line, each after a dash.",
    "date_type": f"not a date. Write year-month-day, for example {EXAMPLE_DAY}.",
    "date_parsing": f"not a date. Write year-month-day, for example {EXAMPLE_DAY}.",
    "date_from_datetime_parsing": f"not a date. Write year-month-day, for example {EXAMPLE_DAY}.",
}


def _figure(bound: object) -> str:
    return f"{bound:,.10g}" if isinstance(bound, int | float) else str(bound)


def _choices(expected: str, value: object) -> str:
    names = re.findall(r"'([^']*)'", expected)
    guess = nearest(value, names) if isinstance(value, str) else None
    return f"{', '.join(names)}." + (f" Did you mean '{guess}'?" if guess else "")


def _length(ctx: Mapping[str, Any]) -> str:
    if "max_length" in ctx:
        return f"which is too long. Write at most {ctx['max_length']}."
    return f"which is too short. Write at least {ctx['min_length']}."


# --- the field that a place means


def _field(model_cls: type[BaseModel], place: Place) -> FieldInfo | None:
    owner = _model(model_cls, place[:-1])
    return None if owner is None else _fields(owner).get(str(place[-1]))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model(model_cls: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Model whose fields are written at this place, if any."""
    kinds: list[Any] = [model_cls]
    for key in place:
        kinds = [inner for kind in kinds for inner in _inside(kind, key)]
    return next((kind for kind in _alternatives(kinds) if _is_model(kind)), None)


def _inside(kind: Any, key: str | int) -> Iterator[Any]:
    for one in _alternatives([kind]):
        if _is_model(one):
            field = _fields(one).get(str(key))
            yield from () if field is None else (field.annotation,)
        elif get_origin(one) in {dict, list, tuple}:
            yield get_args(one)[1 if get_origin(one) is dict else 0]


def _alternatives(kinds: Iterable[Any]) -> Iterator[Any]:
    for kind in kinds:
        if get_origin(kind) is Annotated:
            yield from _alternatives([get_args(kind)[0]])
        elif get_origin(kind) in {Union, types.UnionType}:
            yield from _alternatives(get_args(kind))
        else:
            yield kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
