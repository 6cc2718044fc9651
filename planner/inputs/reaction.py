"""Reaction: what the sender does the morning after trouble."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from planner.inputs.fields import Checked, Number, Text, Whole, refusal
from planner.vocabulary import Floats


class Reaction(Checked):
    """Rule by which a sender holds, steps back and steps forward again, provider by provider.

    The defaults are the project's own (confidence: default); published rules are presets in the catalogue.

    Examples
    --------
    >>> Reaction().hold_above
    0.1
    """

    name: Text = Field("default", title="Name", description="How screens call this rule.")
    hold_above: Number = Field(
        0.10,
        ge=0,
        lt=1,
        title="Hold above",
        description="Trouble share above which a day counts as wrong and the next one goes back.",
        json_schema_extra={"unit": "share of the day's new messages"},
    )
    hold_messages: Whole = Field(
        5,
        ge=0,
        le=1_000_000,
        title="Messages in trouble at least",
        description="Fewer troubled messages than this never make a wrong day.",
        json_schema_extra={"unit": "messages"},
    )
    back_above: Number = Field(
        0.60,
        gt=0,
        le=1,
        title="Step back above",
        description="Trouble share above which the sender goes further back than to the last good day.",
        json_schema_extra={"unit": "share of the day's new messages"},
    )
    back_stages: Number = Field(
        1.0,
        ge=0,
        le=30,
        title="Stages back",
        description="How many stages below the last good one the sender goes then.",
        json_schema_extra={"unit": "stages"},
    )
    step_after_trouble: Number = Field(
        0.5,
        gt=0,
        le=1,
        title="Step after trouble",
        description="Factor on the step after a wrong day; 1 repeats the step that failed.",
        json_schema_extra={"unit": "factor"},
    )
    step_recovery: Number = Field(
        1.2,
        ge=1,
        le=10,
        title="Step recovery",
        description="Factor by which the step grows again after each clean day, up to one stage.",
        json_schema_extra={"unit": "factor"},
    )
    rest_days: Whole = Field(
        3,
        ge=0,
        le=90,
        title="Rest after a block",
        description="Send days without mail after the provider blocked the sender.",
        json_schema_extra={"unit": "send days"},
    )
    source: str = Field("", title="Source", description="Where the rule is published; empty for our own.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.back_above < self.hold_above:
            text = f"back_above is {self.back_above:g}, below hold_above ({self.hold_above:g}). Raise it."
            raise refusal(text, "back_above")
        return self

    def to_array(self) -> Floats:
        """Numbers for the kernel.

        Returns
        -------
        (7,) float array
            hold_above, hold_messages, back_above, back_stages, step_after_trouble, step_recovery, rest_days.
        """
        return np.array(
            [
                self.hold_above,
                self.hold_messages,
                self.back_above,
                self.back_stages,
                self.step_after_trouble,
                self.step_recovery,
                self.rest_days,
            ]
        )


DEFAULT_REACTION = Reaction()
