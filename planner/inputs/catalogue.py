"""Reads, checks and overlays the facts in data/: providers, published schedules, MTAs, reactions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator

from planner.errors import InputError
from planner.inputs.checking import validated
from planner.inputs.fields import Checked, Day, Number, Text, Whole, refusal, unknown
from planner.inputs.layers import Entry, Problems, files, gathered, joined, strangers
from planner.inputs.mta import Mta
from planner.inputs.provider import (
    ITEMS,
    PARAMETER_INFO,
    PARAMETERS,
    Item,
    LongText,
    Prior,
    Provider,
    Requirement,
    complete,
)
from planner.inputs.reaction import Reaction
from planner.resources import data_folder, user_catalogue

Result = TypeVar("Result")

Priors = Mapping[str, Mapping[str, Prior | Mapping[str, Any]]]
"""Priors of somebody's own by provider and parameter: whole ones, or low, typical and high."""

_OWN = "changed by hand"

ALL = "all"
DEFAULT = "default"


# --- what the catalogue holds


class Step(Checked):
    """A level of a published schedule: so many days at so many messages a day."""

    days: Whole = Field(1, ge=1, le=365, title="Days")
    volume: Number = Field(gt=0, le=1e10, title="Volume", json_schema_extra={"unit": "messages/day"})
    computed: bool = Field(False, title="Computed", description="By the publisher's rule; not printed.")


def _step(value: object) -> object:
    """Read a bare number as one day at that volume."""
    return value if isinstance(value, dict | Step) else {"volume": value}


StepAsWritten = Annotated[Step, BeforeValidator(_step)]


class PublishedSchedule(Checked):
    """A warmup schedule as somebody published it.

    Volumes are always messages a day: where the hour was published (``window: hour``) 24 times that limit,
    where a step's total was (``window: step``) that total over its days. ``steps`` has either the one row
    ``all``, the total over providers, or rows by provider, in which ``other`` serves every provider that is
    not named.
    """

    id: Text
    publisher: Text = Field(title="Publisher", examples=["Braze"])
    title: Text = Field(title="Title", examples=["Braze conservative"])
    per: Literal["ip", "sender", "domain"] = Field(title="Per", description="What a volume is meant for.")
    advance: Literal["calendar", "stage"] = Field(
        "calendar", title="Advances", description="By the day, or only after a good one."
    )
    window: Literal["day", "hour", "step"] = Field("day", title="Published for the")
    authority: Literal["official-esp", "vendor", "practitioner", "weak"] = Field("weak", title="Authority")
    source: LongText = Field("", title="Source")
    checked: Day | None = Field(None, title="Checked", description="Date of the page, if known.")
    same_as: Text | None = Field(None, title="Copy of", description="Same figures: one voice.")
    not_for: LongText = Field(title="Not for", description="What the schedule is not fit for.")
    note: LongText = Field("", title="Note")
    steps: dict[Text, tuple[StepAsWritten, ...]] = Field(title="Steps", min_length=1)

    @field_validator("steps")
    @classmethod
    def _one_kind(cls, value: dict[str, tuple[Step, ...]]) -> dict[str, tuple[Step, ...]]:
        if ALL in value and len(value) > 1:
            raise refusal(f"steps has the total ('{ALL}') beside single providers. Keep one kind.", ALL)
        if empty := next((name for name, steps in value.items() if not steps), None):
            raise refusal(f"steps.{empty} is empty. Write a volume on each line, after a dash.", empty)
        return value

    @property
    def independent(self) -> bool:
        """Whether it counts as a voice of its own: no copy, no bad example."""
        return self.same_as is None and self.authority != "weak"

    @property
    def length(self) -> int:
        """Days until the last step is over."""
        return max(sum(step.days for step in steps) for steps in self.steps.values())


