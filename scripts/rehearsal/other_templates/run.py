"""One rehearsal of another team's SageMaker project template on the embedded AWS: its options and its results.

SageMaker Developer Guide, "Create Custom Project Templates" (a product of Service Catalog, or a template in
S3), "Granting SageMaker Studio Permissions Required to Use Projects" (the roles that Studio makes). The
organization and its people are those of the kit's own story; the data scientist makes the project, the launch
role provisions it, and its pipelines run as far as the embedded AWS supports their services.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from awslang.template.template import Template
from localaws.cloud import Cloud, Session
from localaws.cloudformation.goals import UnsupportedPart
from scripts.kit.console import UserError
from scripts.kit.patience import until
from scripts.rehearsal import setting as people
from scripts.rehearsal.setting import Setting

Style = Literal["service-catalog", "s3"]
PIPELINE = "AWS::CodePipeline::Pipeline"


class Refused(Exception):  # reads as what it says
    """The template cannot be run, or AWS would refuse it: nothing of it was created.

    message: what AWS would say; parts: what the embedded AWS does not support in the template
    """

    def __init__(self, message: str, parts: list[UnsupportedPart] | None = None) -> None:
        super().__init__(message)
        self.parts = parts or []


@dataclass(frozen=True)
class Options:
    """The options of the command line.

    seeds: name of a zip file that the template expects, and its folder
    parameters: values may hold {data_science_account}, {staging_unit} … (see Run.names)
    setup: templates that an administrator deploys before, for roles that the template expects
    attach: role and policy ARN, attached by the administrator before
    model: the model package group in which a version is approved once the pipelines first stand still; "" for none
    """

    template: Path
    seeds: dict[str, Path] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    style: Style = "service-catalog"
    approve: bool = False
    setup: tuple[Path, ...] = ()
    attach: tuple[tuple[str, str], ...] = ()
    replace: dict[str, str] = field(default_factory=dict)
    launch_role: str = ""
    project: str = "rehearsal"
    region: str = "us-east-1"
    patience: float = 900.0
    model: str = ""


@dataclass
class Run:
    """One rehearsal of one template; report.py reads what is left in it.

    of_setup: the parameters of the templates that were deployed before
    """

    cloud: Cloud
    options: Options
    setting: Setting = field(init=False)
    body: str = ""
    parsed: Template | None = None
    of_setup: set[str] = field(default_factory=set)
    project_id: str = ""
    project_status: str = ""
    message: str = ""
    stack_id: str = ""
    refused: Refused | None = None
    notes: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    trouble: str = ""
    root: Path = Path(__file__).resolve().parents[3]

    # -- who acts ------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        return self.setting.data_science

    @property
    def administrator(self) -> Session:
        return people.sign_in(self.cloud, self.account, people.ENGINEER, self.options.region)

    @property
    def scientist(self) -> Session:
        return people.studio(self.cloud, self.setting)

    @property
    def names(self) -> dict[str, str]:
        """What a parameter's value may stand for, in curly brackets."""
        return {
            "region": self.options.region,
            "management_account": self.setting.management,
            "data_science_account": self.setting.data_science,
            "staging_account": self.setting.targets["staging"],
            "production_account": self.setting.targets["prod"],
            "staging_unit": self.setting.units["staging"],
            "production_unit": self.setting.units["prod"],
            "studio_role": people.STUDIO_ROLE,
            "studio_role_arn": f"arn:aws:iam::{self.account}:role/service-role/{people.STUDIO_ROLE}",
            "seed_bucket": self.seed_bucket,
        }

    @property
    def seed_bucket(self) -> str:
        return f"sagemaker-seed-code-{self.account}-{self.options.region}"

    @property
    def launch_role(self) -> str:
        name = self.options.launch_role or f"service-role/{people.LAUNCH_ROLE}"
        return name if name.startswith("arn:") else f"arn:aws:iam::{self.account}:role/{name}"

    def parameters(self, given: dict[str, str]) -> dict[str, str]:
        values = {}
        for name, value in given.items():
            for key, meaning in self.names.items():
                value = value.replace("{" + key + "}", meaning)
            values[name] = value
        return values

    @property
    def own_parameters(self) -> dict[str, str]:
        """The values for the template itself: without those that only a template of --setup has."""
        known = self.parsed.parameters if self.parsed else {}
        given = self.parameters(self.options.parameters)
        return {name: value for name, value in given.items() if name in known or name not in self.of_setup}

    # -- waiting -------------------------------------------------------------------------------

    def until(self, what: str, look: Callable[[], Any], patience: float = 120.0, late: UserError | None = None) -> Any:
        """What look() answers as soon as it answers something. late: what is said where it never does."""

        def answer() -> Any:
            if found := look():
                return found
            self.faults()
            return None

        error = late or UserError(f"{what}: nothing after {patience:.0f} s")
        return until(what, answer, patience, late=lambda: error, longest=0.3)

    def faults(self) -> None:
        if self.cloud.faults:
            fault = self.cloud.faults[0]
            raise UserError(f"the embedded AWS broke in {fault.where}:\n{fault.traceback}")
