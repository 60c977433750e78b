"""Decides the cases of a file, one JSON object a line, with principalmapper; writes one answer a line.

Runs in an environment of its own (tests/fidelity/judges.py), which has nothing of this repository.
"""

import collections
import collections.abc
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

for name in ("Mapping", "MutableMapping"):  # where Python had them when principalmapper was written
    setattr(collections, name, getattr(collections.abc, name))

# By name: only the environment that this runs in has it.
common = import_module("principalmapper.common")
simulation = import_module("principalmapper.querying.local_policy_simulation")
query_interface = import_module("principalmapper.querying.query_interface")


def named(documents: list[Any]) -> list[Any]:
    return [common.Policy(f"arn:aws:iam::aws:policy/p{n}", f"p{n}", document) for n, document in enumerate(documents)]


def of_a_service(asked: dict[str, Any]) -> bool:
    if not asked["of_resource"]:
        return False
    found = simulation.resource_policy_authorization(
        *(asked[name] for name in ("principal", "owner", "of_resource", "action", "resource", "context"))
    )
    return bool(found == simulation.ResourcePolicyEvalResult.SERVICE_MATCH)


def of_a_principal(asked: dict[str, Any]) -> bool:
    boundary = named([asked["boundary"]])[0] if asked["boundary"] else None
    trust: dict[str, Any] | None = {} if asked["kind"] == "role" else None
    policies = named(asked["identity"])
    arn = asked["role"] or asked["principal"]
    node = common.Node(arn, "AIDAEXAMPLE", policies, None, trust, None, 0, False, False, boundary, False, {})
    none: dict[str, Any] = {"Statement": []}  # another account's resource is never allowed without a policy
    return bool(
        query_interface.local_check_authorization_full(
            node,
            asked["action"],
            asked["resource"],
            asked["context"],
            asked["of_resource"] or (none if asked["owner"] != asked["account"] else None),
            asked["owner"],
            [named([document]) for document in asked["service_control"]] or None,
            asked["session"],
        )
    )


with Path(sys.argv[1]).open(encoding="utf-8") as file:
    for line in file:
        case = json.loads(line)
        allowed = of_a_service(case) if case["kind"] == "service" else of_a_principal(case)
        print("Allowed" if allowed else "Denied")
