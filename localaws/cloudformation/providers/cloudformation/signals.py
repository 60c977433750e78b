"""Wait conditions: a stack waits for signals from outside, at a presigned URL or through SignalResource.

CloudFormation User Guide, "Create wait conditions in a CloudFormation template" (the signal's JSON, Count, Timeout,
the attribute Data); Template Reference, "CreationPolicy attribute", AWS::CloudFormation::WaitCondition and
WaitConditionHandle; API Reference, "SignalResource".

A timeout is shortened like every waiting of AWS; while a function of the account runs, it does not count.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.cloudformation.custom import response_bucket
from localaws.cloudformation.stacks import find_stack, stacks_of
from localaws.services.awslambda.state import functions_of
from localaws.services.s3.state import bucket_state

TYPE = "AWS::CloudFormation::WaitCondition"
MOST_SECONDS = 43_200  # twelve hours
DURATION = re.compile(r"PT(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?")
Signals = dict[str, Mapping[str, Any]]  # by their unique ids


@provides("AWS::CloudFormation::WaitConditionHandle")
class Handle:
    """AWS::CloudFormation::WaitConditionHandle: Ref is the address that takes the signals."""

    carried: frozenset[str] = frozenset()

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        session, bucket = response_bucket(context.cloud, context.region)
        place = {"Bucket": bucket, "Key": f"{context.stack_id}/{context.logical_id}/{context.token}"}
        url = session.client("s3").generate_presigned_url("put_object", Params=place, ExpiresIn=86_400)
        return Made(url, {"Id": url})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """There is nothing to take away."""


@provides("AWS::CloudFormation::WaitCondition")
class WaitCondition:
    """AWS::CloudFormation::WaitCondition, with a handle or with a creation policy."""

    carried = frozenset({"Count", "Handle", "Timeout"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        policy = context.creation_policy
        if policy is None and "Handle" not in properties:
            raise ResourceFailed("Encountered unsupported property: a wait condition needs Handle and Timeout")
        signals = self._by_handle(context, properties) if policy is None else self._by_policy(context, policy)
        data = {identity: signal.get("Data", "") for identity, signal in signals.items()}
        name = f"{context.stack_id}/{context.logical_id}"
        return Made(name, {"Data": json.dumps(data, separators=(",", ":")), "Id": name})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        raise ResourceFailed(f"Update to resource type {TYPE} is not supported.")

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """There is nothing to take away."""

    def _by_policy(self, context: Context, policy: Mapping[str, Any]) -> Signals:
        signal = policy.get("ResourceSignal") or {}
        count, seconds = int(signal.get("Count", 1)), duration(str(signal.get("Timeout", "PT5M")))
        stack = find_stack(context.cloud, context.account, context.region, context.stack_id)
        return wait(
            context,
            lambda: dict(stack.signals.get(context.logical_id, {})),
            count,
            seconds,
            f"Failed to receive {count} resource signal(s) within the specified duration",  # english: quoted
            lambda identity, _: f"Received FAILURE signal with UniqueId {identity}",
        )

    def _by_handle(self, context: Context, properties: Mapping[str, Any]) -> Signals:
        count, seconds = int(properties.get("Count", 1)), int(properties.get("Timeout", 0))
        key = handle_key(context, str(properties["Handle"]))
        _, bucket = response_bucket(context.cloud, context.region)
        seen: list[Signals] = [{}]

        def look() -> Signals:
            seen[0] = received(bucket, key)
            return seen[0]

        try:
            return wait(
                context,
                look,
                count,
                seconds,
                "",
                lambda identity, signal: (
                    f"WaitCondition received failed message: '{signal.get('Reason', '')}' for uniqueId: {identity}"
                ),
            )
        except TimeoutError as error:
            reason = f"WaitCondition timed out. Received {len(seen[0])} conditions when expecting {count}"
            raise ResourceFailed(reason) from error


def duration(text: str) -> int:
    """PT1H30M10S in seconds."""
    found = DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ResourceFailed(f"Invalid Timeout {text}: it has the form PT#H#M#S")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return min(hours * 3600 + minutes * 60 + seconds, MOST_SECONDS)


def wait(
    context: Context,
    look: Callable[[], Signals],
    count: int,
    seconds: int,
    late: str,
    failed: Callable[[str, Mapping[str, Any]], str],
) -> Signals:
    """The signals, once there are enough. ResourceFailed for one that says FAILURE or when time is over (late: the
    reason; TimeoutError without one).
    """
    left, before = max(seconds * context.cloud.waits, 0.1), time.monotonic()
    functions = functions_of(context.cloud, context.account, context.region)
    while not context.cloud.stopping.is_set():
        signals = look()
        for identity, signal in signals.items():
            if signal.get("Status") == "FAILURE":
                raise ResourceFailed(failed(identity, signal))
        if len(signals) >= count:
            return signals
        now = time.monotonic()
        if not any(function.running for function in list(functions.by_name.values())):
            left -= now - before
        if left <= 0:
            raise ResourceFailed(late) if late else TimeoutError
        before = now
        context.cloud.stopping.wait(0.02)
    raise ResourceFailed("The embedded AWS stops")


def handle_key(context: Context, url: str) -> str:
    """The object that a handle of this Region stands for."""
    _, bucket = response_bucket(context.cloud, context.region)
    path = unquote(urlsplit(url).path).lstrip("/")
    if not path.startswith(f"{bucket}/"):
        raise ResourceFailed(f"The Handle of {context.logical_id} is no wait condition handle: {url.split('?')[0]}")
    return path.removeprefix(f"{bucket}/")


def received(bucket: str, key: str) -> Signals:
    """Every signal put at a handle's address; the last one of each unique id, those that are no JSON left out."""
    state = bucket_state(bucket)
    found: Signals = {}
    for version in state.keys.getlist(key) if state is not None and key in state.keys else []:
        try:
            signal = json.loads(bytes(version.value))
        except ValueError:
            continue
        if isinstance(signal, dict) and signal.get("Status") in ("SUCCESS", "FAILURE") and signal.get("UniqueId"):
            found[str(signal["UniqueId"])] = signal
    return found


def signal_resource(call: Call) -> None:
    """SignalResource: only a resource that is being made takes signals, each unique id once."""
    params = call.params
    stack = find_stack(call.cloud, call.account, call.region, str(params["StackName"]))
    resource = stack.resources.get(params["LogicalResourceId"])
    if resource is None:
        raise AwsError("ValidationError", f"Resource {params['LogicalResourceId']} does not exist for stack {stack.id}")
    if resource.creation_policy is None:
        raise AwsError(
            "ValidationError", f"Resource {resource.logical_id} has no creation policy and cannot be signaled"
        )
    if not resource.status.endswith("_IN_PROGRESS"):
        raise AwsError(
            "ValidationError", f"Resource {resource.logical_id} is in {resource.status} state and cannot be signaled"
        )
    with stacks_of(call.cloud, call.account, call.region).lock:
        stack.signals.setdefault(resource.logical_id, {})[params["UniqueId"]] = {"Status": params["Status"]}
