"""A broken installation checked: the finding is there with its fix, and a safe fix repairs it."""

from __future__ import annotations

import re
from dataclasses import replace

import botocore.session
from botocore import xform_name

from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.doctor.facts.targets import Target
from scripts.kit.doctor.findings import Finding
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import TARGET_STACK
from scripts.rehearsal.story import signed_in
from tests.kit.doctor.cases import CASES
from tests.support import cures
from tests.support.aws_cli import NotACommand
from tests.support.doctor_world import World, of_kind
from tests.support.makefile import TARGETS

CLI_OWN = {"region", "profile", "notification-endpoint", "no-retain-stacks"}  # options that are no members of the API
# How else an installation may be: who makes its stack sets, and where its project template is published.
KINDS = (("management", "both"), ("self-managed", "both"), ("delegated", "s3"), ("delegated", "service-catalog"))
WRONG = {  # what no fix may say in such an installation
    "delegated": r"(publish|upgrade).*--profile management|accounts.*--profile data-science|--call-as SELF",
    "management": r"--profile data-science|--call-as DELEGATED_ADMIN|register-delegated-administrator",
    "self-managed": r"--profile management|--call-as|aws organizations|OrganizationalUnit|PrincipalOrg|\bunits?\b"
    r"|\bOUs?\b|iam:::|iam::root",
    "s3": "aws servicecatalog|Amazon SageMaker AI project templates",
    "service-catalog": "project-templates/",
}
# What cannot be wrong there.
NOT_THERE = {
    "management": {"delegation", "unit-management-account", "project-administrator"},
    "self-managed": {"target-set-account", "target-set-differs", "project-units", "stage-stray"}
    | {check.id for check in CHECKS.values() if check.subject in {"organization", "units"}},
    "s3": {id for id in CHECKS if id.startswith(("portfolio-", "product-", "catalog-", "constraint-", "principal-"))}
    | {id for id in CHECKS if id.startswith("launch-role-")}
    | {"version-none", "version-failed", "version-unpublished", "version-choice", "versions-many"}
    | {"project-outdated", "could-change-product"},  # of what is created from the product
    "service-catalog": {check.id for check in CHECKS.values() if check.subject == "hosted"}
    | {id for id in CHECKS if id.startswith("template-role-")},
}
OF_THE_STACK = {"bundle-bucket-missing", "model-bucket-missing"}  # with a policy as the stack there has it
GATHERED_ANEW = {"self-managed": {"organization", "target_sets"}, "delegated": {"catalog", "hosted", "launch_role"}}
SESSION = botocore.session.Session()


def check_broken(world: World, id: str) -> None:
    """Break the installation as the case says, check it, and repair it."""
    case, check = CASES[id], CHECKS[id]
    with case.broken(world):
        reader = world.reader(case.region, case.fresh)
        facts = world.begin(reader, case.project)
        found = world.look_for(id, facts)
        assert found, f"{id} was not found"
        for one in found:
            assert re.fullmatch(r"\d{12}", one.place.account)
            assert one.place.resource
            assert one.place.what
            assert (one.place.request is not None) == check.safe
            check_commands(re.sub("--policy '.*'", "--policy x", one.fix) if id in OF_THE_STACK else one.fix, facts)
        assert any(case.fix in one.fix for one in found), [one.fix for one in found]
        for administrator, to in KINDS:
            if not facts.alone:
                check_as(world, id, facts, administrator, to)
        if check.safe:
            world.fix(reader, found)
            assert world.look_for(id, world.begin(reader, case.project)) == []
        else:
            check_cure(world, id, found)


def check_cure(world: World, id: str, found: list[Finding]) -> None:
    """Every finding has a row: its cure, carried out as it is printed, heals it here; or elsewhere; or why not."""
    try:
        for one in found:
            cures.lines_of(one.fix)
    except NotACommand:
        assert id in cures.WORDS, f"the cure of {id} cannot be typed as it is printed: {found[0].fix}"
        return
    assert id not in cures.WORDS, f"the cure of {id} is a command now: take it out of WORDS"
    if id in cures.WITH_A_DEPLOYMENT | cures.NOT_PLAYED.keys():
        return
    case = CASES[id]
    for one in found:
        cures.carry_out(world, one)
    assert world.look_for(id, world.begin(world.reader(case.region, case.fresh), case.project)) == []


def check_as(world: World, id: str, facts: Snapshot, administrator: str, to: str) -> None:
    """The same facts in an installation of another kind: the finding is there where it can be, with the right fix."""
    text = world.story.environment_path.read_text()
    with world.environment(text, of_kind(text, administrator, to)):
        other = world.begin(facts.reader, facts.only)
    differ = {"settings", *GATHERED_ANEW.get(administrator, ())}
    other.__dict__ |= {name: fact for name, fact in facts.__dict__.items() if name not in differ}
    if administrator == "self-managed":  # template 20 is a stack of its own there
        with signed_in(world.engineer(world.management)):
            other.__dict__ |= {"targets": tuple(with_own_stack(target) for target in facts.targets)}
    found = world.look_for(id, other)
    there = id not in NOT_THERE.get(administrator, set()) | NOT_THERE.get(to, set())
    assert bool(found) == there, (administrator, to, [one.fix for one in found])
    for one in found:
        check_commands(re.sub("--policy '.*'", "--policy x", one.fix) if id in OF_THE_STACK else one.fix, other)


def with_own_stack(target: Target) -> Target:
    return replace(target, stack=replace(target.stack, name=TARGET_STACK)) if target.stack else target


def check_commands(fix: str, facts: Snapshot) -> None:
    """Every command of the AWS CLI in a fix exists, with its options, and every target of the Makefile.

    And all of it suits the kind of installation.
    """
    for kind in (facts.settings.administrator, facts.settings.publishing.to):
        assert not re.search(WRONG.get(kind, "^$"), fix), (kind, fix)
    for command in re.findall(r"(?<![\w-])aws [a-z0-9-]+ [a-z-]+.*?(?=(?<![\w-])aws |$)", fix, re.MULTILINE):
        _, service, name, *_ = command.split()
        model = SESSION.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
        assert name in operations, fix
        shape = model.operation_model(operations[name]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        assert set(re.findall(r" --([a-z-]+)", command)) <= known | CLI_OWN, fix
    assert set(re.findall(r"^(?:then )?make ([a-z]+)", fix, re.MULTILINE)) <= set(TARGETS), fix
