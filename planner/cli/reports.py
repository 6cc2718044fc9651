"""Results as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import planner as wp
from planner.cli.output import aligned, day_said, days_said, number_said, percent_said, reached_said, whole_said

if TYPE_CHECKING:
    import pandas as pd

SHOWN_DOMAINS = SHOWN_ANSWERS = 20


def plan_report(made: wp.Plan) -> str:
    """Say the plan, the first day's volumes, and the ramp."""
    first = made.tomorrow()
    names = [str(name) for name in first["provider"]]
    headers = [day_said(made.first_day()), "messages", "per hour"]
    columns = [names, map(whole_said, first["messages"]), map(whole_said, first["per_hour"])]
    if len(made.schedule.segments) > 1:  # whom, most engaged first
        whom = made.recipients().pivot(index="provider", columns="segment", values="messages")
        for segment in made.schedule.segments:
            if segment in whom:
                headers.append(segment)
                columns.append(map(whole_said, whom[segment].reindex(names, fill_value=0).fillna(0)))
    day = aligned(headers, list(zip(*columns, strict=True)))
    return "\n\n".join([made.summary(), day, _ramp(made.schedule)])


def _ramp(schedule: wp.Schedule) -> str:
    """Daily volumes until nothing rises any more."""
    total = schedule.total  # (providers, days)
    sent = [d for d in range(len(schedule.dates)) if total[:, d].any()]
    rising = [d for d in sent if d == 0 or (total[:, d] > total[:, :d].max(axis=1)).any()]
    shown = [d for d in sent if d <= max(rising, default=-1)]
    start = schedule.dates[0]
    rows = [
        (day_said(schedule.dates[d], start), whole_said(total[:, d].sum()), *map(whole_said, total[:, d].tolist()))
        for d in shown
    ]
    if not rows:
        return "Nothing can be sent."
    rest = f"\nFrom then on nothing rises, up to {day_said(schedule.dates[-1])}." if sent[-1] > shown[-1] else ""
    return aligned(("ramp", "all", *schedule.providers), rows) + rest


def forecast_report(forecast: wp.Forecast) -> str:
    """Say the forecast, and tell it provider by provider."""
    start = forecast.days[0]
    reach = forecast.reach().to_dict("records")  # one row more: all providers together
    rows = []
    for days, sums in zip(reach, forecast.totals().to_dict("records"), strict=False):
        sent = max(sums["injected"], 1.0)
        dates = (reached_said(start, days[q]) for q in ("q10", "q50", "q90"))
        shares = (sums["risk"], sums["delayed"] / sent, (sums["blocked"] + sums["expired"]) / sent)
        rows.append((sums["provider"], *dates, *map(percent_said, shares)))
    headers = ("provider", "target: 10 %", "50 %", "90 %", "throttled day", "mail late", "mail lost")
    return "\n\n".join([forecast.summary(), aligned(headers, rows)])


def comparison_report(comparison: wp.Comparison) -> str:
    """Say the verdict, and all schedules in a table."""
    frame = comparison.to_frame()
    deadline = bool(frame["by_deadline"].notna().any())
    rows = [
        (
            _short(str(row["name"])),
            "reacts" if row["reaction"] else "blindly",
            *(days_said(row[q]) for q in ("q10", "q50", "q90")),
            percent_said(row["missing"]),
            *((percent_said(row["by_deadline"]),) if deadline else ()),
            f"{row['wrong_days']:.1f}",
            f"{row['throttled_providers']:.1f}",
            percent_said(row["p_421"]),
            f"{row['delay']:.1f} h",
            percent_said(row["delayed"]),
            percent_said(row["lost"]),
        )
        for row in frame.to_dict("records")
    ]
    by = ("in time",) if deadline else ()
    when = ("days: 10 %", "50 %", "90 %", "never", *by)
    headers = ("schedule", "sender", *when, "throttled", "at", "421s", "delay", "late", "lost")
    legend = "throttled: days, summed over the providers; at: providers; 421s: first attempts; late, lost: of all mail"
    return "\n\n".join([comparison.summary(), aligned(headers, rows, left=2), legend])


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def audience_report(found: wp.AddressList) -> str:
    """Providers by segments; below it the domains that somebody may know."""
    table = found.to_frame().pivot_table("addresses", "provider", "segment", sort=False)
    size = found.audience.size or 1
    sums = [(str(name), [float(n) for n in parts]) for name, parts in zip(table.index, table.to_numpy(), strict=True)]
    rows = [
        (name, whole_said(sum(n)), percent_said(sum(n) / size), *map(whole_said, n if found.has_dates else ()))
        for name, n in sums
    ]
    segments = [str(name).removeprefix("engaged in ") for name in table.columns] if found.has_dates else []
    counts = aligned(("provider", "addresses", "share", *segments), rows)
    parts = [found.summary(), counts]
    if found.other_domains:
        first = list(found.other_domains.items())[:SHOWN_DOMAINS]
        more = len(found.other_domains) - len(first)
        rest = f"\nand {whole_said(more)} more domains; --unmapped FILE.csv writes them all." if more else ""
        parts.append(
            aligned(("of no known provider", "addresses"), [(name, whole_said(n)) for name, n in first]) + rest
        )
    return "\n\n".join(parts)


