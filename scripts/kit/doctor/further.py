"""The further regions of endpoints: who may read the models that builds copy there, and whether images are there.

Template 11 makes a bucket and a key in each (docs/decisions/0009). Amazon ECR User Guide, "Private image
replication": a repository's policy is not replicated with its images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from localaws.services.sagemaker.images import XGBOOST_ACCOUNTS
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.models import APPROVE_ANOTHER, IMAGE, let_pull, pull_statement, versions
from scripts.kit.doctor.organization import STAGES
from scripts.kit.doctor.projects import Project, container, parts, regions_of
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.storage import Key, let_decrypt, let_in, read_bucket, read_key, short, shut_out
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import image_replication, model_regions
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot


@dataclass(frozen=True)
class Image:
    """An image's copy in another region: None where it is not there; policy: of its repository."""

    there: Any
    policy: Any


@dataclass(frozen=True)
class Further:
    """buckets, keys: by region; images: of the data science account's registry, by project and region.

    rules: by which the registry replicates; templates: by which it makes repositories, by region: where images are
    to be replicated
    """

    buckets: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    images: Mapping[tuple[str, str], Image] = field(default_factory=dict)
    rules: Any = UNREAD
    templates: Mapping[str, Any] = field(default_factory=dict)


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Settings, projects: Any) -> Further:
    account, regions = settings.accounts.data_science, model_regions.further(settings)
    own = [
        (project, region)
        for project in projects or ()
        for region in further_regions(project, reader.region)
        if str(container(project.version).get("Image", "")).startswith(f"{account}.dkr.ecr.")
    ]
    buckets: list[Any] = together(
        partial(read_bucket, reader, account, model_regions.bucket(account, region), region) for region in regions
    )
    keys = together(partial(read_key, reader, account, region) for region in regions)
    images = together(partial(read_image, reader, account, project, region) for project, region in own)
    named = [(project.name, region) for project, region in own]
    prefix = settings.images.repository_prefix
    replicated = regions if prefix else ()
    rules, *templates = together(
        [
            partial(read_rules, reader, account if replicated else ""),
            *(partial(read_template, reader, account, prefix, region) for region in replicated),
        ]
    )
    return Further(
        dict(zip(regions, buckets, strict=True)),
        dict(zip(regions, keys, strict=True)),
        dict(zip(named, images, strict=True)),
        rules,
        dict(zip(replicated, templates, strict=True)),
    )


def read_rules(reader: Reader, account: str) -> Any:
    if not account:
        return UNREAD
    found = reader.ask(account, "ecr", "DescribeRegistry")
    return found["replicationConfiguration"].get("rules", []) if found else found


def read_template(reader: Reader, account: str, prefix: str, region: str) -> Any:
    """The repository creation templates for the prefix, of which there is one at most."""
    found = reader.ask(account, "ecr", "DescribeRepositoryCreationTemplates", region, prefixes=[prefix])
    return found["repositoryCreationTemplates"] if found else found


def further_regions(project: Project, home: str) -> list[str]:
    """The regions of a project's stages besides its own."""
    named = [region for stage in STAGES for region in regions_of(project, stage, home)]
    return [region for region in dict.fromkeys(named) if region != home]


def read_image(reader: Reader, account: str, project: Project, region: str) -> Image:
    repository, kind, label = parts(container(project.version)["Image"])
    ask = partial(reader.ask, account, "ecr", region=region, repositoryName=repository)
    policy = ask("GetRepositoryPolicy")
    return Image(ask("DescribeImages", imageIds=[{kind: label}]), policy["policyText"] if policy else policy)


# -- the checks --------------------------------------------------------------------------------


@finding(
    "model-region-bucket-policy",
    "stops",
    "The bucket of the models in a further region does not let every target account read",
    "The endpoint there fails while it downloads its model.",
    safe=True,
)
def model_region_bucket_policy(it: Snapshot) -> Iterator[Place]:
    for region, bucket in it.further.buckets.items():
        if bucket:
            yield from let_in(it, bucket, region)


@finding(
    "model-region-key-policy",
    "stops",
    "The models' key in a further region does not let every target account decrypt",
    "The endpoint there fails while it downloads its model.",
    safe=True,
)
def model_region_key_policy(it: Snapshot) -> Iterator[Place]:
    for region, key in it.further.keys.items():
        if key.described:
            yield from let_decrypt(it, key, region)


