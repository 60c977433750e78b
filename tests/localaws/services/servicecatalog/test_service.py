"""Service Catalog: who sees a product, what a version goes through, and launches as the launch role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.service_catalog import (
    BUCKET,
    LAUNCH_ROLE,
    REGION,
    SCIENTIST,
    TEMPLATE,
    A,
    B,
    CatalogAccount,
)
from tests.support.waiting import until


@pytest.fixture
def office(cloud: Cloud) -> CatalogAccount:
    return CatalogAccount(cloud)


# -- versions ----------------------------------------------------------------------------------


def test_a_version_becomes_available_once_its_template_is_read(office: CatalogAccount) -> None:
    product, version = office.product()
    assert office.loaded(product, version) == "AVAILABLE"
    shown = office.admin.describe_provisioning_artifact(
        ProductId=product, ProvisioningArtifactName="v1", Verbose=True, IncludeProvisioningArtifactParameters=True
    )
    assert shown["Info"]["CloudFormationTemplate"] == TEMPLATE
    assert [p["ParameterKey"] for p in shown["ProvisioningArtifactParameters"]] == ["Name", "Secret"]


@pytest.mark.parametrize("body", ["Resources: 3", "no template", "Resources: {A: {Type: AWS::SQS::Queue"])
def test_a_version_with_a_template_that_is_none_fails(office: CatalogAccount, body: str) -> None:
    assert office.loaded(*office.product(office.url(body))) == "FAILED"


def test_a_version_whose_template_cannot_be_read_fails(office: CatalogAccount) -> None:
    assert office.loaded(*office.product(f"https://{BUCKET}.s3.amazonaws.com/none.yaml")) == "FAILED"


@pytest.mark.parametrize(
    "url", ["http://b.s3.amazonaws.com/k", "https://example.com/k", "s3://b/k", "https://s3.amazonaws.com/b"]
)
def test_a_template_url_outside_s3_is_refused_at_once(office: CatalogAccount, url: str) -> None:
    with pytest.raises(ClientError, match="InvalidParametersException"):
        office.product(url)


def test_the_same_token_makes_one_product_and_another_token_a_second(office: CatalogAccount) -> None:
    request = {
        "Name": "Twice",
        "Owner": "me",
        "ProductType": "CLOUD_FORMATION_TEMPLATE",
        "ProvisioningArtifactParameters": {"Info": {"LoadTemplateFromURL": office.url()}},
    }
    first = office.admin.create_product(**request, IdempotencyToken="same")
    again = office.admin.create_product(**request, IdempotencyToken="same")
    assert again["ProductViewDetail"]["ProductARN"] == first["ProductViewDetail"]["ProductARN"]
    office.admin.create_product(**request)
    views = office.admin.search_products_as_admin()["ProductViewDetails"]
    assert [v["ProductViewSummary"]["Name"] for v in views] == ["Twice", "Twice"]
    with pytest.raises(ClientError, match="InvalidParametersException"):
        office.admin.create_product(**{**request, "Name": "Other"}, IdempotencyToken="same")


def test_lists_come_in_pages(office: CatalogAccount) -> None:
    for number in range(45):
        office.portfolio(f"P{number}")
    first = office.admin.list_portfolios()
    assert len(first["PortfolioDetails"]) == 20
    pages = office.admin.get_paginator("list_portfolios").paginate()
    assert [p["DisplayName"] for page in pages for p in page["PortfolioDetails"]] == [f"P{n}" for n in range(45)]


# -- constraints, principals, order of deletion ------------------------------------------------


def test_a_launch_constraint_comes_after_the_association_and_only_once(office: CatalogAccount) -> None:
    portfolio, (product, _) = office.portfolio(), office.product()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        office.constrain(portfolio, product)
    office.admin.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    constraint = office.constrain(portfolio, product)
    with pytest.raises(ClientError, match="DuplicateResourceException"):
        office.constrain(portfolio, product)
    shown = office.admin.describe_constraint(Id=constraint)
    assert json.loads(shown["ConstraintParameters"]) == {"RoleArn": LAUNCH_ROLE}


@pytest.mark.parametrize(
    "parameters",
    [
        {"RoleArn": LAUNCH_ROLE, "LocalRoleName": "Launch"},
        {"Role": LAUNCH_ROLE},
        {"RoleArn": "Launch"},
        {"LocalRoleName": "none"},
    ],
)
def test_a_launch_constraint_takes_either_a_role_arn_or_a_local_role(
    office: CatalogAccount, parameters: dict[str, str]
) -> None:
    portfolio, (product, _) = office.portfolio(), office.product()
    office.admin.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    with pytest.raises(ClientError, match="InvalidParametersException"):
        office.constrain(portfolio, product, **parameters)


def test_a_principal_must_exist(office: CatalogAccount) -> None:
    with pytest.raises(ClientError, match="InvalidParametersException"):
        office.admin.associate_principal_with_portfolio(
            PortfolioId=office.portfolio(), PrincipalARN=f"arn:aws:iam::{A}:role/Absent", PrincipalType="IAM"
        )


def test_nothing_is_deleted_before_what_hangs_on_it(office: CatalogAccount) -> None:
    portfolio, product, _ = office.published()
    admin = office.admin
    with pytest.raises(ClientError, match="ResourceInUseException"):
        admin.delete_portfolio(Id=portfolio)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        admin.delete_product(Id=product)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        admin.disassociate_product_from_portfolio(ProductId=product, PortfolioId=portfolio)
    constraints = admin.list_constraints_for_portfolio(PortfolioId=portfolio)["ConstraintDetails"]
    admin.delete_constraint(Id=constraints[0]["ConstraintId"])
    admin.disassociate_principal_from_portfolio(PortfolioId=portfolio, PrincipalARN=SCIENTIST)
    admin.disassociate_product_from_portfolio(ProductId=product, PortfolioId=portfolio)
    admin.delete_product(Id=product)
    admin.delete_portfolio(Id=portfolio)
    assert admin.list_portfolios()["PortfolioDetails"] == []


def test_the_last_version_of_a_product_stays(office: CatalogAccount) -> None:
    product, version = office.product()
    with pytest.raises(ClientError, match="ResourceInUseException"):
        office.admin.delete_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version)


# -- what end users see ------------------------------------------------------------------------


def test_only_associated_principals_see_and_launch_a_product(office: CatalogAccount) -> None:
    portfolio, product, version = office.published()
    user = office.scientist().client("servicecatalog")
    assert [v["ProductId"] for v in user.search_products()["ProductViewSummaries"]] == [product]
    assert user.describe_product(Id=product)["ProductViewSummary"]["HasDefaultPath"] is True
    assert len(user.list_launch_paths(ProductId=product)["LaunchPathSummaries"]) == 1
    office.admin.disassociate_principal_from_portfolio(PortfolioId=portfolio, PrincipalARN=SCIENTIST)
    assert user.search_products()["ProductViewSummaries"] == []
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*No launch paths found"):
        user.provision_product(ProductId=product, ProvisioningArtifactId=version, ProvisionedProductName="x")


def test_a_pattern_of_principals_lets_every_role_of_that_name_in(office: CatalogAccount) -> None:
    portfolio, _, _ = office.published()
    office.admin.disassociate_principal_from_portfolio(PortfolioId=portfolio, PrincipalARN=SCIENTIST)
    for pattern, seen in [("arn:aws:iam:::role/Other*", 0), ("arn:aws:iam:::role/Sci*", 1)]:
        office.admin.associate_principal_with_portfolio(
            PortfolioId=portfolio, PrincipalARN=pattern, PrincipalType="IAM_PATTERN"
        )
        user = office.scientist().client("servicecatalog")
        assert len(user.search_products()["ProductViewSummaries"]) == seen


def test_two_launch_paths_make_the_path_mandatory(office: CatalogAccount) -> None:
    _, product, version = office.published()
    second = office.portfolio("Second")
    office.admin.associate_product_with_portfolio(ProductId=product, PortfolioId=second)
    office.admin.associate_principal_with_portfolio(PortfolioId=second, PrincipalARN=SCIENTIST, PrincipalType="IAM")
    user = office.scientist().client("servicecatalog")
    request = {"ProductId": product, "ProvisioningArtifactId": version}
    with pytest.raises(ClientError, match=r"InvalidParametersException.*PathId"):
        user.describe_provisioning_parameters(**request)
    paths = user.list_launch_paths(ProductId=product)["LaunchPathSummaries"]
    shown = user.describe_provisioning_parameters(**request, PathId=paths[0]["Id"])
    assert [p["IsNoEcho"] for p in shown["ProvisioningArtifactParameters"]] == [False, True]


def test_inactive_versions_are_hidden_and_deprecated_ones_cannot_be_launched(office: CatalogAccount) -> None:
    _, product, version = office.published()
    user = office.scientist().client("servicecatalog")
    request = {"ProductId": product, "ProvisioningArtifactId": version, "ProvisionedProductName": "x"}
    office.admin.update_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version, Guidance="DEPRECATED")
    assert [a["Guidance"] for a in user.describe_product(Id=product)["ProvisioningArtifacts"]] == ["DEPRECATED"]
    with pytest.raises(ClientError, match=r"InvalidParametersException.*deprecated"):
        user.provision_product(**request)
    office.admin.update_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version, Active=False)
    assert user.describe_product(Id=product)["ProvisioningArtifacts"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        user.provision_product(**request)


# -- launching ---------------------------------------------------------------------------------


def launch(office: CatalogAccount, product: str, version: str, **parameters: str) -> dict[str, Any]:
    """Launch the product as the scientist and wait; the record."""
    user = office.scientist().client("servicecatalog")
    record = user.provision_product(
        ProductId=product,
        ProvisioningArtifactId=version,
        ProvisionedProductName="mine",
        ProvisioningParameters=[{"Key": key, "Value": value} for key, value in parameters.items()],
        Tags=[{"Key": "project", "Value": "p"}],
    )["RecordDetail"]
    return finished(office, record["RecordId"])


def finished(office: CatalogAccount, record: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        answer: dict[str, Any] = office.admin.describe_record(Id=record)
        return answer if answer["RecordDetail"]["Status"] in {"SUCCEEDED", "FAILED"} else None

    answer: dict[str, Any] = until(done)
    return answer


def test_a_launch_is_a_stack_made_as_the_launch_role_with_the_catalogs_tags(office: CatalogAccount) -> None:
    _, product, version = office.published()
    answer = launch(office, product, version, Name="orders")
    assert answer["RecordDetail"]["Status"] == "SUCCEEDED", answer
    outputs = {o["OutputKey"]: o["OutputValue"] for o in answer["RecordOutputs"]}
    assert outputs["Url"].endswith("/sagemaker-orders")
    stack = office.root.client("cloudformation").describe_stacks(StackName=outputs["CloudformationStackARN"])["Stacks"][
        0
    ]
    provisioned = answer["RecordDetail"]["ProvisionedProductId"]
    assert stack["StackName"] == f"SC-{A}-{provisioned}"
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert tags["sagemaker:studio-visibility"] == "true"
    assert (tags["team"], tags["project"]) == ("ml", "p")
    assert tags["aws:servicecatalog:provisioningArtifactIdentifier"] == version
    requests = [json.loads(line) for line in (office.cloud.folder / "requests.jsonl").read_text().splitlines()]
    makers = {r["principal"] for r in requests if r["operation"] in {"CreateStack", "CreateQueue"}}
    assert makers == {f"arn:aws:sts::{A}:assumed-role/Launch/SC-{provisioned}"}
    shown = office.admin.search_provisioned_products(Filters={"SearchQuery": ["name:mine"]})["ProvisionedProducts"]
    assert [(p["Status"], p["UserArn"]) for p in shown] == [("AVAILABLE", SCIENTIST)]


def test_a_launch_with_a_wrong_parameter_fails_and_says_so(office: CatalogAccount) -> None:
    _, product, version = office.published()
    answer = launch(office, product, version, Name="UPPER")
    assert answer["RecordDetail"]["Status"] == "FAILED"
    assert "Name" in answer["RecordDetail"]["RecordErrors"][0]["Description"]
    shown = office.admin.describe_provisioned_product(Name="mine")["ProvisionedProductDetail"]
    assert shown["Status"] == "ERROR"


def test_a_template_constraint_narrows_what_a_launch_may_choose(office: CatalogAccount) -> None:
    """Administrator Guide, "Template constraint rules"."""
    portfolio, product, version = office.published()
    asserted = {"Assert": {"Fn::Contains": [["bills"], {"Ref": "Name"}]}, "AssertDescription": "Only bills."}
    both = {"PortfolioId": portfolio, "ProductId": product, "Type": "TEMPLATE"}
    office.admin.create_constraint(**both, Parameters=json.dumps({"Rules": {"Names": {"Assertions": [asserted]}}}))
    assert len(office.admin.list_constraints_for_portfolio(PortfolioId=portfolio)["ConstraintDetails"]) == 2
    answer = launch(office, product, version, Name="orders")
    assert answer["RecordDetail"]["Status"] == "FAILED"
    assert "Only bills." in answer["RecordDetail"]["RecordErrors"][0]["Description"]
    office.scientist().client("servicecatalog").terminate_provisioned_product(ProvisionedProductName="mine")
    until(lambda: not office.admin.search_provisioned_products()["ProvisionedProducts"])
    assert launch(office, product, version, Name="bills")["RecordDetail"]["Status"] == "SUCCEEDED"
    for wrong in ("{", "{}", '{"Rules": {"Names": {}}}'):
        with pytest.raises(ClientError, match="InvalidParametersException"):
            office.admin.create_constraint(**both, Parameters=wrong)


def test_a_launch_role_that_does_not_trust_service_catalog_makes_nothing(office: CatalogAccount) -> None:
    _, product, version = office.published()
    office.root.client("iam").delete_role_policy(RoleName="Launch", PolicyName="inline")
    office.root.client("iam").delete_role(RoleName="Launch")
    answer = launch(office, product, version, Name="orders")
    assert answer["RecordDetail"]["Status"] == "FAILED"
    assert "sts:AssumeRole" in answer["RecordDetail"]["RecordErrors"][0]["Description"]
    assert office.root.client("cloudformation").describe_stacks()["Stacks"] == []


def history(catalog: Any, **asked: Any) -> list[str]:
    """The types of the records, in the order of ListRecordHistory's pages."""
    pages = catalog.get_paginator("list_record_history").paginate(PaginationConfig={"PageSize": 2}, **asked)
    return [record["RecordType"] for page in pages for record in page["RecordDetails"]]


