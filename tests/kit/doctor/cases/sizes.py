"""More accounts and Regions than fit, and further Regions, broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.kit.doctor.facts.storage import ALIAS
from tests.kit.doctor.cases import case, swapped
from tests.kit.doctor.cases.data_science import CATALOG
from tests.kit.doctor.cases.projects import another_version, own_image, project_stack, pushed
from tests.kit.doctor.cases.self_managed import targets
from tests.support.doctor_world import REGION, World

IRELAND = "eu-west-1"


def numbered(count: int) -> list[str]:
    return [f"4{number:011}" for number in range(count)]


@case("stage-accounts", "accounts of its own for each stage")
def _(world: World) -> Iterator[None]:
    with targets(world, numbered(2_521)):
        yield


@case("group-accounts", "accounts of its own for each stage")
def _(world: World) -> Iterator[None]:
    with targets(world, numbered(1_400)):
        yield


@case("stage-regions", "leave eu-west-1 out", region="us-east-2")  # checked there, where the file says us-east-1
def _(world: World) -> Iterator[None]:
    listed = "us-east-1, us-west-1, us-west-2, eu-west-1"
    with world.environment(CATALOG, f"regions: {{production: [{listed}]}}\n{CATALOG}"):
        yield


@contextmanager
def ireland(world: World) -> Iterator[None]:
    """An environment file with a further Region."""
    with world.environment(CATALOG, f"regions: {{staging: [us-east-1, {IRELAND}]}}\n{CATALOG}"):
        yield


@contextmanager
def storage_in_ireland(world: World) -> Iterator[None]:
    """A bucket and a key there as a careless hand makes them, and an environment file with that Region."""
    s3, name = world.client("s3", region=IRELAND), world.models.replace(REGION, IRELAND)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": IRELAND})
    kms = world.client("kms", region=IRELAND)
    id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=ALIAS, TargetKeyId=id)
    with ireland(world):
        yield
    kms.delete_alias(AliasName=ALIAS)
    s3.delete_bucket(Bucket=name)


@case("model-region-bucket-policy", f"--region {IRELAND}")
def _(world: World) -> Iterator[None]:
    with storage_in_ireland(world):
        yield


@case("model-region-key-policy", f"s3.{IRELAND}.amazonaws.com")
def _(world: World) -> Iterator[None]:
    with storage_in_ireland(world):
        yield


@contextmanager
def deployed_to_ireland(world: World) -> Iterator[None]:
    """A version with an image of the data science account's, in a project with a further Region."""
    with (
        swapped(project_stack(world).shown, "StagingRegions", f"{REGION},{IRELAND}"),
        another_version(world, Image=own_image(world)),
    ):
        yield


@case("version-image-region", "aws ecr put-replication-configuration")
def _(world: World) -> Iterator[None]:
    with deployed_to_ireland(world):
        yield


@case("version-image-region-shared", f"aws ecr set-repository-policy --region {IRELAND} --repository-name models")
def _(world: World) -> Iterator[None]:
    with pushed(world, IRELAND), deployed_to_ireland(world):
        yield


@case("image-replication", "make accounts")
def _(world: World) -> Iterator[None]:
    more = f"regions: {{staging: [us-east-1, {IRELAND}]}}\nimages: {{repository_prefix: team}}\n{CATALOG}"
    with world.environment(CATALOG, more):
        yield
