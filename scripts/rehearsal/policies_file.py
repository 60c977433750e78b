"""policies.json of a rehearsal: every role and managed policy that a stack made, with the reasons in its template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localaws import moto_bridge
from localaws.authorization.state import default_document
from localaws.cloud import Cloud
from localaws.cloudformation.stacks import Resource, Stack, Stacks
from scripts.rehearsal.permissions import MANAGED_POLICY, ROLE, ROLE_POLICY, reasons


def write_policies(cloud: Cloud, path: Path) -> None:
    """Write down every role and managed policy that a stack of the embedded AWS made."""
    path.write_text(json.dumps(list(_holders(cloud)), indent=1) + "\n", encoding="utf-8")


def _holders(cloud: Cloud) -> Iterator[dict[str, Any]]:
    made = [
        (account, stack, resource)
        for (account, _), stacks in sorted(cloud.states(Stacks).items())
        for stack in stacks.alive()
        for _, resource in sorted(stack.resources.items())
    ]
    for account, stack, resource in made:
        if resource.type in (ROLE, MANAGED_POLICY) and (holder := _holder(account, resource)):
            found = _reasons_of(stack, resource)
            for place, other, policy in made:  # a stack may give a role of another one a policy
                if policy.type == ROLE_POLICY and (place, policy.properties["RoleName"]) == (account, holder["name"]):
                    found |= _reasons_of(other, policy)
            yield holder | {"reasons": found}


def _holder(account: str, resource: Resource) -> dict[str, Any] | None:
    iam = moto_bridge.backend("iam", account, "aws")
    shown = {"account": account, "logical_id": resource.logical_id}
    if resource.type == MANAGED_POLICY:
        policy = iam.managed_policies.get(resource.physical_id)
        if policy is None:
            return None
        documents = {policy.arn: json.loads(default_document(policy))}
        carriers = [role.arn for role in iam.roles.values() if policy.arn in role.managed_policies]
        return shown | {"kind": "policy", "name": policy.name, "carriers": carriers, "documents": documents}
    role = next((role for role in iam.roles.values() if role.name == resource.physical_id), None)
    if role is None:
        return None
    documents = {f"{name} (inline, role {role.name})": json.loads(text) for name, text in role.policies.items()}
    documents[f"trust policy of role {role.name}"] = json.loads(role.assume_role_policy_document)
    return shown | {"kind": "role", "name": role.name, "carriers": [role.arn], "documents": documents}


def _reasons_of(stack: Stack, resource: Resource) -> dict[str, list[dict[str, Any]]]:
    of_resource = reasons(stack.body).get(resource.logical_id, {})
    return {
        sid: [{"kind": reason.kind, "actions": list(reason.actions), "text": reason.text} for reason in found]
        for sid, found in of_resource.items()
    }
