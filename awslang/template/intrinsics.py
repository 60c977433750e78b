"""The intrinsic functions, evaluated for one stack.

AWS pages: "Intrinsic function reference", "Get AWS values using pseudo parameters", "Get values stored in
other services using dynamic references".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from awslang.template import checks, dynamic, functions, language_extensions, nodes, rules
from awslang.template.parameters import Parameters
from awslang.template.template import Place, Template, TemplateError
from awslang.template.values import NO_VALUE, UNKNOWN, Unknown, text

OTHER_ZONES = {  # letters of the Regions whose zones are not a, b and c
    "ap-northeast-1": "acd", "ap-northeast-2": "abcd", "ca-central-1": "abd", "cn-north-1": "ab", "us-east-1": "abcdef",
    "us-west-1": "ab", "us-west-2": "abcd",
}  # fmt: skip
EXPORT_NAME = re.compile(r"[a-zA-Z0-9:\-]{1,255}")


def availability_zones(region: str) -> list[str]:
    """The zones of a Region, as many as an account there has. Which letters it sees is each account's own
    ("Availability Zones" of the AWS regions and Availability Zones page; letters as in moto's accounts)."""
    return [f"{region}{letter}" for letter in OTHER_ZONES.get(region, "abc")]


@dataclass(frozen=True)
class Output:
    """One output: its name, value (a string, or UNKNOWN), description and export name ("" for none)."""

    name: str
    value: Any
    description: str
    export: str


class Evaluator:
    """The template of one stack with everything resolved that it refers to.

    template: AWS::LanguageExtensions is applied here, so use evaluator.template from then on; other
        transforms are refused (NotSupported)
    parameters: from parameters.resolve
    pseudo: AWS::AccountId, AWS::Region, AWS::Partition, AWS::URLSuffix, AWS::StackName, AWS::StackId,
        AWS::NotificationARNs (a list)
    exports: the value of an export by name; raises KeyError when there is none
    attributes: (logical id, attribute) -> value; "Ref" asks for what Ref gives. May answer UNKNOWN
        (to check a template before anything exists)
    resolve_dynamic: (service, reference) -> value, service one of ssm, ssm-secure, secretsmanager;
        reference is everything after the service ("name:version")
    zones: the availability zones of a Region

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
        self.template = language_extensions.expand(template, parameters, pseudo)
        self.parameters = parameters
        self.pseudo = pseudo
        self.exports = exports
        self.attributes = attributes
        self.resolve_dynamic = resolve_dynamic
        self.zones = zones or availability_zones
        self.block = "Resources"  # of the template, which is being resolved
        self._conditions: dict[str, bool] = {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": lambda a: self._value(a[1] if self.condition(a[0]) else a[2]),
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": self._import_value,
            "Fn::GetAZs": self._get_azs,
            "Fn::Join": lambda a: functions.join(*self._list("Fn::Join", a)),
            "Fn::Split": lambda a: functions.split(*self._list("Fn::Split", a)),
            "Fn::Select": lambda a: functions.select(*self._list("Fn::Select", a)),
            "Fn::Cidr": lambda a: functions.cidr(*self._list("Fn::Cidr", a)),
            "Fn::Base64": lambda a: functions.base64_text(self._value(a)),
            "Fn::Length": lambda a: functions.length(self._value(a)),
            "Fn::ToJsonString": lambda a: functions.to_json_string(self._value(a)),
            "Fn::Equals": lambda a: functions.equals(self._value(a[0]), self._value(a[1])),
            "Fn::Not": lambda a: not self._truth(a[0]),
            "Fn::And": lambda a: all(self._truth(part) for part in a),
            "Fn::Or": lambda a: any(self._truth(part) for part in a),
        }
        self.extended = language_extensions.NAME in template.transforms
        checks.check(self.template, str(pseudo["AWS::Region"]), extended=self.extended)

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            with Place(self.template, "Conditions", name):
                self._conditions[name] = self._truth(self.template.conditions[name])
        return self._conditions[name]

    def check_rules(self) -> None:
        """TemplateError with the assertion's description when a rule fails."""
        rules.check(self.template, self.parameters, self._value)

    def is_active(self, logical_id: str) -> bool:
        """Whether the stack has this resource: its condition holds, or it has none."""
        condition = self.template.resources[logical_id].get("Condition")
        return condition is None or self.condition(condition)

    def active(self) -> list[str]:
        """Logical ids of the resources whose condition holds, in the template's order."""
        return [name for name in self.template.resources if self.is_active(name)]

    def resource(self, logical_id: str) -> dict[str, Any]:
        """The resolved Properties of a resource; dynamic references looked up, AWS::NoValue left out.

        Fn::If may choose between whole sets of properties, as samples of AWS do.
        """
        declared = self.template.resources[logical_id]
        properties = declared.get("Properties", {})
        if set(properties) == {"Fn::If"}:
            with Place(self.template, "Resources", logical_id, "Properties"):
                properties = self._value(properties)
            properties = properties if isinstance(properties, dict) else {}
        found = {}
        for name, node in properties.items():
            with Place(self.template, "Resources", logical_id, "Properties", name):
                value = dynamic.resolve(self._value(node), str(declared["Type"]), name, self.resolve_dynamic)
            if value is not NO_VALUE:
                found[name] = value
        return found

    def attribute_of_resource(self, logical_id: str, name: str) -> Any:
        """A resolved attribute (DeletionPolicy, UpdateReplacePolicy, Metadata, CreationPolicy …); None without one."""
        with Place(self.template, "Resources", logical_id, name):
            return self.value(self.template.resources[logical_id].get(name))

    def outputs(self) -> list[Output]:
        """The outputs whose condition holds, in the template's order."""
        self.block = "Outputs"
        try:
            return [
                self._output(name, declared)
                for name, declared in self.template.outputs.items()
                if "Condition" not in declared or self.condition(declared["Condition"])
            ]
        finally:
            self.block = "Resources"

    def imports(self) -> set[str]:
        """Names of the exports that the active resources and outputs import."""
        if "ImportValue" not in self.template.body:
            return set()
        parts = [self.template.resources[name] for name in self.active()]
        parts += [o for o in self.template.outputs.values() if "Condition" not in o or self.condition(o["Condition"])]
        return {text(self.value(a)) for part in parts for name, a in self.calls(part) if name == "Fn::ImportValue"}

    def calls(self, node: Any) -> Iterator[tuple[str, Any]]:
        """Every function call that counts for this stack: of Fn::If, only the branch that holds."""
        found = nodes.call(node)
        if found and found[0] == "Fn::If":
            yield from self.calls(found[1][1] if self.condition(found[1][0]) else found[1][2])
            return
        if found:
            yield found
        parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for part in parts:
            yield from self.calls(part)

    def value(self, node: Any) -> Any:
        """Any part of the template, resolved; None for AWS::NoValue."""
        value = self._value(node)
        return None if value is NO_VALUE else value

    def _value(self, node: Any) -> Any:
        if isinstance(node, dict):
            found = nodes.call(node)
            if found and found[0] not in self._functions:  # one of rules, inside an object
                raise TemplateError(f"Template error: {found[0]} cannot be used inside another value")
            if found:
                return self._functions[found[0]](found[1])
            values = {name: self._value(part) for name, part in node.items()}
            return {name: value for name, value in values.items() if value is not NO_VALUE}
        if isinstance(node, list):
            return [value for value in map(self._value, node) if value is not NO_VALUE]
        return node

    def _list(self, function: str, argument: Any) -> list[Any]:
        """The arguments of a function; with AWS::LanguageExtensions another function may give them."""
        value, (least, most, message) = self._value(argument), checks.ARGUMENTS[function]
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise TemplateError(f"Template error: {message}")
        return value

    def _truth(self, node: Any) -> bool:
        if isinstance(node, dict) and isinstance(node.get("Condition"), str):
            return self.condition(node["Condition"])
        value = self._value(node)
        if not isinstance(value, bool):
            raise TemplateError(
                "Template format error: Conditions can only be boolean operations on parameters and other conditions"
            )
        return value

    def _named(self, name: str, attribute: str) -> Any:
        """What ${name} or ${name.attribute} stands for."""
        if not attribute and name == "AWS::NoValue":
            return NO_VALUE
        if not attribute and name in self.pseudo:
            return self.pseudo[name]
        if not attribute and name in self.parameters.values:
            return self.parameters.values[name]
        if name not in self.template.resources or not self.is_active(name):
            what = f"Unresolved resource dependencies [{name}] in the {self.block} block of the template"
            raise TemplateError(f"Template format error: {what}")
        return self.attributes(name, attribute or "Ref")

    def _ref(self, argument: Any) -> Any:
        return self._named(text(self._value(argument)), "")

    def _get_att(self, argument: Any) -> Any:
        name, attribute = nodes.attribute(argument)
        return self._named(text(self._value(name)), text(self._value(attribute)))

    def _sub(self, argument: Any) -> Any:
        template, own = nodes.substitution(argument)
        values = {}
        for variable in functions.variables(template):
            name, _, attribute = variable.partition(".")
            value = self._value(own[variable]) if variable in own else self._named(name, attribute)
            values[variable] = "" if value is NO_VALUE else value
        return functions.substitute(template, values)

    def _find_in_map(self, argument: Any) -> Any:
        names = [self._value(part) for part in argument[:3]]
        if UNKNOWN in names:
            return UNKNOWN
        name, top, second = map(text, names)
        found = self.template.mappings.get(name, {}).get(top, {}).get(second)
        if found is not None:
            return self._value(found)
        if len(argument) == 4 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
            return self._value(argument[3]["DefaultValue"])
        raise TemplateError(f"Template error: Unable to get mapping for {name}::{top}::{second}")

    def _import_value(self, argument: Any) -> Any:
        name = text(self._value(argument))
        try:
            return self.exports(name)
        except KeyError as error:
            raise TemplateError(f"No export named {name} found.") from error

    def _get_azs(self, argument: Any) -> Any:
        return self.zones(text(self._value(argument)) or str(self.pseudo["AWS::Region"]))

    def _output(self, name: str, declared: Mapping[str, Any]) -> Output:
        with Place(self.template, "Outputs", name, "Value"):
            value = self.value(declared["Value"])
            if not functions.is_scalar(value) and value is not UNKNOWN:
                raise TemplateError(
                    f"Template format error: Output {name} is malformed. The Value field of every Outputs member must "
                    "evaluate to a String."
                )
            export = self.value(declared["Export"]["Name"]) if "Export" in declared else ""
            if export and not EXPORT_NAME.fullmatch(text(export)):
                raise TemplateError(
                    f"Template format error: Output {name} is malformed. The Name field of every Export member must be "
                    "specified and consist only of alphanumeric characters, colons, or hyphens."
                )
        shown = value if isinstance(value, Unknown) else dynamic.refuse(text(value))
        return Output(name, shown, str(declared.get("Description", "")), text(export))


__all__ = ["UNKNOWN", "Evaluator", "Output", "Unknown"]
