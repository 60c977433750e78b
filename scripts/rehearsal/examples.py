"""The examples of the seed code, and what a team changes to take another one than iris.

In the training repository one line of project.toml; in the deploy repository the golden payloads, which come with it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from awslang.bounded import read_json
from scripts.kit.console import say
from scripts.rehearsal.names import EXAMPLES
from scripts.rehearsal.playing import Person, Playing
from scripts.rehearsal.teams import repositories

CHOICE = re.compile(r'^model = "[a-z]+"', re.MULTILINE)
DEPLOY = Path("seed-code/model-deploy")
GOLDEN = Path("tests/golden-payloads.json")  # in the deploy repository


def golden_file(root: Path, example: str) -> Path:
    """The golden payloads of an example, in the tree of the kit."""
    return root / DEPLOY / (GOLDEN if example == "iris" else Path("examples") / example / GOLDEN.name)


def payloads(root: Path, example: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_json(golden_file(root, example).read_bytes())["payloads"]
    return found


def ask(session: Person, endpoint: str, payload: dict[str, Any]) -> str:
    """What an endpoint answers to a golden payload."""
    accept = {"Accept": payload["accept"]} if "accept" in payload else {}
    answer = session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType=payload["content_type"], Body=payload["body"].encode(), **accept
    )
    return str(answer["Body"].read().decode().strip())


def use(story: Playing, folder: Path) -> None:
    """Change the repositories to the story's example, unless it is iris; a team's own stays as it is.

    folder: the training repository's checkout
    """
    if story.example == "iris":
        return
    if repositories.TRAINING not in story.repositories.folders:
        file = folder / "project.toml"
        text = CHOICE.sub(f'model = "{EXAMPLES[story.example]}"', file.read_text(encoding="utf-8"), count=1)
        file.write_text(text, encoding="utf-8")
        commit(story, "modelbuild", file.name, text, f"Use the example {story.example}")
        say(f"    the example is {story.example}: one line of project.toml is pushed")
    if repositories.DEPLOY not in story.repositories.folders:
        use_payloads(story)


def use_payloads(story: Playing) -> None:
    """The deploy repository with the golden payloads of the story's example."""
    before = {execution["pipelineExecutionId"] for execution in story.executions()}
    content = golden_file(story.root, story.example).read_text(encoding="utf-8")
    commit(story, "modeldeploy", str(GOLDEN), content, f"Use the example {story.example}")

    def started() -> str | None:
        new = (e["pipelineExecutionId"] for e in story.executions() if e["pipelineExecutionId"] not in before)
        return next(new, None)

    status = story.wait_for_execution(str(story.until("the pipeline to start after a push", started)))
    story.require(status == "Succeeded", f"the execution of a push without an approved version ended {status}")
    say(f"    the golden payloads of {story.example} are pushed")


def commit(story: Playing, repository: str, path: str, content: str, message: str) -> None:
    """A commit of one file to a repository of the project, as the data scientist."""
    codecommit = story.scientist.client("codecommit")
    name = f"sagemaker-{story.project_name}-{story.project_id}-{repository}"
    head = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"]
    codecommit.put_file(
        repositoryName=name,
        branchName="main",
        parentCommitId=head,
        filePath=path,
        fileContent=content.encode(),
        commitMessage=message,
    )
