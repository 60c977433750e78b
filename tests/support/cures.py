"""The cure of a finding, carried out exactly as `make doctor` gives it."""

from __future__ import annotations

import contextlib
import re
import shlex

from localaws.cloud import Session
from scripts.kit.doctor.findings import Finding
from tests.support import aws_cli
from tests.support.aws_cli import NotACommand
from tests.support.doctor_world import World

VARIABLES = {"PROJECT": "--project", "ACCOUNT": "--account", "REGION": "--endpoint-region"}  # as the Makefile has them


def lines_of(fix: str) -> list[str]:
    """The commands of a cure, in order; NotACommand where anything else is in it."""
    with contextlib.suppress(NotACommand):
        aws_cli.parse(fix)  # one command, whose policy may have several lines
        return [fix]
    lines = [line.removeprefix("then ") for line in fix.splitlines()]
    for line in lines:
        if line.startswith("aws "):
            aws_cli.parse(line)
        elif not re.fullmatch(r'make [a-z]+( [A-Z]+=("[^"]*"|\S+))*', line):
            raise NotACommand(line)
    return lines


def person(world: World, account: str) -> Session:
    """Who types it: the ML engineer in the accounts that have one, elsewhere an administrator of the account."""
    if account in (world.account, world.management):
        return world.engineer(account)
    return world.cloud.root(account, world.story.region)


def carry_out(world: World, found: Finding) -> None:
    """The whole cure of one finding; NotACommand where it is no row of commands."""
    for line in lines_of(found.fix):
        if line.startswith("aws "):
            aws_cli.send(person(world, found.place.account), line)
        else:
            make(world, line)
        world.settled()


def make(world: World, line: str) -> None:
    """A command of the Makefile, with the profile that it names."""
    _, target, *words = shlex.split(line)
    arguments: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        arguments += shlex.split(value) if name == "ARGS" else [VARIABLES[name], value]
    account = world.account
    if "--profile" in arguments:
        at = arguments.index("--profile")
        account = {"management": world.management, "data-science": world.account}[arguments[at + 1]]
        del arguments[at : at + 2]
    if target == "package":
        return  # the world's bundle is packed
    given = ["--environment", str(world.story.environment_path)]
    given += ["--bundle", str(world.story.folder / "bundle")] if target == "publish" else []
    world.story.command(world.engineer(account), f"scripts.{target}", *given, *arguments)


# -- the rows ------------------------------------------------------------------------------------------

# Findings whose cure a person decides, fills in or writes: no command heals them as it is printed.
WORDS = frozenset(
    {
        "approvals-unheard", "approvers-none", "boundary-missing", "catalog-twice", "config-missing",
        "config-wrong", "connection-missing", "connection-pending", "data-science-account", "domain-missing",
        "domain-role", "domain-status", "endpoint-taken-back", "group-accounts", "model-bucket-deny",
        "model-bucket-untagged", "model-role-reads", "organization-features", "organization-management",
        "organization-missing", "pipeline-missing", "policy-size", "portfolio-share", "project-absent",
        "project-connection", "project-creator-missing", "project-name", "project-regions",
        "project-role-missing", "region-service", "role-unbound", "rule-missing", "seed-changed",
        "service-control-policy", "source-unavailable", "stage-accounts", "stage-inoperable", "stage-outdated",
        "stack-sets-role-gaps", "stack-sets-role-missing", "stage-regions", "stage-stack-failed", "stage-stray",
        "starter-missing", "studio-role-missing",
        "target-closed", "target-role-path", "template-changed", "template-role-pass", "unit-empty",
        "unit-management-account", "unit-missing", "unit-own-account", "unit-suspended", "units-overlap",
        "version-artifact-key", "version-artifact-missing", "version-artifact-shared", "version-image",
        "version-image-missing", "version-image-region", "version-image-region-shared", "version-image-shared",
        "versions-many",
    }
)  # fmt: skip
# Cures that are commands, and are not carried out in the doctor's world. In most, only its record of a stack, a stack
# set or a project is broken, which no command of the Makefile can heal; another test runs the command.
ACCOUNTS, PUBLISH = "make accounts: tests/kit/test_accounts.py", "make publish: tests/kit/test_publish.py"
UPGRADE, REPAIR = "make upgrade: tests/kit/test_upgrade.py", "make repair: tests/kit/test_repair.py"
QUOTA = "Service Quotas decides over the increase: not supported by the embedded AWS"
NOT_PLAYED = {
    "bundle-bucket-missing": PUBLISH,
    "endpoint-missing": REPAIR,
    "group-policy": "deploys: the world has no pipeline that could",
    "image-replication": ACCOUNTS,
    "kit-stack-differs": ACCOUNTS,
    "kit-stack-failed": "CloudFormation goes on: tests/localaws/cloudformation/test_updates.py",
    "kit-stack-missing": ACCOUNTS,
    "model-bucket-missing": "a first step: `make doctor` then finds what the new bucket lacks, each with its cure",
    "model-region-missing": ACCOUNTS,
    "model-role-missing": ACCOUNTS,
    "portfolio-missing": PUBLISH,
    "product-missing": PUBLISH,
    "product-untagged": PUBLISH,
    "project-accounts": UPGRADE,
    "project-accounts-twice": UPGRADE,
    "project-administrator": UPGRADE,
    "project-failed": "takes the project away: tests/kit/test_teardown.py",
    "project-outdated": UPGRADE,
    "project-roles": UPGRADE,
    "project-units": UPGRADE,
    "quota-blue-green": QUOTA,
    "quota-builds": QUOTA,
    "quota-instances": QUOTA,
    "quota-operations": QUOTA,
    "quota-stack-instances": QUOTA,
    "quota-stack-sets": QUOTA,
    "quota-training": QUOTA,
    "seed-missing": PUBLISH,
    "target-set-account": ACCOUNTS,
    "target-set-differs": ACCOUNTS,
    "target-stack-differs": ACCOUNTS,
    "target-stack-failed": ACCOUNTS,
    "target-stack-missing": ACCOUNTS,
    "template-missing": PUBLISH,
    "template-role-missing": ACCOUNTS,
    "template-unpublished": PUBLISH,
    "tester-role-missing": ACCOUNTS,
    "version-failed": PUBLISH,
    "version-none": PUBLISH,
    "version-unpublished": PUBLISH,
}
