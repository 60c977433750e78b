"""What the checks of a pipeline's declaration share: the errors, the conditions of a stage, commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from awslang.errors import AwsError, NotSupported

Declaration = Mapping[str, Any]
RESULTS = {  # by condition type
    "beforeEntry": ("FAIL", "SKIP"),
    "onSuccess": ("ROLLBACK", "FAIL"),
    "onFailure": ("ROLLBACK", "FAIL", "RETRY", "SKIP"),
}


def structure(message: str) -> AwsError:
    return AwsError("InvalidStructureException", message)


def wrong_action(message: str) -> AwsError:
    return AwsError("InvalidActionDeclarationException", message)


def wrong_stage(message: str) -> AwsError:
    return AwsError("InvalidStageDeclarationException", message)


def duplicate_of(names: list[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def check_commands(where: str, declared: Declaration) -> None:
    """ "Commands action reference": single lines; what this machine cannot be is refused by name."""
    if not declared.get("commands"):
        raise wrong_action(f"{where} has no commands")
    if any("\n" in command for command in declared["commands"]):
        raise wrong_action(f"{where} has a command of more than one line; multi-line formats are not supported")
    if any("files" not in artifact for artifact in declared.get("outputArtifacts", [])):
        raise NotSupported(f"an output artifact without files of {where}")
    configuration = declared.get("configuration", {})
    if configuration.get("EnvironmentType", "").startswith("WINDOWS"):
        raise NotSupported(f"EnvironmentType {configuration['EnvironmentType']} of {where}")
    if {"VpcId", "Subnets", "SecurityGroupIds"} & set(configuration):
        raise NotSupported(f"a VPC for the commands of {where}")


def conditions(stage: Declaration) -> Iterator[tuple[str, Declaration]]:
    """(condition type, what it holds) for each condition that a stage declares."""
    for kind in RESULTS:
        if kind in stage:
            yield kind, stage[kind]
