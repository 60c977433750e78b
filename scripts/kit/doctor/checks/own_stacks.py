"""How the kit's own stacks should be: template 10 in the data science account, template 20 in every target account."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.kit.doctor.facts.stacks import Stack
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.organization.state import SeenOrganization
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks import target_roles


def differences(found: Stack, want: stacks.WantedStack, known: Mapping[str, str]) -> str:
    """What differs from the bundle's template and the environment file: `template`, parameters by name.

    known: the parameters whose right values are known
    """
    wanted = stacks.WantedStack(want.account, want.name, want.body, known, want.file)
    return ", ".join(stacks.changes(wanted, found.body or want.body, found.parameters))


def data_science_stack(facts: Snapshot) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """Template 10 as the environment file wants it, and the parameters that are known of it."""
    paths = tuple(path for stage in ("staging", "production") if (path := facts.organization.path(stage)))
    want = target_roles.data_science_stack(facts.settings, SeenOrganization(paths=paths))
    unknown = set() if facts.alone or len(paths) == 2 else {"OrganizationalUnitPaths"}
    if facts.data_science.stack and not facts.data_science.stack.parameters.get("ImageRepositoryPrefix"):
        unknown.add("ImageRepositoryPrefix")  # rules that others made may do it: image-replication checks them
    return want, {k: v for k, v in want.parameters.items() if k not in unknown}


def target_stack(facts: Snapshot, stage: str, account: str) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """Template 20 in an account of a stage, and the parameters that are known of it."""
    outputs = dict.fromkeys(target_roles.MODELS, "") | {"TestRoleArn": facts.test_role_arn}
    outputs |= facts.data_science.stack.outputs if facts.data_science.stack else {}
    where = target_roles.TargetStage(stage, getattr(facts.settings.roles.suffix, stage), "", ())
    want = target_roles.target_stack(facts.settings, where, account, outputs)
    return want, {name: value for name, value in want.parameters.items() if value}
