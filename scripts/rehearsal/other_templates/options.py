"""The options of `python -m scripts.rehearse --template`, which are read without loading the embedded AWS."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from scripts.kit import arguments
from scripts.kit.console import UsageError

GROUP = "{project_name}-{project_id}"  # the model group, as AWS's own project templates call it


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "another team's project template",
        "rehearse a SageMaker project template instead of the story: provision it under the stock launch role and "
        "follow its pipelines",
    )
    group.add_argument("--template", type=arguments.path, metavar="FILE", help="the project template (YAML or JSON)")
    group.add_argument(
        "--seed-code",
        type=arguments.pair,
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="first content of a repository: NAME is the zip file that the template names (its last part, its "
        "whole key, bucket/key, or the repository's logical id), FOLDER what is in it (or a zip file)",
    )
    group.add_argument(
        "--parameter",
        type=arguments.pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; {staging_unit}, {production_unit}, {staging_account}, "
        "{production_account}, {data_science_account}, {management_account}, {region}, {studio_role}, "
        "{studio_role_arn} and {seed_bucket} stand for the rehearsal's own",
    )
    group.add_argument(
        "--style",
        choices=["service-catalog", "s3"],
        default="service-catalog",
        help="how the project finds the template: as a product, or in a bucket (default: %(default)s)",
    )
    group.add_argument("--approve", action="store_true", help="answer manual approvals, and approve models, with yes")
    group.add_argument(
        "--model",
        type=arguments.word,
        nargs="?",
        const=GROUP,
        metavar="GROUP",
        help="once the pipelines stand still, approve a version in this model package group, so that a deployment "
        "pipeline has one to deploy (without GROUP: {project_name}-{project_id})",
    )
    group.add_argument(
        "--setup",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="a template that an administrator deploys before, for roles that the project template expects",
    )
    group.add_argument(
        "--attach",
        type=arguments.pair,
        action="append",
        default=[],
        metavar="ROLE=POLICY",
        help="attach a managed policy (AWS's by its path and name, or an ARN) to a role before the project is made, "
        "where the template's instructions say so",
    )
    group.add_argument(
        "--replace",
        type=arguments.pair,
        action="append",
        default=[],
        metavar="TEXT=TEXT",
        help="replace a text in the template, where its publisher has a script that does so",
    )
    group.add_argument(
        "--launch-role",
        type=arguments.word,
        metavar="ROLE",
        help="launch with another role, path and name, or its ARN",
    )
    group.add_argument(
        "--trust",
        action="store_true",
        help="run the template's build commands and functions without asking: they run with your rights",
    )
    group.add_argument(
        "--patience",
        type=arguments.seconds,
        default=900.0,
        metavar="SECONDS",
        help="how long to follow (default: %(default)s)",
    )


def pairs(option: str, given: list[str]) -> dict[str, str]:
    """NAME=VALUE options by name; UsageError for one without =, or given twice."""
    found: dict[str, str] = {}
    for item in given:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise UsageError(f"{option} {item}: write NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name} is given twice")
        found[name] = value
    return found


def attachments(given: list[str]) -> Iterator[tuple[str, str]]:
    """(role, policy ARN) of each --attach; a role may be given more than one."""
    for item in given:
        ((role, policy),) = pairs("--attach", [item]).items()
        yield role, policy if policy.startswith("arn:") else f"arn:aws:iam::aws:policy/{policy}"
