"""How the kit's own stacks should be: templates 09 to 15 in the data science account, 20 in every target account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scripts.kit.doctor.facts.stacks import Stack
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import MODELS_STACK, NOTICES_STACK, PEOPLE_STACK, ROLES_STACK, SHARED_STACK
from scripts.kit.stacks import data_science, studio, target_roles
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage


def differences(found: Stack, want: stacks.WantedStack, known: Mapping[str, str]) -> str:
    """What differs from the bundle's template and the environment file: `template`, parameters by name.

    known: the parameters whose right values are known
    """
    wanted = replace(want, parameters=known)
    return ", ".join(stacks.changes(wanted, found.body or want.body, found.parameters, found.tags))


def data_science_stack(facts: Snapshot, name: str) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """A stack of the data science account's own Region as the environment file wants it, and the parameters that are
    known of it."""
    paths = {stage: path for stage in facts.settings.stages if (path := facts.organization.path(stage))}
    stages, of = facts.settings.stages, facts.organization.units
    seen = {} if facts.alone else {stage: unit.id for stage in stages if (unit := of[stage])}
    units = {stage: seen.get(stage, "") for stage in stages}
    key, shared = facts.data_science.outputs.get("ModelKeyArn", ""), facts.data_science.stacks[SHARED_STACK]
    want = {
        MODELS_STACK: data_science.models(
            facts.settings, paths, untagged=data_science.ASKED[facts.settings.models.untagged]
        ),
        SHARED_STACK: data_science.shared(facts.settings),
        ROLES_STACK: data_science.roles(facts.settings, units),
        PEOPLE_STACK: data_science.people(facts.settings, key, units),
        NOTICES_STACK: data_science.notices(facts.settings, paths),
        **{want.name: want for want in studio.domain(facts.settings)},
    }[name]
    unknown = set() if facts.alone else {stage.path_parameter for stage in facts.settings.stages if stage not in paths}
    unknown |= set() if facts.settings.models.untagged else {data_science.UNTAGGED}
    unknown |= set() if facts.alone else {stage.unit_parameter for stage in facts.settings.stages if stage not in seen}
    if not facts.alone and len(seen) < len(stages):
        unknown |= {"FurtherStageTargets", "PathsBeforeProduction"}
    unknown |= set() if key else {"ModelKeyArn"}
    if name == SHARED_STACK and shared and not shared.parameters.get("ImageRepositoryPrefix"):
        unknown.add("ImageRepositoryPrefix")  # rules that others made may do it: image-replication checks them
    return want, {k: v for k, v in want.parameters.items() if k not in unknown}


def target_stack(facts: Snapshot, stage: Stage, account: str) -> tuple[stacks.WantedStack, Mapping[str, str]]:
    """Template 20 in an account of a stage, and the parameters that are known of it."""
    outputs = dict.fromkeys(target_roles.NEEDED, "") | {
        "OwnTestsRoleArn": facts.own_tests_role_arn, "TestRoleArn": facts.test_role_arn
    }  # fmt: skip
    outputs |= facts.data_science.outputs
    where = target_roles.TargetStage(stage, facts.settings.roles.suffix.of(stage), "", ())
    want = target_roles.target_stack(facts.settings, where, account, outputs)
    return want, {name: value for name, value in want.parameters.items() if value}