@dataclass(frozen=True)
class Catalogue:
    """The facts that plans rest on; read-only.

    Parameters
    ----------
    providers : dict of Provider, by id
    schedules : dict of PublishedSchedule, by id
    mtas : dict of Mta, by id
        Retry rules of mail servers and sending services as they come, and of advice.
    reactions : dict of Reaction, by id
    loadings : dict of float, by parameter, in [-1, 1]
        Correlation of a parameter's normal score with strictness; parameters that are not named have 0.
    world_share : float, in [0, 1]
        Share of strictness that all providers have in common.
    """

    providers: dict[str, Provider]
    schedules: dict[str, PublishedSchedule]
    mtas: dict[str, Mta]
    reactions: dict[str, Reaction]
    loadings: dict[str, float]
    world_share: float

    def provider(self, id: str) -> Provider:  # noqa: A002 - it is the provider's id, everywhere
        """Provider with this id.

        Raises
        ------
        InputError
            When there is none, with the one that was probably meant.

        Examples
        --------
        >>> catalogue().provider("gmail").operator
        'google'
        """
        return _known("provider", id, self.providers)

    def schedule(self, id: str) -> PublishedSchedule:  # noqa: A002 - as above
        """Published schedule with this id; InputError when there is none.

        Examples
        --------
        >>> catalogue().schedule("onesignal").steps["all"][0].volume
        300.0
        """
        return _known("schedule", id, self.schedules)

    def mta(self, id: str) -> Mta:  # noqa: A002 - as above
        """Mail server, sending service or advice with this id; InputError when there is none.

        Examples
        --------
        >>> catalogue().mta("powermta").retry.first_seconds["limit"]
        600.0
        """
        return _known("MTA", id, self.mtas)

    def title(self, id: str) -> str:  # noqa: A002 - as above
        """What people call a provider; its id where the catalogue does not know it.

        Examples
        --------
        >>> catalogue().title("yahoo"), catalogue().title("example")
        ('Yahoo and AOL', 'example')
        """
        return self.providers[id].name if id in self.providers else id

    def reaction(self, id: str) -> Reaction:  # noqa: A002 - as above
        """Reaction with this id; InputError when there is none.

        Examples
        --------
        >>> catalogue().reaction("default").step_after_trouble
        0.5
        """
        return _known("reaction", id, self.reactions)

    def provider_of_domain(self, domain: str) -> str | None:
        """Provider whose mailboxes have addresses at this recipient domain.

        Returns
        -------
        str or None
            None for a domain in nobody's list: its MX may tell more (`provider_of_mx`).

        Examples
        --------
        >>> catalogue().provider_of_domain("GoogleMail.com"), catalogue().provider_of_domain("example.com")
        ('gmail', None)
        """
        return self._by_domain.get(_plain_host(domain))

    def provider_of_mx(self, host: str) -> str | None:
        """Provider that answers at this host of an MX record; the longest suffix decides.

        Examples
        --------
        >>> catalogue().provider_of_mx("example-com.mail.protection.outlook.com.")
        'microsoft-365'
        """
        labels = _plain_host(host).split(".")
        suffixes = (".".join(labels[n:]) for n in range(len(labels)))
        return next((self._by_mx[suffix] for suffix in suffixes if suffix in self._by_mx), None)

    def changed(self, priors: Priors) -> Catalogue:
        """Make a catalogue in which some priors are somebody's own.

        Parameters
        ----------
        priors : mapping of provider to mapping of parameter to Prior or its points
            Points are a mapping with low, typical and high; shape and unit stay, where the shape can hold them.

        Raises
        ------
        InputError
            When a provider or parameter is unknown, or the points cannot be; names the field.

        Examples
        --------
        >>> own = catalogue().changed({"gmail": {"cold_allowance": {"low": 500, "typical": 900, "high": 2000}}})
        >>> own.provider("gmail").priors["cold_allowance"].typical
        900.0
        """
        return replace(self, providers=self.providers | {name: self._with(name, own) for name, own in priors.items()})

    def _with(self, name: str, own: Mapping[str, Prior | Mapping[str, Any]]) -> Provider:
        provider, rows = self.provider(name), {}
        for parameter, row in own.items():
            if parameter not in PARAMETER_INFO:
                raise InputError(unknown("parameter", parameter, PARAMETERS), field=f"priors.{name}.{parameter}")
            rows[parameter] = row if isinstance(row, Prior) else _own_points(provider.priors[parameter], parameter, row)
        data = {field: getattr(provider, field) for field in type(provider).model_fields}
        try:
            return validated(Provider, data | {"priors": provider.priors | rows})
        except InputError as error:
            place = (error.field or "priors").removeprefix("priors")
            raise InputError(f"{provider.name}: {error.message}", field=f"priors.{name}{place}") from None

    @cached_property
    def _by_domain(self) -> dict[str, str]:
        return {domain: one.id for one in self.providers.values() for domain in one.domains}

    @cached_property
    def _by_mx(self) -> dict[str, str]:
        return {suffix: one.id for one in self.providers.values() for suffix in one.mx}


