"""An account with products in Service Catalog: a template, a launch role, a data scientist."""

from __future__ import annotations

import json

from localaws.cloud import Cloud, Session
from tests.support.roles import allow_everything, trust_policy
from tests.support.waiting import until

A, B, REGION = "111111111111", "222222222222", "us-east-1"
BUCKET = "templates-111111111111"
LAUNCH_ROLE = f"arn:aws:iam::{A}:role/service-role/Launch"
SCIENTIST = f"arn:aws:iam::{A}:role/Scientist"
TEMPLATE = """\
Parameters:
  Name: {Type: String, AllowedPattern: '[a-z]+', Description: Of the queue.}
  Secret: {Type: String, NoEcho: true, Default: x}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub 'sagemaker-${Name}'}}
Outputs:
  Url: {Value: !Ref Queue, Description: Of the queue.}
"""


class CatalogAccount:
    """An account with a template in S3, a launch role and a data scientist's role."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.root = cloud.root(A, REGION)
        self.admin = self.root.client("servicecatalog")
        self.s3 = self.root.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        iam = self.root.client("iam")
        iam.create_role(
            Path="/service-role/",
            RoleName="Launch",
            AssumeRolePolicyDocument=trust_policy({"Service": "servicecatalog.amazonaws.com"}),
        )
        iam.create_role(RoleName="Scientist", AssumeRolePolicyDocument=trust_policy({"AWS": f"arn:aws:iam::{A}:root"}))
        for role in ("Launch", "Scientist"):
            allow_everything(iam, role)

    def scientist(self) -> Session:
        return self.cloud.assume_role(SCIENTIST, "ada", self.root.principal, REGION)

    def url(self, body: str = TEMPLATE, key: str = "product.yaml") -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        return f"https://{BUCKET}.s3.{REGION}.amazonaws.com/{key}"

    def product(self, url: str = "", name: str = "Kit") -> tuple[str, str]:
        """A product with one finished version: their ids."""
        made = self.admin.create_product(
            Name=name,
            Owner="me",
            ProductType="CLOUD_FORMATION_TEMPLATE",
            Tags=[{"Key": "sagemaker:studio-visibility", "Value": "true"}],
            ProvisioningArtifactParameters={"Name": "v1", "Info": {"LoadTemplateFromURL": url or self.url()}},
        )
        product = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
        return product, made["ProvisioningArtifactDetail"]["Id"]

    def loaded(self, product: str, version: str) -> str:
        """The version's status once it is decided."""

        def decided() -> str | None:
            answer = self.admin.describe_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version)
            return None if answer["Status"] == "CREATING" else str(answer["Status"])

        return str(until(decided))

    def published(self) -> tuple[str, str, str]:
        """Portfolio, product and version, launchable by the scientist as the launch role."""
        portfolio = self.portfolio()
        product, version = self.product()
        assert self.loaded(product, version) == "AVAILABLE"
        self.admin.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
        self.constrain(portfolio, product)
        self.admin.associate_principal_with_portfolio(
            PortfolioId=portfolio, PrincipalARN=SCIENTIST, PrincipalType="IAM"
        )
        return portfolio, product, version

    def portfolio(self, name: str = "Templates") -> str:
        made = self.admin.create_portfolio(DisplayName=name, ProviderName="me", Tags=[{"Key": "team", "Value": "ml"}])
        return str(made["PortfolioDetail"]["Id"])

    def constrain(self, portfolio: str, product: str, **parameters: str) -> str:
        given = parameters or {"RoleArn": LAUNCH_ROLE}
        made = self.admin.create_constraint(
            PortfolioId=portfolio, ProductId=product, Type="LAUNCH", Parameters=json.dumps(given)
        )
        return str(made["ConstraintDetail"]["ConstraintId"])
