"""The keys of captured data in the target accounts: that they are there, and that the kit's roles can use them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from awslang.policy.document import MalformedPolicy, parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from awslang.policy.favourable import favourable
from scripts.kit.doctor.checks.roles import EVERYTHING, role_session
from scripts.kit.doctor.checks.self_managed import listed
from scripts.kit.doctor.facts.data_keys import DataKey
from scripts.kit.doctor.findings import Place, Request, check
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.regions import url_suffix

ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@check(
    "data-key",
    "error",
    "A target account lacks the key of captured data, or cannot use it",
    "A stage that names it (DataKmsKeyId) captures nothing there, and its asynchronous requests fail.",
)
def data_key(facts: Snapshot) -> Iterator[Place]:
    alias = facts.settings.endpoints.data_key
    for key in facts.data_keys:
        if not known(key.described):
            continue
        state = key.described["KeyState"] if key.described else ""
        if state == "Enabled":
            continue
        where = f"{key.stage} in {key.account}, {key.region}"
        if not state:
            what = f"{where}: no key has the alias {alias}"
            fix = (
                "create a symmetric key, then\naws kms create-alias "
                f"--alias-name {alias} --target-key-id KEY_ID --region {key.region}"
            )
        else:
            what = f"{where}: the key of {alias} is {state}"
            enable = f"aws kms enable-key --key-id {key.described['KeyId']} --region {key.region}"
            cancel = enable.replace("enable-key", "cancel-key-deletion")
            fix = f"{cancel}\nthen {enable}" if state == "PendingDeletion" else enable
        yield Place(key.account, alias, what, fix, key.region)


@check(
    "data-key-policy",
    "error",
    "The policy of the key of captured data keeps the kit's roles out",
    "Nothing is captured with it, asynchronous answers do not arrive, and monitors read nothing.",
)
def data_key_policy(facts: Snapshot) -> Iterator[Place]:
    for key in facts.data_keys:
        if not key.described or not isinstance(key.policy, str):
            continue
        refused = {role: why for role in key.roles if (why := kept_out(key, role))}
        if not refused:
            continue
        names = ", ".join(role.rsplit("/", 1)[1] for role in refused)
        what = f"{key.stage} in {key.account}, {key.region}: it does not let {names} encrypt and decrypt"
        denied = sorted({one.statement.label for why in refused.values() for one in why.statements})
        fix = f"take out of its policy what denies it: {', '.join(denied)}"
        if not denied:
            own = {
                "Sid": "EndpointsUseTheDataKey",
                "Effect": "Allow",
                "Principal": {"AWS": sorted(refused)},
                "Action": list(ACTIONS),
                "Resource": "*",
            }
            document = json.loads(key.policy)
            wider = {**document, "Statement": [*listed(document["Statement"]), own]}
            asked = {"KeyId": key.described["KeyId"], "PolicyName": "default", "Policy": json.dumps(wider)}
            fix = Request(key.account, key.region, "kms", "PutKeyPolicy", asked).command()
        yield Place(key.account, facts.settings.endpoints.data_key, what, fix, key.region)


def kept_out(key: DataKey, role: str) -> Decision | None:
    """The refusal of a request through S3, whatever the role's own policies allow; None for none."""
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalaccount": (key.account,),
        "aws:principalarn": (role,),
        "aws:principalisawsservice": ("false",),
        "aws:securetransport": ("true",),
        "kms:calleraccount": (key.account,),
        "kms:viaservice": (f"s3.{key.region}.{url_suffix(key.region)}",),
    }
    try:
        policy = favourable(parse(key.policy, "its policy", key.account, "resource"), lambda name: name in keys)
    except MalformedPolicy:
        return None
    whole = Policies(identity=(EVERYTHING,), resource=policy, resource_kind="key")
    for action in ACTIONS:
        asked = AuthorizationRequest(role_session(role), action, key.described["Arn"], key.account, keys)
        if not (found := decide(asked, whole)).allowed:
            return found
    return None
