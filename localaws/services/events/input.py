"""What a rule's target receives: Input, InputPath and the input transformer.

Amazon EventBridge User Guide, "Amazon EventBridge input transformation", "Event bus targets in Amazon
EventBridge" (Dynamic path parameters); EventBridge API Reference, "PutTargets". Pure: no state, no requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported

PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
RESERVED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)
PATH = re.compile(r"\$((\.[A-Za-z0-9_\-/*]+)|(\[([0-9]+|\*|'[^']+')\]))*")
STEP = re.compile(r"\.([A-Za-z0-9_\-/*]+)|\[([0-9]+|\*|'[^']+')\]")
ABSENT = object()
MAPPED_LIMIT = 100  # entries of InputPathsMap


def check(target: Mapping[str, Any]) -> None:
    """AwsError ValidationException for an input that PutTargets refuses."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if name in target]
    if len(given) > 1:
        raise AwsError(
            "ValidationException",
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.",
        )
    if "Input" in target:
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise AwsError(
                "ValidationException", f"JSON syntax error in input for target {target['Id']}: {error}"
            ) from error
    if "InputPath" in target:
        _check_path(target["InputPath"], target["Id"])
    if "InputTransformer" in target:
        _check_transformer(target["InputTransformer"], target["Id"])


def _check_path(path: str, target_id: str) -> None:
    if not PATH.fullmatch(path):
        raise AwsError("ValidationException", f"Invalid JSON path for target {target_id}: {path}")


def _check_transformer(transformer: Mapping[str, Any], target_id: str) -> None:
    paths = transformer.get("InputPathsMap", {})
    if len(paths) > MAPPED_LIMIT:
        raise AwsError("ValidationException", f"InputPathsMap for target {target_id} has more than 100 entries")
    for name, path in paths.items():
        if not re.fullmatch(r"[A-Za-z0-9_\-]{1,256}", name) or name.upper().startswith("AWS"):
            raise AwsError("ValidationException", f"Invalid key {name} in InputPathsMap for target {target_id}")
        _check_path(path, target_id)
    template = transformer["InputTemplate"]
    for name in PLACEHOLDER.findall(template):
        if name not in paths and name not in RESERVED:
            raise AwsError(
                "ValidationException", f"InputTemplate for target {target_id} contains invalid placeholder {name}."
            )
    sample = _substitute(template, lambda name, quoted: "x" if quoted else "0")
    if not _is_json(sample) and not all(_is_json(line) for line in sample.splitlines() if line.strip()):
        raise AwsError(
            "ValidationException",
            f"Invalid InputTemplate for target {target_id}: it is neither JSON nor lines of quoted text",
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def select(path: str, event: Any) -> Any:
    """The value at a path ($.detail.name, $.resources[0], $.items[*].id); ABSENT where there is none."""
    return _select([next(g for g in step if g) for step in STEP.findall(path)], event)


def _select(steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0].strip("'"), steps[1:]
    if step == "*":
        items = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(items, list):
            return ABSENT
        return [found for item in items if (found := _select(rest, item)) is not ABSENT]
    if isinstance(value, list) and is_number(step):
        return _select(rest, value[int(step)]) if int(step) < len(value) else ABSENT
    if isinstance(value, dict) and step in value:
        return _select(rest, value[step])
    return ABSENT


def build(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, received: str) -> str:
    """The text that the target receives for this event.

    received: when EventBridge received the event (ISO 8601)
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        found = select(target["InputPath"], event)
        return json.dumps(None if found is ABSENT else found)
    if "InputTransformer" in target:
        return _transform(target["InputTransformer"], event, rule_arn, received)
    return json.dumps(event)


def filled(value: Any, event: Mapping[str, Any]) -> Any:
    """A target's own parameters, with the event's text in place of each value that is a path as a whole.

    Raises NotSupported where the path leads to no text: no page says what the target gets then.
    """
    if isinstance(value, Mapping):
        return {name: filled(item, event) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, event) for item in value]
    if not isinstance(value, str) or not PATH.fullmatch(value):
        return value
    if not isinstance(found := select(value, event), str):
        raise NotSupported(f"a target's parameter {value} that is no text in the event")
    return found


def _transform(transformer: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str, received: str) -> str:
    values: dict[str, Any] = {
        name: select(path, event) for name, path in transformer.get("InputPathsMap", {}).items()
    } | {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[1],
        "aws.events.event.ingestion-time": received,
        "aws.events.event": {k: v for k, v in event.items() if k != "detail"},
        "aws.events.event.json": event,
    }

    def shown(name: str, quoted: bool) -> str:
        value = values[name]
        if value is ABSENT:
            return ""  # "that variable isn't created and won't appear in the output"
        if isinstance(value, str):  # "EventBridge doesn't escape values extracted by Input Path"
            return value if quoted else f'"{value}"'
        if not quoted:
            return json.dumps(value)
        text = json.dumps(value)
        return text.replace('"', "") if isinstance(value, dict | list) else text

    return _substitute(transformer["InputTemplate"], shown)


def _substitute(template: str, shown: Any) -> str:
    """The template with shown(name, within quotes) in place of each placeholder."""
    out: list[str] = []
    at, quoted = 0, False
    while at < len(template):
        if template[at] == "\\" and quoted:
            out.append(template[at : at + 2])
            at += 2
        elif found := PLACEHOLDER.match(template, at):
            out.append(shown(found.group(1), quoted))
            at = found.end()
        else:
            if template[at] == '"':
                quoted = not quoted
            out.append(template[at])
            at += 1
    return "".join(out)
