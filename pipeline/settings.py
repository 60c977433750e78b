"""The input of the Build step: environment variables of the build project, and the two configuration files.

Everything is checked once, here; all mistakes are reported at the same time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import combinations, metric_gates, production_alone, removal
from pipeline.console import UserError
from pipeline.documents import Rule, is_text, listed, named, nearest, problem, read_document, shown, unknown
from pipeline.parameters import Declared, declared_parameters, value_problem

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType

# In the order of deployment, and how a page calls each. A project may be without those between, and without staging
# where it is without those (production_alone.py).
STAGES = {"staging": "Staging", "qa": "QA", "uat": "UAT", "preprod": "Pre-production", "prod": "Production"}
NEEDED = ("staging", "prod")  # the others are set as staging is where the repository has no file of theirs
SELF_MANAGED = "SELF_MANAGED"  # the administrator without AWS Organizations
# A parameter holds 4,096 bytes, so 40-stage.yaml takes the account ids in several.
ACCOUNT_PARAMETERS = ("AccountIds", *(f"MoreAccountIds{number}" for number in range(1, 8)))
FURTHER_REGIONS = 3  # of a stage, besides the project's own: as many copies of a version 50-endpoint.yaml tells apart
# Parameters of 40-stage.yaml that this step writes itself; the others are a stage's settings.
WRITTEN_HERE = (
    "SageMakerProjectName", "SageMakerProjectId", "StageName", "StackSetAdministrator", "OrganizationalUnitId",
    *ACCOUNT_PARAMETERS, "Regions", "EndpointTemplateUrl", "ModelPackageName", "CopyRegions",
    "CopyModelPackageNames", "ShadowModelPackageName", "ShadowCopyModelPackageNames", "MoveAtOnce",
    "SageMakerExecutionRoleName", "Release", "KeepInstanceCount", "BundleVersion", "MonitorBaseline",
    "MonitorQualityBaseline", "MonitorQualityAnswers",
)  # fmt: skip
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
SCHEMA = Rule(lambda value: is_text(value, 200), "the name of a file", '"./settings.schema.json"')
PARAMETERS = Rule(
    lambda value: isinstance(value, dict), "an object of names and texts", '{"InstanceType": "ml.m5.large"}'
)
LAST_APPROVED = "last-approved"
VERSION = re.compile(r"[1-9][0-9]{0,8}")
REJECTED = re.compile(rf"rejected-({VERSION.pattern})")  # as the event of a rejection states it (30-project.yaml)
VARIABLES = (
    "SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID", "MODEL_PACKAGE_GROUP_NAME", "MODEL_PACKAGE_VERSION",
    "STACK_SET_ADMINISTRATOR", "ARTIFACT_BUCKET", "BUNDLE_BUCKET", "ENDPOINT_TEMPLATE_KEY", "BUNDLE_VERSION",
    "COMMIT_ID", "PIPELINE_EXECUTION_ID", "AWS_REGION",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One stage: which unit and Regions it goes to, and its settings (parameters of 40-stage.yaml).

    accounts: the listed ids where there is no organization, and so no unit
    """

    name: str
    unit: str
    accounts: tuple[str, ...]
    execution_role_name: str
    regions: tuple[str, ...]
    parameters: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)  # the file as it stands
    read_from: str = ""

    @property
    def file(self) -> str:
        """The name of its configuration file, which may be staging's."""
        return self.read_from or f"{self.name}-config.json"

    @property
    def tester_role_name(self) -> str:
        return f"{self.execution_role_name}-tester"


