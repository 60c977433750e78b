"""What authorization asks of Secrets Manager: the secret that a request acts on, and its policy."""

from __future__ import annotations

from awslang.policy.document import Policy, parse_resource
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access, policies_in_moto
from localaws.services.secretsmanager.service import secretsmanager


def resources(call: Call, types: list[str]) -> list[str]:
    """A secret's ARN ends in six random characters; by its name it is …:NAME-??????."""
    secret = call.params.get("SecretId") or call.params.get("Name") or ""
    if not secret or secret.startswith("arn:"):
        return [secret] if secret else []
    known = moto_bridge.backend("secretsmanager", call.account, call.region).secrets
    found = next((item.arn for item in known.values() if item.name == secret), None)
    return [str(found) if found else arn("secretsmanager", call.region, call.account, f"secret:{secret}")]


def policy(cloud: Cloud, secret: str) -> Policy | None:
    _, _, _, region, account, name = secret.split(":", 5)
    known = moto_bridge.backend("secretsmanager", account, region).secrets.values()
    found = next((item for item in known if item.arn == secret), None)
    return parse_resource(getattr(found, "policy", "") or "", f"secret {name}", account)


policies = policies_in_moto("secretsmanager", "secrets")
secretsmanager.access = Access(resources=resources, policy=policy, rewrite=policies)