def test_a_provisioned_product_is_updated_and_terminated_through_its_stack(office: CatalogAccount) -> None:
    _, product, version = office.published()
    launch(office, product, version, Name="orders")
    user = office.scientist().client("servicecatalog")
    record = user.update_provisioned_product(
        ProvisionedProductName="mine",
        ProductId=product,
        ProvisioningArtifactId=version,
        ProvisioningParameters=[{"Key": "Name", "Value": "bills"}, {"Key": "Secret", "UsePreviousValue": True}],
    )["RecordDetail"]
    assert finished(office, record["RecordId"])["RecordDetail"]["Status"] == "SUCCEEDED"
    outputs = office.admin.get_provisioned_product_outputs(ProvisionedProductName="mine", OutputKeys=["Url"])["Outputs"]
    assert outputs[0]["OutputValue"].endswith("/sagemaker-bills")
    record = user.terminate_provisioned_product(ProvisionedProductName="mine")["RecordDetail"]
    assert finished(office, record["RecordId"])["RecordDetail"]["Status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        office.admin.describe_provisioned_product(Name="mine")
    kinds = ["TERMINATE_PROVISIONED_PRODUCT", "UPDATE_PROVISIONED_PRODUCT", "PROVISION_PRODUCT"]
    assert history(user) == kinds  # the newest first; without a filter the caller's own alone
    assert history(office.admin) == []
    account = {"AccessLevelFilter": {"Key": "Account", "Value": "self"}}
    assert history(office.admin, **account, SearchFilter={"Key": "product", "Value": product}) == kinds
    assert history(office.admin, **account, SearchFilter={"Key": "provisionedproduct", "Value": "pp-1"}) == []
    with pytest.raises(ClientError, match="the keys product and provisionedproduct only"):
        history(office.admin, SearchFilter={"Key": "name", "Value": "mine"})
    assert office.root.client("sqs").list_queues().get("QueueUrls", []) == []


def test_a_name_is_launched_once(office: CatalogAccount) -> None:
    _, product, version = office.published()
    launch(office, product, version, Name="orders")
    with pytest.raises(ClientError, match="DuplicateResourceException"):
        launch(office, product, version, Name="bills")


def test_what_is_not_supported_is_refused_by_name(office: CatalogAccount) -> None:
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: servicecatalog:ListBudgetsForResource"):
        office.admin.list_budgets_for_resource(ResourceId="prod-1")


def shares(office: CatalogAccount, portfolio: str, kind: str) -> list[tuple[str, bool]]:
    listed = office.admin.describe_portfolio_shares(PortfolioId=portfolio, Type=kind)["PortfolioShareDetails"]
    return [(share["PrincipalId"], share["Accepted"]) for share in listed]


def test_a_portfolio_shared_with_an_account_waits_until_it_is_accepted_there(office: CatalogAccount) -> None:
    portfolio = office.admin.create_portfolio(DisplayName="Kits", ProviderName="me")["PortfolioDetail"]["Id"]
    for _ in range(2):
        office.admin.create_portfolio_share(PortfolioId=portfolio, AccountId=B)
    assert shares(office, portfolio, "ACCOUNT") == [(B, False)]
    assert office.admin.list_portfolio_access(PortfolioId=portfolio)["AccountIds"] == [B]
    office.cloud.root(B, REGION).client("servicecatalog").accept_portfolio_share(PortfolioId=portfolio)
    assert shares(office, portfolio, "ACCOUNT") == [(B, True)]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        office.cloud.root("333333333333", REGION).client("servicecatalog").accept_portfolio_share(PortfolioId=portfolio)


def test_a_portfolio_is_shared_with_the_organization_once_service_catalog_may_read_it(office: CatalogAccount) -> None:
    organizations = office.root.client("organizations")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    portfolio = office.admin.create_portfolio(DisplayName="Kits", ProviderName="me")["PortfolioDetail"]["Id"]
    node = {"Type": "ORGANIZATION", "Value": organization}
    with pytest.raises(ClientError, match="AWSOrganizationsAccess is not enabled"):
        office.admin.create_portfolio_share(PortfolioId=portfolio, OrganizationNode=node)
    office.admin.enable_aws_organizations_access()
    assert office.admin.get_aws_organizations_access_status()["AccessStatus"] == "ENABLED"
    token = office.admin.create_portfolio_share(PortfolioId=portfolio, OrganizationNode=node)["PortfolioShareToken"]
    assert office.admin.describe_portfolio_share_status(PortfolioShareToken=token)["Status"] == "COMPLETED"
    assert shares(office, portfolio, "ORGANIZATION") == [(organization, True)]
    below = {"PortfolioId": portfolio, "OrganizationParentId": organization}
    assert office.admin.list_portfolio_access(**below)["AccountIds"] == [A]
    assert office.admin.list_portfolio_access(PortfolioId=portfolio)["AccountIds"] == []
    nowhere = {"Type": "ORGANIZATIONAL_UNIT", "Value": "ou-ab12-nowhere1"}
    with pytest.raises(ClientError, match="is not in the organization"):
        office.admin.create_portfolio_share(PortfolioId=portfolio, OrganizationNode=nowhere)
