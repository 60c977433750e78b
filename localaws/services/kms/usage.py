"""What a key can be used for: its usage and its spec, against the operations of requests and grants.

KMS API Reference, CreateKey (KeyUsage: "Select only one valid value", by spec), Encrypt, Sign, GenerateMac (the errors
InvalidKeyUsageException), GetPublicKey, EnableKeyRotation (UnsupportedOperationException), CreateGrant ("you cannot
create a grant for a symmetric encryption KMS key that allows the Sign operation": ValidationException).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call

CIPHER, SIGNS, MAC, AGREES = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"
SYMMETRIC = "SYMMETRIC_DEFAULT"
USAGES: dict[str, tuple[str, ...]] = {  # by the beginning of a spec
    "SYMMETRIC": (CIPHER,), "RSA": (CIPHER, SIGNS), "ECC_NIST": (SIGNS, AGREES), "ECC": (SIGNS,), "HMAC": (MAC,),
    "ML_DSA": (SIGNS,), "SM2": (CIPHER, SIGNS, AGREES),
}  # fmt: skip
NEEDS = {
    "Encrypt": CIPHER, "Decrypt": CIPHER, "ReEncrypt": CIPHER, "Sign": SIGNS, "Verify": SIGNS, "GenerateMac": MAC,
    "VerifyMac": MAC, "DeriveSharedSecret": AGREES,
}  # fmt: skip
DATA_KEYS = {  # a symmetric key alone
    "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
}  # fmt: skip
ROTATION = {"DisableKeyRotation", "EnableKeyRotation", "RotateKeyOnDemand"}


# The algorithms of a key, by the member of a request that names one.
ALGORITHMS: dict[str, Callable[[Any], list[str] | None]] = {
    "EncryptionAlgorithm": lambda key: key.encryption_algorithms,
    "SigningAlgorithm": lambda key: key.signing_algorithms,
    "MacAlgorithm": lambda key: [key.key_spec.replace("HMAC_", "HMAC_SHA_")],
}


def usage_of(key: Any) -> str:
    return str(key.key_usage or CIPHER)


def fits(key: Any, operation: str) -> bool:
    """Whether the key's usage and spec allow a cryptographic operation (true for every other)."""
    if operation in DATA_KEYS:
        return bool(key.key_spec == SYMMETRIC)
    return NEEDS.get(operation.replace("From", "").replace("To", ""), usage_of(key)) == usage_of(key)


def check_new(params: dict[str, Any]) -> None:
    """AwsError where a new key's usage does not fit its spec, or is left out where it must not be."""
    spec, usage = params.get("KeySpec") or params.get("CustomerMasterKeySpec") or SYMMETRIC, params.get("KeyUsage")
    if usage is None and spec != SYMMETRIC:
        message = "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        raise AwsError("ValidationException", message)
    known = max((start for start in USAGES if spec.startswith(start)), key=len, default="")
    if usage is not None and usage not in USAGES.get(known, (usage,)):
        raise AwsError("ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}")


def check_use(call: Call, key: Any) -> None:
    """AwsError where a request uses a key for what it is not made for."""
    if not fits(key, call.operation):
        what = f"{key.arn} key usage is {usage_of(key)} which is not valid for {call.operation}."
        raise AwsError("InvalidKeyUsageException", what)
    for member, known in ALGORITHMS.items():
        asked, fitting = call.params.get(member), known(key)
        if asked and fitting and asked not in fitting:
            what = f"Algorithm {asked} is incompatible with key spec {key.key_spec}."
            raise AwsError("InvalidKeyUsageException", what)
    symmetric = key.key_spec == SYMMETRIC
    public = call.operation == "GetPublicKey" and (symmetric or usage_of(key) == MAC)
    if public or (call.operation in ROTATION and not symmetric):
        raise AwsError("UnsupportedOperationException", f"{key.arn} key spec is not valid for {call.operation}.")
