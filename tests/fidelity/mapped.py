"""Differences from principalmapper that AWS's pages settle, each with its page: ours decides as the page says.

As in settled.py: given the policies as principalmapper reads them, ours decides as it does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

from tests.fidelity.cases import Case, ours
from tests.fidelity.policies import Document
from tests.fidelity.requests import Context
from tests.fidelity.settled import NEVER, NO_RESOURCE, conditions_of, listed, statements_of

OPERATORS = '"IAM JSON policy elements: Condition operators"'
VARIABLES = '"IAM policy elements: Variables and tags"'
PRINCIPAL = '"AWS JSON policy elements: Principal"'
PAGES = {
    "variables": f"{VARIABLES}: in the values of conditions too",
    "places": f"{VARIABLES}: none before the fifth colon, and none in documents of 2008-10-17",
    "defaults": f"{VARIABLES}: a default value",
    "single": '"Single-valued vs. multivalued context keys": a key of many values needs a set operator',
    "negated": f"{OPERATORS}: inverted operators match where the key is absent",
    "sets": '"Set operators for multi-valued context keys": ForAnyValue asks of each value by itself',
    "empty": f"{OPERATORS}, Null: a key with an empty value is there",
    "arns": f"{OPERATORS}, ARN operators: each of the six parts is compared by itself",
    "absent": f"{OPERATORS}, IfExists: true where the key is absent, with set operators too",
    "exists": f"{OPERATORS}, IfExists: numbers, dates and addresses that are present are compared",
    "sessions": f"{PRINCIPAL}: a session can be the principal of a policy",
    "everyone": f'{PRINCIPAL}: "AWS": "*" stands for every principal, as "*" does',
    "direct": (
        f'{PRINCIPAL}, "Policy evaluation for requests within a single account": boundary and session policies limit '
        "what a resource's policy gives to a role, and not what it gives to a session or user"
    ),
    "excepted": (
        '"AWS JSON policy elements: NotPrincipal": account and role must both be excepted, and who has a boundary '
        "never is"
    ),
    "several": "more than one of these together",
}
NOBODY = "999999999998"
Change = Callable[[Document, Case], None]


def fits(case: Case) -> bool:
    """Whether principalmapper can be asked: it has no root users and no resource control policies."""
    return case.kind != "root" and not case.resource_control


def settled(case: Case, answer: str) -> str:
    """The reason, by its name in PAGES, why principalmapper's answer is another than ours; "" without one."""
    other = answer == "Allowed"
    for name, change in READINGS.items():
        if ours(read(case, [change])).allowed == other:
            return name
    together = [*combinations(READINGS.values(), 2), tuple(READINGS.values())]
    return "several" if any(ours(read(case, list(changes))).allowed == other for changes in together) else ""


def read(case: Case, changes: list[Change]) -> Case:
    def changed(value: Any) -> Any:
        found = json.loads(json.dumps(value))
        for document in found if isinstance(found, list) else [found] if found else []:
            for change in changes:
                change(document, case)
        return found

    layers = ("identity", "boundary", "session", "of_resource", "service_control", "resource_control")
    return replace(case, **{layer: changed(getattr(case, layer)) for layer in layers})


def resources(document: Document, change: Callable[[str], str]) -> None:
    for statement in statements_of(document):
        for element in {"Resource", "NotResource"} & set(statement):
            statement[element] = [change(one) for one in listed(statement[element])]


def _variables(document: Document, case: Case) -> None:
    """A variable in a condition is text."""
    for _, _, values in conditions_of(document):
        values[:] = [str(one).replace("${", "$-{") if not isinstance(one, bool) else one for one in values]


def _places(document: Document, case: Case) -> None:
    """Every resource has variables, everywhere and in every document."""
    document["Version"] = "2012-10-17"
    resources(document, lambda one: filled(one, case.context))


def filled(text: str, context: Context) -> str:
    for key, value in context.items():
        text = text.replace(f"${{{key}}}", value if isinstance(value, str) else str(value))
    return text


def _defaults(document: Document, case: Case) -> None:
    resources(document, lambda one: NO_RESOURCE if ", '" in one else one)


