"""Without Organizations: the two roles of self-managed stack sets.

CloudFormation User Guide, "Grant self-managed permissions".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.roles import read_role
from scripts.kit.doctor.facts.targets import Target
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.names import SELF_MANAGED_ROLES
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

ADMINISTRATION, EXECUTION = SELF_MANAGED_ROLES


@dataclass(frozen=True)
class SelfManaged:
    """administration: the role in the data science account; executions: the one in each target, by account."""

    administration: Any = UNREAD
    executions: Mapping[str, Any] = field(default_factory=dict)

    def roles(self, home: str) -> Iterator[tuple[str, str, Any]]:
        """Account, name and role of each."""
        yield home, ADMINISTRATION, self.administration
        for account, role in self.executions.items():
            yield account, EXECUTION, role


def gather(reader: Reader, settings: Settings, targets: tuple[Target, ...]) -> SelfManaged:
    if settings.administrator != "self-managed":
        return SelfManaged()
    accounts = [target.account.id for target in targets if not target.closed]
    places = [(settings.accounts.data_science, ADMINISTRATION), *((account, EXECUTION) for account in accounts)]

    def read(account: str, name: str) -> Any:
        try:
            return read_role(reader, account, name, policies=True)
        finally:
            if account != settings.accounts.data_science:
                reader.forget(account)

    first, *others = together([partial(read, *place) for place in places], what="roles of stack sets")
    return SelfManaged(first, dict(zip(accounts, others, strict=True)))
