"""A broken installation checked: the finding is there, says how to fix it, and a safe fix does."""

from __future__ import annotations

import re
from dataclasses import replace

import botocore.session
from botocore import xform_name

from scripts.kit.doctor.findings import CHECKS
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.doctor.targets import Target
from scripts.kit.stacks.target_roles import TARGET_STACK
from tests.kit.doctor.cases import CASES
from tests.support import ROOT
from tests.support.doctor_world import World, of_kind

CLI_OWN = {"region", "notification-endpoint", "no-retain-stacks"}  # options that are no members of the API
# How else an installation may be: who makes its stack sets, and where its project template is published.
KINDS = (("management", "both"), ("self-managed", "both"), ("delegated", "s3"), ("delegated", "service-catalog"))
WRONG = {  # what no fix may say in such an installation
    "delegated": r"(publish|upgrade).*--profile management|accounts.*--profile data-science|--call-as SELF",
    "management": r"--profile data-science|--call-as DELEGATED_ADMIN|register-delegated-administrator",
    "self-managed": r"--profile management|--call-as|aws organizations|OrganizationalUnit|PrincipalOrg|\bunits?\b"
    r"|iam:::|iam::root",
    "s3": "aws servicecatalog|Amazon SageMaker AI project templates",
    "service-catalog": "project-templates/",
}
# What cannot be wrong there.
NOT_THERE = {
    "management": {"delegation", "unit-management-account", "project-administrator"},
    "self-managed": {"target-set-account", "target-set-differs", "project-units", "stage-stray"}
    | {check.id for check in CHECKS.values() if check.subject == "organization"},
    "s3": {c.id for c in CHECKS.values() if c.subject in {"catalog", "launch"} and not c.id.startswith("seed-")}
    | {"project-outdated"},  # of a project that was made from the product
    "service-catalog": {check.id for check in CHECKS.values() if check.subject == "hosted"},
}
GATHERED_ANEW = {"self-managed": {"organization", "target_sets"}, "delegated": {"catalog", "hosted", "launch_role"}}
SESSION = botocore.session.Session()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def check_broken(world: World, id: str) -> None:
    """Break the installation as the case says, check it, and fix it again."""
    case, check = CASES[id], CHECKS[id]
    with case.broken(world):
        reader = world.reader(case.region, case.fresh)
        it = world.begin(reader, case.project)
        found = world.look_for(id, it)
        assert found, f"{id} was not found"
        for one in found:
            assert re.fullmatch(r"\d{12}", one.place.account)
            assert one.place.resource
            assert one.place.what
            assert (one.place.request is not None) == check.safe
            check_commands(one.fix, it)
        assert any(case.fix in one.fix for one in found), [one.fix for one in found]
        for administrator, to in KINDS:
            if not it.alone:
                check_as(world, id, it, administrator, to)
        if check.safe:
            world.mend(reader, found)
            assert world.look_for(id, world.begin(reader, case.project)) == []


def check_as(world: World, id: str, it: Snapshot, administrator: str, to: str) -> None:
    """The same facts in an installation of another kind: the finding is there where it can be, with the right fix."""
    text = world.story.environment_path.read_text()
    with world.environment(text, of_kind(text, administrator, to)):
        other = world.begin(it.reader, it.only)
    differ = {"settings", *GATHERED_ANEW.get(administrator, ())}
    other.__dict__ |= {name: fact for name, fact in it.__dict__.items() if name not in differ}
    if administrator == "self-managed":  # template 20 is a stack of its own there
        other.__dict__ |= {"targets": tuple(with_own_stack(target) for target in it.targets)}
    found = world.look_for(id, other)
    there = id not in NOT_THERE.get(administrator, set()) | NOT_THERE.get(to, set())
    assert bool(found) == there, (administrator, to, [one.fix for one in found])
    for one in found:
        check_commands(one.fix, other)


def with_own_stack(target: Target) -> Target:
    return replace(target, stack=replace(target.stack, name=TARGET_STACK)) if target.stack else target


def check_commands(fix: str, it: Snapshot) -> None:
    """Every command of the AWS CLI in a fix exists, with its options, and every target of the Makefile.

    And all of it suits the kind of installation.
    """
    for kind in (it.settings.administrator, it.settings.publishing.to):
        assert not re.search(WRONG.get(kind, "^$"), fix), (kind, fix)
    for text in re.findall(r"(?<![\w-])aws [a-z0-9-]+ [a-z-]+.*?(?=(?<![\w-])aws |$)", fix, re.MULTILINE):
        _, service, name, *_ = text.split()
        model = SESSION.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
        assert name in operations, fix
        shape = model.operation_model(operations[name]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        assert set(re.findall(r" --([a-z-]+)", text)) <= known | CLI_OWN, fix
    assert set(re.findall(r"^(?:then )?make ([a-z]+)", fix, re.MULTILINE)) <= TARGETS, fix