@finding(
    "version-image-region",
    "stops",
    "A version's image is not in a further region of its project",
    "SageMaker pulls the image in the endpoint's region. The Build step refuses the version.",
)
def version_image_region(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        text = str(container(version).get("Image", ""))
        image = IMAGE.fullmatch(text)
        for region in further_regions(project, it.region) if image else ():
            found = it.further.images.get((project.name, region))
            if image and image[1] == it.account and found and found.there is None:
                yield here(it, name, f"{region} has no {text.split('/', 1)[1]}", replicate(it, parts(text)[0], region))
            if image and image[1] != it.account and not built_in(image[1], image[2], region):
                what = f"{text} is neither SageMaker's XGBoost nor of account {it.account}: not known in {region}"
                yield here(it, name, what, APPROVE_ANOTHER.format(what=f"an image of account {it.account}"))


def replicate(it: Snapshot, repository: str, region: str) -> str:
    """What brings a repository's images to a region: a push, where they are replicated already; else the kit's rule."""
    again = f"push {repository} again: what was pushed before is not replicated"
    there = it.further.rules if known(it.further.rules) else []
    if any(
        image_replication.matches(rule, repository)
        and {"region": region, "registryId": it.account} in rule["destinations"]
        for rule in there
    ):
        return f"{again}, and replication takes up to half an hour"
    prefix = it.settings.images.repository_prefix
    if "/" in repository and not prefix:
        return (
            f"write images: {{repository_prefix: {repository.split('/')[0]}}} into the environment file, run "
            f"{it.make_accounts}, then {again}"
        )
    if repository.startswith(f"{prefix}/") and prefix:
        return f"see finding image-replication, then {again}"
    return (
        "aws ecr put-replication-configuration --replication-configuration RULES with a rule for it from "
        f"{it.region} to {region} beside those that aws ecr describe-registry shows, then {again}"
    )


def built_in(owner: str, home: str, region: str) -> bool:
    """Whether an image is SageMaker's XGBoost, with a known registry in both regions."""
    return XGBOOST_ACCOUNTS.get(home) == owner and region in XGBOOST_ACCOUNTS


@finding(
    "version-image-region-shared",
    "stops",
    "The copy of a version's image in a further region may not be pulled by the target accounts",
    "SageMaker answers with access denied when the endpoint starts. Replication does not copy a repository's policy, "
    "and a repository creation template gives one to those repositories only that are made after it.",
)
def version_image_region_shared(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        for (owner, region), found in it.further.images.items():
            if owner != project.name or not found.there or not known(found.policy):
                continue
            repository = parts(container(version)["Image"])[0]
            arn = f"arn:{it.partition}:ecr:{region}:{it.account}:repository/{repository}"
            if shut := shut_out(it, found.policy, "ecr:BatchGetImage", arn):
                what = f"the repository {repository} in {region} does not let in {short([a for a, _ in shut])}"
                yield here(it, name, what, let_pull(it, region, repository))


@finding(
    "image-replication",
    "stops",
    "Images that the environment file wants in a further region are not replicated there as they should be",
    "The Build step refuses a version whose image is not in every region; a repository made without the kit's creation "
    "template lets no target account pull.",
)
def image_replication_is_there(it: Snapshot) -> Iterator[Place]:
    prefix, there = it.settings.images.repository_prefix, it.further.rules
    for region, templates in it.further.templates.items():
        if known(there) and not image_replication.covers(there, it.account, prefix, region):
            what = f"no rule replicates {prefix}/… to {region}"
            yield here(it, f"registry of {it.account}", what, rule_fix(it, there))
        if known(templates) and not replicates(templates):
            what = f"{region} has no repository creation template for {prefix} that is applied for REPLICATION"
            yield Place(it.account, f"registry of {it.account}", what, template_fix(it, region, templates), region)


def replicates(templates: Any) -> bool:
    return any("REPLICATION" in template["appliedFor"] for template in templates or ())


def rule_fix(it: Snapshot, there: Any) -> str:
    """`make accounts`; the rule itself where the stack has one and it was taken away by hand."""
    stack = it.data_science.stack
    made = image_replication.made_by(stack.parameters, it.account) if stack else []
    if not image_replication.besides(made, there):
        return it.make_accounts
    return image_replication.command(it.region, [*there, *made])


def template_fix(it: Snapshot, region: str, there: Any) -> str:
    """`make accounts` where the region's stack has not got the template yet; else the template itself."""
    prefix, stack = it.settings.images.repository_prefix, it.data_science.further.get(region)
    if not stack or not stack.parameters.get("ImageRepositoryPrefix"):
        return it.make_accounts
    policy = json.dumps({"Version": "2012-10-17", "Statement": [pull_statement(it)]})
    return (
        f"aws ecr {'update' if there else 'create'}-repository-creation-template --region {region} --prefix {prefix} "
        f"--applied-for REPLICATION --repository-policy '{policy}'"
    )
