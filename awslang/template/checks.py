"""Checks of a template's functions and references, before anything is evaluated: what AWS says on validation.

AWS pages: "Intrinsic function reference", "Condition functions", "Rule-specific intrinsic functions" (which
function may stand where), "Get values stored in other services using dynamic references".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from awslang.errors import NotSupported
from awslang.template import nodes, schemas
from awslang.template.reader import Path
from awslang.template.template import Place, Template, TemplateError

BOOLEAN = {"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals"}
RULE = {"Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"}
TEXT = {"Ref", "Fn::FindInMap", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split"}
EXTENDED = {"Fn::Length", "Fn::ToJsonString"}  # with AWS::LanguageExtensions
VALUES = {*TEXT, "Fn::Base64", "Fn::Cidr", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::ImportValue"}
NOT_SUPPORTED = {"Fn::Transform", "Fn::GetStackOutput"}
PLACES = {
    "Conditions": BOOLEAN | TEXT,
    "Rules": BOOLEAN | RULE | {"Ref"},
    "Resources": VALUES,
    "Outputs": VALUES,
}
SUPPORTED = (
    "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::If, "
    "Fn::Equals, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, "
    "Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr"
)
ALL = VALUES | BOOLEAN | RULE | EXTENDED | NOT_SUPPORTED
# A condition's name, or a delimiter: "you can't use any functions. You must specify a string value" (CloudFormation
# Template Reference, "Fn::Join" and "Fn::Split").
TEXT_FIRST = {"Fn::If", "Fn::Join", "Fn::Split"}
ARGUMENTS = {  # how many a function takes, and what AWS says otherwise
    "Fn::And": (2, 10, "every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."),
    "Fn::Or": (2, 10, "every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."),
    "Fn::Not": (1, 1, "every Fn::Not object requires one boolean parameter."),
    "Fn::Equals": (2, 2, "every Fn::Equals object requires a list of 2 string parameters."),
    "Fn::If": (3, 3, "Fn::If requires a list argument with three elements, the first one a condition"),
    "Fn::Join": (2, 2, "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of "
                       "strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) "
                       "to be joined."),
    "Fn::Split": (2, 2, "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to "
                        "be split or a function that returns a string to be split."),
    "Fn::Select": (2, 2, "Fn::Select requires a list argument with two elements: an integer index and a list"),
    "Fn::FindInMap": (3, 3, "every Fn::FindInMap object requires three parameters, the map name, map key and the "
                            "attribute for return value"),
    "Fn::Cidr": (2, 3, "every Fn::Cidr object requires two or three parameters"),
    "Fn::GetAtt": (2, 2, "every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
                         "resource attribute"),
    "Fn::Contains": (2, 2, "every Fn::Contains object requires two parameters, a list and a value"),
    "Fn::EachMemberEquals": (2, 2, "every Fn::EachMemberEquals object requires two parameters, a list and a value"),
    "Fn::EachMemberIn": (2, 2, "every Fn::EachMemberIn object requires two parameters, both lists"),
    "Fn::ValueOf": (2, 2, "every Fn::ValueOf object requires two parameters, a parameter and an attribute"),
    "Fn::ValueOfAll": (2, 2, "every Fn::ValueOfAll object requires two parameters, a parameter type and an attribute"),
}  # fmt: skip
COMPUTED = {"Fn::Join", "Fn::Split", "Fn::Select", "Fn::Cidr"}  # may take the list from a function, when extended
SUB = (
    "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and "
    "an optional second argument to specify a mapping of values to replace in the string"
)
IMPORT = "the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs"
NOT_IN_CONDITIONS = "Cannot reference resources in the Conditions block of the template"
MOST_DYNAMIC_REFERENCES = 60
EVALUATED = ("Properties", "Metadata", "UpdatePolicy", "CreationPolicy", "DeletionPolicy", "UpdateReplacePolicy")


def check(template: Template, region: str, *, extended: bool) -> None:
    """Refuse a template whose functions or references cannot stand. TemplateError or NotSupported.

    extended: the template uses AWS::LanguageExtensions
    """
    if region in template.checked:
        return  # a stack set takes the same template to every account
    if "Hooks" in template.document:
        raise NotSupported(f"the Hooks section of a template (line {template.line('Hooks')})")
    checker = Checker(template, region, extended)
    checker.types()
    for name, declaration in template.conditions.items():
        checker.walk(declaration, ("Conditions", name))
    checker.circular_conditions()
    for name, declaration in template.rules.items():
        checker.walk(declaration, ("Rules", name))
    for name, resource in template.resources.items():
        checker.condition(resource.get("Condition"), ("Resources", name, "Condition"))
        for member in EVALUATED:
            if member in resource:
                checker.walk(resource[member], ("Resources", name, member))
    for name, output in template.outputs.items():
        checker.condition(output.get("Condition"), ("Outputs", name, "Condition"))
        checker.walk(output["Value"], ("Outputs", name, "Value"))
        if "Export" in output:
            checker.export(output["Export"]["Name"], ("Outputs", name, "Export", "Name"))
    checker.depends_on()
    checker.unresolved()
    if template.body.count("{{resolve:") > MOST_DYNAMIC_REFERENCES:
        raise TemplateError(f"Template error: more than {MOST_DYNAMIC_REFERENCES} dynamic references in the template")
    if not extended:  # whose loops may give something else with other parameters
        template.checked.add(region)


class Checker:
    """One pass over a template; missing collects the names that nothing defines, by section."""

    def __init__(self, template: Template, region: str, extended: bool) -> None:
        self.template = template
        self.region = region
        self.extended = extended
        self.missing: dict[str, dict[str, Path]] = {}
        self.followed: set[str] = set()  # conditions that are in no circle

    def fail(self, message: str, path: Path) -> TemplateError:
        return self.template.error(f"Template error: {message}", *path)

    def types(self) -> None:
        unknown = []
        for name, resource in self.template.resources.items():
            kind = str(resource["Type"])
            if kind.endswith("::MODULE"):
                raise NotSupported(f"modules: {kind} (resource {name}, line {self.template.line('Resources', name)})")
            if not schemas.known(kind, self.region):
                unknown.append((kind, name))
        if unknown:
            kinds = ", ".join(dict.fromkeys(kind for kind, _ in unknown))
            raise self.template.error(
                f"Template format error: Unrecognized resource types: [{kinds}]", "Resources", unknown[0][1], "Type"
            )

    def condition(self, name: Any, path: Path) -> None:
        if name is not None and name not in self.template.conditions:
            raise self.template.error(
                f"Template format error: Unresolved condition dependency {name} in the {path[0]} block of the template",
                *path,
            )

    def walk(self, node: Any, path: Path) -> None:
        if isinstance(node, list):
            for index, part in enumerate(node):
                self.walk(part, (*path, index))
            return
        if not isinstance(node, dict):
            return
        found = nodes.call(node)
        if found:
            self.function(*found, (*path, found[0]))
        elif any(name.startswith("Fn::") for name in node):
            name = next(name for name in node if name.startswith("Fn::"))
            if name == "Fn::Transform":
                raise self.unsupported(name, path)
            raise self.fail(f"{name} must be the only member of its object", (*path, name))
        if path[0] == "Conditions" and isinstance(node.get("Condition"), str):
            self.condition(node["Condition"], (*path, "Condition"))
        for name, part in node.items():
            self.walk(part, (*path, name))

    def unsupported(self, name: str, path: Path) -> NotSupported:
        return NotSupported(f"{name} ({'/'.join(map(str, path[:2]))}, line {self.template.line(*path)})")

    def function(self, name: str, argument: Any, path: Path) -> None:
        if name in NOT_SUPPORTED:
            raise self.unsupported(name, path)
        section = str(path[0])
        if name not in ALL or (name in EXTENDED and not self.extended):
            message = f"Encountered unsupported function: {name} Supported functions are: [{SUPPORTED}]"
            raise self.fail(message, path)
        if name not in PLACES[section] | (EXTENDED if section != "Rules" else set()):
            if section == "Conditions" and name == "Fn::GetAtt":
                target = nodes.attribute(argument)[0]
                raise self.template.error(
                    f"Template format error: Unresolved dependencies [{target}]. {NOT_IN_CONDITIONS}",
                    *path,
                )
            raise self.fail(f"{name} cannot be used in the {section} block of the template", path)
        self.arguments(name, argument, path)
        if name == "Fn::If":
            self.condition(argument[0], path)
        if name == "Fn::ImportValue" and self.needs_resources(argument):
            raise self.fail(IMPORT, path)
        if name == "Fn::FindInMap":
            if self.needs_resources(argument[:3]):
                raise self.fail("the names in Fn::FindInMap must not depend on any resources", path)
            if isinstance(argument[0], str):
                self.mapping(argument, path)
        with Place(self.template, *path):  # a Fn::Sub with a wrong name
            found = list(nodes.references(name, argument))
        for target, attribute in found:
            self.reference(name, target, attribute, path)

    def arguments(self, name: str, argument: Any, path: Path) -> None:
        if name == "Ref" and (isinstance(argument, list) or argument == ""):
            raise self.fail("every Ref object must have a single String value.", path)
        if name == "Ref" and not isinstance(argument, str) and not self.extended:
            raise self.fail("every Ref object must have a single String value.", path)
        if name == "Fn::Sub" and not is_substitution(argument):
            raise self.fail(SUB, path)
        if name not in ARGUMENTS or (name == "Fn::GetAtt" and isinstance(argument, str) and "." in argument[1:-1]):
            return
        least, most, message = ARGUMENTS[name]
        if name == "Fn::FindInMap" and self.extended:
            most = 4
        if nodes.call(argument) and self.extended and name in COMPUTED:
            return
        if not isinstance(argument, list) or not least <= len(argument) <= most:
            raise self.fail(message, path)
        if name == "Fn::GetAtt" and "" in argument:
            raise self.fail(message, path)
        if name in TEXT_FIRST and not isinstance(argument[0], str):
            raise self.fail(message, path)

    def needs_resources(self, argument: Any) -> bool:
        for name, inner in nodes.calls(argument):
            if name in ("Fn::ImportValue", "Fn::GetAZs"):
                return True
            if any(target in self.template.resources for target, _ in nodes.references(name, inner)):
                return True
        return False

    def export(self, node: Any, path: Path) -> None:
        self.walk(node, path)
        if self.needs_resources(node):
            raise self.fail(
                "the Name field of an Export must not depend on any resources, imported values, or Fn::GetAZs", path
            )

    def mapping(self, argument: list[Any], path: Path) -> None:
        """Names that are written out in the template are looked up at once, as AWS does."""
        name, top, second = argument[:3]
        if len(argument) == 4:
            return
        if name not in self.template.mappings:
            raise self.fail(f"Mapping named '{name}' is not present in the 'Mappings' section of template.", path)
        keys = self.template.mappings[name]
        wrong_top = isinstance(top, str) and top not in keys
        if wrong_top or (isinstance(top, str) and isinstance(second, str) and second not in keys[top]):
            raise self.fail(f"Unable to get mapping for {name}::{top}::{second}", path)

    def reference(self, function: str, target: str, attribute: str, path: Path) -> None:
        section = str(path[0])
        if not attribute and (target in nodes.PSEUDO or target in self.template.parameters):
            return
        resource = self.template.resources.get(target)
        parameters_only = section in ("Conditions", "Rules") or path[2:3] in (
            ("DeletionPolicy",),
            ("UpdateReplacePolicy",),
        )
        if resource is None or parameters_only:
            if function == "Fn::GetAtt" and not parameters_only:
                raise self.fail(f"instance of Fn::GetAtt references undefined resource {target}", path)
            self.missing.setdefault(section, {}).setdefault(target, path)
        elif attribute and attribute != "*" and not schemas.has_attribute(resource["Type"], attribute, self.region):
            raise self.fail(f"resource {target} does not support attribute type {attribute} in {function}", path)

    def circular_conditions(self) -> None:
        for name in self.template.conditions:
            self.follow(name, ())

    def follow(self, name: str, behind: tuple[str, ...]) -> None:
        if name in self.followed:
            return
        if name in behind:
            other = behind[-1]
            message = f"Found circular condition dependency between {name} and {other}"
            raise self.fail(message, ("Conditions", name))
        for used in conditions_in(self.template.conditions[name]):
            self.follow(used, (*behind, name))
        self.followed.add(name)  # two conditions may need the same one, and so may those two

    def depends_on(self) -> None:
        for name, resource in self.template.resources.items():
            needs = resource.get("DependsOn", [])
            for needed in needs if isinstance(needs, list) else [needs]:
                if needed not in self.template.resources:
                    self.missing.setdefault("Resources", {}).setdefault(needed, ("Resources", name, "DependsOn"))

    def unresolved(self) -> None:
        for section, found in self.missing.items():
            names = ", ".join(found)
            message = f"Unresolved resource dependencies [{names}] in the {section} block of the template"
            if section == "Conditions":
                message = f"Unresolved dependencies [{names}]. " + NOT_IN_CONDITIONS
            raise self.template.error(f"Template format error: {message}", *next(iter(found.values())))


def is_substitution(argument: Any) -> bool:
    if isinstance(argument, str):
        return True
    return (
        isinstance(argument, list)
        and len(argument) == 2
        and isinstance(argument[0], str)
        and isinstance(argument[1], dict)
        and nodes.call(argument[1]) is None
    )


def conditions_in(node: Any) -> Iterator[str]:
    """Names of the conditions that a condition is made of."""
    if isinstance(node, dict):
        if isinstance(node.get("Condition"), str):
            yield node["Condition"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from conditions_in(part)
