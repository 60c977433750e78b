"""Publishing interrupted at every single request, and run again, ends as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import package, publish
from scripts.kit.bundle import pack
from scripts.kit.names import S3_LAUNCH_ROLE
from tests.support.bundle_tree import make_bundle_tree
from tests.support.every_request import problems
from tests.support.faults import KILLED, Command, Fault, World
from tests.support.publisher import BUCKET, ENVIRONMENT, REGION, SCIENTIST, A, make_data_science_account
from tests.support.roles import trust_policy


class Place:
    """A world with a data science account and a Studio domain, and `make publish TO=both` as it is typed there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        tree = make_bundle_tree(folder / "tree")
        patch.setattr(pack, "ROOT", tree)
        package.main(["--root", str(tree)])
        self.environment = folder / "environment.yaml"
        self.world = World(folder / "faults", self.build)
        line = ["--environment", str(self.environment), "--bundle", str(tree / "build"), "--to", "both"]
        self.publish: Command = lambda: publish.main(line)

    def build(self, cloud: Cloud) -> None:
        root = self.who(cloud)
        make_data_science_account(root)
        role = S3_LAUNCH_ROLE.rsplit("/", 1)[1]
        document = trust_policy({"Service": "cloudformation.amazonaws.com"})
        root.client("iam").create_role(Path="/service-role/", RoleName=role, AssumeRolePolicyDocument=document)
        others = {"AllowedOrigins": ["https://example.com"], "AllowedMethods": ["PUT"], "ID": "theirs"}
        root.client("s3").put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [others]})
        domain = (
            root.client("sagemaker")
            .create_domain(
                DomainName="studio",
                AuthMode="IAM",
                DefaultUserSettings={"ExecutionRole": SCIENTIST},
                SubnetIds=["subnet-12345678"],
                VpcId="vpc-12345678",
            )["DomainArn"]
            .split("/")[1]
        )
        self.environment.write_text(ENVIRONMENT.replace("studio: {", f"studio: {{domain_id: {domain}, "))

    @staticmethod
    def who(cloud: Cloud) -> Session:
        return cloud.root(A, REGION)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path_factory.mktemp("publish"), patch)


def test_publish_interrupted_at_every_request_and_run_again_ends_as_an_undisturbed_run(place: Place) -> None:
    whole = place.world.undisturbed(place.publish, place.who)
    assert {"s3:PutBucketCors", "sagemaker:AddTags", "servicecatalog:CreateProduct"} <= set(whole.requests)
    assert problems(place.world, place.publish, place.who) == []


def test_a_killed_run_was_killed_at_that_request_and_left_less(place: Place) -> None:
    whole = place.world.undisturbed(place.publish, place.who)
    number = whole.requests.index("servicecatalog:CreatePortfolio") + 1
    killed = place.world.case(place.publish, place.who, Fault("killed", number), runs=1)
    assert killed.codes == (KILLED,)
    assert killed.requests == whole.requests[:number]
    catalog = json.dumps(killed.state[f"{A} {REGION} Catalog"])
    assert "SageMaker Organization Templates" in catalog
    assert "Multi Account Deployment" not in catalog
    assert "Multi Account Deployment" in json.dumps(whole.state)
