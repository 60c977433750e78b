"""Everything that an embedded AWS holds, as plain data that two runs can be compared by.

state_of(cloud) walks the services' own state and moto's, in every account and Region, so that what a new
service remembers is compared without anybody having to say so. Ids and times are replaced by numbered
names: the same id is the same name wherever it stands, and two states that differ in nothing but ids and
times are equal. What only tells the past (records, events, executions) is left out, by the list HISTORY.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from functools import cache
from pathlib import PurePath
from typing import Any

from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.iam.models import ManagedPolicy
from moto.s3.models import FakeKey, S3Backend

from localaws import moto_bridge, registry
from localaws.cloud import Cloud
from localaws.services.codecommit.git import Repository

HISTORY = {  # what tells how a state came about: an interrupted run and its repetition leave more of it
    "Catalog": {"tokens", "records"},
    "Provisioned": {"token", "last_record", "last_provisioning_record", "last_successful_record", "message"},
    "Stack": {
        "events", "gone", "replaced", "change_sets", "change_set_id", "token", "last", "reason", "template",
        "updated",
    },  # template: parsed from body
    "Resource": {"new", "reason"},
    "StackSet": {"operations", "token"},
    "Instance": {"last_operation"},
    "Pipeline": {"executions", "tokens", "inside", "waiting", "latest", "conditions", "versions", "changed"},
    "CodeBuildState": {"builds", "stops", "numbers", "tokens", "reports", "test_cases"},
    "EventsState": {"deliveries", "recent", "rule_of_token"},
    "Machine": {"runs", "revision"},
    "Parameter": {"version", "older"},
    "Project": {"message"},
    "Pipelines": {"executions", "tokens"},
    "PipelineWork": {"by_token"},
    "Fleet": {"servers"},
    "Server": {"process", "session", "port", "folder"},
    "LogGroup": {"streams", "stored_bytes"},  # what builds and models said
    "OrganizationsBackend": {"services_by_account"},
}  # fmt: skip
NOT_STATE = ("backend", "lock", "_lock", "turn", "tagger")  # members that lead elsewhere; tags are read where they hang
GONE = {"Stack": ("status", "DELETE_COMPLETE"), "StackSet": ("deleted", True), "Pipeline": ("deleted", True)}

PLAIN = (str, int, float, bool, type(None))
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
IDS = re.compile(
    r"\b(?:"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # stacks, stack sets, executions, keys
    r"|(?:AROA|AIDA|ANPA|AGPA|AKIA|ASIA)[A-Z0-9]{12,20}|A[A-Z0-9]{20}"  # IAM; the last are moto's, of policies
    r"|(?:prod|prodview|port|pa|cons|rec|pp|lpv3|tst)-[a-z0-9]{13}"  # Service Catalog
    r"|p-[a-z0-9]{12}"  # SageMaker projects
    r"|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|o-[a-z0-9]{10,32}|h-[0-9a-z]{8,32}|car-[a-z0-9]{8,32}"  # Organizations
    r"|[0-9a-f]{40}"  # commits
    r"|(?=[A-Z0-9]*\d)(?=\d*[A-Z])[A-Z0-9]{12,13}|(?<=-)[A-Z]{12,13}"  # the end of a name that CloudFormation made
    r")\b"
)
ONLY_TIMES = range(1_500_000_000, 4_000_000_000)  # seconds since 1970


def state_of(cloud: Cloud) -> dict[str, Any]:
    """What the cloud holds: {"111111111111 us-east-1 Catalog": {…}, "999999999999 aws iam": {…}, …}."""
    found = {f"{account} {region} {kind}": plain(state) for kind, account, region, state in parts(cloud)}
    return numbered({name: value for name, value in found.items() if not is_empty(value)})


def parts(cloud: Cloud) -> Iterator[tuple[str, str, str, Any]]:
    """Kind, account, Region and state of everything: the services of our own, then those that moto answers."""
    for kind in list(cloud._states):
        for (account, region), state in cloud.states(kind).items():
            yield kind.__name__, account, region, state
    for service in sorted(name for name in registry.SERVICES if (found := registry.find(name)) and found.moto):
        if not moto_bridge.begun(service):  # whose code would be loaded for nothing
            continue
        by_account: Any = backends.get_backend(service)
        if isinstance(by_account, BackendDict):
            for account, by_region in list(by_account.items()):
                if account == DEFAULT_ACCOUNT_ID:  # moto's own, which no test uses
                    continue
                for region, backend in list(by_region.items()):
                    yield service, account, region, backend


def is_empty(value: Any) -> bool:
    return value in (None, "", {}, []) or (isinstance(value, dict) and all(is_empty(v) for v in value.values()))


# -- from objects to plain data ----------------------------------------------------------------


def plain(value: Any, above: tuple[int, ...] = ()) -> Any:
    """A value as dicts, lists and scalars; what holds itself is cut where it comes again."""
    if isinstance(value, date) or (isinstance(value, (int, float)) and int(value) in ONLY_TIMES):
        return "TIME"
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (bytes, bytearray)):
        return f"sha256 {hashlib.sha256(value).hexdigest()}"
    if id(value) in above or isinstance(value, (PurePath, Cloud, type)) or callable(value):
        return None
    above = (*above, id(value))
    if isinstance(value, Repository):
        return {branch: files_of(value, commit) for branch, commit in value.branches().items()}
    if isinstance(value, FakeKey):
        return key_in_bucket(value)
    if isinstance(value, Mapping):
        pairs = [[plain(name, above), plain(item, above)] for name, item in list(value.items()) if not is_gone(item)]
        if all(isinstance(name, str) for name, _ in pairs):
            return dict(pairs)
        return {"pairs": by_content(pairs)}
    if isinstance(value, (set, frozenset)):
        return by_content([plain(item, above) for item in value])
    if isinstance(value, (list, tuple)):
        return [plain(item, above) for item in value if not is_gone(item)]
    return {name: plain(item, above) for name, item in members(value) if not is_gone(item)}


def members(value: Any) -> list[tuple[str, Any]]:
    """The members of an object that are state."""
    if is_dataclass(value):
        found = [(field.name, getattr(value, field.name)) for field in fields(value)]
    else:
        found = list(getattr(value, "__dict__", {}).items())
    left_out = HISTORY.get(type(value).__name__, set())
    if isinstance(value, S3Backend):
        tags = {arn: value.tagger.get_tag_dict_for_resource(arn) for arn in list(value.tagger.tags)}
        found = [("buckets", value.buckets), ("tags", tags)]
    return [(name, item) for name, item in found if name not in left_out and not name.endswith(NOT_STATE)]


def is_gone(item: Any) -> bool:
    """True for what AWS only remembers for a while: deleted stacks; and for what comes with every account."""
    if isinstance(item, ManagedPolicy):
        return item.arn.split(":")[4] == "aws" and not item.attachment_count
    member, value = GONE.get(type(item).__name__, ("", None))
    return bool(member) and getattr(item, member) == value


def files_of(repository: Repository, commit: str) -> dict[str, str]:
    """Mode and content of each file in a commit (half of its hash: the whole would pass for the id of a commit)."""
    return {
        path: f"{file.mode} {file.blob[:20]}" for path, file in repository.files(repository.commit(commit).tree).items()
    }


def key_in_bucket(key: FakeKey) -> dict[str, Any]:
    """An object: its content and what was said about it."""
    encryption = {"encryption": key.encryption, "kms": key.kms_key_id}
    return {"name": key.name, "value": plain(key.value), "metadata": dict(key.metadata), **encryption}


def by_content(items: list[Any]) -> list[Any]:
    return sorted(items, key=masked)


def order(name: str, value: Any) -> tuple[str, str]:
    """What a member is sorted by: its name, and its content where an id is in the name."""
    return (masked(name), masked(value)) if changes(name) else (name, "")


@cache
def changes(text: str) -> bool:
    """Whether an id or a time occurs in the text."""
    return bool(IDS.search(text) or TIME.search(text))


def masked(value: Any) -> str:
    """The value without its ids and times, to sort by."""
    return TIME.sub("TIME", IDS.sub("ID", json.dumps(value, sort_keys=True, default=str)))


# -- ids and times -----------------------------------------------------------------------------


def numbered(state: dict[str, Any]) -> dict[str, Any]:
    """The state with each id replaced by its number, in an order that does not depend on the ids themselves."""
    numbers: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"id-{len(numbers) + 1}")

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return IDS.sub(name, TIME.sub("TIME", value)) if changes(value) else value
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {walk(k): walk(value[k]) for k in sorted(value, key=lambda k: order(k, value[k]))}
        return value

    walked: dict[str, Any] = walk(state)
    return walked


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two states differ, one line each: PATH: what the first has, what the second has."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        return each(names, lambda name: differences(one.get(name), other.get(name), f"{path}/{name}"))
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return each(range(len(one)), lambda i: differences(one[i], other[i], f"{path}/{i}"))
    return [f"{path}: {short(one)} and not {short(other)}"]


def each(names: Any, look: Callable[[Any], list[str]]) -> list[str]:
    return [line for name in names for line in look(name)]


def short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 300 else f"{text[:300]}…"
