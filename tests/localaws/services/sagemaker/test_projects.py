"""SageMaker projects: launched through Service Catalog or from S3, followed by their status."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.service_catalog import LAUNCH_ROLE, REGION, A, CatalogAccount
from tests.support.waiting import until

TEMPLATE = """\
Parameters:
  SageMakerProjectName: {Type: String, MaxLength: 32}
  SageMakerProjectId: {Type: String}
  Suffix: {Type: String, AllowedPattern: '[a-z]*', Default: ''}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub 'sagemaker-${SageMakerProjectId}${Suffix}'}}
"""


class Studio(CatalogAccount):
    """A published product and a data scientist who makes projects from it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.sagemaker = self.scientist().client("sagemaker")

    def url(self, body: str = TEMPLATE, key: str = "product.yaml") -> str:
        return super().url(body, key)

    def create(self, product: str, name: str = "Iris-1", **parameters: str) -> dict[str, Any]:
        details = {
            "ProductId": product,
            "ProvisioningParameters": [{"Key": k, "Value": v} for k, v in parameters.items()],
        }
        answer: dict[str, Any] = self.sagemaker.create_project(
            ProjectName=name, ServiceCatalogProvisioningDetails=details, Tags=[{"Key": "cost", "Value": "42"}]
        )
        return answer

    def settled(self, name: str = "Iris-1") -> dict[str, Any]:
        def done() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.sagemaker.describe_project(ProjectName=name)
            return shown if re.search("Completed|Failed", shown["ProjectStatus"]) else None

        answer: dict[str, Any] = until(done)
        return answer

    def queues(self) -> list[str]:
        urls = self.root.client("sqs").list_queues().get("QueueUrls", [])
        return [url.rsplit("/", 1)[1] for url in urls]


@pytest.fixture
def studio(cloud: Cloud) -> Studio:
    return Studio(cloud)


def test_a_project_is_its_products_stack_with_name_id_and_tags(studio: Studio) -> None:
    _, product, version = studio.published()
    made = studio.create(product)
    assert re.fullmatch(r"p-[a-z0-9]{12}", made["ProjectId"])
    shown = studio.settled()
    assert shown["ProjectStatus"] == "CreateCompleted", shown
    assert shown["ServiceCatalogProvisioningDetails"]["ProvisioningArtifactId"] == version
    assert studio.queues() == [f"sagemaker-{made['ProjectId']}"]
    provisioned = shown["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    stack = studio.root.client("cloudformation").describe_stacks(StackName=f"SC-{A}-{provisioned}")["Stacks"][0]
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack["Parameters"]}
    assert (parameters["SageMakerProjectName"], parameters["SageMakerProjectId"]) == ("Iris-1", made["ProjectId"])
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert tags["sagemaker:project-name"] == "Iris-1"
    assert tags["sagemaker:project-id"] == made["ProjectId"]
    assert tags["sagemaker:project-arn"] == f"arn:aws:sagemaker:{REGION}:{A}:project/Iris-1"
    assert tags["cost"] == "42"


