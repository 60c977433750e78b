"""The Condition element: every operator, with ...IfExists, ForAllValues, ForAnyValue and Null.

IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued
context keys". Several keys or operators: all must hold. Several values: one must match; for a
negated operator none may. A key that may have several values needs a set operator: without one its
condition does not match ("Single-valued vs. multivalued context keys").
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from awslang.bounded import is_number
from awslang.policy.action_table import multivalued
from awslang.policy.patterns import Context, arn_like, like, plain

Match = Callable[[str, str, Context, bool], bool]  # policy value, request value, context, variables


def _equals(policy: str, asked: str, context: Context, variables: bool) -> bool:
    return plain(policy, context, variables) == asked


def _equals_any_case(policy: str, asked: str, context: Context, variables: bool) -> bool:
    found = plain(policy, context, variables)
    return found is not None and found.casefold() == asked.casefold()


def _bool(policy: str, asked: str, context: Context, variables: bool) -> bool:
    return policy.lower() == asked.lower()


def _binary(policy: str, asked: str, context: Context, variables: bool) -> bool:
    try:
        return base64.b64decode(policy, validate=True) == base64.b64decode(asked, validate=True)
    except (binascii.Error, ValueError):
        return False


def _ip(policy: str, asked: str, context: Context, variables: bool) -> bool:
    try:
        return ipaddress.ip_address(asked) in ipaddress.ip_network(policy, strict=False)
    except ValueError:
        return False


def _numbers(compare: Callable[[Decimal, Decimal], bool]) -> Match:
    def match(policy: str, asked: str, context: Context, variables: bool) -> bool:
        try:
            return compare(Decimal(asked), Decimal(policy))
        except InvalidOperation:
            return False

    return match


def moment(text: str) -> datetime | None:
    """A date in one of the forms that IAM takes (ISO 8601, or seconds since 1970); None for another."""
    try:
        if is_number(text.replace(".", "", 1)) and len(text) != 4:  # four digits are a year
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text if len(text) != 4 else f"{text}-01-01")
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _dates(compare: Callable[[datetime, datetime], bool]) -> Match:
    def match(policy: str, asked: str, context: Context, variables: bool) -> bool:
        there, here = moment(policy), moment(asked)
        return there is not None and here is not None and compare(here, there)

    return match


def _comparisons(kind: str, wrap: Callable[[Callable[..., bool]], Match]) -> dict[str, tuple[Match, bool]]:
    return {
        f"{kind}Equals": (wrap(lambda a, b: a == b), False),
        f"{kind}NotEquals": (wrap(lambda a, b: a == b), True),
        f"{kind}LessThan": (wrap(lambda a, b: a < b), False),
        f"{kind}LessThanEquals": (wrap(lambda a, b: a <= b), False),
        f"{kind}GreaterThan": (wrap(lambda a, b: a > b), False),
        f"{kind}GreaterThanEquals": (wrap(lambda a, b: a >= b), False),
    }


OPERATORS: dict[str, tuple[Match, bool]] = {  # name: how one value matches, negated
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_any_case, False),
    "StringNotEqualsIgnoreCase": (_equals_any_case, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (arn_like, False),
    "ArnLike": (arn_like, False),
    "ArnNotEquals": (arn_like, True),
    "ArnNotLike": (arn_like, True),
    "Bool": (_bool, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_ip, False),
    "NotIpAddress": (_ip, True),
    **_comparisons("Numeric", _numbers),
    **_comparisons("Date", _dates),
}
SETS = ("ForAllValues", "ForAnyValue")
BY_LOWER = {name.lower(): name for name in (*OPERATORS, "Null")}


@dataclass(frozen=True)
class Test:
    """One key of one operator.

    written: the operator as the policy has it; operator: its plain name (StringEquals, Null)
    over: "" | "ForAllValues" | "ForAnyValue"; key: as the policy has it
    """

    __test__ = False  # not one for pytest

    written: str
    operator: str
    over: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context, variables: bool) -> bool:
        asked = context.get(self.key.lower(), ())
        if self.operator == "Null":
            return any((value.lower() == "true") == (not asked) for value in self.values)
        match, negated = OPERATORS[self.operator]
        if not asked:
            return self._absent(negated)
        if not self.over and (len(asked) > 1 or self.key.lower() in multivalued()):
            return False

        def one(value: str) -> bool:
            return any(match(policy, value, context, variables) for policy in self.values) != negated

        if self.over == "ForAnyValue":
            return any(one(value) for value in asked)
        return all(one(value) for value in asked)

    def _absent(self, negated: bool) -> bool:
        if self.if_exists:
            return True
        if self.over:
            return self.over == "ForAllValues"
        return negated

    def described(self, context: Context) -> str:
        """For a refusal: what the policy wants and what the request has."""
        asked = context.get(self.key.lower(), ())
        has = ", ".join(asked) if asked else "nothing"
        return f"{self.written} {self.key} {' | '.join(self.values)} (the request has {has})"


def operator_parts(written: str) -> tuple[str, str, bool] | None:
    """Set operator, plain operator and IfExists of an operator as written; None for an unknown one."""
    over, _, name = written.rpartition(":")
    if over and over not in SETS:
        return None
    if_exists = name.lower().endswith("ifexists")
    found = BY_LOWER.get(name[: -len("IfExists")].lower() if if_exists else name.lower())
    if found is None or (found == "Null" and (if_exists or over)):
        return None
    return over, found, if_exists
