"""The project from another team's template: a product of Service Catalog, or the template in S3, and its stack."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from scripts.kit.connect import pages
from scripts.kit.console import explain, say
from scripts.rehearsal import setting as people
from scripts.rehearsal.other_templates import seeds as template_seeds
from scripts.rehearsal.other_templates.run import Refused, Run


def put_template(run: Run, tagging: str) -> str:
    bucket = f"sagemaker-templates-{run.account}-{run.options.region}"
    s3 = run.administrator.client("s3")
    template_seeds.make_bucket(s3, run.options.region, bucket)
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=run.body.encode(), Tagging=tagging)
    return f"https://{bucket}.s3.{run.options.region}.amazonaws.com/template.yaml"


def service_catalog_details(run: Run) -> dict[str, Any]:
    """Publish the template as a product that the Studio role sees and the launch role provisions."""
    catalog = run.administrator.client("servicecatalog")
    made = catalog.create_product(
        Name=run.options.template.stem[:100],
        Owner="rehearsal",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        Tags=[{"Key": "sagemaker:studio-visibility", "Value": "true"}],
        ProvisioningArtifactParameters={
            "Name": "v1",
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "Info": {"LoadTemplateFromURL": put_template(run, "")},
        },
    )
    product = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    version = made["ProvisioningArtifactDetail"]["Id"]

    def loaded() -> str:
        answer = catalog.describe_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version)
        return "" if answer["Status"] == "CREATING" else str(answer["Status"])

    if (status := run.until("the product's version", loaded)) != "AVAILABLE":
        raise Refused(f"Service Catalog does not take the template: {status}")
    portfolio = catalog.create_portfolio(DisplayName="Rehearsal", ProviderName="rehearsal")["PortfolioDetail"]["Id"]
    catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    catalog.create_constraint(
        PortfolioId=portfolio,
        ProductId=product,
        Type="LAUNCH",
        Parameters=json.dumps({"RoleArn": run.launch_role}),
    )
    catalog.associate_principal_with_portfolio(
        PortfolioId=portfolio, PrincipalARN=run.names["studio_role_arn"], PrincipalType="IAM"
    )
    values = run.own_parameters
    details = {
        "ProductId": product,
        "ProvisioningArtifactId": version,
        "ProvisioningParameters": [{"Key": k, "Value": v} for k, v in values.items()],
    }
    return {"ServiceCatalogProvisioningDetails": details}


def s3_details(run: Run) -> dict[str, Any]:
    """Put the template into a bucket, and allow the Studio role to create the stack with the launch role.

    AWS's page does not list what the administrator sets up besides the bucket: the data scientist may create
    stacks named SP-* and pass the launch role, which CloudFormation may then assume.
    """
    iam = run.cloud.root(run.account, run.options.region).client("iam")
    if not run.options.launch_role:
        trusted = ["servicecatalog.amazonaws.com", "cloudformation.amazonaws.com"]
        statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(
            RoleName=people.LAUNCH_ROLE,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    stacks = f"arn:aws:cloudformation:*:{run.account}:stack/SP-*"
    actions = ["CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "TagResource"]
    statements = [
        {"Effect": "Allow", "Action": [f"cloudformation:{name}" for name in actions], "Resource": stacks},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": run.launch_role},
    ]
    iam.put_role_policy(
        RoleName=people.STUDIO_ROLE,
        PolicyName="projects-from-s3",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    url = put_template(run, "sagemaker%3Astudio-visibility=true")
    values = run.own_parameters
    provider = {
        "TemplateName": "rehearsal",
        "TemplateURL": url,
        "RoleARN": run.launch_role,
        "Parameters": [{"Key": k, "Value": v} for k, v in values.items()],
    }
    return {"TemplateProviders": [{"CfnTemplateProvider": provider}]}


# -- the project -----------------------------------------------------------------------------------


def create_project(run: Run, asked: dict[str, Any]) -> None:
    """Create the project as the data scientist, and wait until it is created or has failed."""
    sagemaker, name = run.scientist.client("sagemaker"), run.options.project
    try:
        run.project_id = sagemaker.create_project(ProjectName=name, **asked)["ProjectId"]
    except ClientError as error:
        raise Refused(explain(error)) from error

    def settled() -> dict[str, Any] | None:
        shown: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        return shown if shown["ProjectStatus"] in {"CreateCompleted", "CreateFailed"} else None

    shown = run.until(f"project {name}", settled, run.options.patience)
    run.project_status = shown["ProjectStatus"]
    run.stack_id, run.message = stack_and_message(run, shown)
    say(f"    project {name} ({run.project_id}): {run.project_status}")


def stack_and_message(run: Run, shown: dict[str, Any]) -> tuple[str, str]:
    """The project's stack ("" where none was made) and what the project says of its failure."""
    if run.options.style == "s3":
        details = shown.get("TemplateProviderDetails") or [{}]
        stack = details[0].get("CfnTemplateProviderDetail", {}).get("StackDetail", {})
        return stack.get("Id", ""), stack.get("StatusMessage", "")
    provisioned = shown.get("ServiceCatalogProvisionedProductDetails", {})
    message = provisioned.get("ProvisionedProductStatusMessage", "")
    if not (id := provisioned.get("ProvisionedProductId")):
        return "", message
    name = f"SC-{run.account}-{id}"
    for stack in all_stacks(run):
        if stack["StackName"] == name:
            return stack["StackId"], message
    return "", message


def all_stacks(run: Run) -> list[dict[str, Any]]:
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    return list(pages(cloudformation, "list_stacks", "StackSummaries"))


def stack_resources(run: Run, stack_id: str) -> list[dict[str, Any]]:
    """The resources of a stack, and of the stacks in it."""
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    found: list[dict[str, Any]] = []
    for resource in cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]:
        found.append(resource)
        if resource["ResourceType"] == "AWS::CloudFormation::Stack" and resource.get("PhysicalResourceId"):
            found += stack_resources(run, resource["PhysicalResourceId"])
    return found
