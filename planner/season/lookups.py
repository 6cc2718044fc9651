"""What to look up this morning: what the alarms could not judge, what cannot be right, and what providers show."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from planner.inputs.catalogue import catalogue
from planner.inputs.fields import Checked, Text
from planner.inputs.yamlfile import read, validated
from planner.observing.alarms import Alarms
from planner.observing.rules import rule_set
from planner.resources import data_folder
from planner.vocabulary import Verdict


class Dashboard(Checked):
    """A provider's own page for senders."""

    name: Text
    url: Text
    shows: Text
    source: Text


@cache
def dashboards() -> dict[str, Dashboard]:
    """Pages for senders by provider, as far as providers have any; facts of ``data/dashboards.yaml``."""
    path = data_folder() / "dashboards.yaml"
    content, marks = read(path)
    return {name: validated(Dashboard, one, marks, path) for name, one in content.items()}


def look_ups(alarms: Alarms, rules: str) -> Iterator[str]:
    """Say what to look up, and where: first at providers in trouble, then what could not be judged."""
    known = dashboards()
    for name, verdict in alarms.verdicts.items():
        if verdict != Verdict.GO_ON and name in known:
            yield f"{catalogue().title(name)}: {known[name].shows}, in {known[name].name} ({known[name].url})."
    complaints = {one.title.lower() for one in rule_set(rules).rules.values() if one.measure == "complaint_rate"}
    unseen: dict[tuple[str, ...], list[str]] = {}
    for name, missing in alarms.unknown.items():
        if complaints & set(missing):
            calm = alarms.verdict(name) == Verdict.GO_ON
            if name in known and calm:
                yield f"{catalogue().title(name)}: complaints, in {known[name].name} ({known[name].url})."
        others = tuple(one for one in missing if one not in complaints)
        if others:
            unseen.setdefault(others, []).append(name)
    without = [name for name, missing in alarms.unknown.items() if complaints & set(missing) and name not in known]
    if without:
        yield f"{_names(without)}: complaints, in the reports of your ESP or of the feedback loops."
    for missing, names in unseen.items():
        who = "All providers" if len(names) == len(alarms.providers) > 1 else _names(names)
        yield f"{who}: {_listed(missing)}, in the log of your mail server or the export of your ESP."


def _names(providers: list[str]) -> str:
    return _listed([catalogue().title(one) for one in providers])


def _listed(what: list[str] | tuple[str, ...]) -> str:
    return what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
