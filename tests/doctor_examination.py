"""A broken installation examined: the finding is there, tells how to mend it, and a safe fix mends it."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
from botocore import xform_name

from scripts.bundle.doctor.findings import CHECKS
from tests.doctor_cases import CASES
from tests.doctor_world import World

ROOT = Path(__file__).parents[1]
CLI_OWN = {"region", "notification-endpoint", "no-retain-stacks"}  # options that are no members of the API
SESSION = botocore.session.Session()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def examine_broken(world: World, id: str) -> None:
    """Break the installation as the case says, examine it, and mend it again."""
    case, check = CASES[id], CHECKS[id]
    with case.broken(world):
        reader = world.reader(case.region, case.fresh)
        found = world.look_for(id, reader, case.project)
        assert found, f"{id} was not found"
        for one in found:
            assert re.fullmatch(r"\d{12}", one.place.account)
            assert one.place.resource
            assert one.place.what
            assert (one.place.request is not None) == check.safe
            check_commands(one.fix)
        assert any(case.fix in one.fix for one in found), [one.fix for one in found]
        if check.safe:
            world.mend(reader, found)
            assert world.look_for(id, reader, case.project) == []


def check_commands(fix: str) -> None:
    """Every command of the AWS CLI in a fix exists, with its options, and every target of the Makefile."""
    for told in re.findall(r"(?<![\w-])aws [a-z0-9-]+ [a-z-]+.*?(?=(?<![\w-])aws |$)", fix, re.MULTILINE):
        _, service, name, *_ = told.split()
        model = SESSION.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
        assert name in operations, fix
        shape = model.operation_model(operations[name]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        assert set(re.findall(r" --([a-z-]+)", told)) <= known | CLI_OWN, fix
    assert set(re.findall(r"^(?:then )?make ([a-z]+)", fix, re.MULTILINE)) <= TARGETS, fix
