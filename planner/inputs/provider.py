"""What a mailbox provider tolerates: its parameters, each a range with shape, unit, source and confidence."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from planner.inputs.fields import Checked, Number, Text, refusal, unknown
from planner.vocabulary import Confidence

Item = Literal["spf", "dkim", "dmarc", "ptr", "tls", "one_click"]
Shape = Literal["lognormal", "lognormal_above_one", "logit-normal", "fixed"]
LongText = Annotated[str, Field(max_length=2000)]

ITEMS: tuple[Item, ...] = get_args(Item)
ITEM_TITLES: dict[Item, str] = {
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
    "ptr": "reverse DNS",
    "tls": "TLS",
    "one_click": "one-click unsubscribe",
}


class ParameterInfo(NamedTuple):
    """What a parameter is: for screens, and to refuse what cannot be."""

    title: str
    unit: str
    meaning: str
    lowest: float
    highest: float


_TINY = 1e-6
_BEFORE_ITEMS = {
    "cold_allowance": ParameterInfo(
        "Cold allowance",
        "messages/day/IP",
        "Tolerated from a sender that the provider does not know.",
        0,
        1e9,
    ),
    "ip_weight": ParameterInfo(
        "Weight of the IP", "share", "How far the provider judges IPs (1) rather than the domain (0).", 0, 1
    ),
    "history_carried": ParameterInfo(
        "History carried", "share", "How much of a domain's old volume counts on a new IP.", 0, 1
    ),
    "new_domain_factor": ParameterInfo(
        "New domain", "factor", "What is left of the cold allowance for a domain that never mailed.", 0, 1
    ),
    "daily_growth": ParameterInfo(
        "Daily growth", "factor/day", "Growth tolerated from send to send, day after day.", 1, 10
    ),
    "growth_fades_at": ParameterInfo(
        "Growth fades at", "messages/day/IP", "Established volume at which the headroom has halved.", 1, 1e12
    ),
    "idle_decay": ParameterInfo(
        "Idle decay", "1/day", "Loss a day of what lies above the last week's largest day.", 0, 1
    ),
    "hourly_share": ParameterInfo(
        "Hourly share", "1/hour", "Share of the day's allowance that may pass in an hour.", 0.001, 1
    ),
    "rejection_cost": ParameterInfo(
        "Cost of a refusal", "share", "Share of the limiter's refusals that count as if accepted.", 0, 1
    ),
    "penalty_chance": ParameterInfo(
        "Chance of a penalty", "chance/day", "Chance that excess closes the door for everything.", 0, 1
    ),
    "penalty_hours": ParameterInfo(
        "Length of a penalty", "h", "How long everything is deferred once the door is closed.", 0, 720
    ),
    "excess_rejected": ParameterInfo(
        "Excess rejected", "share", "Share of the excess that is answered 5xx instead of 4xx, and lost.", 0, 1
    ),
    "greylisting_probability": ParameterInfo(
        "Greylisting", "share", "Share of first attempts that are greylisted at first.", 0, 1
    ),
    "greylisting_delay_seconds": ParameterInfo(
        "Greylisting delay", "s", "A retry that comes earlier is deferred again.", 0, 604_800
    ),
    "greylisting_fade": ParameterInfo(
        "Greylisting fades", "1/day", "How fast greylisting fades with each day that delivered mail.", 0, 10
    ),
    "base_deferral": ParameterInfo(
        "Base deferral", "share", "Attempts deferred by system noise, whatever is sent.", 0, 1
    ),
    "stuck_share": ParameterInfo(
        "Stuck mailboxes", "share", "Messages to mailboxes that answer 4xx until the message expires.", 0, 1
    ),
    "trouble_deferral": ParameterInfo(
        "Deferral in trouble", "share", "Attempts deferred while the provider has trouble of its own.", 0, 1
    ),
    "trouble_every_days": ParameterInfo(
        "Trouble every", "d", "Mean time from one trouble of the provider to the next.", 0.01, 1e6
    ),
    "trouble_hours": ParameterInfo("Length of trouble", "h", "Mean length of such trouble.", 0.01, 720),
    "reputation_recovery": ParameterInfo(
        "Reputation recovers", "1/day", "Share of the gap to full reputation that closes in a day.", 0, 1
    ),
    "reputation_sensitivity": ParameterInfo(
        "Reputation suffers", "1/day", "Reputation lost a day at twice the limit of one rate.", 0, 10
    ),
    "complaint_limit": ParameterInfo(
        "Complaints tolerated", "complaints/delivered", "Rate above which reputation suffers.", _TINY, 1
    ),
    "hard_bounce_limit": ParameterInfo(
        "Hard bounces tolerated", "bounced/(delivered + bounced)", "Rate above which reputation suffers.", _TINY, 1
    ),
    "excess_limit": ParameterInfo(
        "Excess tolerated", "share", "Share of new mail above the allowance that is forgiven.", _TINY, 1
    ),
    "block_below": ParameterInfo("Block below", "reputation", "Reputation under which the provider answers 5xx.", 0, 1),
}


def _missing(item: Item) -> dict[str, ParameterInfo]:
    title = ITEM_TITLES[item]
    return {
        f"missing_{item}_factor": ParameterInfo(
            f"Without {title}", "factor", f"What is left of the allowance for new mail without {title}.", 0, 1
        ),
        f"missing_{item}_refused": ParameterInfo(
            f"Refused without {title}", "share", f"Share of attempts answered 5xx without {title}.", 0, 1
        ),
    }


PARAMETER_INFO: dict[str, ParameterInfo] = _BEFORE_ITEMS | {
    name: info for item in ITEMS for name, info in _missing(item).items()
}
PARAMETERS: tuple[str, ...] = tuple(PARAMETER_INFO)


class Prior(Checked):
    """What is believed of one parameter of one provider.

    ``low``, ``typical`` and ``high`` are the 5, 50 and 95 % points. ``lognormal_above_one`` is a lognormal of
    the value less one; ``fixed`` has no spread. A prior without a source has confidence *default*.

    Examples
    --------
    >>> Prior(low=550, typical=3200, high=16000, shape="lognormal", unit="messages/day/IP").confidence.value
    'default'
    """

    low: Number = Field(title="Low", description="5 % point: 1 provider in 20 lies below.")
    typical: Number = Field(title="Typical", description="Median.")
    high: Number = Field(title="High", description="95 % point: 1 provider in 20 lies above.")
    shape: Shape = Field(title="Shape", description="Form of the distribution between and beyond the points.")
    unit: Text = Field(title="Unit", examples=["messages/day/IP"])
    source: LongText = Field("", title="Source", description="Where it is published; empty if nowhere.")
    confidence: Confidence = Field(Confidence.DEFAULT, title="Confidence", description="How far to trust it.")
    note: LongText = Field("", title="Note", description="What the number rests on.")

    @field_validator("typical", "high")
    @classmethod
    def _rising(cls, value: float, info: ValidationInfo) -> float:
        below = "low" if info.field_name == "typical" else "typical"
        if value < info.data.get(below, value):
            raise refusal(f"which is below {below} ({info.data[below]:g}). Write the points in rising order.")
        return value

    @field_validator("shape")
    @classmethod
    def _fitting(cls, value: Shape, info: ValidationInfo) -> Shape:
        points = [info.data[name] for name in ("low", "typical", "high") if name in info.data]
        if len(points) == 3 and (text := _unfit(value, *points)):
            raise refusal(text)
        return value

    @field_validator("confidence")
    @classmethod
    def _sourced(cls, value: Confidence, info: ValidationInfo) -> Confidence:
        if value is not Confidence.DEFAULT and not info.data.get("source", "?"):
            raise refusal("but source is empty. Name the source, or write confidence: default.")
        return value


def _unfit(shape: Shape, low: float, typical: float, high: float) -> str | None:
    if shape == "fixed" and not low == typical == high:
        return "but low, typical and high differ. Make them equal, or choose another shape."
    if shape == "lognormal" and low <= 0:
        return f"which needs numbers above 0, but low is {low:g}. Raise low, or write shape: fixed."
    if shape == "lognormal_above_one" and low <= 1:
        return f"which needs numbers above 1, but low is {low:g}. Raise low, or write shape: fixed."
    if shape == "logit-normal" and not 0 < low <= high < 1:
        return f"which needs numbers between 0 and 1, but they are {low:g} to {high:g}. Move them inside."
    return None


class Requirement(Checked):
    """That a provider wants an item of authentication: from whom, and who says so."""

    who: LongText = Field("all senders", title="From whom")
    source: LongText = Field("", title="Source")
    confidence: Confidence = Field(Confidence.DEFAULT, title="Confidence")
    note: LongText = Field("", title="Note")


def _host(name: str) -> str:
    plain = name.strip().lower().removeprefix(".").removesuffix(".")
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", plain):
        raise refusal("not a domain. Write it out, such as example.com, without @, * or blanks.")
    return plain


Host = Annotated[Text, AfterValidator(_host)]


class Provider(Checked):
    """A mailbox provider with everything that is believed of it.

    ``priors`` is complete: own rows over those of the default row, in the order of `PARAMETERS`; what a
    provider does not require costs nothing when it is missing.
    """

    id: Text
    name: Text = Field(title="Name", examples=["Gmail"])
    operator: Text | None = Field(None, title="Operator", description="Its providers share strictness.")
    operator_share: Number = Field(
        0.0,
        ge=0,
        le=1,
        title="Operator's share",
        description="Share of own strictness that is the operator's.",
    )
    limiter_scope: Literal["provider", "recipient_domain"] = Field(
        "provider",
        title="Limiter",
        description="One for all, or one per recipient domain: allowances are then meant for one domain.",
    )
    gate: LongText | None = Field(None, title="Gate", description="What must be done by hand before the first mail.")
    note: LongText = Field("", title="Note")
    authentication_required: dict[Item, Requirement] = Field(default_factory=dict, title="Required")
    authentication_recommended: dict[Item, Requirement] = Field(default_factory=dict, title="Recommended")
    domains: tuple[Host, ...] = Field((), title="Recipient domains")
    mx: tuple[Host, ...] = Field((), title="MX suffixes", description="Ends of the host names in MX records.")
    priors: dict[str, Prior] = Field(title="Priors")

    @field_validator("priors")
    @classmethod
    def _complete(cls, value: dict[str, Prior]) -> dict[str, Prior]:
        return complete(value)

    @model_validator(mode="after")
    def _decided(self) -> Self:
        if both := self.authentication_required.keys() & self.authentication_recommended.keys():
            item = min(both)
            text = f"authentication_recommended.{item} is required too. Keep it in one of the two."
            raise refusal(text, "authentication_recommended", item)
        return self


def complete(priors: dict[str, Prior]) -> dict[str, Prior]:
    """Check that priors name each parameter once and lie within its bounds; return them in order."""
    for name, prior in priors.items():
        if name not in PARAMETER_INFO:
            raise refusal(unknown("parameter", name, PARAMETERS), name)
        _within(name, prior)
    if missing := [name for name in PARAMETERS if name not in priors]:
        raise refusal(f"priors lacks {', '.join(missing)}. Add a row for each.", missing[0])
    return {name: priors[name] for name in PARAMETERS}


def _within(name: str, prior: Prior) -> None:
    info = PARAMETER_INFO[name]
    for point, value in (("low", prior.low), ("high", prior.high)):
        if not info.lowest <= value <= info.highest:
            text = f"priors.{name}.{point} is {value:g}, outside {info.lowest:g} to {info.highest:g}. Change it."
            raise refusal(text, name, point)
