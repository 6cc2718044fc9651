"""Rules of when to hold, step back or stop: facts of their publishers, in ``data/alarms``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self, get_args

from pydantic import Field, model_validator

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import Checked, Number, Text, Whole, refusal, unknown
from planner.inputs.yamlfile import read, validated
from planner.observing.measures import IDLE, Measure
from planner.resources import data_folder
from planner.vocabulary import Confidence, Verdict

OURS = "ours"

Sentence = Annotated[str, Field(min_length=1, max_length=500)]
_MEASURES = get_args(Measure)


class Rule(Checked):
    """One limit and what to do above it."""

    title: Text = Field(title="Title", description="What is counted, as screens call it.")
    measure: Measure = Field(title="Measure", description="What is compared with the limit.")
    limit: Number = Field(ge=0, title="Limit", description="Above it the rule applies: a share, or days without mail.")
    window_days: Whole | None = Field(
        None, ge=1, le=90, title="Window", description="Days counted together.", json_schema_extra={"unit": "days"}
    )
    window_sends: Whole | None = Field(
        None,
        ge=1,
        le=30,
        title="Window of send days",
        description="Last days with mail that are counted together, instead of a window of days.",
        json_schema_extra={"unit": "send days"},
    )
    at_least: Whole = Field(
        3,
        ge=1,
        le=1_000_000,
        title="Messages at least",
        description="Fewer messages than this above the limit are watched, never an alarm.",
        json_schema_extra={"unit": "messages"},
    )
    action: Verdict = Field(title="Action", description="What to do: hold, step back or stop.")
    days: Whole = Field(
        ge=1, le=90, title="For how long", description="Days that the action lasts.", json_schema_extra={"unit": "days"}
    )
    restart: Number | None = Field(
        None,
        gt=0,
        le=1,
        title="Start again with",
        description="After a stop: at most this share of the messages of the last day with mail; half, if left out.",
    )
    advice: Sentence = Field(title="Advice", description="What to do, in words.")
    lift: Sentence = Field(title="What lifts it", description="When to go on.")
    source: str = Field("", title="Source", description="Where it is published; that of the set, if empty.")
    confidence: Confidence = Field(title="Confidence", description="How far the limit can be trusted.")
    ours: tuple[str, ...] = Field((), title="Ours", description="Parts of the rule that the source does not say.")

    @model_validator(mode="after")
    def _has_a_window(self) -> Self:
        windows = (self.window_days is not None) + (self.window_sends is not None)
        if self.measure == IDLE and windows:
            raise refusal("idle_days counts back from today. Leave the window out.", "window_days")
        if self.measure != IDLE and windows != 1:
            raise refusal("Give either window_days or window_sends.", "window_days")
        if self.measure != IDLE and self.limit >= 1:
            raise refusal(f"limit is {self.limit:g}, but a share is below 1. Write 0.02 for 2 %.", "limit")
        if self.action == Verdict.GO_ON:
            raise refusal("go_on is no alarm. Write hold, step_back or stop.", "action")
        if self.restart is not None and self.action != Verdict.STOP:
            raise refusal("restart is what a stop ends with. Drop it, or write action: stop.", "restart")
        strange = next((name for name in self.ours if name not in type(self).model_fields), None)
        if strange is not None:
            raise refusal(unknown("field", strange, type(self).model_fields), "ours")
        return self


class RuleSet(Checked):
    """The rules of one publisher.

    Examples
    --------
    >>> alarm_rules()["google"].rules["spam-0-3"].limit
    0.003
    """

    name: Text = Field(title="Name", description="Who says so.")
    source: str = Field("", title="Source", description="Where the rules are published; empty for our own.")
    providers: tuple[str, ...] = Field((), title="Providers", description="For whom they hold; empty for all.")
    rules: dict[str, Rule] = Field(min_length=1, max_length=50, title="Rules", description="Rules by id.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = next((name for name in self.providers if name not in catalogue().providers), None)
        if strange is not None:
            raise refusal(unknown("provider", strange, catalogue().providers), "providers")
        return self

    def holds_for(self, provider: str) -> bool:
        """Tell whether the rules are about a provider."""
        return not self.providers or provider in self.providers

    def source_of(self, rule: Rule) -> str:
        """Give where a rule is published; empty for our own."""
        return rule.source or self.source


@cache
def alarm_rules() -> dict[str, RuleSet]:
    """Sets of rules for `alarms` by id: ours first, then those of publishers."""
    folder = data_folder() / "alarms"
    found = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    order = [OURS, *(name for name in found if name != OURS)]
    return {name: validated(RuleSet, *read(found[name]), found[name]) for name in order}


def rule_set(given: RuleSet | Path | str | None) -> RuleSet:
    """Give a set of rules by id or from a file; ours, if none is named.

    Raises
    ------
    InputError
        When there is no such set, or the file is none.
    """
    if isinstance(given, RuleSet):
        return given
    if isinstance(given, Path):
        return validated(RuleSet, *read(given), given)
    name = OURS if given is None else given
    if name not in alarm_rules():
        raise InputError(unknown("set of rules", name, alarm_rules()), field="rules")
    return alarm_rules()[name]
