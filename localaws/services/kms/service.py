"""KMS's checks before moto's answer, and what moto answers differently.

KMS Developer Guide, "Key states of AWS KMS keys"; API Reference, the page of each operation.
"""

from __future__ import annotations

from typing import Any

from moto.kms.models import Key, KmsBackend

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import EVERY, Service
from localaws.services.kms import managed
from localaws.services.kms.state import ACROSS_ACCOUNTS, find_key, key_arn, key_of, key_of_ciphertext, usable_key
from localaws.services.kms.usage import check_new, check_use

kms = Service("kms", moto=EVERY, invalid="ValidationException")

USE = (
    "DeriveSharedSecret", "DisableKeyRotation", "Encrypt",
    "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
    "GenerateMac", "GetPublicKey", "RotateKeyOnDemand", "Sign", "Verify", "VerifyMac",
)  # fmt: skip
CHANGES = ("DisableKey", "EnableKey", "UntagResource", "UpdateAlias",
           "UpdateKeyDescription")  # fmt: skip
MOST_TAGS = 50
_metadata, _new_state = Key.to_dict, KmsBackend.__init__


class Keys(dict[str, Any]):
    """moto's keys by id; found by ARN too, which some operations of moto take for an id (DisableKey)."""

    def __missing__(self, name: str) -> Any:
        if ":key/" not in name:
            raise KeyError(name)
        return self[name.split(":key/")[1]]


def new_state(state: Any, *args: Any, **kwargs: Any) -> None:
    _new_state(state, *args, **kwargs)
    state.keys = Keys(state.keys)


KmsBackend.__init__ = new_state


def owner(call: Call) -> str:
    """The account of the key that a request names by ARN, or by a ciphertext."""
    key = key_of(call) if call.operation in ACROSS_ACCOUNTS else ""
    return key.split(":")[4] if key else call.account


kms.owner = owner


def whole_metadata(key: Any) -> dict[str, Any]:
    """KeyMetadata with its defaults, and without the algorithms of another usage (API Reference, KeyMetadata)."""
    shown: dict[str, Any] = _metadata(key)
    shown["KeyMetadata"] |= {"KeyUsage": key.key_usage or "ENCRYPT_DECRYPT", "MultiRegion": bool(key.multi_region)}
    shown["KeyMetadata"] = {name: value for name, value in shown["KeyMetadata"].items() if value not in (None, [])}
    return shown


Key.to_dict = whole_metadata


@kms.before("CreateAlias")
def key_alias(call: Call) -> None:
    if call.params["AliasName"].startswith("alias/aws/"):
        raise AwsError("NotAuthorizedException", "")
    not_pending(call)


@kms.before(*USE)
def in_use(call: Call) -> None:
    """Only an enabled key is used."""
    if (found := find_key(key := key_of(call))) is not None:  # moto refuses one that does not exist
        usable_key(key, "")
        check_use(call, found)


@kms.before("CreateKey")
def new_key(call: Call) -> None:
    check_new(call.params)
    check_tags(call, {})


@kms.before("TagResource")
def tagged(call: Call) -> None:
    not_pending(call)
    found = find_key(key := key_of(call))
    of = moto_bridge.backend("kms", call.account, call.region)
    check_tags(call, of.tagger.get_tag_dict_for_resource(key.rsplit("/", 1)[1]) if found is not None else {})


def check_tags(call: Call, held: dict[str, str]) -> None:
    """Each key once, and 50 at most (API Reference, TagResource: TagException, LimitExceededException)."""
    names = [tag["TagKey"] for tag in call.params.get("Tags") or []]
    if len(set(names)) < len(names):
        raise AwsError("TagException", "Duplicate tag keys")
    if len({*names, *held}) > MOST_TAGS:
        raise AwsError("LimitExceededException", f"A key has at most {MOST_TAGS} tags")


