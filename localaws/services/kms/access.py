"""What authorization asks of KMS: the keys that a request acts on, their policies, tags and condition keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from awslang.policy.document import Policy, parse, parse_resource
from localaws import moto_bridge
from localaws.authorization.needs import need_of
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access, Keys, Need, policies_in_moto
from localaws.services.kms import managed
from localaws.services.kms.service import kms
from localaws.services.kms.state import key_arn, key_of, resource_aliases


def resources(call: Call, types: list[str]) -> list[str]:
    params, found = call.params, []
    if "alias" in types and "AliasName" in params:
        found.append(arn("kms", call.region, call.account, params["AliasName"]))
    key = key_arn(call.account, call.region, params["AliasName"]) if call.operation == "DeleteAlias" else key_of(call)
    if "key" in types and key:
        found.append(key)
    return found


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """ReEncrypt needs an action on the destination's key too."""
    if call.operation == "ReEncrypt":
        destination = key_arn(call.account, call.region, call.params["DestinationKeyId"])
        yield need_of(call, "kms", "ReEncryptTo", destination, keys)


def condition_keys(call: Call) -> Keys:
    """KMS Developer Guide, "AWS KMS condition keys"; kms:CallerAccount and kms:ViaService are in context.py."""
    params = call.params
    context = params.get("EncryptionContext") or {}
    keys: Keys = {f"kms:encryptioncontext:{k.lower()}": (str(v),) for k, v in context.items()}
    if context:
        keys["kms:encryptioncontextkeys"] = tuple(context)
    if str(params.get("KeyId", "")).startswith("alias/") or ":alias/" in str(params.get("KeyId", "")):
        keys["kms:requestalias"] = (params["KeyId"].rsplit(":", 1)[-1],)
    for key, name in (("kms:keyspec", "KeySpec"), ("kms:keyusage", "KeyUsage"), ("kms:keyorigin", "Origin")):
        if call.operation == "CreateKey":
            default = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS"}[name]
            keys[key] = (str(params.get(name, default)),)
    if named := key_of(call):
        keys |= resource_aliases(named)
    if call.operation == "CreateKey":
        keys["kms:multiregion"] = (str(params.get("MultiRegion", False)).lower(),)
    if call.operation == "CreateGrant":
        keys["kms:granteeprincipal"] = (params.get("GranteePrincipal", ""),)
        keys["kms:grantoperations"] = tuple(params.get("Operations", []))
        keys["kms:grantisforawsresource"] = ("true" if call.principal.called_via else "false",)
    if call.operation == "ScheduleKeyDeletion":
        keys["kms:schedulekeydeletionpendingwindowindays"] = (str(params.get("PendingWindowInDays", 30)),)
    return keys


def policy(cloud: Cloud, key: str) -> Policy | None:
    _, _, _, region, account, name = key.split(":", 5)
    if alias := managed.alias_of(account, region, name.removeprefix("key/")):
        return parse(managed.policy(account, region, alias), f"key {key}", account, "resource")
    found = moto_bridge.backend("kms", account, region).keys.get(name.removeprefix("key/"))
    if found is None or not name.startswith("key/"):  # KMS itself reports a missing key, to any principal that may ask
        return None
    return parse_resource(found.policy, f"key {key}", account)


def uncontrolled(key: str) -> bool:
    """AWS managed keys (Developer Guide, "AWS KMS keys": resource control policies do not apply to them)."""
    _, _, _, region, account, name = key.split(":", 5)
    return bool(managed.alias_of(account, region, name.removeprefix("key/")))


kms.access = Access(
    resources=resources,
    further=further,
    keys=condition_keys,
    policy=policy,
    uncontrolled=uncontrolled,
    rewrite=policies_in_moto("kms", "keys"),
)
