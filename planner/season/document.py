"""A season as JSON that people can read: each plan, sender and reading once, each entry of the history on a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from planner.errors import InputError
from planner.inputs.fields import Checked, Day, Number, Whole, shown
from planner.inputs.sender import Sender
from planner.inputs.yamlfile import parse_json, validated
from planner.observing.observations import Observations
from planner.season.season import Entry, PlannedDay, Season, State, Step
from planner.simulation.forecast import MODEL_VERSION

FORMAT = 1
MOST_CHARS = 8_000_000
"""Steps back are given up, the oldest first, until the text is not longer; what counts now is kept whole."""

Item = TypeVar("Item")


def to_json(season: Season) -> str:
    """Return a season as text; the oldest steps back are left out of one that would grow too long."""
    while len(text := _text(to_dict(season))) > MOST_CHARS and (season.past or season.future):
        season = replace(season, past=season.past[1:], future=season.future[1:])
    return text


def to_dict(season: Season) -> dict[str, Any]:
    """Return what `to_json` writes."""
    import planner

    tables = _Tables()
    now = tables.state(season.state)
    return {
        "format": FORMAT,
        "kind": "season",
        "planner": planner.__version__,
        "model": MODEL_VERSION,
        "name": season.name,
        "revision": season.revision,
        "now": now,
        "past": [{"text": step.text, **tables.state(step.state)} for step in season.past],
        "future": [{"text": step.text, **tables.state(step.state)} for step in season.future],
        "history": [[entry.at.isoformat(), entry.by, entry.text] for entry in season.history],
        "senders": [json.loads(text) for text in tables.senders],
        "observations": [json.loads(text) for text in tables.observations],
        "plans": [json.loads(text) for text in tables.plans],
    }


def from_json(text: str) -> Season:
    """Return the season that `to_json` wrote.

    Raises
    ------
    InputError
        When it is none, is damaged, or was written by a later version.
    """
    return from_dict(parse_json(text, what="The season"))


def from_dict(data: object) -> Season:
    """Return the season that `to_dict` described; errors as `from_json`."""
    if not isinstance(data, dict) or data.get("kind") != "season":
        raise InputError("This is no season saved by the planner.")
    number = data.get("format")
    if number != FORMAT:
        later = isinstance(number, int) and number > FORMAT
        whose = "a later version of the planner" if later else "no version of the planner"
        remedy = "Update the warmup planner." if later else "Was it edited by hand?"
        raise InputError(f"has format {shown(number)}, which {whose} writes; this one reads {FORMAT}. {remedy}")
    stored = validated(_Stored, data)
    senders = [Sender.from_dict(one) for one in stored.senders]
    observations = [Observations.from_dict(one) for one in stored.observations]
    plans = [_plan_text(one) for one in stored.plans]

    def state(one: _State) -> State:
        return State(
            _at(senders, one.sender, "senders"),
            _at(observations, one.observations, "observations"),
            one.rules,
            None if one.plan is None else _at(plans, one.plan, "plans"),
            tuple(PlannedDay(*row) for row in one.earlier),
        )

    def steps(many: Sequence[_Step]) -> tuple[Step, ...]:
        return tuple(Step(one.text, state(one)) for one in many)

    return Season(
        stored.name,
        state(stored.now),
        steps(stored.past),
        steps(stored.future),
        tuple(Entry(_moment(at), by, text) for at, by, text in stored.history),
        stored.revision,
    )


class _Tables:
    """Texts that states share, each once."""

    def __init__(self) -> None:
        self.senders: list[str] = []
        self.observations: list[str] = []
        self.plans: list[str] = []
        self._known: dict[int, str] = {}

    def state(self, state: State) -> dict[str, Any]:
        """Describe a state by its places in the tables."""
        return {
            "sender": _place(self.senders, self._once(state.sender)),
            "observations": _place(self.observations, self._once(state.observations)),
            "plan": None if state.plan_json is None else _place(self.plans, state.plan_json),
            "rules": state.rules,
            "earlier": [
                [row.provider, row.day.isoformat(), row.volume, row.q10, row.q50, row.q90] for row in state.earlier
            ],
        }

    def _once(self, value: Sender | Observations) -> str:
        """Return a value as JSON; many states hold the very same one."""
        return self._known.setdefault(id(value), value.to_json())


def _place(table: list[str], text: str) -> int:
    if text not in table:
        table.append(text)
    return table.index(text)


class _State(Checked):
    sender: Whole
    observations: Whole
    plan: Whole | None
    rules: str
    earlier: list[tuple[str, Day, Number, Number, Number, Number]]


class _Step(_State):
    text: str


class _Stored(Checked):
    format: int
    kind: Literal["season"]
    planner: str
    model: int
    name: str
    revision: Whole
    now: _State
    past: list[_Step]
    future: list[_Step]
    history: list[tuple[str, str, str]]
    senders: list[dict[str, Any]]
    observations: list[dict[str, Any]]
    plans: list[dict[str, Any]]


def _at(table: Sequence[Item], place: int, what: str) -> Item:
    if not 0 <= place < len(table):
        raise InputError(f"refers to entry {place} of {what}, which has {len(table)}. Was it edited by hand?")
    return table[place]


def _plan_text(data: dict[str, Any]) -> str:
    """Return a plan as `Plan.to_json` writes it; it is read when it is asked for."""
    if data.get("kind") != "plan":
        raise InputError("has a plan that is none. Was it edited by hand?")
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"history has the time {shown(text)}. Was it edited by hand?") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(document: dict[str, Any]) -> str:
    """Write a field a line, and each entry of a list on its own."""
    return "{\n" + ",\n".join(f" {_json(key)}: {_value(value)}" for key, value in document.items()) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {_json(one)}" for one in value) + "\n ]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
