"""The further Regions of endpoints: the models' bucket and key in each, and the images that are replicated there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.projects import Project, image_of, read_image, regions_of
from scripts.kit.doctor.facts.storage import Key, read_bucket, read_key
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.names import model_bucket
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions
from scripts.kit.together import together


@dataclass(frozen=True)
class Copy:
    """An image's copy in another Region: None where it is not there; policy: of its repository."""

    there: Any
    policy: Any


@dataclass(frozen=True)
class Further:
    """buckets, keys: by Region; images: of the data science account's registry, by project and Region.

    rules: by which the registry replicates; templates: by which it creates repositories, by Region (both only where
    images are to be replicated)
    """

    buckets: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    images: Mapping[tuple[str, str], Copy] = field(default_factory=dict)
    rules: Any = UNREAD
    templates: Mapping[str, Any] = field(default_factory=dict)


def gather(reader: Reader, settings: Settings, projects: Any) -> Further:
    account, regions = settings.accounts.data_science, model_regions.further(settings)
    own = [
        (project, image, region)
        for project in projects or ()
        if (image := image_of(project.version)) and image.account == account
        for region in further_regions(project, reader.region)
    ]
    buckets: list[Any] = together(
        partial(read_bucket, reader, account, model_bucket(account, region), region) for region in regions
    )
    keys = together(partial(read_key, reader, account, region) for region in regions)
    copies = together(partial(read_image, reader, image, region) for _, image, region in own)
    images = {(project.name, region): Copy(*copy) for (project, _, region), copy in zip(own, copies, strict=True)}
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
        images,
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
    """The Regions of a project's stages besides its own."""
    named = [region for stage in project.has for region in regions_of(project, stage, home)]
    return [region for region in dict.fromkeys(named) if region != home]
