"""The post's story, on the embedded AWS or on AWS: what its chapters (chapters.py) hand on, and how they act and wait.

Story (story.py) plays it on an embedded AWS, Acceptance (acceptance/) on a real organization.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from scripts.kit.bundle.pack import ROOT
from scripts.kit.connect import pages
from scripts.kit.console import INTERRUPTED, explain, run, say
from scripts.kit.patience import until
from scripts.kit.projects.history import ENDED
from scripts.kit.settings.model import Administrator
from scripts.rehearsal.setting import Setting
from scripts.rehearsal.teams.repositories import Repositories

Item = TypeVar("Item")


class StoryFailed(Exception):
    """A chapter did not end as it should: what happened, in which account, and the log."""

    def __init__(self, message: str, account: str = "", log: str = "") -> None:
        super().__init__(message)
        self.account = account
        self.log = log
        if log:
            self.add_note(log)  # so that a test shows it as well


class Person(Protocol):
    """A person who is signed in to an account."""

    @property
    def account(self) -> str: ...

    def client(self, service: str, region: str | None = None) -> Any:
        """A client that acts with their credentials."""

    def environment(self) -> dict[str, str]:
        """The variables with which another program acts with them."""


NOWHERE = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextlib.contextmanager
def signed_in(session: Person) -> Iterator[None]:
    """This process with the session's credentials in its environment, and no other AWS settings.

    A file of profiles counts only where the session names it.
    """
    before = aws_variables()
    try:
        replace_aws_variables(NOWHERE | session.environment())
        yield
    finally:
        replace_aws_variables(before)


def aws_variables() -> dict[str, str]:
    """The variables of this process that an AWS client reads."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def replace_aws_variables(variables: Mapping[str, str]) -> None:
    """Give this process these AWS variables and no others; PATH and HOME stay, which other threads need meanwhile."""
    for name in aws_variables().keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


@dataclass
class Chapter:
    """How one chapter went."""

    name: str
    title: str
    outcome: str = "not run"
    seconds: float = 0.0
    began: float = 0.0  # seconds since the epoch
    observed: dict[str, str] = field(default_factory=dict)  # what it left (observing.py)


