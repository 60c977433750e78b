"""`make probe`: every probe against an embedded AWS in an empty account, beside the page and the record."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from scripts import probe
from scripts.kit import console
from scripts.kit.probes import command
from scripts.kit.probes.every import PROBES
from scripts.kit.probes.lab import PREFIX, Lab
from scripts.kit.probes.leftovers import KINDS
from scripts.kit.probes.probe import Answers
from scripts.rehearsal.setting import trust
from tests.support import ROOT
from tests.support.probing import REGION, SANDBOX, play, sandboxes

PAGE = (ROOT / "docs/explanation/open-questions.md").read_text(encoding="utf-8")
HOW = "The command is: .venv/bin/python -m tests.support.probing"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with sandboxes(tmp_path_factory.mktemp("probes")) as cloud:
        yield cloud
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def there() -> list[str]:
    """What is in the sandbox account that bears the prefix."""
    lab = command.connect("--profile", "sandbox", None)
    return [f"{name} {one}" for name, kind in KINDS.items() for one in kind.found(lab, f"{PREFIX}-")]


# -- all of them -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    status, found = play(tmp_path_factory.mktemp("results"))
    assert status == 0, [one for one in found.values() if one["outcome"] != "answered" or one["left"]]
    return found


def test_every_probe_is_answered_as_recorded_and_leaves_nothing(
    cloud: Cloud, results: dict[str, dict[str, Any]]
) -> None:
    assert {name: one["outcome"] for name, one in results.items()} == dict.fromkeys(PROBES, "answered")
    assert {name: one["aws"] for name, one in results.items()} == command.expected(), HOW
    assert there() == []


def test_the_results_name_no_account_and_say_where_they_are_from(results: dict[str, dict[str, Any]]) -> None:
    assert all(one["differs"] == [] for one in results.values())
    assert all(one["aws"] for one in results.values()), "an answer without a question"


# -- the page ----------------------------------------------------------------------------------


def test_the_page_names_every_probe_and_says_why_a_question_has_none() -> None:
    said = re.findall(r"\bProbe: (.*?)(?:[.:,]| \|)", PAGE)
    named = [one.strip("`") for one in said if one.startswith("`")]
    assert sorted(named) == sorted(PROBES)
    assert len(re.findall(r"\bProbe: none, because [^:|]+: [`\w]", PAGE)) == len(said) - len(named)
    questions = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| question |")]
    assert [line for line in questions if "Probe: " not in line] == []
    assert len(questions) == len(said)
    assert len(re.findall(r"\b[Pp]robe: ", PAGE)) == len(said)


def test_no_probe_finds_what_another_one_made() -> None:
    names = [f"{name}-" for name in PROBES]
    assert [(one, other) for one in names for other in names if one != other and other.startswith(one)] == []
    assert all(len(name) <= 22 for name in PROBES)
    assert all(set(one.makes) <= set(KINDS) for one in PROBES.values())


def test_what_costs_money_says_by_which_page() -> None:
    for one in PROBES.values():
        assert one.cost.dollars == 0 or "pricing" in one.cost.source, one.name
    assert command.total(PROBES.values()) == "$0.121"


# -- interrupted, failed, killed ---------------------------------------------------------------


def fail() -> None:
    raise console.UserError("it failed")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (partial(signal.raise_signal, signal.SIGINT), 130),
        (partial(signal.raise_signal, signal.SIGTERM), 130),
        (fail, 1),
    ],
    ids=["Ctrl-C", "SIGTERM", "an error"],
)
def test_what_a_probe_made_is_removed_however_it_ends(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[], None], status: int
) -> None:
    seen: list[list[str]] = []

    def run(lab: Lab) -> Answers:
        lab.client("s3").put_object(Bucket=lab.bucket(versioned=True), Key="a", Body=b"")
        lab.service_role("one", "states")
        seen.append(there())
        end()
        return {}

    chosen = PROBES["starter-refusals"]
    monkeypatch.setitem(PROBES, chosen.name, replace(chosen, run=run))
    line = ["--profile", "sandbox", "--yes", "--only", chosen.name, "--output", str(tmp_path / "r.json")]
    assert console.run(lambda: probe.main(line)) == status
    assert [len(found) for found in seen] == [2]
    assert there() == []


def test_what_a_killed_run_left_is_found_and_removed(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    here = command.connect("--profile", "sandbox", None)
    for name in ("arn-case", "tags-at-once"):
        Lab(name, here).service_role("left", "states")
    other = cloud.root(SANDBOX, REGION).client("iam")
    other.create_role(
        RoleName="kit-probes-of-another", AssumeRolePolicyDocument=trust(Service="sagemaker.amazonaws.com")
    )
    assert len(there()) == 2
    assert probe.main(["--profile", "sandbox", "--yes", "--clean"]) == 0
    assert there() == []
    assert other.get_role(RoleName="kit-probes-of-another")
    assert len(re.findall(rf"  - {SANDBOX}  role kit-probe-", capsys.readouterr().err)) == 2


# -- what it says and asks ---------------------------------------------------------------------


def test_a_difference_is_shown_with_both_answers(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = PROBES["skip-on-failure"]
    monkeypatch.setitem(PROBES, chosen.name, replace(chosen, run=lambda lab: {"FAIL": "accepted", "SKIP": SANDBOX}))
    status, found = play(tmp_path, "--only", chosen.name)
    assert status == 0
    assert found[chosen.name]["differs"] == ["SKIP"]
    assert SANDBOX in capsys.readouterr().err


def test_without_a_second_account_the_probe_that_needs_one_is_skipped(cloud: Cloud, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    line = ["--profile", "sandbox", "--yes", "--only", "target-lists-versions", "--output", str(results)]
    assert probe.main(line) == 0
    (one,) = json.loads(results.read_text())["probes"]
    assert (one["outcome"], "--second-profile" in one["why"]) == ("skipped", True)


def test_it_sends_nothing_before_it_may(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    before = (cloud.folder / "requests.jsonl").stat().st_size
    assert probe.main(["--list"]) == probe.main(["--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert all(shown.count(one.question) == 2 for one in PROBES.values())
    assert console.run(lambda: probe.main(["--profile", "sandbox"])) == 2
    assert "Add --yes" in capsys.readouterr().err
    assert console.run(lambda: probe.main(["--profile", "sandbox", "--yes", "--only", "starter"])) == 2
    assert "did you mean starter-refusals?" in capsys.readouterr().err
    assert (cloud.folder / "requests.jsonl").stat().st_size == before


def test_a_results_file_of_another_program_stays_and_nothing_is_made(cloud: Cloud, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("{}\n")
    line = ["--profile", "sandbox", "--yes", "--only", "arn-case", "--output", str(results)]
    before = (cloud.folder / "requests.jsonl").read_text().count("CreateModelPackageGroup")
    assert console.run(lambda: probe.main(line)) == 2
    assert results.read_text() == "{}\n"
    assert (cloud.folder / "requests.jsonl").read_text().count("CreateModelPackageGroup") == before


def test_two_profiles_of_one_account_are_refused(cloud: Cloud) -> None:
    line = ["--profile", "sandbox", "--second-profile", "sandbox", "--yes", "--only", "arn-case"]
    assert console.run(lambda: probe.main(line)) == 2
