"""What a story leaves in its folder: the roles' policies, a summary as JSON, and the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from scripts.kit.console import paint, say
from scripts.rehearsal.names import CHANGES, POLICIES, REPORT, SUMMARY
from scripts.rehearsal.permissions import read_requests
from scripts.rehearsal.playing import Playing, StoryFailed
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.report.facts import gather
from scripts.rehearsal.report.page import page
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams import changes


def write(story: Story, outcome: str, seconds: float, failure: StoryFailed | None) -> dict[str, Any]:
    """Write all of it; the summary. What cannot be made is a warning: the story's own outcome stands."""
    found: dict[str, Any] = {"outcome": outcome, "seconds": round(seconds, 3)}
    if failure:
        found["failure"] = {"message": str(failure), "account": failure.account, "log": failure.log}

    def summarize() -> None:
        found.update(summary(story))
        (story.folder / SUMMARY).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    def report() -> None:
        story.cloud.chapter = "report"
        (story.folder / REPORT).write_text(page(gather(story, found)), encoding="utf-8")

    def what_changes() -> None:
        said = f"{failure}\n{failure.log}" if failure else ""
        (story.folder / CHANGES).write_text(changes.page(story.changes, outcome, seconds, said), encoding="utf-8")

    if story.changes:
        attempt(CHANGES, what_changes)
    attempt(POLICIES, lambda: write_policies(story.cloud, story.folder / POLICIES))
    attempt(SUMMARY, summarize)
    attempt(REPORT, report)
    return found


def attempt(file: str, make: Callable[[], None]) -> None:
    """Make one of the files, or warn that it could not be made. OSError where it cannot be written."""
    try:
        make()
    except OSError:
        raise
    except Exception as error:  # a mistake in the report must not hide how the story ended
        say(f"{paint('warning', '33')}: {file} could not be written: {type(error).__name__}: {error}")


def summary(story: Story) -> dict[str, Any]:
    """What happened; requests counts the requests to the embedded AWS by service."""
    requests = Counter(entry["service"] for entry in read_requests(story.cloud.folder / "requests.jsonl"))
    return {**played(story), "requests": dict(sorted(requests.items()))}


def played(story: Playing) -> dict[str, Any]:
    """What happened, wherever it was played."""
    return {
        "chapters": [
            {"name": c.name, "title": c.title, "outcome": c.outcome, "seconds": c.seconds, "observed": c.observed}
            for c in story.chapters
        ],
        "accounts": story.setting.accounts if hasattr(story, "setting") else {},
        "project": {"name": story.project_name, "id": story.project_id},
        "model_package": model_package(story.model_package_arn),
        "pipeline": pipeline(story) if story.execution_id else None,
        "endpoints": story.endpoints,
        **({"changes": story.changes} if story.changes else {}),
    }


def model_package(arn: str) -> dict[str, Any] | None:
    return {"arn": arn, "version": int(arn.rsplit("/", 1)[1])} if arn else None


def pipeline(story: Playing) -> dict[str, Any]:
    """The pipeline with the status of each stage, and the actions of the story's execution."""
    actions: dict[str, list[dict[str, str]]] = {}
    for action in story.actions():
        entry = {"name": action["actionName"], "status": action["status"]}
        actions.setdefault(action["stageName"], []).append(entry)
    return {
        "name": story.pipeline_name,
        "execution_id": story.execution_id,
        "stages": [
            {
                "name": stage["stageName"],
                "status": stage.get("latestExecution", {}).get("status", "NotStarted"),
                "actions": actions.get(stage["stageName"], []),
            }
            for stage in story.pipeline_state()["stageStates"]
        ],
    }
