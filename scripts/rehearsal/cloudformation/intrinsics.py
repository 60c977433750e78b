"""The intrinsic functions, evaluated for one stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.rehearsal.cloudformation.parameters import Parameters
from scripts.rehearsal.cloudformation.template import Template


class Unknown:
    """A value that only exists once its resource does. Functions of it are UNKNOWN; schemas accept it."""

    def __repr__(self) -> str:
        return "(known after creation)"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Output:
    """One output: its name, value, description ("" for none) and export name ("" for none)."""

    name: str
    value: str
    description: str
    export: str


class Evaluator:
    """The template of one stack with everything resolved that it refers to.

    template: AWS::LanguageExtensions is applied here, so use evaluator.template from then on; other
        transforms are refused (NotPlayed)
    parameters: from parameters.resolve
    pseudo: AWS::AccountId, AWS::Region, AWS::Partition, AWS::URLSuffix, AWS::StackName, AWS::StackId,
        AWS::NotificationARNs (a list)
    exports: the value of an export by name; raises KeyError when there is none
    attributes: (logical id, attribute) -> value; "Ref" asks for what Ref gives. May answer UNKNOWN
        (to check a template before anything exists)
    resolve_dynamic: (service, reference) -> value, service one of ssm, ssm-secure, secretsmanager;
        reference is everything after the service ("name:version")
    zones: the availability zones of a region

    Making one checks every reference and function of the template (TemplateError, AWS's wording).
    """

    def __init__(
        self,
        template: Template,
        parameters: Parameters,
        pseudo: Mapping[str, Any],
        exports: Callable[[str], str],
        attributes: Callable[[str, str], Any],
        resolve_dynamic: Callable[[str, str], str],
        zones: Callable[[str], list[str]] | None = None,
    ) -> None:
        self.template = template
        raise NotImplementedError

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        raise NotImplementedError

    def check_rules(self) -> None:
        """TemplateError with the assertion's description when a rule fails."""
        raise NotImplementedError

    def active(self) -> list[str]:
        """Logical ids of the resources whose condition holds, in the template's order."""
        raise NotImplementedError

    def resource(self, logical_id: str) -> dict[str, Any]:
        """The resolved Properties of a resource; dynamic references looked up, AWS::NoValue left out."""
        raise NotImplementedError

    def attribute_of_resource(self, logical_id: str, name: str) -> Any:
        """A resolved attribute (DeletionPolicy, UpdateReplacePolicy, Metadata, CreationPolicy …); None without one."""
        raise NotImplementedError

    def outputs(self) -> list[Output]:
        """The outputs whose condition holds, in the template's order."""
        raise NotImplementedError

    def imports(self) -> set[str]:
        """Names of the exports that the active resources and outputs import."""
        raise NotImplementedError

    def value(self, node: Any) -> Any:
        """Any part of the template, resolved."""
        raise NotImplementedError
