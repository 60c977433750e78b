"""The builds on a push to the training repositories: whether a project has one as asked for, and how it went."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.checks.projects import parameter_place
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.projects.status import pipeline_stage


@check(
    "training-push",
    "warning",
    "A push to a project's training repository does not do what the environment file says",
    "builds.on_push says whether it tests, trains and registers a version.",
)
def training_push(facts: Snapshot) -> Iterator[Place]:
    wanted = str(facts.settings.builds.on_push).lower()
    for project in facts.complete_projects:
        if (value := str(project.trains).lower()) != wanted:
            yield parameter_place(facts, project, "BuildOnPush", value, wanted)


@check(
    "training-pipeline-missing",
    "warning",
    "The pipeline or the build that trains on a push is missing",
    "A push to the training repository registers no version.",
)
def training_pipeline_missing(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for kind, found in (("pipeline", project.training), ("build project", project.training_build)):
            if project.trains and found is None:
                yield here(
                    facts,
                    f"{kind} {project.training_name}",
                    f"project {project.name} has no {kind} of this name",
                    f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                    "then publish with builds.on_push false and upgrade the project, and once more with true: "
                    "that creates both",
                )


@check(
    "training-failed",
    "warning",
    "The newest push to a project's training repository registered no version",
    "Its tests failed, or a step of the training did.",
)
def training_failed(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for state in project.training["stageStates"] if project.training else ():
            stage = pipeline_stage(state, "")
            if stage.status == "Failed":
                yield here(
                    facts,
                    f"pipeline {project.training_name}",
                    f"{stage.name} failed: {stage.why}",
                    "fix what it says and push; where the cause was elsewhere, "
                    f"aws codepipeline start-pipeline-execution --name {project.training_name}",
                )
