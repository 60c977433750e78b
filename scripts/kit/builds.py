"""What the builds of a project run on: EC2; the short ones on AWS Lambda, where CodeBuild has that compute."""

from __future__ import annotations

from typing import Literal

from scripts.kit.settings.model import Settings

# CodeBuild User Guide, "Run builds on AWS Lambda compute", Which regions support AWS Lambda compute in CodeBuild?
LAMBDA_REGIONS = frozenset({
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "eu-central-1", "eu-west-1", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-2",
})  # fmt: skip
EC2_QUOTA, LAMBDA_QUOTA = (  # by their names in Service Quotas, of the computes that 30-project.yaml names
    f"Concurrently running builds for {compute} environment" for compute in ("Linux/Small", "Linux Lambda/2GB")
)


def compute_of(settings: Settings, region: str) -> Literal["lambda", "ec2"]:
    """Where the steps Build, Card and Gate run."""
    return "lambda" if settings.builds.compute == "lambda" and region in LAMBDA_REGIONS else "ec2"


def quotas(settings: Settings, region: str) -> tuple[str, ...]:
    """The quotas of CodeBuild that a deployment needs."""
    return (EC2_QUOTA, LAMBDA_QUOTA) if compute_of(settings, region) == "lambda" else (EC2_QUOTA,)