def retries_report(advice: wp.RetryAdvice) -> str:
    """The advice in words, and below it how the policies do, provider by provider."""
    from planner.vocabulary import duration

    frame = advice.to_frame()
    tables = []
    for name, own in frame[frame["kind"] != "searched"].groupby("provider", sort=False):
        rows = [
            (
                row["policy"],
                duration(row["mean_delay"]),
                duration(row["p95_delay"]),
                number_said(row["wasted"]),
                percent_said(row["expired"]),
                f"{row['score']:.2f}",
                "" if row["kind"] == "advised" else f"{row['score_more']:+.2f} ± {row['se']:.2f}",
            )
            for row in own.sort_values("score").to_dict("records")
        ]
        headers = (str(name), "late, mean", "late, 95 %", "wasted", "expired", "score", "to the advised")
        tables.append(aligned(headers, rows))
    legend = (
        "late: mail deferred at first, expired mail as five days; wasted: deferred attempts per delivered message;\n"
        "score: minutes per delivered message, less is better; judged on fresh scenarios"
    )
    return "\n\n".join([advice.summary(), *tables, legend])


def explanation_report(explanation: wp.Explanation, made: wp.Plan) -> str:
    """Say what holds the plan back, and what helps."""
    held = [(str(row["provider"]), str(row["text"])) for row in explanation.binding.to_dict("records")]
    rows = [
        (
            row,
            (
                str(row["text"]),
                str(row["effect"]),
                *([percent_said(row["chance"])] if explanation.chance is not None else []),
            ),
        )
        for row in explanation.reliefs.to_dict("records")
    ]
    helps = [cells for row, cells in rows if not row["name"].startswith(wp.Explanation.COSTS)]
    costs = [cells for row, cells in rows if row["name"].startswith(wp.Explanation.COSTS)]
    hangs = [
        (*(str(row[key]) for key in ("provider", "title", "unit", "confidence")), *_ends(row))
        for row in explanation.assumptions.to_dict("records")
        if row["swing"] > 0
    ]
    deadline = ("deadline kept",) if explanation.chance is not None else ()
    parts = [
        explanation.summary(),
        aligned(("what holds it back", ""), held, left=2),
        aligned(("what a change is worth", "the target", *deadline), helps, left=2) + f"\n{explanation.note()}",
        aligned(("what it would cost", "the target", *deadline), costs, left=2),
        aligned(("find out first", "", "unit", "confidence", "10 %", "days", "90 %", "days"), hangs, left=4),
    ]
    tables = (rows for rows in ([()], held, helps, costs, hangs))
    return "\n\n".join([made.headline(), *(part for part, rows in zip(parts, tables, strict=True) if rows)])


def _ends(row: Mapping[Any, Any]) -> Iterator[str]:
    """Say a prior's 10 % and 90 % points, each with the days it adds."""
    for end in ("low", "high"):
        days = row[f"days_{end}"]
        yield number_said(row[end])
        yield f"{days:+.0f}" if isfinite(days) else "never" if days > 0 else "at all"


def diagnoses_report(found: wp.Diagnoses) -> str:
    """Count the answers, the most frequent first."""
    rows = [
        (
            whole_said(one.count),
            one.provider_name or "",
            " ".join(filter(None, (str(one.code or ""), one.enhanced))),
            {True: "passes", False: "permanent", None: ""}[one.temporary],
            str(one.cause or one.kind),
            (one.tomorrow or "").replace("_", " "),
            one.text if len(one.text) <= 60 else f"{one.text[:59]}…",
        )
        for one in found[:SHOWN_ANSWERS]
    ]
    more = len(found) - len(rows)
    rest = f"\nand {whole_said(more)} more; --csv FILE writes them all." if more else ""
    headers = ("times", "provider", "code", "", "cause", "tomorrow", "the first of them")
    return "\n\n".join([found.summary(), aligned(headers, rows, left=7) + rest])


def beliefs_report(frame: pd.DataFrame) -> str:
    """One line for each unknown; what has no spread is none."""
    values = frame.groupby(["provider", "parameter"], sort=False)["value"]
    table = [(*names, *group.quantile([0.05, 0.5, 0.95])) for names, group in values]
    facts = wp.catalogue()
    rows = []
    for name, parameter, low, middle, high in table:
        if low < high:
            prior = facts.provider(name).priors[parameter]
            points = map(number_said, (low, middle, high))
            rows.append((name, parameter, prior.unit, prior.confidence.value, *points))
    headers = ("provider", "parameter", "unit", "confidence", "5 %", "50 %", "95 %")
    title = f"{frame['scenario'].nunique():,} scenarios; 5, 50 and 95 % points of what is not known for certain"
    return "\n\n".join([title, aligned(headers, rows, left=4)])
