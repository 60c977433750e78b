"""AWS::SageMaker::CodeRepository and AWS::CDK::Metadata (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made
from localaws.cloudformation.providers.sagemaker import MISSING, NAME_LIMIT, change_tags
from localaws.cloudformation.providers.shapes import fill, tagging, unless, without

CODE_REPOSITORY = "AWS::SageMaker::CodeRepository"


class CodeRepository:
    """Ref gives the ARN; of the Git configuration only the secret can be changed."""

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        sagemaker = context.client("sagemaker")
        name = str(properties.get("CodeRepositoryName") or context.generated_name(NAME_LIMIT))
        arguments = {**properties, "CodeRepositoryName": name, **tagging(context, properties)}
        filled = fill(sagemaker, "CreateCodeRepository", arguments, CODE_REPOSITORY)
        return self._made(sagemaker.create_code_repository(**filled)["CodeRepositoryArn"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if without(old, "Tags") != without(new, "Tags"):
            secret = new["GitConfig"].get("SecretArn", "")
            name = physical_id.rsplit("/", 1)[1]
            context.client("sagemaker").update_code_repository(
                CodeRepositoryName=name, GitConfig={"SecretArn": secret} if secret else {}
            )
        change_tags(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        sagemaker = context.client("sagemaker")
        unless(MISSING, sagemaker.delete_code_repository, CodeRepositoryName=physical_id.rsplit("/", 1)[1])

    def _made(self, arn: str) -> Made:
        return Made(arn, {"CodeRepositoryName": arn.rsplit("/", 1)[1]})


class Metadata:
    """AWS::CDK::Metadata: what the CDK writes about itself; nothing is made."""

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return Made(context.generated_name(64))

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """There is nothing to take away."""
