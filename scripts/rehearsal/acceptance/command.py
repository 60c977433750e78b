"""What `python -m scripts.acceptance` does once its options are read: plan, ask, play, compare, clean up."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from awslang.bounded import read_file
from scripts.kit import asking
from scripts.kit.command import connect, elsewhere
from scripts.kit.connect import Connection, enter, require_account
from scripts.kit.console import UsageError, UserError, paint, say, table
from scripts.kit.organization.members import accounts_beneath
from scripts.kit.probes.command import interruptible
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import load
from scripts.kit.stages import Stage
from scripts.rehearsal import record
from scripts.rehearsal.acceptance import cleaning
from scripts.rehearsal.acceptance.plan import Plan
from scripts.rehearsal.acceptance.story import STEP, Acceptance, Cast, Signed
from scripts.rehearsal.chapters import OF_A_PROJECT, play
from scripts.rehearsal.folder import ACCEPTANCE, claim, claimed
from scripts.rehearsal.names import REPORT, SUMMARY
from scripts.rehearsal.observing import differences
from scripts.rehearsal.playing import StoryFailed
from scripts.rehearsal.report.facts import of_acceptance
from scripts.rehearsal.report.page import page
from scripts.rehearsal.setting import Setting
from scripts.rehearsal.story_command import tell_failure

LARGEST = 20_000_000  # bytes of a summary
LAST = [*OF_A_PROJECT][-1]


def sign_in(args: argparse.Namespace, settings: Settings) -> Cast:
    """Everybody, each in the data science account; UserError where a profile belongs to another."""
    by = connect(settings, args.profile, args.region)
    home = enter(by, settings.accounts.data_science, settings.roles.access)
    engineer = Signed(home, args.profile, home is not by)
    people = []
    for profile in (args.scientist_profile, args.approver_profile):
        connection = connect(settings, profile, args.region) if profile else home
        require_account(connection, settings.accounts.data_science, "accounts.data_science")
        people.append(Signed(connection, profile) if profile else engineer)
    return Cast(settings, Signed(by, args.profile), engineer, *people)


def targets(home: Connection, settings: Settings) -> dict[Stage, tuple[str, ...]]:
    """The accounts of each stage; UserError for a stage without any."""
    found: dict[Stage, tuple[str, ...]] = {}
    for stage in settings.stages:
        if settings.targets:
            found[stage] = settings.targets.of(stage)
        else:
            members = accounts_beneath(home.client("organizations"), settings.units.of(stage))
            found[stage] = tuple(member.id for member in members)
        if not found[stage]:
            raise UserError(f"the stage {stage.value} has no account: there is nothing to deploy to")
    return found


def refuse(args: argparse.Namespace, settings: Settings) -> None:
    """What cannot be played, before anything is sent."""
    if settings.source.provider != "codecommit":
        raise UserError(
            "source: the chapters push to CodeCommit, and this product's repositories are at a git provider"
        )
    same = (args.scientist_profile or args.profile) == (args.approver_profile or args.profile)
    if settings.approval.four_eyes and same:
        raise UserError(
            "approval.four_eyes: who approved the version may not approve its deployment. Name two people with "
            "--scientist-profile and --approver-profile"
        )


def rehearsed(file: Path) -> list[dict[str, Any]]:
    """The chapters of a rehearsal's summary."""
    again = "`make rehearse` writes one"
    try:
        found: list[dict[str, Any]] = json.loads(read_file(file, LARGEST))["chapters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--rehearsal {file}: no summary of a rehearsal to compare with. {again}") from error
    if not all("observed" in chapter for chapter in found):
        raise UserError(f"--rehearsal {file}: an earlier version wrote it, without what was observed. {again}")
    return found


