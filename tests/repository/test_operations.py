"""Every operation that the kit names in text is one of AWS's, and has the member that is read from its pages.

mypy checks a request that is a client's method (test_types.py). The operations given by name are compared here with
botocore's models: to pages and whole_pages as a method's name, to the doctor's reader as in the API reference.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from botocore import xform_name

from tests.support import ROOT

SESSION = botocore.session.Session()
READERS = {"ask", "pages", "whole_pages", "through"}
TEXTS = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "scripts").rglob("*.py"))}
TYPED = re.findall(r'Literal\["([a-z0-9-]+)"\]', TEXTS[ROOT / "scripts/kit/clients.py"])
BY_NAME = re.compile(r'(?:named_client\(|partial\(reader[.]\w+, account, )"([a-z0-9-]+)"')
NAMED = {name for text in TEXTS.values() for name in BY_NAME.findall(text)}
SERVICES = [*TYPED, *sorted(NAMED - set(TYPED))]


@cache
def operations(service: str) -> dict[str, frozenset[str]]:
    """The members of each operation's answer, by the operation's name and by its method's."""
    model = SESSION.get_service_model(service)
    found = {}
    for name in model.operation_names:
        output = model.operation_model(name).output_shape
        found[name] = found[xform_name(name)] = frozenset(output.members if output else ())
    return found


def calls(text: str) -> Iterator[tuple[ast.Call, list[str]]]:
    """Each call of a reader with what it names, in order: service (which may be missing), operation, member."""
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call):
            called = [call.func, *(call.args[:1] if ast.unparse(call.func) == "partial" else ())]
            if READERS & {ast.unparse(one).split(".")[-1] for one in called}:
                yield call, [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]


def problems(text: str) -> Iterator[str]:
    for call, named in calls(text):
        services = SERVICES
        if named[:1] and named[0] in SESSION.get_available_services():
            services = [named.pop(0)]
        if not named:
            continue  # partial(reader.ask, account, "organizations"): the operation is in the call of what it gives
        operation, *members = named
        there = [service for service in services if operation in operations(service)]
        if not there:
            yield f"line {call.lineno}: no operation {operation}"
        elif members and not any(members[0] in operations(service)[operation] for service in there):
            yield f"line {call.lineno}: {operation} answers no {members[0]}"


def test_every_operation_that_is_named_exists_and_has_the_member_that_is_read() -> None:
    found = [f"{path.relative_to(ROOT)} {problem}" for path, text in TEXTS.items() for problem in problems(text)]
    assert found == []


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ('pages(client, "list_stackz", "StackSummaries")', "no operation list_stackz"),
        ('pages(client, "list_stacks", "Stackz")', "list_stacks answers no Stackz"),
        ('whole_pages(client, "list_stackz")', "no operation list_stackz"),
        ('reader.ask(account, "sagemaker", "ListStacks")', "no operation ListStacks"),
        ('reader.pages(account, "iam", "ListRoles", "Role")', "ListRoles answers no Role"),
        ('partial(reader.ask, account, "events", "DescribeRulez", Name="x")', "no operation DescribeRulez"),
        ('ask("DescribeKeyz", KeyId=id)', "no operation DescribeKeyz"),
    ],
)
def test_a_misspelt_operation_or_member_is_found(call: str, problem: str) -> None:
    assert list(problems(call)) == [f"line 1: {problem}"]


def test_the_files_of_the_kit_name_operations_in_every_form() -> None:
    """The check above would find nothing, and pass, if the readers had other names."""
    found = [ast.unparse(call.func).split(".")[-1] for text in TEXTS.values() for call, named in calls(text) if named]
    assert set(found) == READERS | {"partial"}
