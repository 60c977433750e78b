"""Policies around a request: most of them nearly fit, as policies that people write do."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fidelity.requests import HOME, ORGANIZATION, OTHER, ROOT_UNIT, UNITS, Caller, Context, Subject, value_of

Document = dict[str, Any]
STRINGS = ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
           "StringNotEqualsIgnoreCase")  # fmt: skip
ARNS = ("ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals")
ABSENT = ("aws:SourceVpce", "aws:MultiFactorAuthPresent", "aws:PrincipalTag/none", "aws:ResourceTag/none")


class Writer:
    """Writes statements about one request."""

    def __init__(self, random: Random, subject: Subject, resource: str, by: Caller, context: Context) -> None:
        self.random, self.subject, self.resource, self.by, self.context = random, subject, resource, by, context

    def document(self, *statements: Document) -> Document:
        version = "2012-10-17" if self.random.random() < 0.97 else "2008-10-17"
        return {"Version": version, "Statement": list(statements)}

    def identity(self) -> Document:
        """An identity-based policy, boundary or session policy."""
        return self.document(*(self.statement() for _ in range(self.random.choice((1, 1, 2, 3)))))

    def control(self) -> Document:
        """A service control policy."""
        full = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        kind = self.random.random()
        if kind < 0.35:
            return {"Version": "2012-10-17", "Statement": [full]}
        if kind < 0.75:
            return {"Version": "2012-10-17", "Statement": [full, self.statement("Deny")]}
        return {"Version": "2012-10-17", "Statement": [self.statement("Allow")]}

    def resource_control(self) -> Document:
        statement: Document = {"Effect": "Deny", "Principal": "*", "Action": self.action(), "Resource": "*"}
        if statement["Action"] == "*":
            statement["Action"] = f"{self.subject.action.split(':')[0]}:*"
        if self.random.random() < 0.85:
            statement["Condition"] = self.conditions()
        return {"Version": "2012-10-17", "Statement": [statement]}

    def of_resource(self) -> Document:
        """A resource's policy, a key's, or a role's trust."""
        statements = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            statement = self.statement(own=True)
            negated = statement["Effect"] == "Deny" and self.random.random() < 0.15 and self.subject.kind != "trust"
            statement["NotPrincipal" if negated else "Principal"] = self.principals()
            if self.subject.kind == "trust":
                statement = {k: v for k, v in statement.items() if k not in ("Resource", "NotResource", "NotAction")}
                statement["Action"] = "sts:AssumeRole"
            statements.append(statement)
        return self.document(*statements)

    def statement(self, effect: str = "", own: bool = False) -> Document:
        random = self.random
        made: Document = {"Effect": effect or ("Deny" if random.random() < 0.2 else "Allow")}
        if random.random() < 0.06:
            made["NotAction"] = [self.action(), "iam:*"]
        else:
            made["Action"] = self.action() if random.random() < 0.6 else [self.action(), "sts:GetCallerIdentity"]
        pattern = self.pattern(own)
        if random.random() < 0.06 and pattern != "*":
            made["NotResource"] = pattern
        else:
            made["Resource"] = pattern if random.random() < 0.6 else [pattern, "arn:aws:s3:::other/*"]
        if random.random() < 0.55:
            made["Condition"] = self.conditions()
        return made

    def action(self) -> str:
        service, name = self.subject.action.split(":")
        return self.random.choice(
            [self.subject.action] * 5
            + [f"{service}:*", "*", f"{service}:{name[:3]}*", f"{service}:*{name[-4:]}", f"{service}:{name.lower()}"]
            + [f"{service.upper()}:{name}", f"{service}:?{name[1:]}", f"{service}:{name}X", f"{service}:Describe*"]
        )

    def pattern(self, own: bool) -> str:
        random, resource = self.random, self.resource
        if resource == "*":
            return random.choice(("*", "*", "arn:aws:s3:::x"))
        start, _, name = resource.rpartition(":")
        parts = resource.split(":", 5)
        found = [resource] * 4 + ["*"] * (2 if own else 3)
        found += [f"{start}:{name[: len(name) // 2]}*", f"{start}:*{name[-4:]}", f"{start}:{name[0]}?{name[2:]}"]
        found += [":".join([*parts[:3], "*", "*", parts[5]]), ":".join([*parts[:4], OTHER, parts[5]])]
        found += [
            f"{resource}x",
            f"{start}:${{aws:PrincipalTag/team}}{name[3:]}",
            f"{start}:{name[:4]}${{aws:username}}*",
        ]
        found += [":".join([*parts[:4], "${aws:PrincipalAccount}", parts[5]]), f"{start}:{name[:3]}${{*}}"]
        if len(name) > 2:
            found += [f"{start}:{name[:2]}${{aws:PrincipalTag/none, '{name[2:]}'}}"]
        return random.choice(found)

    def principals(self) -> Any:
        by, random = self.by, self.random
        found: list[Any] = ["*", {"AWS": "*"}, {"AWS": HOME}, {"AWS": f"arn:aws:iam::{OTHER}:root"}]
        if by.kind == "service":
            found += [{"Service": by.arn}] * 5 + [{"Service": ["events.amazonaws.com", by.arn]}]
        else:
            found += (
                [{"AWS": by.account}] * 3 + [{"AWS": f"arn:aws:iam::{by.account}:root"}] * 2 + [{"AWS": by.arn}] * 2
            )
            found += [{"AWS": [f"arn:aws:iam::{HOME}:role/else", by.role or by.arn]}] * 3
            found += [{"AWS": [by.account, by.role or by.arn]}, {"AWS": f"arn:aws:iam::{by.account}:role/else"}]
        return random.choice(found)

    def conditions(self) -> Document:
        found: Document = {}
        for _ in range(self.random.choice((1, 1, 1, 2))):
            operator, key, values = self.condition()
            found.setdefault(operator, {}).setdefault(key, values)
        return found

    def condition(self) -> tuple[str, str, Any]:
        random = self.random
        key = random.choice(ABSENT) if random.random() < 0.1 else random.choice(sorted(self.context))
        asked = self.context.get(key, [])
        several = isinstance(asked, list) and bool(asked)
        if random.random() < 0.08:
            return "Null", key, random.choice(("true", "false"))
        operator, values = self.compared(key, [asked] if isinstance(asked, str) else asked)
        if several or key == "aws:TagKeys":
            operator = random.choice(("ForAnyValue:", "ForAllValues:", "ForAnyValue:", "")) + operator
        elif random.random() < 0.04:
            operator = random.choice(("ForAnyValue:", "ForAllValues:")) + operator
        if random.random() < 0.2:
            operator += "IfExists"
        return operator, key, values[0] if len(values) == 1 and random.random() < 0.6 else values

    def compared(self, key: str, asked: list[str]) -> tuple[str, list[str]]:
        """An operator that people use with the key, and values for it."""
        random, fits = self.random, self.random.random() < 0.6
        lower = key.lower()
        if lower in ("aws:securetransport", "aws:viaawsservice", "aws:principalisawsservice"):
            return "Bool", [random.choice(("true", "false"))]
        if lower in ("aws:multifactorauthpresent", "kms:grantisforawsresource", "sagemaker:networkisolation"):
            return "Bool", [random.choice(("true", "false"))]
        if lower == "aws:sourceip":
            network = "203.0.113.0/24" if fits else "192.0.2.0/24"
            return random.choice(("IpAddress", "NotIpAddress")), random.sample(
                [network, "10.0.0.0/8"], random.choice((1, 2))
            )
        if lower == "aws:currenttime":
            return random.choice(("DateGreaterThan", "DateLessThan", "DateLessThanEquals", "DateEquals")), [
                random.choice(("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-11-30T06:00:00Z"))
            ]
        if lower in ("aws:epochtime", "s3:max-keys"):
            operator = random.choice(
                ("NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericEquals")
            )
            return operator if lower == "s3:max-keys" else operator.replace("Numeric", "Date"), [
                random.choice(("10", "100", "1796018400"))
            ]
        if asked and asked[0].startswith("arn:") and random.random() < 0.7:
            arn = asked[0] if fits else asked[0].replace(HOME, OTHER)
            start, _, name = arn.rpartition(":")
            account = ":".join([*arn.split(":")[:4], "*", name])
            variable = ":".join([*arn.split(":")[:4], "${aws:PrincipalAccount}", name])
            return random.choice(ARNS), random.sample([arn, f"{start}:{name[:4]}*", account, f"{start}:*", variable], 1)
        if lower.endswith("orgpaths"):
            unit = random.choice(sorted(UNITS.values()))
            path = random.choice(
                (f"{ORGANIZATION}/*/{unit}/*", f"{ORGANIZATION}/{ROOT_UNIT}/{unit}/", f"{ORGANIZATION}/*")
            )
            return random.choice(("StringLike", "StringNotLike", "StringEquals")), [path]
        values = list(asked) if fits and asked else [self.other(key)]
        operator = random.choice(STRINGS)
        if "Like" in operator and random.random() < 0.6:
            values = [f"{value[:4]}*" for value in values]
        if random.random() < 0.12:
            values = [random.choice(("${aws:PrincipalTag/team}", "${aws:username}", "${aws:PrincipalAccount}"))]
        if "IgnoreCase" in operator:
            values = [value if "${" in value else value.upper() for value in values]
        if random.random() < 0.3:
            values.append(self.other(key))
        return operator, values

    def other(self, key: str) -> str:
        value = value_of(self.random, key)
        return value if isinstance(value, str) else value[0]