def operators(document: Document, change: Callable[[str, str], str | None]) -> None:
    """Another operator for each condition, by operator and key; None for one that never holds."""
    for statement in statements_of(document):
        found: Document = {}
        for operator, keys in statement.get("Condition", {}).items():
            for key, values in keys.items():
                other = change(operator, key)
                if other is None:
                    found = {**found, **NEVER}
                else:
                    found.setdefault(other, {})[key] = values
        if found:
            statement["Condition"] = found


def _single(document: Document, case: Case) -> None:
    """A key of many values: one of them suffices, and for an inverted operator all must differ."""

    def change(operator: str, key: str) -> str:
        if ":" in operator or not isinstance(case.context.get(key), list) or operator == "Null":
            return operator
        return f"{'ForAllValues' if 'Not' in operator else 'ForAnyValue'}:{operator}"

    operators(document, change)


def _negated(document: Document, case: Case) -> None:
    def change(operator: str, key: str) -> str | None:
        plain = operator in ("StringNotLike",)
        return None if plain and key not in case.context else operator

    operators(document, change)


def _sets(document: Document, case: Case) -> None:
    """ForAnyValue of an inverted operator: all values must differ."""

    def change(operator: str, key: str) -> str:
        inverted = operator.startswith("ForAnyValue:") and "Not" in operator and key in case.context
        return operator.replace("ForAnyValue", "ForAllValues") if inverted else operator

    operators(document, change)


def _empty(document: Document, case: Case) -> None:
    """A key with an empty value is absent."""
    for operator, key, values in conditions_of(document):
        if operator == "Null" and case.context.get(key) == "":
            values[:] = ["false" if value == "true" else "true" for value in values]


def _arns(document: Document, case: Case) -> None:
    """A wildcard of an ARN operator matches colons too."""
    operators(document, lambda operator, key: re.sub("Arn(Not|)(Like|Equals)", r"String\1Like", operator))


def _absent(document: Document, case: Case) -> None:
    """ForAnyValue does not hold where the key is absent, not even with IfExists."""
    operators(
        document,
        lambda operator, key: None if operator.startswith("ForAnyValue:") and key not in case.context else operator,
    )


def _exists(document: Document, case: Case) -> None:
    """Numbers and dates with IfExists are never equal or in order; addresses are inverted."""

    def change(operator: str, key: str) -> str | None:
        name = operator.removesuffix("IfExists").rpartition(":")[2]
        if name == operator or key not in case.context:
            return operator
        if name.startswith(("Numeric", "Date")):
            return None
        if name == "IpAddress":
            return "NotIpAddressIfExists"
        return operator

    operators(document, change)


def principals(document: Document, change: Callable[[str], list[str]]) -> None:
    for statement in statements_of(document):
        for element in {"Principal", "NotPrincipal"} & set(statement):
            given = statement[element]
            if isinstance(given, dict) and "AWS" in given:
                given["AWS"] = [other for one in listed(given["AWS"]) for other in change(one)]


def _sessions(document: Document, case: Case) -> None:
    principals(document, lambda one: [NOBODY] if ":assumed-role/" in one else [one])


def _everyone(document: Document, case: Case) -> None:
    """In the same account, the account stands for everyone; a service is none of these."""
    everyone = case.account if case.kind != "service" else NOBODY
    principals(document, lambda one: [everyone] if one == "*" else [one])


def _direct(document: Document, case: Case) -> None:
    """A role named by its ARN is given rights as its session is."""
    principals(document, lambda one: [case.principal] if one == case.role else [one])


def _excepted(document: Document, case: Case) -> None:
    """The account or the role suffices to except a caller, with a boundary too; "*" excepts none."""
    names = {case.account, f"arn:aws:iam::{case.account}:root", case.principal, case.role} - {""}
    for statement in statements_of(document):
        given = statement.get("NotPrincipal")
        if given == "*":
            statement["NotPrincipal"] = {"AWS": NOBODY}
        elif given and names & set(listed(given.get("AWS", []))):
            statement.pop("NotResource", None)
            statement["Resource"] = NO_RESOURCE


READINGS: dict[str, Change] = {
    "variables": _variables,
    "places": _places,
    "defaults": _defaults,
    "single": _single,
    "negated": _negated,
    "sets": _sets,
    "empty": _empty,
    "arns": _arns,
    "absent": _absent,
    "exists": _exists,
    "sessions": _sessions,
    "everyone": _everyone,
    "direct": _direct,
    "excepted": _excepted,
}
