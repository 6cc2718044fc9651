"""People's own facts, laid over the project's: what works, and what the messages say when it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.inputs.catalogue import catalogue, problems

SCHEDULE = """\
publisher: us
title: Ours
per: ip
not_for: anybody else
steps:
  all: [50, 100]
"""


def lay(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def one_problem(folder: Path) -> InputError:
    with pytest.raises(InputError) as raised:
        catalogue(folder)
    assert raised.value.others == (), str(raised.value)
    return raised.value


# --- what works


def test_one_prior_of_one_provider(tmp_path):
    lay(
        tmp_path,
        {"providers/gmail.yaml": "priors:\n  cold_allowance: {low: 900, typical: 4000, high: 9000}\n"},
    )
    ours, shipped = catalogue(tmp_path).provider("gmail"), catalogue().provider("gmail")
    changed = {name for name in ours.priors if ours.priors[name] != shipped.priors[name]}
    assert changed == {"cold_allowance"}
    prior = ours.priors["cold_allowance"]
    assert (prior.low, prior.shape, prior.unit) == (900, "lognormal", "messages/day/IP")
    assert (prior.source, prior.confidence) == (
        "",
        "default",
    )  # the published source says nothing of our number
    assert ours.domains == shipped.domains


def test_a_new_provider(tmp_path):
    text = (
        "name: Posteo\n"
        "domains: [posteo.de, posteo.net]\n"
        "mx: [posteo.de]\n"
        "authentication_required:\n"
        "  dmarc: {source: posteo.de/en/help}\n"
        "priors:\n"
        "  greylisting_probability:\n"
        "    {low: 0.1, typical: 0.4, high: 0.8, source: own logs, confidence: practitioner}\n"
    )
    facts = catalogue(lay(tmp_path, {"providers/posteo.yaml": text}))
    assert facts.provider_of_domain("posteo.net") == "posteo"
    assert facts.provider_of_mx("mx01.posteo.de") == "posteo"
    posteo = facts.provider("posteo")
    assert set(posteo.authentication_required) == {"spf", "dkim", "ptr", "dmarc"}
    assert posteo.priors["greylisting_probability"].confidence == "practitioner"
    assert posteo.priors["missing_dmarc_factor"].high < 1
    assert posteo.priors["missing_tls_factor"].low == 1
    assert posteo.priors["daily_growth"] == facts.provider("docomo").priors["daily_growth"]
    assert len(facts.providers) == len(catalogue().providers) + 1


def test_the_default_row_of_all(tmp_path):
    lay(
        tmp_path,
        {"providers/default.yaml": "priors:\n  stuck_share: {low: 0.001, typical: 0.002, high: 0.003}\n"},
    )
    facts = catalogue(tmp_path)
    assert facts.provider("comcast").priors["stuck_share"].high == 0.003
    assert facts.provider("gmail").priors["stuck_share"].high == 0.012  # has a row of its own


def test_a_number_for_one_recipient_domain_stays_one(tmp_path):
    text = "priors:\n  cold_allowance: {low: 5, typical: 50, high: 500}\n"
    prior = catalogue(lay(tmp_path, {"providers/other.yaml": text})).provider("other").priors["cold_allowance"]
    assert prior.unit == "messages/day/IP per recipient domain"


def test_a_fixed_number_gets_spread(tmp_path):
    text = "priors:\n  greylisting_probability: {low: 0.01, typical: 0.02, high: 0.05}\n"
    gmail = catalogue(lay(tmp_path, {"providers/gmail.yaml": text})).provider("gmail")
    assert gmail.priors["greylisting_probability"].shape == "logit-normal"


def test_a_requirement_becomes_a_recommendation(tmp_path):
    lay(tmp_path, {"providers/gmail.yaml": "authentication_recommended:\n  spf: {who: us}\n"})
    gmail = catalogue(tmp_path).provider("gmail")
    assert "spf" not in gmail.authentication_required
    assert gmail.priors["missing_spf_factor"].low == 1


def test_schedules_reactions_and_strictness(tmp_path):
    files = {
        "schedules/ours.yaml": SCHEDULE,
        "schedules/onesignal.yaml": "not_for: Mondays\n",
        "reactions.yaml": "reactions:\n  calm: {hold_above: 0.2}\n  google: {rest_days: 7}\n",
        "strictness.yaml": "loadings: {base_deferral: 0.1}\n",
    }
    facts = catalogue(lay(tmp_path, files))
    assert facts.schedule("ours").independent is False  # authority is weak where none is claimed
    assert facts.schedule("onesignal").not_for == "Mondays"
    assert facts.schedule("onesignal").steps == catalogue().schedule("onesignal").steps
    assert (facts.reaction("calm").name, facts.reaction("calm").hold_above) == ("calm", 0.2)
    assert (facts.reaction("google").rest_days, facts.reaction("google").back_above) == (7, 0.1)
    assert facts.loadings == catalogue().loadings | {"base_deferral": 0.1}


def test_json_serves_too(tmp_path):
    lay(tmp_path, {"providers/posteo.json": '{"name": "Posteo", "domains": ["posteo.de"]}'})
    assert catalogue(tmp_path).provider_of_domain("posteo.de") == "posteo"


def test_an_edit_is_seen_without_starting_again(tmp_path):
    path = lay(tmp_path, {"schedules/ours.yaml": SCHEDULE}) / "schedules" / "ours.yaml"
    assert catalogue(tmp_path).schedule("ours").length == 2
    path.write_text(SCHEDULE.replace("[50, 100]", "[50, 100, 200]"), encoding="utf-8")
    assert catalogue(tmp_path).schedule("ours").length == 3


def test_the_environment_names_a_folder(tmp_path, monkeypatch):
    lay(tmp_path, {"schedules/ours.yaml": SCHEDULE})
    monkeypatch.setenv("WARMUP_CATALOGUE", str(tmp_path))
    assert "ours" in catalogue().schedules
    monkeypatch.setenv("WARMUP_CATALOGUE", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no such catalogue folder"):
        catalogue()


def test_an_empty_folder_changes_nothing(tmp_path):
    assert catalogue(tmp_path).providers == catalogue().providers


def test_drafts_and_notes_are_left_alone(tmp_path):
    lay(tmp_path, {"providers/.gmail.yaml.swp": "x", "providers/gmail.yaml~": "x", "README.md": "x"})
    assert problems(tmp_path) == []


# --- what is refused

PRIOR = "priors:\n  {}:\n    low: {}\n    typical: {}\n    high: {}\n"


@pytest.mark.parametrize(
    ("file", "text", "line", "said"),
    [
        (
            "providers/gmail.yaml",
            PRIOR.format("cold_allowance", 500, "12,O00", 20000),
            4,
            "priors.cold_allowance.typical is '12,O00', not a number. Write digits only: 12000.",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("cold_allowance", 5000, 500, 20000),
            4,
            "priors.cold_allowance.typical is 500, which is below low (5000).",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("cold_alowance", 1, 2, 3),
            2,
            "Unknown parameter 'cold_alowance'. Did you mean 'cold_allowance'?",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("penalty_hours", 1, 2, 3) + "    confidence: certain\n",
            6,
            "priors.penalty_hours.confidence is 'certain', which is not one of: official, practitioner,",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("penalty_hours", 1, 2, 3) + "    confidence: official\n",
            6,
            "priors.penalty_hours.confidence is 'official', but source is empty.",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("hourly_share", 0.1, 0.5, 1.5),
            2,
            "priors.hourly_share.shape is 'logit-normal', which needs numbers between 0 and 1",
        ),
        (
            "providers/gmail.yaml",
            PRIOR.format("penalty_hours", 1, 20, 2000),
            5,
            "priors.penalty_hours.high is 2000, outside 0 to 720.",
        ),
        (
            "providers/gmail.yaml",
            "priors:\n  penalty_hours:\n    low: 1\n    high: 3\n",
            2,
            "priors.penalty_hours.typical is missing",
        ),
        (
            "providers/gmail.yaml",
            "priors:\n  penalty_hours: 3\n",
            2,
            "priors.penalty_hours is 3, not a group",
        ),
        ("providers/gmail.yaml", "priors: 7\n", 1, "priors is 7, not a group of fields."),
        ("providers/gmail.yaml", "nmae: G\n", 1, "Unknown field 'nmae'. Did you mean 'name'?"),
        ("providers/gmail.yaml", "id: yahoo\n", 1, "id is 'yahoo', but the file's name says gmail."),
        (
            "providers/gmail.yaml",
            "authentication_required:\n  spff: {}\n",
            2,
            "authentication_required.spff is 'spff', which is not one of: spf, dkim,",
        ),
        (
            "providers/yandex.yaml",
            "name: Yandex\n" + PRIOR.format("missing_tls_factor", 0.1, 0.2, 0.3),
            3,
            "priors.missing_tls_factor is given, but tls is not required.",
        ),
        ("providers/posteo.yaml", "domains: [posteo.de]\n", 1, "name is missing (Name). Add it"),
        (
            "providers/posteo.yaml",
            "name: P\ndomains:\n  - '*.posteo.de'\n",
            3,
            "domains[0] is '*.posteo.de', not a domain.",
        ),
        (
            "providers/posteo.yaml",
            "name: P\ndomains:\n  - posteo.de\n  - cox.net\n",
            4,
            "domains[1] is 'cox.net', which the provider 'yahoo' claims already.",
        ),
        (
            "providers/posteo.yaml",
            "name: P\nmx:\n  - google.com\n",
            3,
            "mx[0] is 'google.com', which the provider 'google-workspace' claims already.",
        ),
        (
            "providers/163.yaml",
            "domains:\n  - 163.com\n  - 163.com\n",
            3,
            "domains[1] is '163.com', which itself claims already.",
        ),
        ("providers/all.yaml", "name: A\n", None, "The name 'all' cannot be an id."),
        ("providers/My ISP.yaml", "name: A\n", None, "The name 'My ISP' cannot be an id."),
        ("providers/gmail.yaml", "- 1\n", 1, "holds [1], not fields."),
        ("providers/gmail.yaml", "name: G\nname: H\n", 2, "name is there twice"),
        ("providers/gmail.yaml", "", None, "is empty"),
        (
            "schedules/ours.yaml",
            SCHEDULE.replace("all", "gmial"),
            6,
            "steps: Unknown provider 'gmial'. Did you mean 'gmail'?",
        ),
        (
            "schedules/ours.yaml",
            SCHEDULE.replace("100", "-100"),
            6,
            "steps.all[1].volume is -100",
        ),
        ("schedules/ours.yaml", SCHEDULE.replace("[50, 100]", "[]"), 6, "steps.all is empty."),
        (
            "schedules/ours.yaml",
            SCHEDULE + "  gmail: [5]\n",
            6,
            "steps has the total ('all') beside single providers.",
        ),
        (
            "schedules/ours.yaml",
            SCHEDULE + "authority: god\n",
            7,
            "authority is 'god', which is not one of: official-esp,",
        ),
        ("schedules/ours.yaml", SCHEDULE + "checked: 2026-02-30\n", 7, "checked is '2026-02-30', not a date"),
        (
            "schedules/ours.yaml",
            SCHEDULE + "same_as: sparkpots\n",
            7,
            "same_as: Unknown schedule 'sparkpots'. Did you mean 'sparkpost'?",
        ),
        ("schedules/ours.yaml", SCHEDULE + "same_as: ours\n", 7, "same_as goes round: ours → ours."),
        (
            "reactions.yaml",
            "reactions:\n  calm:\n    hold_above: 3\n",
            3,
            "reactions.calm.hold_above is 3",
        ),
        (
            "strictness.yaml",
            "loadings:\n  reputation_start: 0.1\n",
            2,
            "Unknown parameter 'reputation_start'.",
        ),
        ("strictness.yaml", "world_share: 25\n", 1, "world_share is 25"),
        (
            "reaction.yaml",
            "reactions: {}\n",
            None,
            "Unknown file of a catalogue 'reaction.yaml'. Did you mean",
        ),
        (
            "provider/gmail.yaml",
            "name: G\n",
            None,
            "Unknown folder of a catalogue 'provider'. Did you mean 'providers'?",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_field(tmp_path, file, text, line, said):
    problem = one_problem(lay(tmp_path, {file: text}))
    named = str(tmp_path / ("provider" if file.startswith("provider/") else file))
    assert problem.file == named
    assert problem.line == line
    assert said in problem.message
    assert str(problem).startswith(named if line is None else f"{named}:{line}: ")
    if line is not None and "not fields" not in said:
        assert problem.field


def test_copies_that_go_round_are_told_on_both_sides(tmp_path):
    lay(
        tmp_path,
        {"schedules/a.yaml": SCHEDULE + "same_as: b\n", "schedules/b.yaml": SCHEDULE + "same_as: a\n"},
    )
    assert [problem.message.split(".")[0] for problem in problems(tmp_path)] == [
        "same_as goes round: a → b → a",
        "same_as goes round: b → a → b",
    ]


def test_one_broken_file_does_not_hide_the_next(tmp_path):
    files = {
        "providers/gmail.yaml": "operator_share: 2\npriors:\n  penalty_hours: {low: 1, typical: x, high: 2}",
        "providers/yahoo.yaml": "nmae: Y\n",
        "schedules/ours.yaml": SCHEDULE.replace("per: ip", "per: moon"),
    }
    found = problems(lay(tmp_path, files))
    assert [(Path(str(problem.file)).name, problem.line) for problem in found] == [
        ("gmail.yaml", 1),
        ("gmail.yaml", 3),
        ("yahoo.yaml", 1),
        ("ours.yaml", 3),
    ]
    with pytest.raises(InputError) as raised:
        catalogue(tmp_path)
    assert str(raised.value).splitlines() == [str(problem) for problem in found]


def test_a_file_of_bytes(tmp_path):
    (lay(tmp_path, {"providers/gmail.yaml": ""}) / "providers" / "gmail.yaml").write_bytes(
        "name: Gmail\n".encode("utf-16")
    )
    assert "UTF-16" in one_problem(tmp_path).message


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planner.inputs.catalogue", *arguments]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False, timeout=60)


def test_the_validator_as_a_command(tmp_path):
    good = run()
    assert (good.returncode, good.stderr) == (0, "")
    assert "nothing is wrong" in good.stdout
    bad = run(str(lay(tmp_path, {"providers/gmail.yaml": "nmae: G\n"})))
    assert (bad.returncode, bad.stderr) == (2, "")
    assert bad.stdout.startswith(f"{tmp_path / 'providers' / 'gmail.yaml'}:1: Unknown field 'nmae'.")
    assert run(str(tmp_path / "nowhere")).returncode == 2
