"""What `python -m scripts.rehearse` does once its options are read: the story, its record, and keeping it."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from scripts.kit.console import UsageError, near, paint, say
from scripts.kit.stages import Stage
from scripts.rehearsal import images_file, record
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws, require_port
from scripts.rehearsal.folder import claim, claimed
from scripts.rehearsal.keeping import keep
from scripts.rehearsal.live import view
from scripts.rehearsal.names import CHANGES, EXAMPLES, REPORT
from scripts.rehearsal.playing import Playing, StoryFailed
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams import changes, repositories
from scripts.rehearsal.teams.options import LAST
from scripts.rehearsal.titles import TITLES

WAITS = 0.0003  # how long a second of AWS lasts: an endpoint's update bakes for five minutes, and a story has five


def tell_failure(story: Playing, failure: StoryFailed) -> None:
    chapter = next((c.name for c in story.chapters if c.outcome == "failed"), "")
    where = f" in chapter {chapter}" if chapter else ""
    where += f" in account {failure.account}" if failure.account else ""
    say(f"\n{paint('failed', '31')}{where}: {failure}")
    if failure.log:
        say(failure.log)


def stages_between(args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stages between staging and production, and those that are entered with an approval."""
    optional = [stage.value for stage in Stage if stage.between]
    named = {option: tuple(filter(None, (getattr(args, option) or "").split(","))) for option in ("between", "asked")}
    for option, known in (("between", optional), ("asked", named["between"])):
        if other := [name for name in named[option] if name not in known]:
            raise UsageError(f"--{option} {other[0]}: write {' or '.join(known) or 'it with --between'}")
    if args.production_alone and named["between"]:
        raise UsageError(f"--between {args.between}: with --production-alone there is no stage before production")
    return named["between"], named["asked"]


def team_of(args: argparse.Namespace, regions: tuple[str, ...]) -> repositories.Repositories:
    """A team's own repositories, if any; UsageError for a folder or an option that cannot be."""
    given = {repositories.DEPLOY: args.deploy_repository, repositories.TRAINING: args.training_repository}
    folders: dict[str, Path] = {option: folder for option, folder in given.items() if folder}
    if args.production_alone and folders:
        raise UsageError("--production-alone: a team's story compares the settings of staging too: leave it out")
    if args.shadow and folders:
        raise UsageError("--shadow: a team's story has no second version, which would be the shadow: leave it out")
    if not folders:
        if args.base:
            raise UsageError(f"--base compares what {' or '.join(given)} names: add one of them")
        return repositories.Repositories()
    if repositories.TRAINING in folders and args.example != "iris":
        raise UsageError("--example: project.toml of the training repository says which model it trains: leave it out")
    if args.until and list(TITLES).index(args.until) > list(TITLES).index(LAST):
        raise UsageError(f"--until {args.until}: a team's story ends with {LAST}, where TestProd has tested the model")
    return repositories.read(folders, args.base, args.region, regions, EXAMPLES[args.example])


def rehearse_story(args: argparse.Namespace, regions: tuple[str, ...]) -> int:
    """Play the story as the options say; the exit code."""
    between, asked = stages_between(args)
    if args.production_alone and args.until == "staging":
        raise UsageError("--until staging: with --production-alone there is no such chapter")
    require_port(args.port)
    team = team_of(args, regions)
    names = list(TITLES)[: list(TITLES).index(LAST) + 1] if team.folders else list(TITLES)
    stand_ins = images_file.chosen(args.images)
    folder, start = claim(args.folder), time.monotonic()
    failure: StoryFailed | None = None
    with claimed(folder) as ours, embedded_aws(folder, args.port, WAITS) as cloud:
        cloud.stand_ins = stand_ins
        story = Story(
            cloud,
            folder,
            args.administrator,
            args.region,
            args.project,
            regions=regions,
            example=args.example,
            build_on_push=args.build_on_push,
            between=between,
            asked=asked,
            production_alone=args.production_alone,
            shadow=args.shadow,
        )
        if team.folders:
            story.repositories, story.changes = team, changes.compare(team, args.region, regions)
            story.example = next((name for name, model in EXAMPLES.items() if model == team.model), args.example)
        try:
            with view(story):
                play(story, args.until, names)
        except StoryFailed as error:
            failure = error
            tell_failure(story, failure)  # before anything else that could go wrong
        early = args.until and args.until != names[-1]
        outcome = "failed" if failure else "stopped early" if early else "succeeded"
        seconds = time.monotonic() - start
        summary = record.write(story, outcome, seconds, failure)
        if args.json:
            print(json.dumps(summary, indent=2))
        if not failure:
            report = folder / REPORT
            shows = f"; {os.path.relpath(report)} shows it all" if report.exists() else ""
            say(f"\n{paint(outcome, '32')} in {seconds:.1f} s{shows}")
        if story.changes:
            say(f"{near(folder / CHANGES)} says what would change")
        if args.keep:
            keep(story, ours.keep)
    return 1 if failure else 0
