"""What the data science account needs: the stacks of templates 10 to 13 and 15, in the order of their numbers.

Template 10 is deployed once in the account's own Region and once in each further Region of endpoints. What one of them
names of another's (the bucket of 10, a role of 11) is named the same in every installation; only the key's ARN is
handed on, from 10 to 13. Why four: docs/decisions/0013-*.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.names import MODELS_STACK, NOTICES_STACK, PEOPLE_STACK, ROLES_STACK, SHARED_STACK, STUDIO_STACK
from scripts.kit.plan import PlanStep
from scripts.kit.regions import partition
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import adoption, model_regions, studio
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage

TEMPLATES = {
    MODELS_STACK: "templates/10-model-storage.yaml",
    SHARED_STACK: "templates/11-shared-resources.yaml",
    ROLES_STACK: "templates/12-project-roles.yaml",
    PEOPLE_STACK: "templates/13-people.yaml",
    NOTICES_STACK: "templates/15-notices.yaml",
}
UNTAGGED = "AllowUntaggedModels"  # of template 10
ASKED = {"allow": "true", "refuse": "false", "": ""}  # its value for models.untagged of the environment file
PROJECT_TAGS = ("sagemaker:project-id", "sagemaker:project-name")  # of a project's model group
GONE = {"DELETE_COMPLETE", "DELETE_SKIPPED"}  # what a resource's status says once its stack no longer holds it


def stack_of(template: str) -> str:
    """The stack of the data science account that a template is deployed as, e.g. 12-project-roles."""
    return next(stack for stack, file in TEMPLATES.items() if template in file)


def stack(settings: Settings, name: str, parameters: dict[str, str], version: str) -> stacks.WantedStack:
    file = TEMPLATES[name]
    body = (pack.ROOT / file).read_text(encoding="utf-8")
    return stacks.WantedStack(settings.accounts.data_science, name, body, parameters, file, version, settings.tags)


def templates(settings: Settings) -> dict[str, str]:
    """The template of each stack that the account's own Region has by the environment file, by the stack's name."""
    return {**({STUDIO_STACK: studio.DOMAIN_TEMPLATE} if settings.studio.domain else {}), **TEMPLATES}


def models(
    settings: Settings, paths: Mapping[Stage, str], prefix: str = "", version: str = "", untagged: str = "false"
) -> stacks.WantedStack:
    """Template 10. paths: of the stages' OUs; prefix: of the repositories that are replicated to its Region.

    untagged: whether the target accounts may read models that no deployment has tagged ('true' or 'false')
    """
    targets, before = settings.targets, settings.stages[:-1]  # which read the same models
    parameters = {
        **{stage.path_parameter: paths.get(stage, "") for stage in (Stage.STAGING, Stage.PROD)},
        "PathsBeforeProduction": ",".join(paths[stage] for stage in before if stage in paths) if before[1:] else "",
        Stage.STAGING.accounts_parameter: ",".join(id for stage in before for id in targets.of(stage))
        if targets
        else "",
        Stage.PROD.accounts_parameter: ",".join(targets.of(Stage.PROD)) if targets else "",
        UNTAGGED: untagged,
        "ImageRepositoryPrefix": prefix,
    }
    return stack(settings, MODELS_STACK, parameters, version)


def untagged(settings: Settings, found: stacks.FoundStack) -> str:
    """The value of AllowUntaggedModels: as the environment file says; else as it is.

    A stack of before version 0.3 has no such parameter: what it shares stays shared until the file says otherwise.
    """
    if asked := ASKED[settings.models.untagged]:
        return asked
    if not found.status or found.status == "REVIEW_IN_PROGRESS" or found.status in stacks.LEFTOVER:
        return "false"
    return (found.parameters or {}).get(UNTAGGED, "true")


def shared(settings: Settings, version: str = "") -> stacks.WantedStack:
    """Template 11."""
    accounts, names = settings.accounts, list(settings.roles.publishers)
    if accounts.management and accounts.management != accounts.data_science:
        names.append(f"role/{settings.roles.access}")  # who enters from the management account, as `make doctor` does
    owner = f"arn:{partition(settings.region)}:iam::{accounts.data_science}"
    parameters = {
        "PublisherArns": ",".join(f"{owner}:{name}" for name in dict.fromkeys(names)),
        "ApprovalEmail": settings.notifications.approval_email,
        "ExternalId": settings.tester_external_id,
        "ImageRepositoryPrefix": settings.images.repository_prefix,
        "FurtherRegions": ",".join(model_regions.further(settings)),
        "BoundaryName": settings.roles.permissions_boundary,
    }
    return stack(settings, SHARED_STACK, parameters, version)


def roles(settings: Settings, units: Mapping[Stage, str], version: str = "") -> stacks.WantedStack:
    """Template 12. units: the ids of the stages' OUs, "" without an organization"""
    parameters = {
        **{stage.unit_parameter: units.get(stage, "") for stage in (Stage.STAGING, Stage.PROD)},
        "PermissionModel": settings.permission_model,
        "FurtherRegions": ",".join(model_regions.further(settings)),
        "SourceConnectionArn": settings.source.connection_arn,
        "BoundaryName": settings.roles.permissions_boundary,
        "RolePath": settings.roles.path,
        "TagKeys": ",".join([*PROJECT_TAGS, *stacks.TAGS, *settings.tags]),
    }
    return stack(settings, ROLES_STACK, parameters, version)