@dataclass(frozen=True)
class Settings:
    """version: the number to deploy, or None for the version that was approved last.

    rejected: the number of the version whose rejection started the execution, or None
    bundle_version: of the published bundle that the project comes from
    organization_tags: what the organization has everything tagged with, beside the project's own
    shadow_minutes, shadow_requests: how long a candidate is in production's shadow at most, 0 for not at all; after how
        many requests at each endpoint it is enough, 0 for all that time
    """

    project: str
    project_id: str
    group: str
    version: int | None
    administrator: str
    artifact_bucket: str
    bundle_bucket: str
    endpoint_template_key: str
    bundle_version: str
    commit_id: str
    execution_id: str
    region: str
    stages: tuple[Stage, ...]
    rejected: int | None = None
    organization_tags: Mapping[str, str] = field(default_factory=dict)
    shadow_minutes: int = 0
    shadow_requests: int = 0

    @property
    def tags(self) -> dict[str, str]:
        """Of what the pipeline creates; the project's own are those that SageMaker gives a project's stack."""
        own = {"sagemaker:project-name": self.project, "sagemaker:project-id": self.project_id}
        return {**self.organization_tags, **own}

    @property
    def production_alone(self) -> bool:
        return len(self.stages) == 1

    @property
    def folder(self) -> str:
        """The project's own in the model bucket."""
        return f"{self.project}-{self.project_id}/"

    @property
    def call_as(self) -> CallAsType:
        """CallAs of the requests about the stages' stack sets (CloudFormation API Reference, ListStackInstances)."""
        return "DELEGATED_ADMIN" if self.administrator == "DELEGATED_ADMIN" else "SELF"

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region of a stage."""
        return tuple(dict.fromkeys(region for stage in self.stages for region in stage.regions))


def read_settings(environment: Mapping[str, str], kit: Path, repository: Path) -> Settings:
    """The settings; UserError names every mistake in them.

    kit: the folder with 40-stage.yaml; repository: that of the two configuration files
    """
    self_managed = environment.get("STACK_SET_ADMINISTRATOR") == SELF_MANAGED
    alone = production_alone.asked(environment)
    needed_stages = NEEDED[1:] if alone else NEEDED
    names = [name for name in STAGES if name in needed_stages or environment.get(role_variable(name))]
    where = "{}_ACCOUNT_IDS" if self_managed else "ORGANIZATIONAL_UNIT_{}_ID"
    of_stages = ("EXECUTION_ROLE_{}_NAME", "{}_REGIONS", where)
    needed = [*VARIABLES, *(one.format(name.upper()) for name in names for one in of_stages)]
    problems = [f"environment variable {name} is not set" for name in needed if not environment.get(name)]
    if alone and names != [production_alone.PRODUCTION]:
        problems.append(f"environment variable {production_alone.VARIABLE} is set, and one of the stage {names[0]} too")
    if problems:
        raise UserError("the build project is not complete: " + "; ".join(problems))
    known = template_parameters(kit / "40-stage.yaml")
    stages = []
    for name in names:
        file = repository / f"{name}-config.json"
        if name not in NEEDED and not file.exists():
            file = repository / f"{next(iter(STAGES))}-config.json"
        stage, wrong = read_stage(name, environment, file, known)
        stages.append(stage)
        wrong += production_alone.problems_of(stage.config) if alone else ()
        problems += [problem for problem in wrong if problem not in problems]
    asked = environment["MODEL_PACKAGE_VERSION"]
    rejected = REJECTED.fullmatch(asked)
    if asked != LAST_APPROVED and not rejected and not VERSION.fullmatch(asked):
        problems.append(
            f"the pipeline's variable ModelPackageVersion is {asked}: a number or {LAST_APPROVED} is needed"
        )
    if problems:
        raise UserError(listed(problems))
    return Settings(
        project=environment["SAGEMAKER_PROJECT_NAME"],
        project_id=environment["SAGEMAKER_PROJECT_ID"],
        group=environment["MODEL_PACKAGE_GROUP_NAME"],
        version=int(asked) if VERSION.fullmatch(asked) else None,
        administrator=environment["STACK_SET_ADMINISTRATOR"],
        artifact_bucket=environment["ARTIFACT_BUCKET"],
        bundle_bucket=environment["BUNDLE_BUCKET"],
        endpoint_template_key=environment["ENDPOINT_TEMPLATE_KEY"],
        bundle_version=environment["BUNDLE_VERSION"],
        commit_id=environment["COMMIT_ID"],
        execution_id=environment["PIPELINE_EXECUTION_ID"],
        region=environment["AWS_REGION"],
        stages=tuple(stages),
        rejected=int(rejected[1]) if rejected else None,
        organization_tags=read_tags(environment.get("ORGANIZATION_TAGS", "")),
        shadow_minutes=int(environment.get("SHADOW_MINUTES") or 0),
        shadow_requests=int(environment.get("SHADOW_REQUESTS") or 0),
    )


def role_variable(stage: str) -> str:
    """The variable with the role that models run as; a stage without one is not there (30-project.yaml)."""
    return f"EXECUTION_ROLE_{stage.upper()}_NAME"


def read_tags(text: str) -> dict[str, str]:
    """KEY=VALUE,KEY=VALUE as `make publish` wrote it (30-project.yaml, OrganizationTags): no key has =, no tag a ,"""
    return dict(tag.split("=", 1) for tag in text.split(",") if tag)


def read_stage(
    name: str, environment: Mapping[str, str], file: Path, known: Mapping[str, Declared]
) -> tuple[Stage, list[str]]:
    """A stage, and what is wrong with its configuration file."""
    config, problems = read_config(file)
    given = config.get("Parameters", {})
    if not isinstance(given, dict):
        problems.append(f"{file.name}: {problem('Parameters', given, PARAMETERS)}")
        given = {}
    problems += problems_of(file.name, given, known)
    regions = config.get("Regions", environment[f"{name.upper()}_REGIONS"].split(","))
    home = environment["AWS_REGION"]
    if not isinstance(regions, list) or not regions or not all(map(is_region, regions)):
        problems.append(
            f'{file.name}: Regions is {regions_shown(regions)}: write a list of Regions, such as ["us-east-1"]'
        )
        regions = []
    if len(further := [region for region in dict.fromkeys(regions) if region != home]) > FURTHER_REGIONS:
        problems.append(
            f"{file.name}: Regions is {some(regions)}: write at most {FURTHER_REGIONS} Regions besides {home}, such as "
            f"{json.dumps(further[:FURTHER_REGIONS])}"
        )
    upper = name.upper()
    return Stage(
        name=name,
        unit=environment.get(f"ORGANIZATIONAL_UNIT_{upper}_ID", ""),
        accounts=tuple(filter(None, environment.get(f"{upper}_ACCOUNT_IDS", "").split(","))),
        execution_role_name=environment[role_variable(name)],
        regions=tuple(dict.fromkeys(regions)),
        parameters=given,
        config=config,
        read_from=file.name,
    ), problems


def problems_of(file: str, given: Mapping[str, Any], known: Mapping[str, Declared]) -> list[str]:
    """What is wrong with the settings of a file."""
    problems: list[str] = []
    settings = sorted(set(known) - set(WRITTEN_HERE))
    for key, value in given.items():
        where = f"{file}: Parameters.{named(key)}"
        if key in WRITTEN_HERE:
            problems.append(
                f"{where} is {shown(value)}: the pipeline writes it itself. Take it out, and write settings alone, "
                'such as "InstanceType"'
            )
        elif key not in settings:
            problems.append(
                f"{where} is {shown(value)}: 40-stage.yaml has no such setting. Write one of settings.schema.json, "
                f"such as {nearest(key, settings)}"
            )
        elif not isinstance(value, str):
            meant = json.dumps(value)
            same = not isinstance(value, dict | list) and not known[key].rule(meant)
            example = f'"{meant}"' if same else known[key].example
            problems.append(f"{where} is {shown(value)}: write text, such as {example}")
        elif wrong := value_problem(where, value, known[key]):
            problems.append(wrong)
    return problems + combinations.problems(file, given, known)


def regions_shown(regions: Any) -> str:
    """The Regions of a file in a message: those that are none."""
    if not isinstance(regions, list):
        return shown(regions)
    return some([shown(region) for region in regions if not is_region(region)]) or "an empty list"


def is_region(value: Any) -> bool:
    return isinstance(value, str) and REGION.fullmatch(value) is not None


def some(items: list[str], most: int = 5) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def read_config(file: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        config = read_document(file)
    except FileNotFoundError:
        return {}, [f"{file.name} is missing from the repository"]
    except OSError as error:
        return {}, [f"{file.name} cannot be read: {error.strerror}"]
    except ValueError as error:
        return {}, [f"{file.name} is not JSON: {error}"]
    if not isinstance(config, dict):
        return {}, [f"{file.name} must be a JSON object, not {shown(config)}"]
    problems = unknown(f"{file.name}: ", config, ("Parameters", "Regions", metric_gates.KEY, removal.KEY, "$schema"))
    problems += [*metric_gates.problems_of(file.name, config), *removal.problems_of(file.name, config)]
    if wrong := problem("$schema", config.get("$schema", "-"), SCHEMA):
        problems.append(f"{file.name}: {wrong}")
    return config, problems


def template_parameters(file: Path) -> dict[str, Declared]:
    """The parameters of a template, by name."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file.name} is missing from the pipeline's code: publish the bundle again") from error
    if not (found := declared_parameters(text)):
        raise UserError(f"{file.name} has no Parameters section")
    return found
