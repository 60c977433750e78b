"""The projects' endpoints: that they are there, and serve what their stage deployed."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.console import make_arguments
from scripts.kit.doctor.facts.projects import Project
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.projects import served
from scripts.kit.projects.project import version_number
from scripts.kit.projects.served import ServedEndpoint
from scripts.kit.stages import Stage


@check(
    "endpoint-missing",
    "error",
    "An endpoint is gone, or has failed, while its stack is there",
    "Nothing answers there, and every deployment of the stage fails until it is back.",
)
def endpoint_missing(facts: Snapshot) -> Iterator[Place]:
    for project, stage, (account, region), seen in every(facts):
        if seen.gone:
            state = "does not exist" if seen.status == served.MISSING else f"has failed: {seen.reason}"
            yield here(
                facts,
                f"endpoint {project.name}-{project.id}-{stage}",
                f"{account} {region}: it {state}",
                repair(facts, project.name, account, region),
            )


@check(
    "endpoint-taken-back",
    "error",
    "An endpoint does not serve what its stage deployed",
    "SageMaker took the last update back, and CloudFormation does not report that.",
)
def endpoint_taken_back(facts: Snapshot) -> Iterator[Place]:
    for project, stage, (account, region), seen in every(facts):
        if seen.status == "InService" and seen.as_deployed is False:
            version = version_number(seen.package) or "an unknown version"
            yield here(
                facts,
                f"endpoint {project.name}-{project.id}-{stage}",
                f"{account} {region}: it serves version {version} ({seen.config}). {seen.reason}".rstrip(),
                f"fix what it says, then aws codepipeline start-pipeline-execution --name {project.pipeline_name} (the "
                "tests have recorded it, so the same version gets a configuration of its own)",
            )


def every(facts: Snapshot) -> Iterator[tuple[Project, Stage, served.Place, ServedEndpoint]]:
    """Every endpoint that was looked at."""
    for project in facts.complete_projects:
        for stage in project.stages:
            for place, seen in (facts.endpoints or {}).get((project.name, stage), {}).items():
                yield project, stage, place, seen


def repair(facts: Snapshot, project: str, account: str, region: str) -> str:
    """The command that brings an endpoint back, with the credentials that enter every account."""
    profile = "data-science" if facts.alone else "management"
    line = make_arguments(f"--profile {profile}{facts.typed}")
    return f"make repair PROJECT={project} ACCOUNT={account} REGION={region} {line}"
