"""Play the whole story on this machine: an embedded AWS stands in for the organization.

examples:
  make rehearse
  python -m scripts.rehearse --until project --keep
  python -m scripts.rehearse --administrator management
  python -m scripts.rehearse --administrator self-managed
  python -m scripts.rehearse --regions us-east-1,eu-west-1
  python -m scripts.rehearse --template template.yaml --seed-code build.zip=seed-code/build --approve
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localaws.cloud import Session
from localaws.server import EmbeddedAws
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, paint, run, say
from scripts.kit.regions import check_region, partition
from scripts.kit.settings.reading import FURTHER_REGIONS
from scripts.rehearsal.chapters import CHAPTERS, play
from scripts.rehearsal.live import view
from scripts.rehearsal.other_templates import options as template_options
from scripts.rehearsal.permissions import read_requests, write_policies
from scripts.rehearsal.report.facts import gather
from scripts.rehearsal.report.page import page
from scripts.rehearsal.setting import APPROVER, ENGINEER, environment_file, sign_in, studio
from scripts.rehearsal.story import Story, StoryFailed

PROJECT_NAME = "[a-zA-Z0-9](-*[a-zA-Z0-9])*"  # SageMaker API, ProjectEntityName
DEFAULT_FOLDER = ROOT / "build" / "rehearsal"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m scripts.rehearse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--administrator",
        choices=["delegated", "management", "self-managed"],
        default="delegated",
        help="who makes the stack sets: the data science account as a delegated administrator, (as in the post) "
        "the management account, which then is the data science account, or (self-managed) the data science account "
        "without any organization",
    )
    made.add_argument("--until", choices=list(CHAPTERS), metavar="CHAPTER", help="stop after: " + ", ".join(CHAPTERS))
    made.add_argument("--keep", action="store_true", help="leave the embedded AWS running afterwards, until Ctrl-C")
    made.add_argument("--port", type=int, default=0, help="loopback port of the embedded AWS (default: a free one)")
    made.add_argument("--region", default="us-east-1", help="region of the story (default: %(default)s)")
    made.add_argument(
        "--regions",
        default="",
        metavar="REGION,…",
        help="regions of both stages' endpoints, at most three besides --region (default: that of the story)",
    )
    made.add_argument("--project", default="iris-multi-01", help="name of the project (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print the summary as JSON on stdout")
    made.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="where the rehearsal writes (default: build/rehearsal)"
    )
    template_options.add_options(made)
    return made


def summary(story: Story, outcome: str, seconds: float, failure: StoryFailed | None) -> dict[str, Any]:
    """What happened, as build/rehearsal/summary.json holds it.

    seconds are wall time; requests counts the requests to the embedded AWS by service.
    """
    requests = Counter(entry["service"] for entry in read_requests(story.cloud.folder / "requests.jsonl"))
    told: dict[str, Any] = {
        "outcome": outcome,
        "seconds": round(seconds, 3),
        "chapters": [
            {"name": c.name, "title": c.title, "outcome": c.outcome, "seconds": c.seconds} for c in story.chapters
        ],
        "accounts": story.setting.accounts if hasattr(story, "setting") else {},
        "project": {"name": story.project_name, "id": story.project_id},
        "model_package": None,
        "pipeline": None,
        "endpoints": story.endpoints,
        "requests": dict(sorted(requests.items())),
    }
    if story.model_package_arn:
        version = int(story.model_package_arn.rsplit("/", 1)[1])
        told["model_package"] = {"arn": story.model_package_arn, "version": version}
    if story.execution_id:
        stages: dict[str, list[dict[str, str]]] = {}
        for action in story.actions():
            entry = {"name": action["actionName"], "status": action["status"]}
            stages.setdefault(action["stageName"], []).append(entry)
        told["pipeline"] = {
            "name": story.pipeline_name,
            "execution_id": story.execution_id,
            "stages": [
                {
                    "name": stage["stageName"],
                    "status": stage.get("latestExecution", {}).get("status", "NotStarted"),
                    "actions": stages.get(stage["stageName"], []),
                }
                for stage in story.pipeline_state()["stageStates"]
            ],
        }
    if failure:
        told["failure"] = {"message": str(failure), "account": failure.account, "log": failure.log}
    return told


def interrupt(*_: object) -> None:
    """What SIGTERM does: as Ctrl-C, which a shell takes from what it starts in the background."""
    raise KeyboardInterrupt


def lasting(session: Session) -> Session:
    """The same, for twelve hours: the longest that IAM lets a session last."""
    return Session(session.cloud, session.cloud.issue(session.principal, 12 * 3600), session.region)


def keep(story: Story) -> None:
    """Say how to work on the embedded AWS, and wait for Ctrl-C."""
    cloud, setting = story.cloud, story.setting
    sessions = {
        f"the ML engineer, {setting.data_science}": sign_in(cloud, setting.data_science, ENGINEER, story.region),
        f"the data scientist, {setting.data_science}": studio(cloud, setting),
    }
    if any(c.name == "permissions" and c.outcome == "succeeded" for c in story.chapters):
        sessions[f"the approver, {setting.data_science}"] = sign_in(cloud, setting.data_science, APPROVER, story.region)
    for name, account in setting.accounts.items():
        sessions[f"root of {name}, {account}"] = cloud.root(account, story.region)
    say("\nThe embedded AWS goes on. Export one of these in another terminal, then use the AWS CLI or boto3 on it.")
    say("They hold for twelve hours.")
    for who, session in sessions.items():
        session = lasting(session)
        say(f"\n  # {who}")
        for name, value in session.environment().items():
            say(f"  export {name}={value}")
    if not story.environment_path.exists():  # stopped before its chapter
        story.environment_path.write_text(environment_file(setting, story.regions, story.images))
    file, profiles = os.path.relpath(story.environment_path), story.folder / "aws-config"
    engineers = {"data-science": setting.data_science, "management": setting.set_up_from}
    profiles.write_text(
        "".join(
            lasting(sign_in(cloud, account, ENGINEER, story.region)).profile(f"profile {name}")
            for name, account in engineers.items()
        )
    )
    say("\nFor the kit's own commands export this instead; its profiles are data-science and management:\n")
    say(f"  export AWS_CONFIG_FILE={profiles.absolute()}")
    say(f'  make status ARGS="--environment {file} --profile data-science"')
    say(f'  make doctor ARGS="--environment {file} --profile management"')
    say("\nCtrl-C stops it.")
    signal.signal(signal.SIGTERM, interrupt)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("stopped")


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    regions = tuple(filter(None, args.regions.split(",")))
    for option, region in (("--region", args.region), *(("--regions", region) for region in regions)):
        if message := check_region(region):
            raise UsageError(f"{option}: {message}")
        if partition(region) != "aws":
            raise UsageError(f"{option} {region}: the rehearsal plays the partition aws only. Example: us-east-1")
    if len({*regions} - {args.region}) > FURTHER_REGIONS:
        raise UsageError(
            f"--regions {args.regions}: at most {FURTHER_REGIONS} besides {args.region}: a stage has room for no more"
        )
    if not 0 <= args.port <= 65535:
        raise UsageError(f"--port {args.port}: ports are numbered from 1 to 65535. Leave it out for a free one")
    if not re.fullmatch(PROJECT_NAME, args.project) or len(args.project) > 32:
        raise UsageError(
            f"--project {args.project!r}: a project's name has 1 to 32 letters, digits and hyphens, and begins and "
            "ends with a letter or digit. Example: iris-multi-01"
        )
    if args.template:
        return template_options.rehearse(args)
    start = time.monotonic()
    server = EmbeddedAws(args.folder, args.port)
    for name in ("summary.json", "report.html"):
        (args.folder / name).unlink(missing_ok=True)  # an interrupted rehearsal has none
    failure: StoryFailed | None = None
    with server as cloud:
        story = Story(cloud, args.folder, args.administrator, args.region, args.project, regions=regions)
        try:
            with view(story):
                play(story, args.until)
        except StoryFailed as error:
            failure = error
        outcome = "failed" if failure else "stopped early" if args.until else "succeeded"
        told = summary(story, outcome, time.monotonic() - start, failure)
        write_policies(cloud, args.folder / "policies.json")
        (args.folder / "summary.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        cloud.chapter = "report"
        (args.folder / "report.html").write_text(page(gather(story, told)), encoding="utf-8")
        if args.json:
            print(json.dumps(told, indent=2))
        if failure:
            chapter = next(c for c in story.chapters if c.outcome == "failed")
            where = f" in account {failure.account}" if failure.account else ""
            say(f"\n{paint('failed', '31')} in chapter {chapter.name}{where}: {failure}")
            if failure.log:
                say(failure.log)
        else:
            where = os.path.relpath(args.folder / "report.html")
            say(f"\n{paint(outcome, '32')} in {told['seconds']:.1f} s; {where} shows it all")
        if args.keep:
            keep(story)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(run(main))
