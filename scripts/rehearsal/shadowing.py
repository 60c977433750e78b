"""A story whose second version is in production's shadow before the approver decides: what it needs, and how it goes.

docs/guides/ml-engineer.md, "A shadow before production".
"""

from __future__ import annotations

import json
import threading
from typing import Any

from scripts.kit.console import counted, say
from scripts.rehearsal import deploying, examples
from scripts.rehearsal.network import make_data_bucket
from scripts.rehearsal.playing import Playing

APPROVAL, DEPLOYMENT = "ApproveShadow", "DeployShadow"  # stages of 30-project.yaml
REQUESTS = 12  # at each endpoint: with these the shadow ends, long before its minutes are over
SECTION = f"endpoints: {{data_bucket: account, shadow: {{minutes: 30, requests: {REQUESTS}}}}}\n"
PROD_CONFIG = "prod-config.json"
PAUSE = 0.05  # seconds between two requests


def make_buckets(story: Playing) -> None:
    """The data bucket of each production account, as its administrator."""
    account = story.setting.targets["prod"]
    for region in story.regions or (story.region,):
        make_data_bucket(story.owner(account, region).client("s3"), account, region)


def capture(story: Playing) -> None:
    """Let production capture data: one commit, of which the pipeline says that no version is approved yet."""
    file = story.root / examples.DEPLOY / PROD_CONFIG
    config = json.loads(file.read_text(encoding="utf-8"))
    config["Parameters"] |= {"DataCaptureS3Uri": "account"}

    def commit() -> None:
        text = f"{json.dumps(config, indent=2)}\n"
        examples.commit(story, "modeldeploy", PROD_CONFIG, text, "Capture production's data")

    story.execution_id = deploying.started(story, commit)
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the execution of a push without an approved version ended {status}")


def let_in(story: Playing, result: str = "Approved") -> None:
    """Answer the approval of the shadow, as the approver."""
    deploying.give_approval(story, result, "It may see what production is asked", APPROVAL)


def observe(story: Playing) -> dict[str, Any]:
    """Let the version in, ask production until its shadow is gone again, and read what was recorded."""
    let_in(story)
    say("    the approver lets it into production's shadow")
    with Load(story) as load:
        status = story.wait_for_stage(DEPLOYMENT)
    story.require(status == "Succeeded", f"{DEPLOYMENT} ended {status}")
    found = recorded(story)
    for place in found["places"]:
        story.require("problem" not in place, f"{place['account']} {place['region']}: {place.get('problem')}")
        story.require(place["compared"] >= REQUESTS, f"{place['compared']} answers were compared, not {REQUESTS}")
    agree, both = (sum(place[name] for place in found["places"]) for name in ("agree", "compared"))
    story.require(not load.wrong, f"a caller got another answer while there was a shadow: {load.wrong[:1]}")
    say(
        f"    {counted(load.asked, 'request')} to production, none lost; the shadow's answers are those of the live "
        f"version on {agree} of {both}"
    )
    return found


def recorded(story: Playing) -> dict[str, Any]:
    """What the record says of this execution's shadow."""
    found = entries(story, f"outcomes/{story.execution_id}/shadow-")
    return story.only(found, f"execution {story.execution_id} has {len(found)} records of a shadow")


def entries(story: Playing, prefix: str) -> list[dict[str, Any]]:
    """The entries of the project's record below a prefix, in the order of their keys."""
    s3, bucket = story.owner(story.setting.data_science).client("s3"), f"sagemaker-project-{story.project_id}"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"record/{prefix}").get("Contents", [])
    return [json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()) for item in listed]


class Load:
    """Asks production's endpoints, each in a thread, as long as it is entered. wrong: what was no right answer"""

    def __init__(self, story: Playing) -> None:
        self.story, self.asked = story, 0
        self.wrong: list[str] = []
        self.over = threading.Event()
        regions = story.regions or (story.region,)
        self.threads = [threading.Thread(target=self.ask, args=(region,), daemon=True) for region in regions]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def ask(self, region: str) -> None:
        session = self.story.owner(self.story.setting.targets["prod"], region)
        name = deploying.endpoint_name(self.story, "prod")
        golden = examples.payloads(self.story.root, self.story.example)
        while not self.over.wait(PAUSE):
            payload = golden[self.asked % len(golden)]
            try:
                answer = examples.ask(session, name, payload)
            except Exception as error:  # whatever it is, a caller lost a request by it
                answer = f"{type(error).__name__}: {error}"
            self.asked += 1
            if answer != str(payload["expected"]):
                self.wrong.append(answer)


def check_record(story: Playing) -> None:
    """StoryFailed unless the decision to deploy says what the approver was shown of the shadow."""
    (*_, held) = entries(story, f"decisions/{story.execution_id}/")
    same = held.get("shadow", {}).get("places") == recorded(story)["places"]
    story.require(same, f"the decision of execution {story.execution_id} does not say what the shadow answered")