def own_rows(priors: Priors) -> dict[str, dict[str, dict[str, Any]]]:
    """Return somebody's own priors as plain values that JSON knows."""
    return {
        name: {one: row.model_dump(mode="json") if isinstance(row, Prior) else dict(row) for one, row in rows.items()}
        for name, rows in priors.items()
    }


def _own_points(usual: Prior, parameter: str, points: Any) -> dict[str, Any]:
    """Return a person's own points as a prior's fields, in a shape that holds them."""
    if not isinstance(points, Mapping):
        text = "somebody's own prior is a mapping with low, typical and high."
        raise InputError(f"{parameter}: {text}", field=f"priors.{parameter}")
    info, shape = PARAMETER_INFO[parameter], usual.shape
    if len({points.get(name) for name in ("low", "typical", "high")}) == 1:
        shape = "fixed"
    elif shape == "fixed":
        shape = "logit-normal" if info.highest <= 1 else "lognormal_above_one" if info.lowest >= 1 else "lognormal"
    return {"note": _OWN, **points, "shape": shape, "unit": usual.unit}


def _known(what: str, name: str, among: dict[str, Result]) -> Result:
    if name not in among:
        raise InputError(unknown(what, name, among))
    return among[name]


def _plain_host(name: str) -> str:
    return name.strip().lower().removesuffix(".")


# --- the public face


def catalogue(folder: str | Path | None = None) -> Catalogue:
    """Facts of the project, with a person's own laid over them.

    Parameters
    ----------
    folder : str or Path, optional
        Own files, in the structure of ``data/``. Without it the folder that ``WARMUP_CATALOGUE`` names, or
        ``catalogue`` in the user's configuration folder, if there is one. A file overrides the fields that it
        names; a prior, a list and the steps of a schedule are replaced as a whole.

    Returns
    -------
    Catalogue
        Kept until one of the own files changes.

    Raises
    ------
    InputError
        All that is wrong, each with file, line and field.

    Examples
    --------
    >>> catalogue().providers["gmail"].priors["cold_allowance"].unit
    'messages/day/IP'
    """
    own = user_catalogue(folder)
    return _loaded(own, _stamp(own))


def problems(folder: str | Path | None = None) -> list[InputError]:
    """What is wrong in the catalogue, each with file, line and field; empty if nothing is.

    Parameters
    ----------
    folder : str or Path, optional
        As for `catalogue`.
    """
    try:
        return list(_assembled(user_catalogue(folder))[1])
    except InputError as error:
        return list(error.problems)


@lru_cache(maxsize=8)
def _loaded(own: Path | None, stamp: tuple[object, ...]) -> Catalogue:
    built, found = _assembled(own)
    if built is None or found:
        raise joined(found)
    return built


def _stamp(own: Path | None) -> tuple[object, ...]:
    """Change of any own file, so that an edit is seen without starting again."""
    return () if own is None else tuple(_state(path) for _, path in files(own))


def _state(path: Path) -> tuple[object, ...]:
    try:
        now = path.stat()
    except OSError:  # a link to nowhere: reading it says what is wrong
        return (path,)
    return path, now.st_mtime_ns, now.st_size


# --- putting it together


class _DefaultRow(Checked):
    id: Text
    name: Text = "Default row"
    note: LongText = ""
    authentication_required: dict[Item, Requirement] = Field(default_factory=dict)
    priors: dict[str, Prior]

    @field_validator("priors")
    @classmethod
    def _complete(cls, value: dict[str, Prior]) -> dict[str, Prior]:
        return complete(value)