def accept(args: argparse.Namespace, patience: float = STEP) -> int:
    """Do as the options say; the exit code."""
    if not args.dry_run and not args.yes and not asking.can_ask():
        raise UsageError("this makes resources that cost money, and there is no terminal to ask on. Add --yes")
    settings = load(args.environment)
    refuse(args, settings)
    compared = [] if args.clean else rehearsed(args.rehearsal)
    cast = sign_in(args, settings)
    by, home = cast.by.connection, cast.home.connection
    cleaning.require_ours(home, args.project)
    if args.clean and not args.dry_run:
        asking.require_name(args.yes, "This deletes all that an acceptance left", "project", args.project)
        return 1 if cleaning.clean(by, home, settings, args.project) else 0
    accounts = targets(home, settings)
    plan = Plan(
        args.project,
        accounts,
        {stage: settings.regions.of(stage) or (home.region,) for stage in settings.stages},
        {"data scientist": args.scientist_profile or "", "approver": args.approver_profile or ""},
    )
    for line in plan.lines():
        say(line)
    if args.dry_run:
        if args.json:
            print(json.dumps(plan.as_data(), indent=2))
        say("nothing was made")
        return 0
    asking.require_typed(args.yes, f"This costs up to about ${plan.cost:.2f}.", "account's id", home.account)
    setting = Setting(
        settings.administrator,
        home.region,
        settings.accounts.management,
        settings.accounts.data_science,
        {stage.value: listed[0] for stage, listed in accounts.items()},
        {},
        tuple(stage.value for stage in settings.approval.before),
    )
    folder = claim(args.folder, args.folder, ACCEPTANCE)
    with claimed(folder, ACCEPTANCE), interruptible():
        say("what an earlier acceptance left is removed first")
        if cleaning.clean(by, home, settings, args.project):
            return 1
        common = tuple(r for r in plan.regions[Stage.PROD] if all(r in listed for listed in plan.regions.values()))
        story = Acceptance(cast, setting, common, folder, args.project, patience)
        return perform(story, args, compared)


def perform(story: Acceptance, args: argparse.Namespace, compared: list[dict[str, Any]]) -> int:
    """Play it, write down what happened, and remove it, however it ended; the exit code."""
    start, left, failure = time.monotonic(), ["it was not looked for"], None
    found: dict[str, Any] = {}
    try:
        try:
            play(story, args.until or LAST, tuple(OF_A_PROJECT))
        except StoryFailed as error:
            failure = error
            tell_failure(story, failure)
        found = write(story, time.monotonic() - start, failure, compared, args.until or LAST)
    except KeyboardInterrupt:
        say(f"interrupted: removing the project {story.project_name}")
        raise
    finally:
        cast = story.cast
        try:
            left = cleaning.clean(cast.by.connection, cast.home.connection, cast.settings, story.project_name)
        finally:
            if left:
                again = f"python -m scripts.acceptance{elsewhere(args)} --project {story.project_name} --clean"
                say(f"{paint('left', '31')}: `{again}` removes the rest")
    if args.json:
        print(json.dumps(found, indent=2))
    say(
        f"\n{paint(found['outcome'], '31' if failure else '32')}; {os.path.relpath(story.folder / REPORT)} shows it all"
    )
    return 1 if failure or left else 0


def write(
    story: Acceptance, seconds: float, failure: StoryFailed | None, compared: list[dict[str, Any]], until: str = LAST
) -> dict[str, Any]:
    """The same files as a rehearsal's, with where the two differ; the summary."""
    outcome = "failed" if failure else "succeeded" if until == LAST else "stopped early"
    found: dict[str, Any] = {"outcome": outcome, "seconds": round(seconds, 3)}
    if failure:
        found["failure"] = {"message": str(failure), "account": failure.account, "log": failure.log}

    def summarize() -> None:
        found.update(record.played(story))
        begun = [chapter for chapter in found["chapters"] if chapter["outcome"] != "not run"]
        found["differences"] = differences(begun, compared)
        (story.folder / SUMMARY).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    def report() -> None:
        (story.folder / REPORT).write_text(page(of_acceptance(story, found)), encoding="utf-8")

    record.attempt(SUMMARY, summarize)
    record.attempt(REPORT, report)
    if rows := [list(line.values()) for line in found.get("differences", [])]:
        say(f"\n{table(['chapter', 'what', 'AWS', 'embedded AWS'], rows)}")
    else:
        say("\nAWS and the embedded AWS differ in no line")
    return found
