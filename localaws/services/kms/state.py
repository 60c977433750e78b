"""Keys as moto holds them: found by whatever names them, and whether one can be used."""

from __future__ import annotations

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.cloud import arn


def key_arn(account: str, region: str, key: str) -> str:
    """The ARN of a key given by id, ARN, alias or alias ARN; an unknown alias stays in the ARN."""
    if key.startswith("arn:"):
        _, _, _, region, account, name = key.split(":", 5)
        key = name.removeprefix("key/")
    if key.startswith("alias/"):
        keys = moto_bridge.backend("kms", account, region).keys.values()
        key = next((str(k.id) for k in keys if key in k.aliases), key)
    return arn("kms", region, account, f"key/{key}")


def usable_key(arn: str) -> None:
    _, _, _, region, account, name = arn.split(":", 5)
    found = moto_bridge.backend("kms", account, region).keys.get(name.removeprefix("key/"))
    if found is None:
        raise AwsError("KMS.NotFoundException", f"Key '{arn}' does not exist")
    if found.key_state == "PendingDeletion":
        raise AwsError("KMS.KMSInvalidStateException", f"{arn} is pending deletion.")
    if not found.enabled:
        raise AwsError("KMS.DisabledException", f"{arn} is disabled.")
