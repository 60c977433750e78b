"""Service Catalog, the bundle's objects, Studio and the Region, broken."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from localaws.services.sagemaker.domains import Domains
from localaws.services.servicecatalog.state import Catalog
from scripts.kit.bundle import pack
from tests.kit.doctor.cases import case, swapped
from tests.support.doctor_world import REGION, World
from tests.support.waiting import until

TAG = "sagemaker:studio-visibility"
PROVISIONING = [{"Key": "servicecatalog:provisioning", "Value": "true"}]


def ids(world: World) -> tuple[str, str]:
    """The portfolio and the product."""
    catalog = world.cloud.state(Catalog, world.account, REGION)
    return next(iter(catalog.portfolios)), next(iter(catalog.products))


def scientist(world: World) -> str:
    role = world.story.scientist.principal.role_arn
    assert role.startswith("arn:aws:iam::")
    return role


@case("portfolio-missing", "make publish")
def _(world: World) -> Iterator[None]:
    with world.environment("catalog:\n", "catalog:\n  portfolio: Another\n"):
        yield


@case("product-missing", "make publish")
def _(world: World) -> Iterator[None]:
    with world.environment("catalog:\n", "catalog:\n  product: Another\n"):
        yield


@case("catalog-twice", "aws servicecatalog update-portfolio")
def _(world: World) -> Iterator[None]:
    catalog = world.client("servicecatalog")
    name = "SageMaker Organization Templates"
    made = catalog.create_portfolio(DisplayName=name, ProviderName="another team")["PortfolioDetail"]["Id"]
    yield
    catalog.delete_portfolio(Id=made)


@case("product-tag", "aws servicecatalog update-product")
def _(world: World) -> Iterator[None]:
    catalog, product = world.client("servicecatalog"), ids(world)[1]
    catalog.update_product(Id=product, AddTags=[{"Key": TAG, "Value": "True"}])
    yield
    catalog.update_product(Id=product, AddTags=[{"Key": TAG, "Value": "true"}])


@case("product-unassociated", "aws servicecatalog associate-product-with-portfolio")
def _(world: World) -> Iterator[None]:
    portfolio = world.cloud.state(Catalog, world.account, REGION).portfolios[ids(world)[0]]
    with swapped(portfolio, "products", []):
        yield


@case("product-two-paths", "aws servicecatalog disassociate-product-from-portfolio")
def _(world: World) -> Iterator[None]:
    catalog, product = world.client("servicecatalog"), ids(world)[1]
    made = catalog.create_portfolio(DisplayName="Another", ProviderName="another team")["PortfolioDetail"]["Id"]
    catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=made)
    yield
    with suppress(ClientError):  # its cure was carried out
        catalog.disassociate_product_from_portfolio(ProductId=product, PortfolioId=made)
    catalog.delete_portfolio(Id=made)


@case("constraint-missing", "make publish")
def _(world: World) -> Iterator[None]:
    with swapped(world.cloud.state(Catalog, world.account, REGION), "constraints", {}):
        yield


@case("constraint-role", "make publish")
def _(world: World) -> Iterator[None]:
    constraint = next(iter(world.cloud.state(Catalog, world.account, REGION).constraints.values()))
    role = f"arn:aws:iam::{world.account}:role/MLEngineer"
    with swapped(constraint, "parameters", json.dumps({"RoleArn": role})):
        yield


@case("portfolio-share", "aws servicecatalog accept-portfolio-share --portfolio-id port-")
def _(world: World) -> Iterator[None]:
    catalog, share = world.client("servicecatalog"), {"PortfolioId": ids(world)[0], "AccountId": world.staging}
    catalog.create_portfolio_share(**share)
    listed = f"catalog:\n  share_with: ['{world.staging}', organization]\n"
    with world.environment("catalog:\n", listed):
        yield
    catalog.delete_portfolio_share(**share)


@case("principal-missing", "aws servicecatalog associate-principal-with-portfolio")
def _(world: World) -> Iterator[None]:
    catalog, portfolio = world.client("servicecatalog"), ids(world)[0]
    names = {"PortfolioId": portfolio, "PrincipalARN": scientist(world)}
    catalog.disassociate_principal_from_portfolio(**names)
    yield
    catalog.associate_principal_with_portfolio(**names, PrincipalType="IAM")


@case("version-none", "make publish")
def _(world: World) -> Iterator[None]:
    product = world.cloud.state(Catalog, world.account, REGION).products[ids(world)[1]]
    with swapped(next(iter(product.artifacts.values())), "active", False):
        yield


@contextmanager
def version(world: World, file: str) -> Iterator[None]:
    """One more version of the product, from a file of the bundle."""
    catalog, product = world.client("servicecatalog"), ids(world)[1]
    first = next(iter(world.cloud.state(Catalog, world.account, REGION).products[product].artifacts))
    bundle = world.bundle
    bucket = world.models.replace("models", "bundle")
    url = f"https://{bucket}.s3.{REGION}.amazonaws.com/{bundle.key(file)}"
    made = catalog.create_provisioning_artifact(
        ProductId=product,
        Parameters={"Name": "another", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}},
    )["ProvisioningArtifactDetail"]["Id"]
    names = {"ProductId": product, "ProvisioningArtifactId": made}
    until(lambda: catalog.describe_provisioning_artifact(**names)["Status"] != "CREATING")
    yield
    catalog.delete_provisioning_artifact(**names)
    catalog.update_provisioning_artifact(ProductId=product, ProvisioningArtifactId=first, Guidance="DEFAULT")


@case("version-failed", "aws servicecatalog delete-provisioning-artifact")
def _(world: World) -> Iterator[None]:
    with version(world, "no-such-file.yaml"):
        yield


@case("version-choice", "--guidance DEPRECATED")
def _(world: World) -> Iterator[None]:
    with version(world, pack.PRODUCT):
        yield


@case("project-outdated", "make upgrade PROJECT=iris-multi-01")
def _(world: World) -> Iterator[None]:
    with version(world, pack.PRODUCT):
        yield


@case("version-unpublished", "make publish")
def _(world: World) -> Iterator[None]:
    with swapped(world, "bundle", dataclasses.replace(world.bundle, digest="f" * 64)):
        yield


@case("versions-many", "aws servicecatalog delete-provisioning-artifact")
def _(world: World) -> Iterator[None]:
    product = world.cloud.state(Catalog, world.account, REGION).products[ids(world)[1]]
    first = next(iter(product.artifacts.values()))
    old = {
        f"pa-{number}": dataclasses.replace(first, id=f"pa-{number}", name=f"old-{number}", guidance="DEPRECATED")
        for number in range(90)
    }
    with swapped(product, "artifacts", product.artifacts | old):
        yield


# -- the bundle's objects ----------------------------------------------------------------------


@contextmanager
def seed(world: World) -> Iterator[dict[str, Any]]:
    """Where a seed lies; afterwards it is there unchanged."""
    bundle = world.bundle
    bucket = world.models.replace("models", "bundle")
    place = {"Bucket": bucket, "Key": bundle.key("model-build.zip")}
    yield place
    s3 = world.publisher("s3")
    s3.put_object(**place, Body=bundle.files["model-build.zip"])
    s3.put_object_tagging(**place, Tagging={"TagSet": PROVISIONING})


@case("seed-missing", "make publish")
def _(world: World) -> Iterator[None]:
    with seed(world) as place:
        world.publisher("s3").delete_object(**place)
        yield


@case("seed-changed", "aws s3api list-object-versions")
def _(world: World) -> Iterator[None]:
    with seed(world) as place:
        world.publisher("s3").put_object(**place, Body=b"something else")
        yield


@case("seed-tag", "aws s3api put-object-tagging")
def _(world: World) -> Iterator[None]:
    with seed(world) as place:
        world.publisher("s3").put_object_tagging(**place, Tagging={"TagSet": [{"Key": "team", "Value": "a"}]})
        yield


# -- Studio and the Region ---------------------------------------------------------------------


def domains(world: World) -> Domains:
    return world.cloud.state(Domains, world.account, REGION)


@case("domain-missing", "studio.domain_id")
def _(world: World) -> Iterator[None]:
    with swapped(domains(world), "by_id", {}):
        yield


@case("domain-status", "aws sagemaker describe-domain")
def _(world: World) -> Iterator[None]:
    with swapped(next(iter(domains(world).by_id.values())), "Status", "Update_Failed"):
        yield


@case("domain-role", "studio.execution_roles")
def _(world: World) -> Iterator[None]:
    settings = {"ExecutionRole": f"arn:aws:iam::{world.account}:role/service-role/Another"}
    with swapped(next(iter(domains(world).by_id.values())), "DefaultUserSettings", settings):
        yield


@case("templates-off", "aws sagemaker enable-sagemaker-servicecatalog-portfolio")
def _(world: World) -> Iterator[None]:
    with swapped(domains(world), "templates", False):
        yield


@case("region-service", "choose another Region", region="ca-west-1")
def _(world: World) -> Iterator[None]:
    yield


@case("source-unavailable", "provider: connection", region="eu-central-2")
def _(world: World) -> Iterator[None]:
    yield


@contextmanager
def source(world: World, arn: str) -> Iterator[None]:
    """The environment file with this connection."""
    text = f"source: {{provider: connection, connection_arn: '{arn}', repository_owner: team}}\ncatalog:\n"
    with world.environment("catalog:\n", text):
        yield


@case("connection-missing", "aws codeconnections create-connection")
def _(world: World) -> Iterator[None]:
    id = "01234567-89ab-cdef-0123-456789abcdef"
    with source(world, f"arn:aws:codeconnections:{REGION}:{world.account}:connection/{id}"):
        yield


@case("connection-pending", "Update pending connection")
def _(world: World) -> Iterator[None]:
    client = world.client("codeconnections")
    made = client.create_connection(ProviderType="GitHub", ConnectionName="projects")["ConnectionArn"]
    with source(world, made):
        yield
    client.delete_connection(ConnectionArn=made)
