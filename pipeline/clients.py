"""The types of the clients: boto3-stubs declares each service's operations, with their parameters and answers.

The build has no stubs, so they are imported for mypy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, overload

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_codecommit import CodeCommitClient
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_stepfunctions import SFNClient


class Clients(Protocol):
    """Returns the client of a service in a Region."""

    @overload
    def __call__(self, service: Literal["cloudformation"], region: str, /) -> CloudFormationClient: ...
    @overload
    def __call__(self, service: Literal["codecommit"], region: str, /) -> CodeCommitClient: ...
    @overload
    def __call__(self, service: Literal["codepipeline"], region: str, /) -> CodePipelineClient: ...
    @overload
    def __call__(self, service: Literal["ecr"], region: str, /) -> ECRClient: ...
    @overload
    def __call__(self, service: Literal["organizations"], region: str, /) -> OrganizationsClient: ...
    @overload
    def __call__(self, service: Literal["pricing"], region: str, /) -> PricingClient: ...
    @overload
    def __call__(self, service: Literal["s3"], region: str, /) -> S3Client: ...
    @overload
    def __call__(self, service: Literal["sagemaker"], region: str, /) -> SageMakerClient: ...


class AccountClients(Protocol):
    """Returns a client of the tester's role, by the name of the service."""

    @overload
    def __call__(self, service: Literal["cloudwatch"], /) -> CloudWatchClient: ...
    @overload
    def __call__(self, service: Literal["s3"], /) -> S3Client: ...
    @overload
    def __call__(self, service: Literal["sagemaker"], /) -> SageMakerClient: ...
    @overload
    def __call__(self, service: Literal["sagemaker-runtime"], /) -> SageMakerRuntimeClient: ...
    @overload
    def __call__(self, service: Literal["stepfunctions"], /) -> SFNClient: ...
