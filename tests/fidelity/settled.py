"""Differences from the other evaluator that AWS's pages settle, each with its page: ours decides as the page says.

A difference counts as settled only where our evaluator, given the policies as the other one reads them, decides as the
other one does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.fidelity.cases import Case, ours
from tests.fidelity.policies import Document

Change = Callable[[Document], None]
NEVER = {"Null": {"aws:PrincipalIsAWSService": "true"}}  # the key is in every request
NO_RESOURCE = "arn:aws:none:::none"
PAGES = {
    "several": "more than one of the next six together",
    "type": (
        "a wildcard or variable in the resource type of an ARN: AWS's managed policies use it (security-group*/*, "
        '*-model/*), though "Identify AWS resources with Amazon Resource Names (ARNs)" allows none'
    ),
    "negated": '"IAM policy elements: Variables and tags", no value: inverted operators match',
    "arn": '"IAM policy elements: Variables and tags", Condition element: variables in any string or ARN operator',
    "version": '"IAM JSON policy elements: Version": documents of 2008-10-17 have no variables',
    "excluded": '"IAM policy elements: Variables and tags", no value: NotResource then excludes none',
    "absent": '"IAM JSON policy elements: Condition operators", IfExists: true where the key is absent',
    "root": '"AWS account root user": it has every permission in its account, without a policy',
    "direct": (
        '"AWS JSON policy elements: Principal", "Policy evaluation for requests within a single account": boundary and '
        "session policies do not limit what a resource's policy gives to a session, or to every principal"
    ),
    "excepted": '"AWS JSON policy elements: NotPrincipal": the account and the user or role must both be excepted',
}


def settled(case: Case, answer: str) -> str:
    """The reason, by its name in PAGES, why the other evaluator's answer is another than ours; "" without one."""
    other = answer == "Allowed"
    for name, change in READINGS.items():
        if ours(_read(case, [change])).allowed == other:
            return name
    if ours(_read(case, list(READINGS.values()))).allowed == other:
        return "several"
    decision = ours(case)
    if case.kind == "root" and not other:
        return "root"
    limited = case.session is not None or case.boundary is not None
    if decision.allowed and decision.layer in ("resource-based policy", "role trust policy") and limited:
        return "direct"
    if decision.layer == "resource-based policy" and "NotPrincipal" in json.dumps(case.of_resource):
        return "excepted"
    return ""


def _read(case: Case, changes: list[Change]) -> Case:
    def changed(value: Any) -> Any:
        found = json.loads(json.dumps(value))
        for document in found if isinstance(found, list) else [found] if found else []:
            for change in changes:
                change(document)
        return found

    layers = ("identity", "boundary", "session", "of_resource", "service_control", "resource_control")
    return replace(case, **{layer: changed(getattr(case, layer)) for layer in layers})


def statements_of(document: Document) -> Iterator[Document]:
    found = document["Statement"]
    yield from found if isinstance(found, list) else [found]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _types(document: Document) -> None:
    """Resources whose type is not plain text match nothing."""
    for statement in statements_of(document):
        for element in {"Resource", "NotResource"} & set(statement):
            statement[element] = [NO_RESOURCE if _odd_type(one) else one for one in listed(statement[element])]


def _odd_type(resource: str) -> bool:
    if resource.count(":") < 5 or resource.startswith("arn:aws:s3:"):
        return False
    name = resource.split(":", 5)[5] if "${" not in ":".join(resource.split(":")[:5]) else ""
    first = re.split("[/:]", name)[0]
    return first != name and re.search(r"[*?]|\$\{", first) is not None


def _negated(document: Document) -> None:
    """An inverted operator with a variable that has no value does not hold."""
    for operator, _, values in conditions_of(document):
        if "StringNot" in operator and any("${" in one for one in values):
            values.clear()


def _arns(document: Document) -> None:
    """Variables before the fifth colon are text in ARN operators too."""
    for operator, _, values in conditions_of(document):
        if "Arn" in operator:
            values[:] = [one.replace("${aws:PrincipalAccount}", "none") for one in values]


def _versions(document: Document) -> None:
    """Every document has variables."""
    document["Version"] = "2012-10-17"


def _excluded(document: Document) -> None:
    """NotResource with a variable without a value covers nothing."""
    for statement in statements_of(document):
        if "${" in json.dumps(statement.get("NotResource", "")):
            statement.pop("NotResource")
            statement["Resource"] = NO_RESOURCE


def _absent(document: Document) -> None:
    """ForAnyValue does not hold where the key is absent, not even with IfExists."""
    for statement in statements_of(document):
        for operator in [name for name in statement.get("Condition", {}) if name.startswith("ForAnyValue:")]:
            plain = operator.removesuffix("IfExists")
            keys = statement["Condition"].pop(operator)
            statement["Condition"][plain] = {**statement["Condition"].get(plain, {}), **keys}


def conditions_of(document: Document) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, key and values; where a change leaves no value, the condition does not hold."""
    for statement in statements_of(document):
        tests = statement.get("Condition", {})
        for operator, keys in tests.items():
            for key, values in keys.items():
                keys[key] = listed(values)
                yield operator, key, keys[key]
        if any(not values for keys in tests.values() for values in keys.values()):
            statement["Condition"] = NEVER


READINGS: dict[str, Change] = {
    "type": _types,
    "negated": _negated,
    "arn": _arns,
    "version": _versions,
    "excluded": _excluded,
    "absent": _absent,
}
