"""The text of a template, YAML or JSON, as plain data with line numbers.

AWS pages: "CloudFormation template format" (what of YAML 1.1 is supported) and "Intrinsic function
reference" (the short forms).
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from awslang import bounded

Path = tuple[str | int, ...]

FUNCTIONS = (  # without those of AWS::LanguageExtensions, which have no short form (the transform's page)
    "And", "Base64", "Cidr", "Contains", "EachMemberEquals", "EachMemberIn", "Equals", "FindInMap", "GetAtt", "GetAZs",
    "GetStackOutput", "If", "ImportValue", "Join", "Not", "Or", "RefAll", "Select", "Split", "Sub",
    "Transform", "ValueOf", "ValueOfAll",
)  # fmt: skip
SHORT_FORMS = {"Ref": "Ref", "Condition": "Condition"} | {name: f"Fn::{name}" for name in FUNCTIONS}
YAML_TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(YAML_TAG + kind for kind in ("str", "seq", "map", "timestamp", "value", "merge"))
FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast where it is there
CONSTRUCTOR: Any = SafeConstructor()


class LOADER(bounded.BoundedYaml, FAST):  # type: ignore[misc]  # which of the two classes it is, is known at run time
    pass


class Lines(dict[Path, int]):
    """The line (from 1) of each part. twice: the keys that stand twice in one object, whose last value counts."""

    def __init__(self) -> None:
        super().__init__()
        self.twice: list[Path] = []


class TemplateError(ValueError):
    """The template, or what was given to it, is refused.

    str(error) is AWS's wording; logical_id and line say where ("" and 0 when no place is known).
    """

    def __init__(self, message: str, logical_id: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.logical_id = logical_id
        self.line = line


def read(body: str) -> tuple[Any, Lines]:
    """The document of a template and the line of each of its parts. TemplateError when malformed.

    Of a key that stands twice in an object the last value counts, as for CloudFormation (public templates with such
    keys are deployed).
    """
    if body.lstrip("\ufeff \t\r\n").startswith("{"):
        return read_json(body)
    return read_yaml(body)


def read_json(body: str) -> tuple[Any, Lines]:
    try:
        document = bounded.read_json(body)
    except json.JSONDecodeError as error:
        place = f"(line {error.lineno}, column {error.colno})"
        raise TemplateError(f"Template format error: JSON not well-formed. {place}", line=error.lineno) from error
    except ValueError as error:
        raise TemplateError(f"Template format error: JSON not well-formed. {error}") from error
    refuse_surrogates(body, document)
    lines = Lines()
    try:
        JsonLines(lines).build(yaml.compose(body, Loader=LOADER), ())
    except yaml.YAMLError:  # JSON that YAML reads differently (tabs): it has no line numbers
        lines = Lines()
    refuse_nulls(document, (), lines)
    return document, lines


def read_yaml(body: str) -> tuple[Any, Lines]:
    lines = Lines()
    try:
        root = yaml.compose(body, Loader=LOADER)
    except bounded.OutOfBounds as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise TemplateError(f"Template format error: {error.problem} (line {line})", line=line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        place = f"(line {line}, column {column})"
        raise TemplateError(f"Template format error: YAML not well-formed. {place}", line=line) from error
    except yaml.YAMLError as error:
        raise TemplateError(f"Template format error: YAML not well-formed. {error}") from error
    document = YamlBuilder(lines).build(root, ()) if root is not None else None
    refuse_surrogates(body, document)
    refuse_nulls(document, (), lines)
    return document, lines


class JsonLines:
    """Collects the line of every part of a JSON document from its YAML nodes."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def build(self, node: Any, path: Path) -> None:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                here = (*path, str(key.value))
                if key.value in seen:
                    self.lines.twice.append(here)
                seen.add(key.value)
                self.build(value, here)
                self.lines[here] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.build(value, (*path, index))


class YamlBuilder:
    """Makes plain data of YAML nodes; a short form becomes its full form."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.seen: set[int] = set()

    def build(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self.seen:  # a node that is reached twice was reached by an alias
            raise TemplateError("Template error: YAML aliases are not allowed in CloudFormation templates", line=line)
        self.seen.add(id(node))
        if path not in self.lines or isinstance(path[-1], int):  # an item may be one of a key that stands twice
            self.lines[path] = line
        tag = str(node.tag)
        if not tag.startswith("!") or tag == "!":
            return self.plain(node, path)
        function = SHORT_FORMS.get(tag[1:])
        if function is None:
            raise TemplateError(f"Template format error: YAML tag {tag} is not a CloudFormation function", line=line)
        inside = (*path, function)
        self.lines[inside] = line
        value = node.value if isinstance(node, yaml.ScalarNode) else self.plain(node, inside)
        if function == "Fn::GetAtt" and isinstance(value, str):
            value = list(value.partition(".")[::2])  # the attribute may have dots itself
        return {function: value}

    def plain(self, node: Any, path: Path) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or id(key) in self.seen:
                raise TemplateError("Template format error: YAML not well-formed. Keys must be strings", line=line)
            name = str(key.value)  # as written: 012345678901 stays that
            if key.tag == YAML_TAG + "merge":
                raise TemplateError("Template format error: YAML hash merges (<<) are not supported", line=line)
            if name in found:
                self.lines.twice.append((*path, name))
            self.lines[(*path, name)] = line
            found[name] = self.build(value, (*path, name))
        return found

    def scalar(self, node: Any) -> Any:
        tag = str(node.tag)
        if tag in PLAIN_TAGS or tag == "!":
            return node.value
        if tag == YAML_TAG + "null":
            return None
        if tag in (YAML_TAG + "int", YAML_TAG + "float", YAML_TAG + "bool"):
            return self.number(node, tag.removeprefix(YAML_TAG))
        line = node.start_mark.line + 1
        raise TemplateError(f"Template format error: the YAML tag {tag} is not supported", line=line)

    def number(self, node: Any, kind: str) -> Any:
        line = node.start_mark.line + 1
        if len(node.value) > bounded.LONGEST_NUMBER:
            raise TemplateError(f"Template format error: a number of {len(node.value)} characters", line=line)
        try:
            return getattr(CONSTRUCTOR, f"construct_yaml_{kind}")(node)
        except (ValueError, LookupError, OverflowError) as error:
            raise TemplateError(f"Template format error: {node.value[:80]!r} is no {kind}", line=line) from error


def refuse_surrogates(body: str, document: Any) -> None:
    """TemplateError for an escape (\\ud800) that is no character."""
    if "\\u" in body.lower() and bounded.SURROGATE.search(json.dumps(document, ensure_ascii=False, default=str)):
        raise TemplateError("Template format error: a text holds half of a character, such as \\ud800")


def refuse_nulls(node: Any, path: Path, lines: Lines) -> None:
    if node is None and path:
        where = "/" + "/".join(map(str, path))
        line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 0)
        name = str(path[1]) if len(path) > 1 else ""
        raise TemplateError(f"Template format error: [{where}] 'null' values are not allowed in templates", name, line)
    if isinstance(node, dict):
        for key, value in node.items():
            refuse_nulls(value, (*path, key), lines)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            refuse_nulls(value, (*path, index), lines)