def people(settings: Settings, key_arn: str, units: Mapping[Stage, str], version: str = "") -> stacks.WantedStack:
    """Template 13. key_arn: of the models, the output ModelKeyArn of template 10 in the account's own Region.

    units: the ids of the stages' OUs, "" without an organization
    """
    target = f"arn:{partition(settings.region)}:cloudformation:*:*:stackset-target/sagemaker-*"
    parameters = {
        "StudioExecutionRoleNames": ",".join(role.rsplit("/", 1)[-1] for role in settings.studio.execution_roles),
        "ProjectTemplatesInS3": "false" if settings.publishing.to == "service-catalog" else "true",
        "ModelKeyArn": key_arn,
        "FurtherStageTargets": ",".join(f"{target}/{unit}" for stage, unit in units.items() if stage.between and unit),
        "PermissionModel": settings.permission_model,
        "BoundaryName": settings.roles.permissions_boundary,
    }
    return stack(settings, PEOPLE_STACK, parameters, version)


def notices(settings: Settings, paths: Mapping[Stage, str], version: str = "") -> stacks.WantedStack:
    """Template 15. paths: of the stages' OUs, {} without an organization"""
    production, targets = Stage.PROD, settings.targets
    parameters = {
        "NoticeEmail": settings.notifications.notice_email,
        "WriteModelLifeCycle": "true" if settings.models.life_cycle else "false",
        production.path_parameter: paths.get(production, ""),
        production.accounts_parameter: ",".join(targets.of(production)) if targets else "",
        "BoundaryName": settings.roles.permissions_boundary,
    }
    return stack(settings, NOTICES_STACK, parameters, version)


def plan_models(
    home: Connection, settings: Settings, paths: Mapping[Stage, str], version: str
) -> list[stacks.PlannedStack]:
    """Template 10 in every Region, the account's own first. home: the data science account."""
    planned = []
    for region in (home.region, *model_regions.further(settings)):
        prefix = "" if region == home.region else settings.images.repository_prefix
        cloudformation = home.client("cloudformation", region)
        found = stacks.look(cloudformation, models(settings, paths))
        want = models(settings, paths, prefix, version, untagged(settings, found))
        step = stacks.make_plan(want, found, region)
        look = partial(adoption.of_models, home.in_region(region))
        step = stacks.adopting(cloudformation, want, found, step, look)
        planned.append(stacks.PlannedStack(want, replace(step, name=f"{step.name}, {region}"), cloudformation))
    return planned


def waiting(settings: Settings, why: UserError) -> list[PlanStep]:
    """The stacks of an account that these credentials cannot enter: its own do it."""
    account, command = settings.accounts.data_science, 'make accounts ARGS="--profile PROFILE"'
    detail = f"no way in through the role {settings.roles.access} (roles.access)"
    names = [f"{MODELS_STACK} in {account}, {region}" for region in (settings.region, *model_regions.further(settings))]
    names += [f"{name} in {account}" for name in (SHARED_STACK, ROLES_STACK, PEOPLE_STACK, NOTICES_STACK)]
    names += [f"{STUDIO_STACK} in {account}"] if settings.studio.domain else []
    first, *others = [PlanStep("wait", "stack", name, detail, {}, account, command) for name in names]
    return [replace(first, request={"why": str(why)}), *others]


def refuse_first_layout(home: Connection) -> None:
    """UserError where version 0.1.0 set the account up: one stack held all of it, the models' bucket and key too."""
    status = stacks.resource_status(home.client("cloudformation"), ROLES_STACK, "ModelBucket")
    if status and status not in GONE:
        raise UserError(
            f"the stack {ROLES_STACK} in account {home.account} is that of version 0.1.0: it holds the bucket and the "
            "key of the models, which have a stack of their own since 0.2.0. Nothing was changed. "
            "docs/guides/upgrading.md says how they move without being deleted"
        )
