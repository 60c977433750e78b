"""Grants: to a principal that exists, for what the key can do, and listed with who gave them and when.

KMS API Reference, CreateGrant (InvalidArnException, ValidationException), ListGrants (GrantListEntry; the filters
GrantId and GranteePrincipal), ListRetirableGrants.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.policy.document import MalformedPolicy
from localaws import moto_bridge
from localaws.authorization.documents import check_principal
from localaws.calls import Call
from localaws.services.kms.service import in_use, kms
from localaws.services.kms.state import find_key, key_arn, key_of
from localaws.services.kms.usage import fits

GIVEN = "rehearsal_given"  # on a grant of moto's: when, and by which account


@kms.before("CreateGrant")
def new_grant(call: Call) -> None:
    in_use(call)
    asked = [
        name for name in ("GranteeServicePrincipal", "RetiringServicePrincipal", "DryRun") if call.params.get(name)
    ]
    if asked:
        raise NotSupported(f"a grant with {', '.join(asked)}")
    if not call.params.get("GranteePrincipal"):
        raise AwsError("ValidationException", "A grant needs a grantee principal")
    for name in ("GranteePrincipal", "RetiringPrincipal"):
        if arn := call.params.get(name):
            try:
                check_principal(call.principal.account, "AWS", arn)
            except MalformedPolicy as error:
                raise AwsError("InvalidArnException", f"ARN does not refer to a valid principal: {arn}") from error
    key = find_key(key_of(call))
    wrong = [name for name in call.params["Operations"] if key is not None and not fits(key, name)]
    if wrong:
        raise AwsError("ValidationException", f"The key {key.arn} does not support {', '.join(wrong)}.")


@kms.after("CreateGrant")
def given(call: Call, _: Any) -> None:
    for grant in list(find_key(key_of(call)).grants.values()):
        if not hasattr(grant, GIVEN):
            setattr(grant, GIVEN, (datetime.now(UTC), call.principal.account))


@kms.before("RetireGrant")
def retired(call: Call) -> None:
    """A grant that there is (API Reference, RetireGrant: NotFoundException); moto retires what is not there."""
    params = call.params
    if "GrantToken" not in params and not {"KeyId", "GrantId"} <= params.keys():
        raise AwsError("ValidationException", "RetireGrant needs a grant token, or a key and a grant")
    keys = moto_bridge.backend("kms", call.account, call.region).keys
    found = [one for key in list(keys.values()) for one in list(key.grants.values())]
    if all(params.get("GrantId") != one.id and params.get("GrantToken") != one.token for one in found):
        raise AwsError("NotFoundException", "The grant was not found")


@kms.before("RevokeGrant")
def of_known_key(call: Call) -> Any:
    """moto's key that the request names (API Reference, RevokeGrant, ListGrants: NotFoundException)."""
    key = find_key(key_of(call))
    if key is None:
        raise AwsError("NotFoundException", f"Key '{key_of(call)}' does not exist")
    return key


@kms.operation("ListGrants")
def list_grants(call: Call) -> dict[str, Any]:
    key = of_known_key(call)
    found = [shown(key, grant) for grant in list(key.grants.values())]
    asked = {name: call.params[name] for name in ("GrantId", "GranteePrincipal") if name in call.params}
    return {"Grants": [one for one in found if asked.items() <= one.items()], "Truncated": False}


@kms.operation("ListRetirableGrants")
def list_retirable_grants(call: Call) -> dict[str, Any]:
    keys = moto_bridge.backend("kms", call.account, call.region).keys
    found = [shown(key, grant) for key in list(keys.values()) for grant in list(key.grants.values())]
    principal = call.params.get("RetiringPrincipal")
    if not principal:
        raise AwsError("ValidationException", "ListRetirableGrants needs a retiring principal")
    return {"Grants": [one for one in found if one.get("RetiringPrincipal") == principal], "Truncated": False}


def shown(key: Any, grant: Any) -> dict[str, Any]:
    when, account = getattr(grant, GIVEN, (None, key.account_id))
    entry = {
        "KeyId": key_arn(key.account_id, key.region, key.id), "GrantId": grant.id, "Name": grant.name,
        "GranteePrincipal": grant.grantee_principal, "RetiringPrincipal": grant.retiring_principal,
        "Operations": grant.operations, "Constraints": grant.constraints, "CreationDate": when,
        "IssuingAccount": f"arn:aws:iam::{account}:root",
    }  # fmt: skip
    return {name: value for name, value in entry.items() if value not in (None, "", {})}
