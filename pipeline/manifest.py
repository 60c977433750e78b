"""The deployment manifest, and the parameters of the two stages: pure, names in, documents out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import removal
from pipeline.accounts import Account
from pipeline.console import UserError, shorten
from pipeline.regions import copy_parameters
from pipeline.registry import Version
from pipeline.settings import ACCOUNT_PARAMETERS, Settings, Stage

# Bytes of one parameter's value (CloudFormation User Guide, "Understand CloudFormation quotas").
PARAMETER_LIMIT = 4_096
# Of a stage's stack: by it the policies of roles tell the kit's stacks from those of other templates (13-people.yaml).
OF_STAGE = {"multi-account-sagemaker": "stage"}
LONGEST_ORIGIN = 256  # characters of what a version says of where it comes from


def manifest(
    settings: Settings,
    version: Version,
    accounts: Mapping[str, tuple[Account, ...]],
    arns: Mapping[str, str],
    template_url: str,
    template_sha256: str,
    releases: Mapping[str, int],
    frozen: Mapping[str, Any],
    approval: Mapping[str, Any],
    reason: str,
) -> dict[str, Any]:
    """What is deployed where; every later step reads this and nothing else.

    Args:
        arns: of the version in each Region.
        frozen: what the version is now (pipeline/frozen.py).
        approval: whether an approver is needed, and why.
        reason: why this version.
        releases: the number of each stage's configuration (release.py).
    """
    return {
        **head(settings),
        "reason": reason,
        "approval": dict(approval),
        "model_package": {
            "arn": version.arn,
            "version": version.number,
            "group": version.group,
            "approved_at": version.approved_at,
            "approved_by": version.approved_by,
            "approval_description": version.description,
            "image": version.image,
            "model_data_url": version.model_data_url,
            "metrics": dict(version.metrics),
            "origin": {key: shorten(value, LONGEST_ORIGIN) for key, value in version.origin.items()},
            "regions": dict(arns),
            **frozen,
        },
        "endpoint_template": {"url": template_url, "sha256": template_sha256},
        "stages": {
            stage.name: {**stage_part(settings, stage, accounts[stage.name]), "release": releases[stage.name]}
            for stage in settings.stages
        },
    }


def digest(folder: Path) -> str:
    """SHA-256 over the names and the contents of all files of a folder: the gate compares it with what Build wrote."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    lines = [f"{hashlib.sha256(files[name].read_bytes()).hexdigest()} {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def nothing_to_deploy(settings: Settings, reason: str) -> dict[str, Any]:
    """The manifest of a project that has no approved version yet."""
    return {**head(settings), "model_package": None, "reason": reason, "stages": {}}


def head(settings: Settings) -> dict[str, Any]:
    return {
        "schema": 1,
        "project": {"name": settings.project, "id": settings.project_id},
        "pipeline_execution_id": settings.execution_id,
        "commit_id": settings.commit_id,
        "bundle_version": settings.bundle_version,
    }


def stage_part(settings: Settings, stage: Stage, accounts: tuple[Account, ...]) -> dict[str, Any]:
    return {
        "unit": stage.unit,
        "execution_role_name": stage.execution_role_name,
        "tester_role_name": stage.tester_role_name,
        "regions": list(stage.regions),
        "accounts": [{"id": account.id, "name": account.name} for account in accounts],
        "endpoint_name": f"{settings.project}-{settings.project_id}-{stage.name}",
        "stack_set_name": stack_name(settings, stage),
        "stack_set_call_as": settings.call_as,
        "config": {key: stage.config[key] for key in ("Parameters", "Regions", removal.KEY) if key in stage.config},
    }


def stack_name(settings: Settings, stage: Stage) -> str:
    """The stage's stack, and the stack set that it holds."""
    return f"sagemaker-{settings.project}-{settings.project_id}-deploy-{stage.name}"


def stage_parameters(
    settings: Settings,
    stage: Stage,
    version: Version,
    accounts: tuple[Account, ...],
    arns: Mapping[str, str],
    template_url: str,
) -> dict[str, Any]:
    """CodePipeline User Guide, "AWS CloudFormation artifacts": the template configuration of a stage."""
    parameters = {
        "SageMakerProjectName": settings.project,
        "SageMakerProjectId": settings.project_id,
        "StageName": stage.name,
        "StackSetAdministrator": settings.administrator,
        "OrganizationalUnitId": stage.unit,
        **account_parameters(stage, accounts),
        "Regions": ",".join(stage.regions),
        "EndpointTemplateUrl": template_url,
        "ModelPackageName": version.arn,
        **copy_parameters(stage, settings.region, arns),
        "SageMakerExecutionRoleName": stage.execution_role_name,
        "BundleVersion": settings.bundle_version,
        **stage.parameters,
    }
    for name, value in parameters.items():
        if len(value.encode()) > PARAMETER_LIMIT:
            raise UserError(
                f"{stage.name}: {name} would have {len(value.encode())} bytes, CloudFormation takes {PARAMETER_LIMIT}"
            )
    return {"Parameters": parameters, "Tags": {**settings.tags, **OF_STAGE}}


def account_parameters(stage: Stage, accounts: tuple[Account, ...]) -> dict[str, str]:
    """The account ids, spread over as many parameters as they need; each but the first begins with a comma."""
    each = PARAMETER_LIMIT // len(",222222222222")
    if len(accounts) > each * len(ACCOUNT_PARAMETERS):
        raise UserError(
            f"{stage.name} has {len(accounts)} accounts, 40-stage.yaml takes {each * len(ACCOUNT_PARAMETERS)}: "
            "spread them over several projects, each with a unit of its own"
        )
    ids = [account.id for account in accounts]
    parts = [",".join(ids[first : first + each]) for first in range(0, len(ids), each)]
    parts[1:] = [f",{part}" for part in parts[1:]]
    return dict(zip(ACCOUNT_PARAMETERS, parts, strict=False))