class _Reactions(Checked):
    id: Text
    reactions: dict[Text, Reaction]


class _Strictness(Checked):
    id: Text
    world_share: Number = Field(ge=0, le=1)
    loadings: dict[str, Annotated[Number, Field(ge=-1, le=1)]]

    @field_validator("loadings")
    @classmethod
    def _parameters(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in PARAMETER_INFO:
                raise refusal(unknown("parameter", name, PARAMETERS), name)
        return value


_NOT_REQUIRED = "not required by this provider"
_NO_PENALTY = Prior(low=1, typical=1, high=1, shape="fixed", unit="factor", note=_NOT_REQUIRED)
_NONE_REFUSED = Prior(low=0, typical=0, high=0, shape="fixed", unit="share", note=_NOT_REQUIRED)


def _assembled(own: Path | None) -> tuple[Catalogue | None, Problems]:
    found = Problems() if own is None else Problems(strangers(own))
    entries = gathered([data_folder()] if own is None else [data_folder(), own], found)
    row = found.attempt(_default_row, entries["providers"].pop(DEFAULT))
    if row is None:
        return None, found
    providers = _each(entries["providers"], lambda entry: _provider(entry, row), found)
    schedules = _each(entries["schedules"], _schedule, found)
    mtas = _each(entries["mtas"], _mta, found)
    reactions = found.attempt(_reactions, entries["reactions"]["reactions"])
    strictness = found.attempt(_strictness, entries["strictness"]["strictness"])
    found.extend(_claims(providers, entries["providers"]))
    found.extend(_foreign_steps(schedules, entries))
    found.extend(_copies(schedules, entries["schedules"]))
    if reactions is None or strictness is None:
        return None, found
    return Catalogue(providers, schedules, mtas, reactions, strictness.loadings, strictness.world_share), found


def _each(entries: dict[str, Entry], make: Callable[[Entry], Result], found: Problems) -> dict[str, Result]:
    made = {name: found.attempt(make, entry) for name, entry in entries.items() if entry.origin}
    return {name: one for name, one in made.items() if one is not None}


def _default_row(entry: Entry) -> _DefaultRow:
    return entry.checked(_DefaultRow, entry.data)


def _schedule(entry: Entry) -> PublishedSchedule:
    return entry.checked(PublishedSchedule, entry.data)


def _mta(entry: Entry) -> Mta:
    return entry.checked(Mta, entry.data)


def _strictness(entry: Entry) -> _Strictness:
    return entry.checked(_Strictness, entry.data)


def _provider(entry: Entry, row: _DefaultRow) -> Provider:
    """Own rows over the default row; what is not required costs nothing."""
    data = dict(entry.data)
    if isinstance(data.setdefault("authentication_required", {}), dict):
        data["authentication_required"] = _required(entry, row)
    if isinstance(data.setdefault("priors", {}), dict):
        unwanted = [item for item in ITEMS if item not in data["authentication_required"]]
        data["priors"] = row.priors | _free(unwanted, entry) | _own_rows(entry, row)
    return entry.checked(Provider, data)


def _required(entry: Entry, row: _DefaultRow) -> dict[str, Any]:
    """What the provider's files require, and what the default row does that they do not only recommend."""
    recommended = entry.group("authentication_recommended")
    usual: dict[str, Any] = {
        item: need for item, need in row.authentication_required.items() if item not in recommended
    }
    return usual | entry.group("authentication_required")


def _own_rows(entry: Entry, row: _DefaultRow) -> dict[str, Any]:
    """Rows that the provider's files give; shape and unit are the default row's where they are not named."""
    own = entry.group("priors")
    for name in own:
        if name not in PARAMETER_INFO:
            raise entry.problem(("priors", name), unknown("parameter", name, PARAMETERS))
    return {name: _filled(written, row.priors[name]) for name, written in own.items()}


def _filled(own: object, usual: Prior) -> object:
    return {"shape": usual.shape, "unit": usual.unit} | own if isinstance(own, dict) else own


def _free(items: Iterable[Item], entry: Entry) -> dict[str, Prior]:
    """Rows of the items that the provider does not require."""
    for name, item in ((f"missing_{item}_{kind}", item) for item in items for kind in ("factor", "refused")):
        if name in entry.group("priors"):
            text = f"priors.{name} is given, but {item} is not required. Add it to authentication_required."
            raise entry.problem(("priors", name), text)
    factors = {f"missing_{item}_factor": _NO_PENALTY for item in items}
    return factors | {f"missing_{item}_refused": _NONE_REFUSED for item in items}


def _reactions(entry: Entry) -> dict[str, Reaction]:
    """Reactions by id, which is also their name where the files give none."""
    rows = entry.data.get("reactions")
    if not isinstance(rows, dict):
        return entry.checked(_Reactions, entry.data).reactions
    named = {key: {"name": key} | own if isinstance(own, dict) else own for key, own in rows.items()}
    return entry.checked(_Reactions, entry.data | {"reactions": named}).reactions


# --- what no single file can tell


def _claims(providers: dict[str, Provider], entries: dict[str, Entry]) -> Iterator[InputError]:
    """Domains and MX suffixes that two providers claim, or one twice."""
    for name in ("domains", "mx"):
        owners: dict[str, str] = {}
        for one in _latest_last(providers, entries, name):
            for n, host in enumerate(getattr(one, name)):
                if host in owners:
                    who = "itself" if owners[host] == one.id else f"the provider '{owners[host]}'"
                    text = f"{name}[{n}] is '{host}', which {who} claims already. Keep it in one place."
                    yield entries[one.id].problem((name, n), text)
                owners.setdefault(host, one.id)


def _latest_last(providers: dict[str, Provider], entries: dict[str, Entry], name: str) -> list[Provider]:
    """Providers in the order of their files, so that the newcomer is blamed."""
    shipped = data_folder()
    return sorted(providers.values(), key=lambda one: shipped not in entries[one.id].spot((name,))[0].parents)


def _foreign_steps(
    schedules: dict[str, PublishedSchedule], entries: dict[str, dict[str, Entry]]
) -> Iterator[InputError]:
    """Steps for providers that nobody knows."""
    known = [ALL, *entries["providers"]]
    for one in schedules.values():
        for name in (name for name in one.steps if name not in known):
            text = f"steps: {unknown('provider', name, known)}"
            yield entries["schedules"][one.id].problem(("steps", name), text)


def _copies(schedules: dict[str, PublishedSchedule], entries: dict[str, Entry]) -> Iterator[InputError]:
    """Copies of schedules that do not exist, and copies that go round."""
    for one in schedules.values():
        if one.same_as is not None and one.same_as not in entries:
            text = f"same_as: {unknown('schedule', one.same_as, schedules)}"
            yield entries[one.id].problem(("same_as",), text)
        trail = _trail(one, schedules)
        if len(trail) > 1 and trail[-1] == one.id:
            text = f"same_as goes round: {' → '.join(trail)}. Leave it out of the original."
            yield entries[one.id].problem(("same_as",), text)


def _trail(one: PublishedSchedule, schedules: dict[str, PublishedSchedule]) -> list[str]:
    """Ids from a copy to its original, or until one comes up again."""
    trail = [one.id]
    while (target := schedules[trail[-1]].same_as) in schedules:
        trail.append(str(target))
        if trail[-1] in trail[:-1]:
            break
    return trail


# --- the validator as a command


def main(arguments: list[str]) -> int:
    """Print what is wrong in the catalogue; 0 when nothing is, 2 otherwise."""
    folder = arguments[0] if arguments else None
    found = problems(folder)
    sys.stdout.writelines(f"{problem}\n" for problem in found)
    if found:
        return 2
    facts = catalogue(folder)
    counts = f"{len(facts.providers)} providers, {len(facts.schedules)} schedules, {len(facts.mtas)} MTAs"
    sys.stdout.write(f"{counts}, {len(facts.reactions)} reactions: nothing is wrong.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
