"""A portfolio with its product, in one stack that is created, updated and deleted."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloud import Cloud
from tests.support.stacks import ACCOUNT, REGION, create_stack, settled_stack, stack_events, template_of, update_stack

URL = "https://templates-of-ours.s3.us-east-1.amazonaws.com/t.json"
BOTH = {"PortfolioId": {"Ref": "Portfolio"}, "ProductId": {"Ref": "Product"}}
ROLE_ARN = {"Fn::GetAtt": ["Role", "Arn"]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "servicecatalog.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
RULES = json.dumps({"Any": {"Assertions": [{"Assert": {"Fn::Equals": ["a", "a"]}}]}})
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::ServiceCatalog::{kind}", "Properties": properties}


def template(versions: list[str], **more: Any) -> str:
    artifacts = [{"Name": name, "Info": {"LoadTemplateFromURL": URL}} for name in versions]
    principal = {"PrincipalARN": ROLE_ARN, "PrincipalType": "IAM", "PortfolioId": {"Ref": "Portfolio"}}
    option = {"TagOptionId": {"Ref": "Option"}, "ResourceId": {"Ref": "Portfolio"}}
    product = {"Name": "Thing", "Owner": "us", "ProvisioningArtifactParameters": artifacts}
    return template_of(
        {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
            "Portfolio": resource("Portfolio", DisplayName="P", ProviderName="us", **more),
            "Product": resource("CloudFormationProduct", **product, **more),
            "Inside": resource("PortfolioProductAssociation", **BOTH),
            "People": resource("PortfolioPrincipalAssociation", **principal),
            "Launch": {**resource("LaunchRoleConstraint", RoleArn=ROLE_ARN, **BOTH, **more), "DependsOn": "Inside"},
            "Narrow": {**resource("LaunchTemplateConstraint", Rules=RULES, **BOTH), "DependsOn": "Inside"},
            "Option": resource("TagOption", Key="k", Value="v"),
            "Options": resource("TagOptionAssociation", **option),
        },
        Outputs={"Versions": {"Value": {"Fn::GetAtt": ["Product", "ProvisioningArtifactNames"]}}},
    )


def test_a_portfolio_and_its_product_live_in_a_stack(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    client, catalog, s3 = root.client("cloudformation"), root.client("servicecatalog"), root.client("s3")
    s3.create_bucket(Bucket="templates-of-ours")
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    s3.put_object(Bucket="templates-of-ours", Key="t.json", Body=body.encode())
    stack = create_stack(client, template(["v1", "v2"]), Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack_events(client, "shop")
    assert stack["Outputs"][0]["OutputValue"] == "v1,v2"
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]["Id"]
    product = catalog.search_products_as_admin(PortfolioId=portfolio)["ProductViewDetails"][0]["ProductViewSummary"]
    constraint = catalog.list_constraints_for_portfolio(PortfolioId=portfolio)["ConstraintDetails"][0]
    assert constraint["ProductId"] == product["ProductId"]
    assert len(catalog.list_principals_for_portfolio(PortfolioId=portfolio)["Principals"]) == 1
    assert catalog.describe_portfolio(Id=portfolio)["TagOptions"][0]["Value"] == "v"

    updated = update_stack(client, template(["v2", "v3"], Description="more"), Capabilities=CAPABILITIES)
    assert updated["StackStatus"] == "UPDATE_COMPLETE", stack_events(client, "shop")
    assert updated["Outputs"][0]["OutputValue"] == "v2,v3"
    assert catalog.describe_portfolio(Id=portfolio)["PortfolioDetail"]["Description"] == "more"
    shown = catalog.describe_product_as_admin(Id=product["ProductId"])["ProductViewDetail"]["ProductViewSummary"]
    assert shown["ShortDescription"] == "more"
    client.delete_stack(StackName="shop")
    assert settled_stack(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert catalog.list_portfolios()["PortfolioDetails"] == []
    assert catalog.search_products_as_admin()["ProductViewDetails"] == []


def test_a_version_whose_template_cannot_be_read_fails_and_leaves_nothing(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("cloudformation")
    stack = create_stack(client, template(["v1"]), Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert cloud.root(ACCOUNT, REGION).client("servicecatalog").search_products_as_admin()["ProductViewDetails"] == []
