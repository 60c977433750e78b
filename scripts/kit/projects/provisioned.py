"""The projects with their stacks: which published version each of them runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection
from scripts.kit.projects import project as projects
from scripts.kit.projects.project import Project
from scripts.kit.publish.versions import CATALOG, S3, BundleVersion
from scripts.kit.stacks.stack import describe_stack, parameters


@dataclass(frozen=True)
class RunningProject:
    """A project and the version that it runs. seed: the version whose seed code its repositories began with."""

    project: str
    id: str
    status: str
    publisher: str
    bundle_version: str
    seed: str
    stack: str


@dataclass(frozen=True)
class ProvisionedProject:
    """A project with its stack. details: as DescribeProject shows them; publisher: where its template came from."""

    project: Project
    publisher: str
    details: Mapping[str, Any]
    stack: Mapping[str, Any]

    @property
    def parameters(self) -> dict[str, str]:
        return parameters(dict(self.stack))

    @property
    def stack_name(self) -> str:
        return str(self.stack["StackName"])

    @property
    def bundle_version(self) -> str:
        return self.parameters.get(pack.VERSION_PARAMETER, "")


def look(connection: Connection, project: Project) -> ProvisionedProject | None:
    """The project as it stands; None where SageMaker or CloudFormation no longer have it."""
    if not project.status:
        return None
    shown = connection.client("sagemaker").describe_project(ProjectName=project.name)
    templates = shown.get("TemplateProviderDetails", [])
    if templates:
        publisher = S3
        name = templates[0].get("CfnTemplateProviderDetail", {}).get("StackDetail", {}).get("Name", "")
    else:
        publisher = CATALOG
        id = shown.get("ServiceCatalogProvisionedProductDetails", {}).get("ProvisionedProductId", "")
        name = f"SC-{connection.account}-{id}" if id else ""
    stack = describe_stack(connection.client("cloudformation"), name) if name else None
    return ProvisionedProject(project, publisher, shown, stack) if stack else None


def running(connection: Connection) -> list[RunningProject]:
    """Every project made from the kit, with its version."""
    found = []
    for project in projects.find(connection):
        there = look(connection, project)
        if there is None:
            found.append(RunningProject(project.name, project.id, project.status or "deleted", "", "", "", ""))
            continue
        found.append(
            RunningProject(
                project.name,
                project.id,
                project.status,
                there.publisher,
                there.bundle_version,
                seed_version(there.parameters),
                there.stack_name,
            )
        )
    return found


def seed_version(values: Mapping[str, str]) -> str:
    """The first eight digits of the digest that the deploy repository was seeded from."""
    parts = values.get("SeedCodeDeployKey", "").split("/")
    return parts[1][:8] if len(parts) == 3 else ""


def as_data(versions: Iterable[BundleVersion], running: Iterable[RunningProject]) -> dict[str, Any]:
    """For --json: the published versions, and the projects with theirs."""
    projects = [asdict(project) for project in running]
    for project in projects:
        project["version"] = project.pop("bundle_version")
    return {"versions": [asdict(version) for version in versions], "projects": projects}
