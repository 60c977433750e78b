"""The keys of captured data in the target accounts: that they are there, and can be used."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot


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
