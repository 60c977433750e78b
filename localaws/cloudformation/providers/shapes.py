"""What providers share: properties turned into an API's input, tags, waiting."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, ResourceFailed

AT_THE_LATEST = 2.0  # seconds after which what is watched is looked at again, whether or not it has changed


def fill(client: Any, operation: str, values: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """The input of an API operation, from properties that bear the same names in another case.

    Values take the type that the API's model asks for (a template may write 5 as "5"); a list of
    Key and Value becomes a map where the API wants a map, and the other way round; an object
    becomes JSON where it wants a string. NotSupported for what the API's model does not have.
    """
    model = client.meta.service_model.operation_model(operation)
    filled: dict[str, Any] = _convert(model.input_shape, dict(values), type_name)
    return filled


def _convert(shape: Any, value: Any, where: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value, where)
    if kind == "list":
        if isinstance(value, dict) and {"Key", "key"} & set(getattr(shape.member, "members", {})):
            value = [{"Key": k, "Value": v} for k, v in value.items()]
        items = value if isinstance(value, list) else [value]
        return [_convert(shape.member, item, where) for item in items]
    if kind == "map":
        if isinstance(value, list):
            value = {item["Key"]: item["Value"] for item in value}
        return {str(k): _convert(shape.value, v, where) for k, v in value.items()}
    return _scalar(kind, value)


def _structure(shape: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotSupported(f"{where}: an object is wanted here, not {value!r}")
    members = {name.lower(): name for name in shape.members}
    filled = {}
    for name, inner in value.items():
        if inner is None:
            continue
        if name.lower() not in members:
            raise NotSupported(f"{where}: the property {name}")
        member = members[name.lower()]
        filled[member] = _convert(shape.members[member], inner, f"{where}.{name}")
    return filled


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        return json.dumps(value) if isinstance(value, dict | list) else str(value)
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return truth(value)
    return value


def truth(value: Any) -> bool:
    """true, "true" and "True" alike, as CloudFormation takes them."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def document(value: Any) -> str:
    """A policy (or another JSON document) as the APIs want it: a string."""
    return value if isinstance(value, str) else json.dumps(value)


def attribute(value: Any) -> str:
    """An attribute as SNS and SQS take it: always a string."""
    return str(value).lower() if isinstance(value, bool) else document(value) if isinstance(value, dict) else str(value)


def only(type_name: str, properties: Mapping[str, Any], carried: Collection[str]) -> None:
    """NotSupported for the first property that the provider does not carry out."""
    for name, value in properties.items():
        if name not in carried and value is not None:
            raise NotSupported(f"{type_name}: the property {name}")


def without(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in properties.items() if k not in names}


# -- tags ------------------------------------------------------------------------------------------


def own_tags(properties: Mapping[str, Any], name: str = "Tags") -> dict[str, str]:
    """The tags that the template itself gives, from either of the two ways of writing them."""
    given = properties.get(name) or {}
    if isinstance(given, list):
        return {str(tag["Key"]): _scalar("string", tag["Value"]) for tag in given}
    return {str(k): _scalar("string", v) for k, v in given.items()}


def all_tags(stack_tags: Mapping[str, str], properties: Mapping[str, Any], name: str = "Tags") -> dict[str, str]:
    """The stack's tags with the resource's own over them.

    Tags that begin with aws: are CloudFormation's own business: no caller may set them.
    """
    return {**{k: v for k, v in stack_tags.items() if not k.startswith("aws:")}, **own_tags(properties, name)}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in tags.items()]


def tagging(context: Context, properties: Mapping[str, Any], member: str = "Tags") -> dict[str, Any]:
    """The tags as a create operation takes them; nothing where there are none."""
    tags = all_tags(context.tags, properties)
    return {member: tag_list(tags)} if tags else {}


def retag(
    context: Context,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    add: Callable[[dict[str, str]], Any],
    remove: Callable[[list[str]], Any],
) -> None:
    """Ask the service for the difference between the tags before and after an update."""
    former = context.tags if context.former_tags is None else context.former_tags
    before, after = all_tags(former, old), all_tags(context.tags, new)
    if gone := [key for key in before if key not in after]:
        remove(gone)
    if changed := {k: v for k, v in after.items() if before.get(k) != v}:
        add(changed)


def retag_resource(
    context: Context, old: Mapping[str, Any], new: Mapping[str, Any], client: Any, **resource: str
) -> None:
    """The same of a service with TagResource and UntagResource. resource: how they name it, as ResourceArn="…\""""
    retag(
        context,
        old,
        new,
        lambda tags: client.tag_resource(**resource, Tags=tag_list(tags)),
        lambda keys: client.untag_resource(**resource, TagKeys=keys),
    )


# -- calls -----------------------------------------------------------------------------------------


def error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def unless(codes: Collection[str], call: Callable[..., Any], **arguments: Any) -> Any:
    """The call's answer, or None where AWS refuses with one of these codes (not found, mostly)."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


@contextmanager
def undone_by(undo: Callable[[], Any]) -> Iterator[None]:
    """What a failed create began is deleted; the first error stays the one that is reported."""
    try:
        yield
    except Exception:
        with suppress(ClientError):
            undo()
        raise


def poll(context: Context, look: Callable[[], Any], timeout: float = 3600, watched: str = "") -> Any:
    """look() again and again, first quickly, until it gives something true; ResourceFailed in the end.

    watched: what the embedded AWS says has changed (Cloud.changed); look() then is asked when it has
    """
    deadline, pause = time.monotonic() + timeout, 0.02
    while time.monotonic() < deadline:
        event = context.cloud.watch(watched) if watched else context.cloud.stopping
        if (found := look()) or context.cloud.stopping.is_set():
            return found
        event.wait(AT_THE_LATEST if watched else pause)
        pause = min(pause * 1.5, 0.1)
    raise ResourceFailed(f"{context.logical_id} did not come to an end within {timeout:.0f} seconds")
