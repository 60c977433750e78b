"""The further regions of endpoints: who may read the models that builds copy there, and whether images are there.

Template 11 makes a bucket and a key in each (docs/decisions/0009). Amazon ECR User Guide, "Private image
replication": a repository's policy is not replicated with its images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.bundle import model_regions
from scripts.bundle.doctor.data_science import here
from scripts.bundle.doctor.findings import Place, finding
from scripts.bundle.doctor.models import APPROVE_ANOTHER, IMAGE, let_pull, versions
from scripts.bundle.doctor.organization import STAGES
from scripts.bundle.doctor.projects import Project, container, parts, regions_of
from scripts.bundle.doctor.reader import Reader, known
from scripts.bundle.doctor.storage import Key, let_decrypt, let_in, read_bucket, read_key, short, shut_out
from scripts.bundle.environment import Environment
from scripts.bundle.together import together
from scripts.rehearsal.services.sagemaker.images import XGBOOST_ACCOUNTS

if TYPE_CHECKING:
    from scripts.bundle.doctor.snapshot import Snapshot


@dataclass(frozen=True)
class Image:
    """An image's copy in another region: None where it is not there; policy: of its repository."""

    there: Any
    policy: Any


@dataclass(frozen=True)
class Further:
    """buckets, keys: by region; images: of the data science account's registry, by project and region."""

    buckets: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    images: Mapping[tuple[str, str], Image] = field(default_factory=dict)


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Environment, projects: Any) -> Further:
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
    return Further(
        dict(zip(regions, buckets, strict=True)),
        dict(zip(regions, keys, strict=True)),
        dict(zip(named, images, strict=True)),
    )


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
                repository = parts(text)[0]
                yield here(
                    it,
                    name,
                    f"{region} has no {text.split('/', 1)[1]}",
                    "aws ecr put-replication-configuration --replication-configuration RULES with a rule from "
                    f"{image[2]} to {region} beside those that aws ecr describe-registry shows, then push {repository} "
                    "again: what was pushed before is not replicated",
                )
            if image and image[1] != it.account and not built_in(image[1], image[2], region):
                what = f"{text} is neither SageMaker's XGBoost nor of account {it.account}: not known in {region}"
                yield here(it, name, what, APPROVE_ANOTHER.format(what=f"an image of account {it.account}"))


def built_in(owner: str, home: str, region: str) -> bool:
    """Whether an image is SageMaker's XGBoost, with a known registry in both regions."""
    return XGBOOST_ACCOUNTS.get(home) == owner and region in XGBOOST_ACCOUNTS


@finding(
    "version-image-region-shared",
    "stops",
    "The copy of a version's image in a further region may not be pulled by the target accounts",
    "SageMaker answers with access denied when the endpoint starts. Replication does not copy a repository's policy.",
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