def test_a_project_whose_stack_cannot_be_made_says_why(studio: Studio) -> None:
    _, product, _ = studio.published()
    studio.create(product, Suffix="UPPER")
    shown = studio.settled()
    assert shown["ProjectStatus"] == "CreateFailed"
    assert "Suffix" in shown["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]


def test_a_data_scientist_without_access_to_the_portfolio_gets_no_project(studio: Studio) -> None:
    portfolio, product, _ = studio.published()
    studio.admin.disassociate_principal_from_portfolio(
        PortfolioId=portfolio, PrincipalARN=f"arn:aws:iam::{A}:role/Scientist"
    )
    studio.create(product)
    shown = studio.settled()
    assert shown["ProjectStatus"] == "CreateFailed"
    assert (
        "No launch paths found" in shown["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    )


@pytest.mark.parametrize("name", ["-iris", "iris-", "a_b", "ä", "x" * 33])
def test_a_wrong_project_name_is_refused_at_once(studio: Studio, name: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*projectName"):
        studio.create("prod-1234567890123", name)
    assert studio.sagemaker.list_projects()["ProjectSummaryList"] == []


def test_a_name_of_32_characters_with_uppercase_letters_works(studio: Studio) -> None:
    _, product, _ = studio.published()
    studio.create(product, "Iris-" + "A" * 27)
    assert studio.settled("Iris-" + "A" * 27)["ProjectStatus"] == "CreateCompleted"


def test_a_name_is_used_once_and_two_projects_live_side_by_side(studio: Studio) -> None:
    _, product, _ = studio.published()
    studio.create(product)
    with pytest.raises(ClientError, match="already exists"):
        studio.create(product)
    studio.create(product, "Iris-2")
    assert studio.settled()["ProjectStatus"] == studio.settled("Iris-2")["ProjectStatus"] == "CreateCompleted"
    listed = studio.sagemaker.list_projects(SortBy="Name")["ProjectSummaryList"]
    assert [p["ProjectName"] for p in listed] == ["Iris-1", "Iris-2"]
    assert len(studio.queues()) == 2


def test_what_sagemaker_sets_cannot_be_given(studio: Studio) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*set by SageMaker"):
        studio.create("prod-1234567890123", SageMakerProjectId="p-mine")


def test_a_project_moves_to_a_new_version_and_keeps_its_parameters(studio: Studio) -> None:
    _, product, _ = studio.published()
    id = studio.create(product, Suffix="x")["ProjectId"]
    studio.settled()
    newer = TEMPLATE.replace("Resources:\n", "Resources:\n  Second: {Type: AWS::SQS::Queue}\n")
    parameters = {"Name": "v2", "Info": {"LoadTemplateFromURL": studio.url(newer, "v2.yaml")}}
    made = studio.admin.create_provisioning_artifact(ProductId=product, Parameters=parameters)
    version = made["ProvisioningArtifactDetail"]["Id"]
    assert studio.loaded(product, version) == "AVAILABLE"
    studio.sagemaker.update_project(
        ProjectName="Iris-1", ServiceCatalogProvisioningUpdateDetails={"ProvisioningArtifactId": version}
    )
    with pytest.raises(ClientError, match="ConflictException"):
        studio.sagemaker.delete_project(ProjectName="Iris-1")
    until(lambda: studio.settled()["ProjectStatus"] == "UpdateCompleted")
    assert len(studio.queues()) == 2
    assert f"sagemaker-{id}x" in studio.queues()


def test_a_deleted_project_takes_its_stack_with_it(studio: Studio) -> None:
    _, product, _ = studio.published()
    studio.create(product)
    studio.settled()
    studio.sagemaker.delete_project(ProjectName="Iris-1")
    until(lambda: not studio.sagemaker.list_projects()["ProjectSummaryList"])
    assert studio.queues() == []
    with pytest.raises(ClientError, match="does not exist"):
        studio.sagemaker.describe_project(ProjectName="Iris-1")
    assert studio.admin.scan_provisioned_products()["ProvisionedProducts"] == []


def test_a_project_can_come_from_a_template_in_s3(studio: Studio) -> None:
    provider = {"TemplateName": "kit", "TemplateURL": studio.url()}
    made = studio.sagemaker.create_project(ProjectName="Iris-1", TemplateProviders=[{"CfnTemplateProvider": provider}])
    shown = studio.settled()
    assert shown["ProjectStatus"] == "CreateCompleted", shown
    detail = shown["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
    assert detail["Name"].startswith("SP-")
    assert studio.queues() == [f"sagemaker-{made['ProjectId']}"]
    studio.sagemaker.delete_project(ProjectName="Iris-1")
    until(lambda: studio.queues() == [])


def test_a_project_comes_from_one_kind_of_template(studio: Studio) -> None:
    with pytest.raises(ClientError, match="Specify either"):
        studio.sagemaker.create_project(ProjectName="Iris-1")
    with pytest.raises(ClientError, match="Specify either"):
        studio.sagemaker.create_project(
            ProjectName="Iris-1",
            ServiceCatalogProvisioningDetails={"ProductId": "prod-1"},
            TemplateProviders=[{"CfnTemplateProvider": {"TemplateName": "kit", "TemplateURL": studio.url()}}],
        )


def test_a_role_that_cannot_be_assumed_makes_no_project_from_s3(studio: Studio) -> None:
    role = LAUNCH_ROLE.replace("Launch", "Absent")
    provider = {"TemplateName": "kit", "TemplateURL": studio.url(), "RoleARN": role}
    studio.sagemaker.create_project(ProjectName="Iris-1", TemplateProviders=[{"CfnTemplateProvider": provider}])
    assert studio.settled()["ProjectStatus"] == "CreateFailed"
    assert studio.queues() == []
