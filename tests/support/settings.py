"""Environment files that tests edit, and what is said of one with mistakes."""

from __future__ import annotations

import pytest

from scripts.kit.console import UserError
from scripts.kit.settings import reading
from tests.support import EXAMPLE_SETTINGS

TARGETS = "targets:\n  staging: ['333333333333', '444444444444']\n  production: ['222222222222']"
SELF_MANAGED = (
    EXAMPLE_SETTINGS.replace("administrator: delegated", "administrator: self-managed")
    .replace("  management: '999999999999'\n", "")
    .replace("units:\n  staging: ou-ab12-stag1111\n  production: ou-ab12-prod2222\n", "")
    .replace("# targets:\n#   staging: ['333333333333']\n#   production: ['222222222222']", TARGETS)
)


def complaint(text: str) -> str:
    with pytest.raises(UserError) as error:
        reading.parse(text, "environment.yaml")
    return str(error.value)
