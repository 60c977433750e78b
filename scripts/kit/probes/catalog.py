"""Probes of AWS Service Catalog."""

from __future__ import annotations

import json

from scripts.kit.connect import pages
from scripts.kit.console import UserError
from scripts.kit.probes.lab import Json, Lab, statement
from scripts.kit.probes.pipelines import NOTHING
from scripts.kit.probes.probe import Answers, Cost, Probe
from scripts.kit.regions import url_suffix

NO_PATH = {"ResourceNotFoundException", "InvalidParametersException", "AccessDeniedException"}  # while it is made known


def product(lab: Lab) -> Json:
    """What provisions a new product: one version, a tag of its own, in a portfolio with another tag."""
    bucket, catalog = lab.bucket(), lab.client("servicecatalog")
    lab.client("s3").put_object(Bucket=bucket, Key="template.json", Body=json.dumps(NOTHING).encode())
    region = lab.here.region
    url = f"https://{bucket}.s3.{region}.{url_suffix(region)}/template.json"
    portfolio = catalog.create_portfolio(
        DisplayName=lab.name, ProviderName="probe", Tags=[{"Key": "kit-probe-portfolio", "Value": "yes"}]
    )["PortfolioDetail"]["Id"]
    artifact = {"Name": "one", "Info": {"LoadTemplateFromURL": url}, "Type": "CLOUD_FORMATION_TEMPLATE"}
    made = catalog.create_product(
        Name=lab.name,
        Owner="probe",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        Tags=[{"Key": "kit-probe-product", "Value": "yes"}],
        ProvisioningArtifactParameters=artifact,
    )
    id = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    catalog.associate_product_with_portfolio(ProductId=id, PortfolioId=portfolio)
    role = f"arn:{lab.here.partition}:iam::{lab.here.account}:role/{lab.name}-person"
    catalog.associate_principal_with_portfolio(PortfolioId=portfolio, PrincipalARN=role, PrincipalType="IAM")
    return {"ProductId": id, "ProvisioningArtifactId": made["ProvisioningArtifactDetail"]["Id"]}


def launch_tags(lab: Lab) -> Answers:
    """Without a launch constraint: the person's own rights make the stack."""
    rights = ["servicecatalog:*", "cloudformation:*", "s3:GetObject"]
    person = lab.person("person", statement("Allow", rights))
    launch, catalog = product(lab), lab.client("servicecatalog", person)

    def provision() -> str:
        given = {**launch, "ProvisionedProductName": lab.name}
        return str(catalog.provision_product(**given)["RecordDetail"]["ProvisionedProductId"])

    id = lab.once_ready("the launch path", provision, NO_PATH)

    def launched() -> bool | None:
        shown = catalog.describe_provisioned_product(Id=id)["ProvisionedProductDetail"]
        if shown["Status"] in {"ERROR", "TAINTED"}:
            raise UserError(f"the launch failed: {shown.get('StatusMessage', '')}")
        return True if shown["Status"] == "AVAILABLE" else None

    lab.ended("the launch", launched)
    stacks = pages(lab.client("cloudformation"), "describe_stacks", "Stacks")
    tags = next(one["Tags"] for one in stacks if one["StackName"].endswith(id))
    names = {tag["Key"] for tag in tags}
    lab.words["the stack's tags"] = json.dumps(tags)
    return {
        "the product's tag": "kit-probe-product" in names,
        "the portfolio's tag": "kit-probe-portfolio" in names,
        "tags of Service Catalog's own": sorted(name for name in names if name.startswith("aws:servicecatalog:")),
    }


PROBES = (
    Probe(
        "launch-tags",
        "Do the tags of a portfolio and a product reach a launch?",
        ("servicecatalog:ProvisionProduct", "cloudformation:DescribeStacks"),
        ("provisioned product", "product", "portfolio", "bucket", "role"),
        launch_tags,
        Cost(0.01, "AWS Service Catalog pricing: $0.0007 for each API call after 1,000 free ones a month"),
    ),
)
