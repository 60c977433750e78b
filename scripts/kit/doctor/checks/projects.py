"""The projects: their state, and their parameters compared with the environment file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from awslang.template.parameters import broken_constraint
from scripts.kit.bundle import pack
from scripts.kit.console import closest, make_arguments
from scripts.kit.doctor.facts.projects import Project, regions_of, stack_detail
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import target_role
from scripts.kit.stacks import model_regions


@check(
    "project-failed",
    "error",
    "A project could not be created, updated or deleted",
    "It deploys nothing, or not what is expected.",
)
def project_failed(facts: Snapshot) -> Iterator[Place]:
    for project in facts.projects or ():
        if project.status.endswith("Failed"):
            details = project.described.get("ServiceCatalogProvisionedProductDetails", {})
            message = details.get("ProvisionedProductStatusMessage") or stack_detail(project.described).get(
                "StatusMessage", ""
            )
            again = "aws sagemaker delete-project --project-name " + project.name
            yield here(
                facts,
                f"project {project.name}",
                f"{project.status} {message}".rstrip(),
                again
                if project.status != "UpdateFailed"
                else f"look at its stack's events, then {upgrade(facts, project)}",
            )


@check(
    "project-absent",
    "error",
    "There is no project of this name",
    "Only the project named with --project is checked, so none was.",
)
def project_absent(facts: Snapshot) -> Iterator[Place]:
    if facts.only and known(facts.projects) and not facts.projects:
        listed = facts.reader.pages(facts.account, "sagemaker", "ListProjects", "ProjectSummaryList")
        names = [item["ProjectName"] for item in listed or []]
        yield here(
            facts,
            f"project {facts.only}",
            f"no project of the kit has this name{closest(facts.only, names)}",
            "aws sagemaker list-projects shows those that exist",
        )


@check(
    "project-outdated",
    "note",
    "A project comes from an older version of the kit",
    "It lacks what the newer versions fix.",
)
def project_outdated(facts: Snapshot) -> Iterator[Place]:
    newest = max(facts.catalog.usable, key=lambda version: version["CreatedTime"], default={"Name": ""})
    for project in facts.complete_projects:
        version = project.parameters.get("BundleVersion", "")
        offered = facts.hosted.newest if project.hosted else newest["Name"]
        if offered and version != offered:
            who = "Studio shows" if project.hosted else "the product offers"
            what = f"it comes from {version}, {who} {offered}"
            yield here(facts, f"project {project.name}", what, upgrade(facts, project))


@check(
    "project-units",
    "warning",
    "A project deploys to OUs other than those that the environment file names",
    "Their accounts may lack its roles, and may not read the models.",
)
def project_units(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for stage in facts.settings.stages:
            unit = facts.organization.units[stage]
            value = project.parameters.get(stage.unit_parameter, "")
            if unit and unit.id and value and value != unit.id:
                yield parameter_place(facts, project, stage.unit_parameter, value, unit.id)


@check(
    "project-roles",
    "error",
    "A project's models run as a role that the target accounts lack",
    "The role's name comes from roles.suffix in the environment file.",
)
def project_roles(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for stage in facts.settings.stages:
            name = stage.role_parameter
            roles, value = facts.settings.roles, project.parameters.get(name, "")
            wanted = target_role(roles.suffix.of(stage), roles.path)
            if value and value != wanted:
                yield parameter_place(facts, project, name, value, wanted)


@check(
    "project-administrator",
    "error",
    "A project creates its stack sets as another administrator",
    "CloudFormation refuses a delegated administrator that calls as the management account, and the reverse.",
)
def project_administrator(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        value = project.parameters.get("StackSetAdministrator", "")
        wanted = "SELF_MANAGED" if facts.alone else facts.settings.stack_set_administrator
        if value and value != wanted:
            yield parameter_place(facts, project, "StackSetAdministrator", value, wanted)


@check(
    "project-regions",
    "error",
    "A project deploys to a Region that the environment file does not name",
    "There is no bucket for its models there: the Build step cannot copy the version.",
)
def project_regions(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for stage in facts.settings.stages:
            there = (facts.region, *model_regions.further(facts.settings))
            if missing := [r for r in regions_of(project, stage, facts.region) if r not in there]:
                what = f"its {stage.key} stage goes to {', '.join(missing)}"
                there_too = f"add {', '.join(missing)} to regions.{stage.key} in the environment file"
                fix = f"{there_too}\nthen {facts.make_accounts}"
                yield here(facts, f"project {project.name}", what, fix)


def accounts_in(value: str) -> list[str]:
    """The accounts that a parameter lists."""
    return [account for account in value.split(",") if account]


def parameter_place(facts: Snapshot, project: Project, name: str, value: str, wanted: str) -> Place:
    return here(
        facts,
        f"project {project.name}",
        f"{name} is {value}, the environment file says {wanted}",
        upgrade(facts, project, **{name: wanted}),
    )


def upgrade(facts: Snapshot, project: Project, **given: str) -> str:
    """The commands that update a project to the newest version. given: values of its parameters.

    A version takes the environment file's values alone, so that each other value of the project is set at once, and
    the version with those values is published first. Without a bundle to compare with it may be published already:
    then `make publish` changes nothing.
    """
    values = {**fixed(facts, project), **given}
    options = "".join(f" --set {shlex.quote(f'{name}={value}')}" for name, value in values.items())
    line = f"make upgrade PROJECT={project.name} " + make_arguments(f"--profile {facts.profile}{facts.typed}{options}")
    if values and not facts.bundle:
        return f"make package\nthen {facts.make_publish}\nthen {line}"
    return f"{facts.make_publish}\nthen {line}" if values and not published(facts, project) else line


def fixed(facts: Snapshot, project: Project) -> dict[str, str]:
    """The parameters for which the bundle, as it is published with this environment file, takes another value alone."""
    declared = pack.product_parameters(facts.bundle) if facts.bundle else {}
    return {
        name: str(declaration["Default"])
        for name, declaration in declared.items()
        if "AllowedValues" in declaration
        and name not in {pack.VERSION_PARAMETER, *pack.CODE_KEYS, *pack.SEED_KEYS}
        and broken_constraint(project.parameters.get(name, ""), declaration)
    }


def published(facts: Snapshot, project: Project) -> bool:
    """Whether the project can be updated to the bundle, or there is none to compare with."""
    if project.hosted:
        return not facts.hosted.want or facts.hosted.want.key in (facts.hosted.templates or {})
    return not facts.bundle or facts.bundle.name in {version["Name"] for version in facts.catalog.usable}


@check(
    "project-connection",
    "error",
    "A project reads its repository through a connection that the environment file does not name",
    "The pipelines' role may use that one only, so the Source step fails.",
)
def project_connection(facts: Snapshot) -> Iterator[Place]:
    wanted = facts.settings.source.connection_arn
    for project in facts.complete_projects:
        if project.connection and project.connection != wanted:
            what = f"SourceConnectionArn is {project.connection}, the environment file names {wanted or 'none'}"
            other = f"write it into source.connection_arn\nthen {facts.make_accounts}"
            own = upgrade(facts, project, SourceConnectionArn=wanted)
            yield here(facts, f"project {project.name}", what, f"{own}\nor {other}" if wanted else other)
