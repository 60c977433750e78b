"""One resource, and the names that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.settings import NEEDED, STAGES
from tests.support.who_may.policies import (
    DATA_SCIENCE,
    PROJECT,
    PROJECT_ID,
    REGION,
    STAGING,
)

HERE = f"{REGION}:{DATA_SCIENCE}"
NAME, OTHER_NAME = f"{PROJECT}-{PROJECT_ID}", "churn-p-2"
BUNDLE = f"arn:aws:s3:::sagemaker-multi-account-bundle-{DATA_SCIENCE}-{REGION}"
ARTIFACTS = f"arn:aws:s3:::sagemaker-project-{PROJECT_ID}"
OURS = {"aws:ResourceTag/sagemaker:project-name": PROJECT, "aws:ResourceTag/sagemaker:project-id": PROJECT_ID}
THEIRS = {"aws:ResourceTag/sagemaker:project-name": "churn", "aws:ResourceTag/sagemaker:project-id": "p-2"}
CAPITALS = {"aws:ResourceTag/sagemaker:project-name": "Iris", "aws:ResourceTag/sagemaker:project-id": "p-3"}
OF_STAGE = {"aws:ResourceTag/multi-account-sagemaker": "stage"}  # as the pipeline tags the stack (pipeline/manifest.py)
OF_GROUP = {"aws:ResourceTag/multi-account-sagemaker": "models"}  # the same of a model group (pipeline/registry.py)
OF_REPOSITORY = {"aws:ResourceTag/multi-account-sagemaker": "repository"}  # 30-project.yaml
# The stages that an installation may be without, by how a page calls each.
BETWEEN = {name if name.isupper() else name.lower(): stage for stage, name in STAGES.items() if stage not in NEEDED}
SHARED = {stage: {f"s3:ExistingObjectTag/sagemaker-multi-account-{stage}": "true"} for stage in ("staging", "prod")}


SERVICE_LINKED, ROLES_HERE = f"arn:aws:iam::{STAGING}:role/aws-service-role", f"arn:aws:iam::{DATA_SCIENCE}:role"


@dataclass(frozen=True)
class Thing:
    """One resource.

    kinds: its resource types in AWS's table of actions ("" for actions without a resource)
    keys: condition keys of the resource
    open: whether its own policy allows everyone everything
    """

    name: str
    arn: str
    account: str
    kinds: tuple[str, ...]
    keys: Mapping[str, str] = field(default_factory=dict)
    open: bool = False

    @cached_property
    def service(self) -> str:
        return self.arn.split(":")[2] if ":" in self.arn else ""