@dataclass
class Playing(ABC):
    """What the chapters hand on to each other; what is abstract differs between the embedded AWS and AWS.

    root: the tree that the commands work on; folder: where the rehearsal writes
    regions: where the stages run; () for the story's own Region
    example: which of the seed code's models is trained (examples.py)
    repositories: a team's own, in place of the seed code (teams/); changes: what they change
    form: whether the data scientist fills in the product's form, or leaves it as environment.yaml has it
    tags: of the project; training_role: the ARN of the role that trains, "" for the data scientist's own
    patience: seconds that one step may take; patience_to_start: of an execution
    pause: the longest between two looks
    images: the namespace of the data science account's own images, which go to the further Regions; "" for none
    build_on_push: whether a push to the training repository trains
    between: the stages between staging and production; asked: those of them that an approver lets versions into
    production_alone: whether there is no staging, and so no stage but production
    shadow: whether a version is in production's shadow before it is approved (scripts/rehearsal/shadowing.py)
    """

    folder: Path
    administrator: Administrator = "delegated"
    region: str = "us-east-1"
    project_name: str = "iris-multi-01"
    root: Path = ROOT
    regions: tuple[str, ...] = ()
    images: str = ""
    build_on_push: bool = False
    between: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    production_alone: bool = False
    shadow: bool = False
    example: str = "iris"
    repositories: Repositories = field(default_factory=Repositories)
    changes: dict[str, Any] = field(default_factory=dict)
    patience: float = 120.0
    form: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    training_role: str = ""
    patience_to_start: float = 20.0
    pause: float = 1.0
    chapters: list[Chapter] = field(default_factory=list)
    setting: Setting = field(init=False)
    project_id: str = ""
    model_package_arn: str = ""
    execution_id: str = ""
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    reported: dict[str, str] = field(default_factory=dict)  # what was said of each action's execution, by its id
    busy_at: float = 0.0

    # -- on which AWS -------------------------------------------------------------------------

    @property
    @abstractmethod
    def scientist(self) -> Person:
        """The data scientist, in the data science account."""

    @property
    @abstractmethod
    def engineer(self) -> Person:
        """The ML engineer, in the data science account."""

    @property
    @abstractmethod
    def approver(self) -> Person:
        """Who may approve deployments to production."""

    @abstractmethod
    def owner(self, account: str, region: str = "") -> Person:
        """An administrator of an account. region: the story's where it is not given"""

    @abstractmethod
    def begin(self, chapter: str) -> None:
        """What follows belongs to this chapter."""

    @abstractmethod
    def check(self) -> None:
        """StoryFailed where something went wrong in a chapter that no person sees."""

    @abstractmethod
    def require_running(self) -> None:
        """Raise what makes waiting senseless."""

    @abstractmethod
    def idle(self) -> bool:
        """True where nothing goes on any more: what has not come will not come."""

    @abstractmethod
    def unstarted(self) -> list[str]:
        """Why an approval started nothing, where AWS itself says little."""

    @abstractmethod
    def log(self, build_id: str) -> list[str]:
        """The last lines of a build's log; of the newest build for ""."""

    @abstractmethod
    def located(self, message: str, account: str, log: str) -> StoryFailed:
        """The failure with all that is known about it."""

    # -- commands ------------------------------------------------------------------------------

    def python(self, name: str, variables: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        """What runs a script, and the variables that it has. variables: those of the person who types the command"""
        return [sys.executable, name], variables

    @property
    def stages(self) -> tuple[str, ...]:
        return ("prod",) if self.production_alone else ("staging", *self.between, "prod")

    @property
    def pipeline_name(self) -> str:
        return f"sagemaker-{self.project_name}-{self.project_id}-deploy"

    @property
    def environment_path(self) -> Path:
        return self.folder / "environment.yaml"

    def command(self, session: Person, module: str, *arguments: str) -> str:
        """Run a command of the kit (scripts.publish) as a user types it, signed in as session; its stdout.

        Its main() is called in this process: starting Python again for each took a fifth of the story's time.
        """
        out, err = io.StringIO(), io.StringIO()
        with signed_in(session), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run(lambda: int(importlib.import_module(module).main(arguments)))
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        return self.output_of(session, f"-m {module} {' '.join(arguments)}", status, out.getvalue(), err.getvalue())

    def script(self, session: Person, folder: Path, name: str, *arguments: str) -> str:
        """Run a script of a repository in a process of its own, signed in as session; its stdout."""
        with signed_in(session):
            line, variables = self.python(name, dict(os.environ))
        done = subprocess.run(
            [*line, *arguments], env=variables, cwd=folder, capture_output=True, encoding="utf-8", errors="replace"
        )
        return self.output_of(session, f"{name} {' '.join(arguments)}", done.returncode, done.stdout, done.stderr)

    def output_of(self, session: Person, typed: str, status: int, out: str, err: str) -> str:
        """A command's stdout, once its progress is shown; StoryFailed where it failed."""
        if status != 0:
            raise StoryFailed(f"`python {typed}` ended with {status}", session.account, err + out)
        for line in err.splitlines():
            if not line.startswith("  "):  # the command's own steps, which are many, stay out of the story
                say(f"    {line.replace(f'{ROOT}/', '')}")
        return out

    def until(self, what: str, look: Callable[[], Any], patience: float = 0.0) -> Any:
        """Wait for look() to answer something other than None or False. patience: instead of the story's."""
        patience = patience or self.patience

        def answer() -> Any:
            found = look()
            if found is not None and found is not False:
                return found
            self.require_running()
            return None

        def late() -> StoryFailed:
            return StoryFailed(f"{what}: nothing after {patience:.0f} s", self.setting.data_science, self.diagnosis())

        return until(what, answer, patience, late=late, longest=self.pause)

    # -- the pipeline --------------------------------------------------------------------------

    def pipeline_state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.scientist.client("codepipeline").get_pipeline_state(name=self.pipeline_name)
        return state

    def stage(self, name: str) -> dict[str, Any]:
        """One stage as GetPipelineState shows it."""
        stages: list[dict[str, Any]] = self.pipeline_state()["stageStates"]
        return self.only((s for s in stages if s["stageName"] == name), f"{self.pipeline_name} has no stage {name}")

    def executions(self) -> list[dict[str, Any]]:
        listed = self.scientist.client("codepipeline").list_pipeline_executions(pipelineName=self.pipeline_name)
        found: list[dict[str, Any]] = listed["pipelineExecutionSummaries"]
        return found

    def wait_for_execution(self, execution_id: str) -> str:
        """The status in which an execution ends."""

        def ended() -> str | None:
            status = self.status_of(execution_id)
            return status if status in ENDED else None

        return str(self.until(f"execution {execution_id}", ended))

    def status_of(self, execution_id: str) -> str:
        listed = (e["status"] for e in self.executions() if e["pipelineExecutionId"] == execution_id)
        return str(self.only(listed, f"{self.pipeline_name} has no execution {execution_id}"))

    def wait_for_stage(self, name: str) -> str:
        """The status in which a stage ends for this story's execution; the execution's own where it ends before."""

        def ended() -> str | None:
            for stage in self.pipeline_state()["stageStates"]:
                latest = stage.get("latestExecution", {})
                if latest.get("pipelineExecutionId") != self.execution_id:
                    continue
                if stage["stageName"] in {"Source", "Build", name}:
                    self.tell(stage)
                if stage["stageName"] == name and latest["status"] in ENDED | {"Skipped"}:
                    return str(latest["status"])
                if latest["status"] in ENDED - {"Succeeded"}:
                    return str(latest["status"])
            return None

        self.stage(name)  # StoryFailed at once for one that the pipeline does not have
        return str(self.until(f"stage {name}", ended))

    def tell(self, stage: dict[str, Any]) -> None:
        """Say which actions of a stage have changed since the last time: not those of an execution before."""
        for action in stage["actionStates"]:
            latest = action.get("latestExecution", {})
            id, status = latest.get("actionExecutionId", ""), latest.get("status", "")
            if status and self.reported.get(id) != status:
                self.reported[id] = status
                say(f"    {action['actionName']:<24} {status}")

    def execution_status(self) -> str:
        return self.status_of(self.execution_id)

    def actions(self, person: Person | None = None, execution: str = "") -> list[dict[str, Any]]:
        """Every action of an execution, oldest first, as ListActionExecutions shows it to a person.

        execution: this story's own where none is named
        """
        codepipeline = (person or self.scientist).client("codepipeline")
        of_one = {"pipelineExecutionId": execution or self.execution_id}
        of_this = {"pipelineName": self.pipeline_name, "filter": of_one}
        found = list(pages(codepipeline, "list_action_executions", "actionExecutionDetails", **of_this))
        return sorted(found, key=lambda action: action["startTime"])

    def card_key(self, person: Person) -> str:
        """The key of the evidence card of this story's execution, as a person finds it."""
        cards = (action for action in reversed(self.actions(person)) if action["actionName"] == "Card")
        made = self.only(cards, "no card was made for the approver")
        return str(made["output"]["outputVariables"]["CARD_KEY"])

    def diagnosis(self) -> str:
        """Why the pipeline stands where it stands: the failed actions, and the logs of the builds that failed."""
        lines, failed = [], []
        try:
            for action in self.actions() if self.execution_id else []:
                if action["status"] == "Failed":
                    result = action.get("output", {}).get("executionResult", {})
                    details = result.get("errorDetails", {})
                    where = f"{action['stageName']}/{action['actionName']}"
                    lines.append(f"{where}: {details.get('code', '')} {details.get('message', '')}".rstrip())
                    if action["input"]["actionTypeId"]["provider"] == "CodeBuild":
                        failed.append(result.get("externalExecutionId", ""))
            lines += self.failed_conditions()
        except ClientError as error:
            lines.append(explain(error))
        for build in failed if lines else [""]:
            lines += self.log(build)
        return "\n".join(lines)

    def failed_conditions(self) -> list[str]:
        """The rules of the stages' entry conditions that failed, and why."""
        lines = []
        for stage in self.pipeline_state()["stageStates"] if self.execution_id else []:
            for condition in stage.get("beforeEntryConditionState", {}).get("conditionStates", []):
                for rule in condition.get("ruleStates", []):
                    error = rule.get("latestExecution", {}).get("errorDetails", {})
                    if error.get("message"):
                        lines.append(f"{stage['stageName']}/{rule['ruleName']}: {error['code']} {error['message']}")
        return lines

    def only(self, found: Iterable[Item], otherwise: str) -> Item:
        """The first of what was found; StoryFailed where nothing was."""
        for item in found:
            return item
        raise StoryFailed(otherwise, self.setting.data_science, self.diagnosis())

    def require(self, holds: bool, message: str) -> None:
        if not holds:
            raise StoryFailed(message, self.setting.data_science, self.diagnosis())
