"""The settings of a stage as 40-stage.yaml declares them, and what a value of one breaks. Pure.

Python's own library reads no YAML. The kit's templates have one member of a parameter a line, or one item of a list,
and a test compares this reading of them with a real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.documents import CONTROL, shown

LONGEST = 4096  # bytes of a value (CloudFormation User Guide, "Understand CloudFormation quotas")
NAME = re.compile(r"  ([a-zA-Z0-9]+):")
MEMBER = re.compile(r"    ([A-Za-z]+): +(.*)")
LIST, ITEM = re.compile(r"    ([A-Za-z]+):"), re.compile(r"      - (.*)")  # a member with an item a line
NUMBER = re.compile(r"[0-9]{1,15}")  # every setting that is a Number is a whole one for SageMaker


@dataclass(frozen=True)
class Declared:
    """One parameter of the template: its members as they are written there."""

    name: str
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> tuple[str, ...]:
        listed = self.members.get("AllowedValues", "").strip("[]")
        return tuple(unquoted(item.strip()) for item in listed.split(",")) if listed else ()

    @property
    def example(self) -> str:
        """From its Description; else the first value that is allowed, or the default."""
        found = re.search(r"e\.g\. ([a-z]+\([^()]+\)|[^ ]*[^ .,])", self.members.get("Description", ""))
        first = (*self.allowed, self.members.get("Default", ""))[0]
        return f'"{found[1] if found and not self.rule(found[1]) else first}"'

    def rule(self, value: str) -> str:
        """The rule that a value breaks, in words; "" for none."""
        if CONTROL.search(value):
            return "text without control characters"
        if len(value.encode()) > int(self.members.get("MaxLength", LONGEST)):
            return f"at most {self.members.get('MaxLength', LONGEST)} bytes"
        if self.members.get("Type") == "Number" and not self.in_range(value):
            least, most = self.members.get("MinValue", "0"), self.members.get("MaxValue", "")
            return f"a whole number from {least}" + (f" to {most}" if most else "")
        if self.allowed and value not in self.allowed:
            return f"one of {', '.join(filter(None, self.allowed))}"
        pattern = self.members.get("AllowedPattern", "")
        if pattern and not re.fullmatch(pattern, value, re.ASCII):
            return re.sub(r", e\.g\. .*|\.$", "", self.members.get("ConstraintDescription", pattern))
        return ""

    def in_range(self, value: str) -> bool:
        if not NUMBER.fullmatch(value):
            return False
        least, most = (float(self.members.get(key, value)) for key in ("MinValue", "MaxValue"))
        return least <= int(value) <= most


def value_problem(place: str, value: str, declared: Declared) -> str:
    """What is wrong with the value of a setting; "" for nothing."""
    rule = declared.rule(value)
    return f"{place} is {shown(value)}: write {rule}, such as {declared.example}" if rule else ""


def declared_parameters(text: str) -> dict[str, Declared]:
    """The parameters of a template, by name."""
    found: dict[str, dict[str, str]] = {}
    members: dict[str, str] = {}
    listing = ""
    for line in section(text.splitlines()):
        if named := NAME.match(line):
            members = found.setdefault(named[1], {})
        elif member := MEMBER.fullmatch(line):
            members[member[1]] = unquoted(re.sub(r" +#[^']*$", "", member[2]))
        elif started := LIST.fullmatch(line):
            listing = started[1]
        elif item := ITEM.fullmatch(line):
            members[listing] = f"{members[listing]}, {item[1]}" if listing in members else item[1]
    return {name: Declared(name, given) for name, given in found.items()}


def with_defaults(given: Mapping[str, str], template: str) -> dict[str, str]:
    """The parameters of a stage's stack: those that are given, else the defaults of 40-stage.yaml."""
    defaults = {name: found.members.get("Default", "") for name, found in declared_parameters(template).items()}
    return {**defaults, **given}


def section(lines: list[str]) -> Iterator[str]:
    """The lines of the section Parameters."""
    inside = False
    for line in lines:
        if line and line[0] not in " \t#":
            inside = line.startswith("Parameters:")
        elif inside:
            yield line


def unquoted(text: str) -> str:
    """A scalar of YAML without its quotes."""
    return text[1:-1].replace("''", "'") if len(text) > 1 and text[0] == text[-1] == "'" else text.strip('"')
