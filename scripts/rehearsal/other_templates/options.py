"""The options of `python -m scripts.rehearse --template`, and what the command does with them."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.console import UsageError, near, paint, say
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.other_templates import check as template_check
from scripts.rehearsal.other_templates import model as template_model
from scripts.rehearsal.other_templates import play as template_play
from scripts.rehearsal.other_templates import report as template_report
from scripts.rehearsal.other_templates import seeds as template_seeds
from scripts.rehearsal.other_templates.run import Options, Run
from scripts.rehearsal.permissions import write_policies
from scripts.rehearsal.report.template_page import template_page

EXIT = {"succeeded": 0, "waiting": 0, "failed": 1, "refused": 1}


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
        const=template_model.GROUP,
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


def options(args: argparse.Namespace) -> Options:
    """The options; paths that are not there are a usage error at once."""
    seeds = {name: Path(folder) for name, folder in pairs("--seed-code", args.seed_code).items()}
    for path in [args.template, *args.setup, *seeds.values()]:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    for path in seeds.values():
        if path.is_file():
            template_seeds.zipped(path)  # says what is wrong with a zip file before anything starts
    for path in (args.template, *args.setup):
        template_check.read(path)
    return Options(
        template=args.template,
        seeds=seeds,
        parameters=pairs("--parameter", args.parameter),
        style=args.style,
        approve=args.approve,
        setup=tuple(args.setup),
        attach=tuple(attachments(args.attach)),
        replace=pairs("--replace", args.replace),
        launch_role=args.launch_role or "",
        project=args.project,
        region=args.region,
        patience=args.patience,
        model=args.model or "",
    )


def rehearse(args: argparse.Namespace) -> int:
    """Run the template, report, and give the exit code."""
    chosen, start = options(args), time.monotonic()
    folder = args.folder / "template"
    with embedded_aws(folder, args.port) as cloud:
        run = Run(cloud, chosen)
        say(paint(f"{chosen.template} as a {chosen.style} project", "1"))
        template_play.play(run)
        report = template_report.report(run, time.monotonic() - start)
        write_policies(cloud, folder / "policies.json")
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(template_page(report), encoding="utf-8")
    template_report.show(report)
    say(f"{near(folder / 'report.html')} shows it all")
    if args.json:
        print(json.dumps(report, indent=2))
    return EXIT[report["outcome"]]
