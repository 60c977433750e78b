"""Rehearse a deployment to many accounts in two Regions: seconds, requests and memory for each number of accounts.

Each number runs in a separate process: the kit's commands set up an organization with that many staging accounts, a
model is trained and approved, and the pipeline's Build and DeployResourcesStaging are timed. Then the golden payloads
are sent to a sample of the endpoints.

examples:
  make scale
  python -m benchmarks.scale --accounts 10,100 --json
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localaws.services.organizations.service import plan_account_ids
from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import UserError, make_parser, run, say
from scripts.kit.projects.history import ENDED
from scripts.rehearsal import chapters, deploying
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story

REGIONS = ("us-east-1", "eu-west-1")
SAMPLE = 20  # endpoints that are asked
PATIENCE = 3600.0


def measured(accounts: int, folder: Path) -> dict[str, Any]:
    """One number of accounts, played here. CPU and peak memory (MB) are this process's, without its children."""
    begin = time.monotonic()
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder, regions=REGIONS, patience=PATIENCE)
        for name in ("organization", "permissions"):
            play(story, name)
        add_accounts(story, accounts)
        for name in ("publishing", "project", "training"):
            play(story, name)
        ready, before, worked = time.monotonic(), requests(folder), time.process_time()
        play(story, "model-approval")
        deployed = story.until("DeployResourcesStaging", lambda: ended(story), PATIENCE)
        seconds, cpu = time.monotonic() - ready, time.process_time() - worked
        if deployed != "Succeeded":
            raise UserError(f"DeployResourcesStaging {deployed}: {story.diagnosis()}")
        asked = requests(folder) - before
        right = ask_some(story)
    return {
        "accounts": accounts,
        "endpoints": accounts * len(REGIONS),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "requests": asked,
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "set_up_seconds": round(ready - begin, 1),
        "asked": right,
    }


def play(story: Story, name: str) -> None:
    title, chapter = chapters.CHAPTERS[name]
    say(f"  {title}")
    story.cloud.chapter = name
    chapter(story)


def requests(folder: Path) -> int:
    with (folder / "requests.jsonl").open("rb") as lines:
        return sum(1 for _ in lines)


def add_accounts(story: Story, accounts: int) -> None:
    """More accounts in the staging unit, up to this number; template 20 is deployed to them automatically."""
    setting = story.setting
    organizations = story.cloud.root(setting.management, story.region).client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    ids = [f"4{number:011}" for number in range(1, accounts)]
    plan_account_ids(ids)
    for number, account in enumerate(ids, 1):
        name = f"staging-{number}"
        organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=setting.units["staging"])
    story.until("template 20 in every account", lambda: not story.cloud.busy, PATIENCE)


def ended(story: Story) -> str | None:
    """How the stage's deployment ended, or the execution before it."""
    for action in story.actions():
        if action["actionName"] == "DeployResourcesStaging" and action["status"] != "InProgress":
            return str(action["status"])
    status = story.execution_status()
    return status if status in ENDED else None


def ask_some(story: Story) -> int:
    """How many endpoints of a sample gave only right answers; UserError where one did not."""
    golden = json.loads((pack.ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    manager = story.cloud.root(story.setting.management, story.region).client("organizations")
    pages = manager.get_paginator("list_accounts_for_parent").paginate(ParentId=story.setting.units["staging"])
    places = [(account["Id"], region) for page in pages for account in page["Accounts"] for region in REGIONS]
    sample = random.Random(1).sample(places, min(SAMPLE, len(places)))
    for account, region in sample:
        found = deploying.ask_endpoint(story, "staging", account, golden, region)
        if found["predictions"] != found["expected"] or found["status"] != "InService":
            raise UserError(f"{found['name']} in {account} {region}: {found['status']}, {found['predictions']}")
    return len(sample)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.scale", __doc__)
    parser.add_argument(
        "--accounts",
        type=arguments.listed(arguments.whole(1, 1200)),
        default="10,100,1000",
        help="numbers of accounts (default: %(default)s)",
    )
    parser.add_argument("--here", action="store_true", help="one number, in this process; prints JSON")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args(argv)
    numbers = args.accounts.split(",")
    figures = []
    for number in numbers:
        if args.here:
            with tempfile.TemporaryDirectory() as folder:
                figures.append(measured(int(number), Path(folder)))
            continue
        say(f"{number} accounts")
        command = [sys.executable, "-m", "benchmarks.scale", "--here", "--json", "--accounts", number]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise UserError(f"{number} accounts: see above")
        figures += json.loads(done.stdout)
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        print("accounts  endpoints  seconds      cpu  cpu/endpoint  requests  memory  set-up")
        for one in figures:
            print(
                f"{one['accounts']:8}  {one['endpoints']:9}  {one['seconds']:7.1f}"
                f"  {one['cpu_seconds']:5.1f} s  {one['cpu_seconds'] / one['endpoints']:10.3f} s  {one['requests']:8}"
                f"  {one['memory_mb']:3} MB"
                f"  {one['set_up_seconds']:4.0f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
