"""The configuration files in a project's deploy repository: one for each of its stages."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.facts.stage_config import read_config
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot


@check(
    "config-missing",
    "error",
    "A project's deploy repository lacks a stage's configuration file",
    "The Build step fails.",
)
def config_missing(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for name, stage in project.stages.items():
            if stage.config is None and not name.between:  # such a stage is set as staging is
                yield here(
                    facts,
                    f"repository sagemaker-{project.name}-{project.id}-modeldeploy",
                    f"there is no {name}-config.json on its main branch",
                    f"copy seed-code/model-deploy/{name}-config.json into it, and commit",
                )


@check(
    "config-wrong",
    "error",
    "A stage's configuration file has mistakes",
    "The Build step refuses it, or the stage's stack does.",
)
def config_wrong(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for name, stage in project.stages.items():
            if stage.config and known(stage.config) and (wrong := read_config(stage.config).problems):
                yield here(
                    facts,
                    f"repository sagemaker-{project.name}-{project.id}-modeldeploy",
                    f"{name}-config.json: {'; '.join(wrong)}",
                    f"correct {name}-config.json, and commit",
                )
