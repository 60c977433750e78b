"""The models and endpoint configurations of a project that nothing uses any more, in the target accounts.

The former ones outlive an update of their stack (UpdateReplacePolicy in 50-endpoint.yaml), because an endpoint that
SageMaker took back runs on them. They cost nothing; SageMaker keeps them until they are deleted. What an endpoint runs
on, and what its stack holds, stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, enter, pages, unless
from scripts.kit.console import UserError, explain
from scripts.kit.projects.project import Project
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

PROJECT_TAG = "sagemaker:project-id"
ABSENT = {"ValidationException"}  # "Could not find …"


@dataclass(frozen=True)
class Unused:
    """One model or endpoint configuration."""

    kind: str
    account: str
    region: str
    name: str


@dataclass(frozen=True)
class Account:
    """One account: what is unused there, or why it could not be looked at."""

    id: str
    found: tuple[Unused, ...] = ()
    closed: str = ""


def look(by: Connection, settings: Settings, project: Project, places: dict[str, set[str]]) -> list[Account]:
    """What is unused in each account. places: its Regions by account; by: credentials that may enter the accounts"""

    def one(account: str) -> Account:
        try:
            there = enter(by, account, settings.roles.access)
        except UserError as error:
            return Account(account, closed=str(error).splitlines()[0])
        try:
            regions = (there.in_region(region) for region in sorted(places[account]))
            return Account(account, tuple(thing for place in regions for thing in in_region(place, project)))
        except ClientError as error:
            return Account(account, closed=explain(error))
        finally:
            if there is not by:
                there.close()

    return together([partial(one, account) for account in sorted(places)], what="accounts looked at")


def in_region(there: Connection, project: Project, whole: bool = False) -> Iterator[Unused]:
    """whole: also what endpoints and stacks use, once they are gone"""
    sagemaker = there.client("sagemaker")
    configs, models = (set[str](), set[str]()) if whole else used(there, project)
    for config in pages(sagemaker, "list_endpoint_configs", "EndpointConfigs"):
        if config["EndpointConfigName"] not in configs and ours(sagemaker, config["EndpointConfigArn"], project):
            yield Unused("endpoint config", there.account, there.region, config["EndpointConfigName"])
    for model in pages(sagemaker, "list_models", "Models"):
        if model["ModelName"] not in models and ours(sagemaker, model["ModelArn"], project):
            yield Unused("model", there.account, there.region, model["ModelName"])


def used(there: Connection, project: Project) -> tuple[set[str], set[str]]:
    """The names of the configurations and models that an endpoint of the project runs on, or its stack holds.

    An endpoint that is being updated runs on the former ones, and its stack holds the new ones.
    """
    sagemaker, configs, models = there.client("sagemaker"), set[str](), set[str]()
    for stage in Stage:
        if shown := unless(ABSENT, sagemaker.describe_endpoint, EndpointName=project.endpoint(stage)):
            configs.add(shown["EndpointConfigName"])
    cloudformation = there.client("cloudformation")
    for stack in pages(cloudformation, "list_stacks", "StackSummaries"):
        if stack["StackName"].startswith(f"StackSet-{project.prefix}-") and stack["StackStatus"] != "DELETE_COMPLETE":
            for resource in pages(
                cloudformation, "list_stack_resources", "StackResourceSummaries", StackName=stack["StackId"]
            ):
                name = resource.get("PhysicalResourceId", "").rsplit("/", 1)[-1]
                if resource["ResourceType"] == "AWS::SageMaker::EndpointConfig":
                    configs.add(name)
                if resource["ResourceType"] == "AWS::SageMaker::Model":
                    models.add(name)
    for config in sorted(configs):
        if found := unless(ABSENT, sagemaker.describe_endpoint_config, EndpointConfigName=config):
            variants = [*found["ProductionVariants"], *found.get("ShadowProductionVariants", [])]
            models |= {variant["ModelName"] for variant in variants}
    return configs, models


def ours(sagemaker: SageMakerClient, arn: str, project: Project) -> bool:
    tags = pages(sagemaker, "list_tags", "Tags", ResourceArn=arn)
    return any(tag["Key"] == PROJECT_TAG and tag["Value"] == project.id for tag in tags)


def delete(by: Connection, settings: Settings, thing: Unused) -> None:
    """Delete it in its account, which is entered for it."""
    there = enter(by, thing.account, settings.roles.access)
    remove(there.in_region(thing.region), thing)
    if there is not by:
        there.close()


def remove(there: Connection, thing: Unused) -> None:
    """Delete a model or a configuration, which may be gone already."""
    sagemaker = there.client("sagemaker")
    if thing.kind == "model":
        unless(ABSENT, sagemaker.delete_model, ModelName=thing.name)
    else:
        unless(ABSENT, sagemaker.delete_endpoint_config, EndpointConfigName=thing.name)
