"""A small bundle, the data science account that it is published to, and `make publish` with its requests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import package, publish
from scripts.kit import console
from scripts.kit.bundle import pack
from tests.support.bundle_tree import make_bundle_tree
from tests.support.roles import trust_policy

A, B, REGION = "111111111111", "222222222222", "us-east-1"
BUCKET = f"sagemaker-multi-account-bundle-{A}-{REGION}"
SCIENTIST = f"arn:aws:iam::{A}:role/service-role/Scientist"
ENVIRONMENT = f"""\
region: {REGION}
accounts: {{management: '999999999999', data_science: '{A}'}}
units: {{staging: ou-ab12-stag1111, production: ou-ab12-prod2222}}
roles: {{publishers: [Engineer]}}
tester_external_id: tester
studio: {{execution_roles: [service-role/Scientist]}}
"""


def make_data_science_account(root: Session) -> None:
    """What publishing needs in the data science account: the bundle bucket, the launch role, a data scientist."""
    root.client("s3").create_bucket(Bucket=BUCKET)
    iam = root.client("iam")
    for name, service in [
        ("AmazonSageMakerServiceCatalogProductsLaunchRole", "servicecatalog.amazonaws.com"),
        ("Scientist", "sagemaker.amazonaws.com"),
    ]:
        document = trust_policy({"Service": service})
        iam.create_role(Path="/service-role/", RoleName=name, AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName="Scientist", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")


class Publisher:
    """A tree with a packed bundle, and the data science account to publish it to."""

    def __init__(self, cloud: Cloud, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.cloud, self.patch = cloud, patch
        self.tree = make_bundle_tree(folder / "tree")
        self.environment = folder / "environment.yaml"
        self.environment.write_text(ENVIRONMENT)
        patch.setattr(pack, "ROOT", self.tree)
        patch.setattr(pack, "BUILD", self.tree / "build")
        patch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        self.root = cloud.root(A, REGION)
        self.sign_in(self.root)
        make_data_science_account(self.root)
        self.pack()

    def sign_in(self, session: Session) -> None:
        for name, value in session.environment().items():
            self.patch.setenv(name, value)

    def pack(self) -> None:
        package.main(["--root", str(self.tree)])

    def change(self) -> None:
        readme = self.tree / "seed-code/model-deploy/README.md"
        readme.write_text(readme.read_text() + "more\n")
        self.pack()

    def __call__(self, *arguments: str) -> int:
        """`make publish` with these arguments: the exit code."""
        line = ["--environment", str(self.environment), "--bundle", str(self.tree / "build"), *arguments]
        return console.run(lambda: publish.main(line))

    def object_keys(self) -> list[str]:
        return [item["Key"] for item in self.root.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]

    def requests(self) -> list[str]:
        lines = (self.cloud.folder / "requests.jsonl").read_text().splitlines()
        return [json.loads(line)["operation"] for line in lines]

    def writes_of(self, *arguments: str) -> list[str]:
        """The operations that writes something, during one successful publish."""
        before = len(self.requests())
        assert self(*arguments) == 0
        return [name for name in self.requests()[before:] if not re.match("Get|List|Describe|Head|Search", name)]

    def versions(self) -> dict[str, str]:
        """Guidance by version name; there is one product, however often it was published."""
        catalog = self.root.client("servicecatalog")
        products = catalog.search_products_as_admin()["ProductViewDetails"]
        assert [p["ProductViewSummary"]["Name"] for p in products] == ["Multi Account Deployment"]
        product = products[0]["ProductViewSummary"]["ProductId"]
        listed = catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]
        assert len({v["Name"] for v in listed}) == len(listed)
        return {v["Name"]: v["Guidance"] for v in listed}
