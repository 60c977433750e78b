"""Images of your own in the further Regions: replicated by Amazon ECR, as templates 10 and 11 say.

A registry has one replication configuration in each Region, and CloudFormation refuses to make it where there are
rules already (aws-cloudformation-resource-providers-ecr, CreateHandler), and takes every rule away with it
(DeleteHandler). So whose rules they are is found out before anything is changed: rules of another owner are left as
they are, where they do the same; otherwise a person must decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.names import MODELS_STACK
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import IMAGE_REGIONS
from scripts.kit.stacks import adoption, model_regions
from scripts.kit.stacks import stack as stacks

PREFIX, REGIONS = "ImageRepositoryPrefix", "FurtherRegions"  # parameters of template 11
TEMPLATE = "ImageRepositories"  # template 10's repository creation template


Rules = Sequence[Mapping[str, Any]]  # of a registry, as DescribeRegistry shows them


def rules(account: str, prefix: str, regions: Iterable[str]) -> list[dict[str, Any]]:
    """What template 11 asks a registry to replicate, as DescribeRegistry shows it; [] for nothing."""
    places = [{"region": region, "registryId": account} for region in regions if region][:IMAGE_REGIONS]
    if not prefix or not places:
        return []
    return [{"destinations": places, "repositoryFilters": [{"filter": f"{prefix}/", "filterType": "PREFIX_MATCH"}]}]


def made_by(parameters: Mapping[str, str], account: str) -> list[dict[str, Any]]:
    """The rules of a stack of template 11 with these parameters."""
    return rules(account, parameters.get(PREFIX, ""), parameters.get(REGIONS, "").split(","))


def besides(there: Rules, ours: Rules) -> list[Mapping[str, Any]]:
    """The rules of a registry that are not among ours, however ECR orders what is in them."""

    def bare(rule: Mapping[str, Any]) -> tuple[set[str], set[str]]:
        places = {f"{place['registryId']} {place['region']}" for place in rule["destinations"]}
        return places, {one["filter"] for one in rule.get("repositoryFilters", [])}

    known = [bare(rule) for rule in ours]
    return [rule for rule in there if bare(rule) not in known]


def covers(there: Rules, account: str, prefix: str, region: str) -> bool:
    """Whether a registry's rules replicate every repository PREFIX/… to the same account's registry in a Region."""
    place = {"region": region, "registryId": account}
    return any(place in rule["destinations"] and matches(rule, f"{prefix}/") for rule in there)


def matches(rule: Mapping[str, Any], repository: str) -> bool:
    """Whether a rule is for a repository, or for all whose names begin so: one without filters is for every one."""
    filters = [one["filter"] for one in rule.get("repositoryFilters", [])]
    return not filters or repository.startswith(tuple(filters))


def command(region: str, wanted: Rules) -> str:
    """What sets all of a registry's rules."""
    text = json.dumps({"rules": list(wanted)})
    return f"aws ecr put-replication-configuration --region {region} --replication-configuration '{text}'"


def plan(home: Connection, settings: Settings, want: stacks.WantedStack) -> tuple[stacks.PlannedStack, str]:
    """Template 11's stack, planned, and what is to be said of the registry; UserError where rules would be lost."""
    cloudformation = home.client("cloudformation")
    found = stacks.look(cloudformation, want)
    want, note = settled(home, want, {} if found.status in stacks.LEFTOVER else found.parameters or {})
    if settings.images.repository_prefix:
        for region in model_regions.further(settings):
            refuse_another_template(home, settings.images.repository_prefix, region)
    step = stacks.make_plan(want, found)
    step = stacks.adopting(cloudformation, want, found, step, partial(adoption.of_bundles, home))
    return stacks.PlannedStack(want, step, cloudformation), note


def settled(
    home: Connection, want: stacks.WantedStack, parameters: Mapping[str, str]
) -> tuple[stacks.WantedStack, str]:
    """The stack that the registry's rules allow. parameters: those that the stack has."""
    account, region = want.account, home.region
    now, then = made_by(parameters, account), made_by(want.parameters, account)
    if not now and not then:
        return want, ""
    there = home.client("ecr").describe_registry()["replicationConfiguration"].get("rules", [])
    others = besides(there, now)
    if now and not there and now != then:
        raise UserError(
            f"the registry of {account} in {region} has lost this kit's rule, and CloudFormation changes none that is "
            f"not there. No stack was changed. Bring it back with `{command(region, now)}`, and run this command again"
        )
    if not others or now == then:
        return want, ""
    prefix, listed = want.parameters[PREFIX], json.dumps(others)
    if now:
        raise UserError(
            f"the registry of {account} in {region} replicates images by rules beside this kit's: {listed}. The stack "
            f"would take them away with its own. No stack was changed. Take them out with `{command(region, now)}`, "
            "run this command again, and add them again beside the new rules"
        )
    if all(covers(others, account, prefix, one["region"]) for one in then[0]["destinations"]):
        note = f"images of {prefix}/… are replicated already, by rules of another owner, which are left unchanged"
        return replace(want, parameters={**want.parameters, PREFIX: ""}), note
    raise UserError(
        f"the registry of {account} in {region} replicates images already, by rules of another owner: {listed}. A "
        "registry has one set of rules, and CloudFormation makes none beside others. No stack was changed. Add this "
        f"kit's rule to them with `{command(region, [*others, *then])}` and run this command again: it leaves them "
        "alone then. Or leave images.repository_prefix out of the environment file"
    )


def refuse_another_template(home: Connection, prefix: str, region: str) -> None:
    """UserError where the Region has a creation template for the prefix that is not of template 10's stack."""
    found = home.client("ecr", region).describe_repository_creation_templates(prefixes=[prefix])
    if found["repositoryCreationTemplates"] and not stacks.resource_status(
        home.client("cloudformation", region), MODELS_STACK, TEMPLATE
    ):
        raise UserError(
            f"the registry of {home.account} in {region} has a repository creation template for {prefix} already, of "
            "another owner, and this kit's must say who may pull. No stack was changed. Delete it with `aws ecr "
            f"delete-repository-creation-template --region {region} --prefix {prefix}`, or name another "
            "images.repository_prefix in the environment file"
        )
