"""The keys of captured data in the target accounts: what KMS has under the alias of the environment file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.organization import Organization
from scripts.kit.doctor.facts.regions import disabled
from scripts.kit.doctor.facts.targets import accounts_of, enters
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together


@dataclass(frozen=True)
class DataKey:
    """The key of an account and Region; described: as DescribeKey shows it, None where there is no such alias."""

    account: str
    region: str
    stage: Stage
    described: Any = UNREAD


def gather(
    reader: Reader, settings: Settings, organization: Organization, regions: Mapping[Stage, tuple[str, ...]]
) -> tuple[DataKey, ...]:
    """Those of every account of the stages; () without an alias, or where these credentials enter none."""
    if not settings.endpoints.data_key or not enters(reader, settings):
        return ()
    jobs = [
        partial(read, reader, settings, account.id, stage, regions[stage])
        for account, stage in accounts_of(settings, organization)
    ]
    return tuple(key for found in together(jobs, what="target accounts") for key in found)


def read(reader: Reader, settings: Settings, account: str, stage: Stage, regions: tuple[str, ...]) -> list[DataKey]:
    """The keys of one account; nothing of one that cannot be entered, which is a finding of its own."""
    if reader.enter(account, settings.roles.access):
        return []
    found, off, alias = [], disabled(reader, account, regions), settings.endpoints.data_key
    for region in (one for one in regions if one not in off):
        answer = reader.ask(account, "kms", "DescribeKey", region, KeyId=alias)
        found.append(DataKey(account, region, stage, answer["KeyMetadata"] if answer else answer))
    reader.forget(account)
    return found
