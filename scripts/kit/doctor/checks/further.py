"""The further Regions of endpoints: who may read the models that builds copy there, and whether images are there.

Template 10 creates a bucket and a key in each (docs/decisions/0009-*.md). Amazon ECR User Guide, "Private image
replication": a repository's policy is not replicated with its images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.doctor.checks.models import APPROVE_ANOTHER, versions
from scripts.kit.doctor.checks.sharing import (
    allow_decrypt,
    allow_pull,
    allow_read,
    kept_from_pulling,
    pull_statement,
    short,
)
from scripts.kit.doctor.facts.further import Copy, further_regions
from scripts.kit.doctor.facts.projects import Image, image_of
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import SHARED_STACK
from scripts.kit.stacks import image_replication


@check(
    "model-region-bucket-policy",
    "error",
    "The bucket of the models in a further Region does not allow every target account to read",
    "The endpoint there fails while it downloads its model.",
    safe=True,
)
def model_region_bucket_policy(facts: Snapshot) -> Iterator[Place]:
    for region, bucket in facts.further.buckets.items():
        if bucket:
            yield from allow_read(facts, bucket, region)


@check(
    "model-region-key-policy",
    "error",
    "The models' key in a further Region does not allow every target account to decrypt",
    "The endpoint there fails while it downloads its model.",
    safe=True,
)
def model_region_key_policy(facts: Snapshot) -> Iterator[Place]:
    for region, key in facts.further.keys.items():
        if key.described:
            yield from allow_decrypt(facts, key, region)


@check(
    "version-image-region",
    "error",
    "A version's image is not in a further Region of its project",
    "SageMaker pulls the image in the endpoint's Region. The Build step refuses the version.",
)
def version_image_region(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        if image := image_of(version):
            for region in further_regions(project, facts.region):
                copy = facts.further.images.get((project.name, region))
                yield from missing_there(facts, name, image, region, copy)


def missing_there(facts: Snapshot, name: str, image: Image, region: str, copy: Copy | None) -> Iterator[Place]:
    """The version, where its image is not in a further Region. copy: of an image of the data science account."""
    if image.account != facts.account and not built_in(image, region):
        what = f"{image.name} is neither SageMaker's XGBoost nor in account {facts.account}: not known in {region}"
        yield here(facts, name, what, APPROVE_ANOTHER.format(what=f"an image in account {facts.account}"))
    if image.account == facts.account and copy and copy.there is None:
        yield here(facts, name, f"{region} has no {image.name}", replicate(facts, image.repository, region))


def replicate(facts: Snapshot, repository: str, region: str) -> str:
    """What brings a repository's images to a Region: a push, where they are replicated already; else the kit's rule."""
    again = f"push {repository} again: images that were pushed before are not replicated"
    there = facts.further.rules if known(facts.further.rules) else []
    if any(
        image_replication.matches(rule, repository)
        and {"region": region, "registryId": facts.account} in rule["destinations"]
        for rule in there
    ):
        return f"{again}, and replication takes up to half an hour"
    prefix = facts.settings.images.repository_prefix
    if "/" in repository and not prefix:
        return (
            f"write images: {{repository_prefix: {repository.split('/')[0]}}} into the environment file, run "
            f"{facts.make_accounts}, then {again}"
        )
    if repository.startswith(f"{prefix}/") and prefix:
        return f"see finding image-replication, then {again}"
    return (
        "aws ecr put-replication-configuration --replication-configuration RULES with a rule for it from "
        f"{facts.region} to {region} beside those that aws ecr describe-registry shows, then {again}"
    )


@cache
def registries() -> dict[str, str]:
    """The accounts whose registries hold SageMaker's XGBoost, by Region."""
    return dict(json.loads((pack.ROOT / "pipeline/registries.json").read_text(encoding="utf-8")))


def built_in(image: Image, region: str) -> bool:
    """Whether an image is SageMaker's XGBoost, with a known registry in both Regions."""
    return registries().get(image.region) == image.account and region in registries()


@check(
    "version-image-region-shared",
    "error",
    "The target accounts may not pull the copy of a version's image in a further Region",
    "SageMaker answers with access denied when the endpoint starts. Replication does not copy a repository's policy, "
    "and a repository creation template gives one only to repositories that are created after it.",
)
def version_image_region_shared(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        for (owner, region), found in facts.further.images.items():
            if owner != project.name or not found.there or not known(found.policy):
                continue
            image = image_of(version)
            repository = image.repository if image else ""
            arn = f"arn:{facts.partition}:ecr:{region}:{facts.account}:repository/{repository}"
            if shut := kept_from_pulling(facts, found.policy, arn):
                what = f"the repository {repository} in {region} does not allow {short(shut)}"
                yield here(facts, name, what, allow_pull(facts, region, repository))


@check(
    "image-replication",
    "error",
    "Images are not replicated to a further Region as the environment file asks",
    "The Build step refuses a version whose image is not in every Region; a repository created without the kit's "
    "creation template allows no target account to pull.",
)
def image_replication_is_there(facts: Snapshot) -> Iterator[Place]:
    prefix, there = facts.settings.images.repository_prefix, facts.further.rules
    for region, templates in facts.further.templates.items():
        if known(there) and not image_replication.covers(there, facts.account, prefix, region):
            what = f"no rule replicates {prefix}/… to {region}"
            yield here(facts, f"registry of {facts.account}", what, rule_fix(facts, there))
        if known(templates) and not replicates(templates):
            what = f"{region} has no repository creation template for {prefix} that is applied for REPLICATION"
            yield Place(
                facts.account, f"registry of {facts.account}", what, template_fix(facts, region, templates), region
            )


def replicates(templates: Any) -> bool:
    return any("REPLICATION" in template["appliedFor"] for template in templates or ())


def rule_fix(facts: Snapshot, there: Any) -> str:
    """`make accounts`; the rule itself where the stack has one that was deleted by hand."""
    stack = facts.data_science.stacks[SHARED_STACK]
    made = image_replication.made_by(stack.parameters, facts.account) if stack else []
    if not image_replication.besides(made, there):
        return facts.make_accounts
    return image_replication.command(facts.region, [*there, *made])


def template_fix(facts: Snapshot, region: str, there: Any) -> str:
    """`make accounts` where the Region's stack lacks the template; else the template itself."""
    prefix, stack = facts.settings.images.repository_prefix, facts.data_science.further.get(region)
    if not stack or not stack.parameters.get("ImageRepositoryPrefix"):
        return facts.make_accounts
    policy = json.dumps({"Version": "2012-10-17", "Statement": [pull_statement(facts)]})
    return (
        f"aws ecr {'update' if there else 'create'}-repository-creation-template --region {region} --prefix {prefix} "
        f"--applied-for REPLICATION --repository-policy '{policy}'"
    )
