"""Keys as moto holds them: found by whatever names them, and whether one can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto import backends

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Need
from localaws.services.kms import managed

# Operations that work on another account's key (KMS Developer Guide, "Allowing users in other accounts to use a KMS
# key"; API Reference, "Cross-account use" of each).
ACROSS_ACCOUNTS = {
    "CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "GetKeyRotationStatus", "GetPublicKey",
    "ListGrants", "ReEncrypt", "RetireGrant", "RevokeGrant", "Sign", "Verify", "VerifyMac",
}  # fmt: skip
KEY_ID = 36  # moto writes the id of the key in front of a ciphertext


def key_arn(account: str, region: str, key: str) -> str:
    """The ARN of a key given by id, ARN, alias or alias ARN; an unknown alias stays in the ARN."""
    if key.startswith("arn:"):
        _, _, _, region, account, name = key.split(":", 5)
        key = name.removeprefix("key/")
    if key.startswith("alias/"):
        keys = moto_bridge.backend("kms", account, region).keys.values()
        known = managed.id_of(account, region, key) if key in managed.PREDEFINED else key
        key = next((str(k.id) for k in list(keys) if key in k.aliases), known)
    return arn("kms", region, account, f"key/{key}")


def find_key(arn: str) -> Any:
    """moto's key of this ARN, or None."""
    _, _, _, region, account, name = arn.split(":", 5)
    return moto_bridge.backend("kms", account, region).keys.get(name.removeprefix("key/"))


def resource_aliases(arn: str) -> dict[str, tuple[str, ...]]:
    """kms:ResourceAliases of a key, absent without an alias (KMS Developer Guide, "AWS KMS condition keys")."""
    _, _, _, region, account, name = arn.split(":", 5)
    own = managed.alias_of(account, region, name.removeprefix("key/"))
    aliases = (own,) if own else tuple(sorted(getattr(find_key(arn), "aliases", ())))
    return {"kms:resourcealiases": aliases} if aliases else {}


def key_of_ciphertext(blob: bytes, account: str, region: str) -> str:
    """The ARN of the key that wrote a ciphertext, in whatever account: Decrypt need not name it."""
    key = blob[:KEY_ID].decode("ascii", "replace")
    holders = [account, *backends.get_backend("kms").keys()]
    found = next((one for one in holders if key in moto_bridge.backend("kms", one, region).keys), account)
    return key_arn(found, region, key)


def key_of(call: Call) -> str:
    """The ARN of the key that a request names, "" without one; its alias where that is not known."""
    if call.operation in ("Decrypt", "ReEncrypt"):
        named = call.params.get("KeyId") or call.params.get("SourceKeyId")
        return (
            key_arn(call.account, call.region, named)
            if named
            else key_of_ciphertext(call.params.get("CiphertextBlob", b""), call.account, call.region)
        )
    named = call.params.get("TargetKeyId") or call.params.get("KeyId")
    return key_arn(call.account, call.region, named) if named else ""


def usable_key(arn: str, prefix: str = "KMS.") -> None:
    """AwsError where there is no such key, or where its state lets nothing be done with it.

    KMS Developer Guide, "Key states of AWS KMS keys".
    prefix: of the error's code, as the services that use a key for their callers write it
    """
    managed.make(arn)
    found = find_key(arn)
    if found is None:
        raise AwsError(f"{prefix}NotFoundException", f"Key '{arn}' does not exist")
    if found.key_state == "PendingDeletion":
        raise AwsError(f"{prefix}KMSInvalidStateException", f"{arn} is pending deletion.")
    if not found.enabled:
        raise AwsError(f"{prefix}DisabledException", f"{arn} is disabled.")


def check_for_service(named: str, account: str, region: str, prefix: str) -> None:
    """AwsError of a service where a resource's key cannot be used, such as KmsDisabled of SQS.

    named, account: as in through_service; prefix: how the service's codes begin, which are those of KMS otherwise
    """
    if named:
        try:
            usable_key(key_arn(account, region, named), "")
        except AwsError as error:
            code = error.code.removeprefix("KMS").removesuffix("Exception")
            raise AwsError(prefix + code, error.message) from error


def through_service(call: Call, named: str, account: str, actions: tuple[str, ...]) -> Iterator[Need]:
    """What the caller needs of a key that call.service uses on its behalf.

    named: the key as the resource has it, "" without one; account: the resource's, where an alias is looked up
    """
    key = key_arn(account, call.region, named) if named else ""
    for action in actions if key else ():
        yield Need(f"kms:{action}", key, key.split(":")[4], resource_aliases(key), f"{call.service}.amazonaws.com")
