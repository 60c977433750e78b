"""The keys of captured data in the target accounts: what KMS has under the alias of the environment file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.stages import Stage

ROLES = ("", "-tester", "-monitor")  # after the name of the model's role: those with UseDataKey in template 20


@dataclass(frozen=True)
class DataKey:
    """The key of an account and Region; described: as DescribeKey shows it, None where there is no such alias.

    policy: the text of the key's policy; roles: the ARNs of the account's roles that use it
    """

    account: str
    region: str
    stage: Stage
    described: Any = UNREAD
    policy: Any = UNREAD
    roles: tuple[str, ...] = ()


def read(
    reader: Reader, alias: str, account: str, stage: Stage, regions: tuple[str, ...], role: str
) -> tuple[DataKey, ...]:
    """The keys of an account that was entered; () without an alias. role: the name of the model's"""
    if not alias:
        return ()
    found = [reader.ask(account, "iam", "GetRole", RoleName=f"{role}{end}") for end in ROLES]
    roles = tuple(answer["Role"]["Arn"] for answer in found if answer)
    return tuple(read_one(reader, alias, account, stage, region, roles) for region in regions)


def read_one(reader: Reader, alias: str, account: str, stage: Stage, region: str, roles: tuple[str, ...]) -> DataKey:
    answer = reader.ask(account, "kms", "DescribeKey", region, KeyId=alias)
    if not answer:
        return DataKey(account, region, stage, answer)
    policy = reader.ask(account, "kms", "GetKeyPolicy", region, KeyId=answer["KeyMetadata"]["KeyId"])
    return DataKey(account, region, stage, answer["KeyMetadata"], policy["Policy"] if policy else UNREAD, roles)