@kms.before("Decrypt")
def decrypted(call: Call) -> None:
    """By the key that encrypted it (API Reference, Decrypt: IncorrectKeyException)."""
    in_use(call)
    wrote = key_of_ciphertext(call.params.get("CiphertextBlob", b""), call.account, call.region)
    if call.params.get("KeyId") and find_key(wrote) is not None and wrote != key_of(call):
        message = "The key ID in the request does not identify a CMK that can perform this operation."
        raise AwsError("IncorrectKeyException", message)


@kms.before(*CHANGES)
def not_pending(call: Call) -> None:
    """A key that is to be deleted is not changed."""
    found = find_key(key := key_of(call))
    if found is not None and found.key_state == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key} is pending deletion.")


@kms.before("ReplicateKey")
def replicated(call: Call) -> None:
    """A multi-Region key alone (API Reference, ReplicateKey: UnsupportedOperationException); moto breaks."""
    found = find_key(key := key_of(call))
    if found is not None and not found.multi_region:
        raise AwsError("UnsupportedOperationException", f"{key} is not a multi-Region primary key.")


@kms.before("GenerateRandom")
def named(call: Call) -> None:
    """What the API's model calls optional and the operation needs (API Reference, GenerateRandom)."""
    if "NumberOfBytes" not in call.params:
        raise AwsError("ValidationException", f"{call.operation} needs NumberOfBytes")


@kms.before("DescribeKey")
def described(call: Call) -> None:
    """Describing a predefined alias makes its key."""
    managed.make(key_of(call))


@kms.operation("ListAliases")
def list_aliases(call: Call) -> dict[str, Any]:
    """Those of AWS that have no key yet are listed without one; moto gives them keys that do not exist."""
    known = moto_bridge.backend("kms", call.account, call.region)
    key = key_of(call) if call.params.get("KeyId") else ""
    if key and find_key(key) is None:
        raise AwsError("NotFoundException", f"Key '{key}' does not exist")
    shown = {
        alias.alias_name: {"AliasName": alias.alias_name, "AliasArn": alias.alias_arn, "TargetKeyId": one.id}
        for one in list(known.keys.values())
        for alias in list(one.aliases.values())
        if key in ("", one.arn)
    }
    for name in managed.PREDEFINED if not key else ():
        shown.setdefault(name, {"AliasName": name, "AliasArn": arn("kms", call.region, call.account, name)})
    return {"Aliases": [shown[name] for name in sorted(shown)], "Truncated": False}


@kms.operation("ReEncrypt")
def re_encrypt(call: Call) -> dict[str, Any]:
    """Each of the two keys may be another account's."""
    source = key_of(call)
    target = key_arn(call.account, call.region, call.params["DestinationKeyId"])
    for key in (source, target):
        usable_key(key, "")
    plain, _ = of_key(source).decrypt(call.params["CiphertextBlob"], call.params.get("SourceEncryptionContext", {}))
    blob, _ = of_key(target).encrypt(target, plain, call.params.get("DestinationEncryptionContext", {}))
    algorithms = dict.fromkeys(("SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"), "SYMMETRIC_DEFAULT")
    return {"CiphertextBlob": blob, "SourceKeyId": source, "KeyId": target, **algorithms}


def of_key(key: str) -> Any:
    """moto's state of the key's account and Region."""
    return moto_bridge.backend("kms", key.split(":")[4], key.split(":")[3])


@kms.operation("PutKeyPolicy")
def put_key_policy(call: Call) -> dict[str, Any]:
    """The name may be left out here too (API Reference, PutKeyPolicy: "the default value is default")."""
    own_key(call).policy = call.params["Policy"]
    return {}


def own_key(call: Call) -> Any:
    """moto's key whose policy is asked for: one of the caller's own account."""
    key = key_of(call)
    found = find_key(key) if key.split(":")[4] == call.account else None
    if found is None:
        raise AwsError("NotFoundException", f"Key '{key}' does not exist")
    if call.params.get("PolicyName", "default") != "default":
        raise AwsError("NotFoundException", "No such policy exists")
    return found


@kms.operation("GetKeyPolicy")
def get_key_policy(call: Call) -> dict[str, Any]:
    """The name may be left out: a key has one policy, "default"."""
    return {"Policy": own_key(call).policy, "PolicyName": "default"}
