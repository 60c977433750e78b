"""The cure of a finding, carried out exactly as `make doctor` gives it."""

from __future__ import annotations

import contextlib
import re
import shlex

from localaws.cloud import Session
from scripts.kit.doctor.findings import Finding
from scripts.kit.doctor.following import grouped, roots
from tests.support import aws_cli
from tests.support.aws_cli import NotACommand
from tests.support.doctor_world import World
from tests.support.story_steps import follow

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


def heal(world: World) -> set[str]:
    """Do what `make doctor` says, once: the findings that it was said of, none of which may be there afterwards.

    What follows from another finding is healed with it. Where a cure begins a deployment, its approver approves.
    """
    causes = found(world)
    for fix, account in dict.fromkeys(
        (one.fix, "" if one.fix.startswith("make ") else one.place.account) for one in causes
    ):  # once, where two have one cure
        for line in lines_of(fix):
            print(f"{account} $ {line}")
            type_in(world, line, account)
            if " start-pipeline-execution " in line:
                started = world.story.executions()[0]["pipelineExecutionId"]
                assert follow(world.story, started) == "Succeeded", world.story.diagnosis()
            world.settled()
    assert [(one.check.id, one.place) for one in found(world)] == []
    return {one.check.id for one in causes}


def found(world: World) -> list[Finding]:
    """The findings that follow from no other, by a bundle as the environment file has it published."""
    world.read_bundle()
    return list(roots(grouped(world.look(world.reader()))))


def person(world: World, account: str) -> Session:
    """Who types it: the ML engineer in the accounts that have one, elsewhere an administrator of the account."""
    if account in (world.account, world.management):
        return world.engineer(account)
    return world.cloud.root(account, world.story.region)


def carry_out(world: World, one: Finding) -> None:
    """The whole cure of one finding; NotACommand where it is no row of commands."""
    for line in lines_of(one.fix):
        type_in(world, line, one.place.account)
        world.settled()


def type_in(world: World, line: str, account: str) -> None:
    """One line of a cure, in the account of its finding; with the profile that it names, in that profile's."""
    if line.startswith("aws "):
        words = shlex.split(line)
        named = profile(world, words, account)
        aws_cli.send(person(world, named), line)
    else:
        make(world, line)


def profile(world: World, words: list[str], otherwise: str) -> str:
    """The account of the profile that a command names, which is taken out of its words."""
    if "--profile" not in words:
        return otherwise
    at = words.index("--profile")
    named = {"management": world.management, "data-science": world.account}[words[at + 1]]
    del words[at : at + 2]
    return named


def make(world: World, line: str) -> None:
    """A command of the Makefile, with the profile that it names."""
    _, target, *words = shlex.split(line)
    arguments: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        arguments += shlex.split(value) if name == "ARGS" else [VARIABLES[name], value]
    account = profile(world, arguments, world.account)
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
        "domain-role", "domain-status", "endpoint-taken-back", "group-accounts", "model-bucket-deny", "network-parts",
        "network-unnamed", "network-zones",
        "model-bucket-untagged", "model-role-reads", "organization-features", "organization-management",
        "organization-missing", "pipeline-missing", "policy-size", "portfolio-share", "project-absent",
        "project-connection", "project-name", "project-regions",
        "project-role-missing", "region-service", "role-unbound", "rule-missing", "seed-changed",
        "service-control-policy", "source-unavailable", "stage-accounts", "stage-inoperable", "stage-outdated",
        "stack-sets-role-gaps", "stack-sets-role-missing", "stage-regions", "stage-stack-failed", "stage-stray",
        "starter-missing", "studio-role-missing",
        "target-closed", "target-role-path", "template-changed", "template-role-missing", "template-role-pass",
        "training-failed", "training-pipeline-missing",
        "unit-empty",
        "unit-management-account", "unit-missing", "unit-own-account", "unit-suspended", "units-overlap",
        "version-artifact-key", "version-artifact-missing", "version-artifact-shared", "version-image",
        "version-image-missing", "version-image-region", "version-image-region-shared", "version-image-shared",
        "versions-many",
    }
)  # fmt: skip
# Cured on a deployed project, in tests/kit/doctor/test_cures.py: of another environment file, of what was deleted, …
OF_SETTINGS = frozenset(
    {
        "kit-stack-differs", "model-bucket-policy", "model-key-policy", "model-role-missing", "principal-missing",
        "product-untagged", "project-roles", "project-units", "target-set-differs", "target-stack-differs",
        "target-stack-missing", "template-unpublished", "tester-role-missing", "version-unpublished",
    }
)  # fmt: skip
BY_HAND = frozenset(
    {
        "endpoint-missing", "group-policy", "kit-stack-missing", "model-role-missing", "portfolio-missing",
        "seed-missing", "shadow-left", "target-stack-missing", "template-missing", "tester-role-missing",
        "version-failed",
    }
)  # fmt: skip
AFTERWARDS = frozenset(
    {
        "image-replication", "kit-stack-differs", "kit-stack-failed", "model-region-missing", "project-outdated",
        "target-set-differs", "target-stack-differs", "tester-role-trust",
    }
)  # fmt: skip
IN_THE_END = frozenset({"project-failed", "target-stack-failed"})
WITH_A_DEPLOYMENT = (OF_SETTINGS | BY_HAND | AFTERWARDS | IN_THE_END) - {"tester-role-trust"}  # that in both worlds
# Cures that are commands, and are carried out in neither world; another test runs the command.
UPGRADE = "make upgrade: tests/kit/test_upgrade.py"
QUOTA = "Service Quotas decides over the increase: not supported by the embedded AWS"
NOT_PLAYED = {
    "project-accounts": f"needs a project without an organization; {UPGRADE}",
    "project-accounts-twice": f"needs a project without an organization; {UPGRADE}",
    "project-administrator": f"the stack sets of another administrator stay where they are; {UPGRADE}",
    "quota-blue-green": QUOTA,
    "quota-builds": QUOTA,
    "quota-instances": QUOTA,
    "quota-jobs": QUOTA,
    "quota-operations": QUOTA,
    "quota-serverless": QUOTA,
    "quota-stack-instances": QUOTA,
    "quota-stack-sets": QUOTA,
    "quota-training": QUOTA,
    "training-push": f"the project has no such build, its stack only says so; {UPGRADE}",
}
