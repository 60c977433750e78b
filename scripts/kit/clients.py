"""The types of the clients: boto3-stubs declares each service's operations, with their parameters and answers.

The stubs belong to the development environment, so they are imported for mypy alone. A further service needs an
overload here and its extra of boto3-stubs in pyproject.toml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, overload

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_codebuild import CodeBuildClient
    from mypy_boto3_codecommit import CodeCommitClient
    from mypy_boto3_codeconnections import CodeConnectionsClient
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_servicecatalog import ServiceCatalogClient
    from mypy_boto3_sts import STSClient


class Clients(Protocol):
    """Returns the client of a service, in the connection's Region or another."""

    @overload
    def __call__(self, service: Literal["account"], region: str | None = None, /) -> AccountClient: ...
    @overload
    def __call__(self, service: Literal["cloudformation"], region: str | None = None, /) -> CloudFormationClient: ...
    @overload
    def __call__(self, service: Literal["cloudwatch"], region: str | None = None, /) -> CloudWatchClient: ...
    @overload
    def __call__(self, service: Literal["codebuild"], region: str | None = None, /) -> CodeBuildClient: ...
    @overload
    def __call__(self, service: Literal["codecommit"], region: str | None = None, /) -> CodeCommitClient: ...
    @overload
    def __call__(self, service: Literal["codeconnections"], region: str | None = None, /) -> CodeConnectionsClient: ...
    @overload
    def __call__(self, service: Literal["codepipeline"], region: str | None = None, /) -> CodePipelineClient: ...
    @overload
    def __call__(self, service: Literal["ecr"], region: str | None = None, /) -> ECRClient: ...
    @overload
    def __call__(self, service: Literal["iam"], region: str | None = None, /) -> IAMClient: ...
    @overload
    def __call__(self, service: Literal["kms"], region: str | None = None, /) -> KMSClient: ...
    @overload
    def __call__(self, service: Literal["logs"], region: str | None = None, /) -> CloudWatchLogsClient: ...
    @overload
    def __call__(self, service: Literal["organizations"], region: str | None = None, /) -> OrganizationsClient: ...
    @overload
    def __call__(self, service: Literal["s3"], region: str | None = None, /) -> S3Client: ...
    @overload
    def __call__(self, service: Literal["sagemaker"], region: str | None = None, /) -> SageMakerClient: ...
    @overload
    def __call__(self, service: Literal["service-quotas"], region: str | None = None, /) -> ServiceQuotasClient: ...
    @overload
    def __call__(self, service: Literal["servicecatalog"], region: str | None = None, /) -> ServiceCatalogClient: ...
    @overload
    def __call__(self, service: Literal["sts"], region: str | None = None, /) -> STSClient: ...
