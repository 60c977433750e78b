"""The operations of CodeConnections, and the git provider behind its connections."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import places
from localaws.calls import Call
from localaws.cloud import Cloud, arn, new_id
from localaws.private import make_program
from localaws.service import Service

codeconnections = Service("codeconnections", invalid="ValidationException")
codestar_connections = Service("codestar-connections", invalid="ValidationException")

PROVIDERS = ("Bitbucket", "GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "AzureDevOps")
INSTALLED = ("GitHubEnterpriseServer", "GitLabSelfManaged")  # they need a host
NAME_LIMIT = 32
PAGE = 100
LOOK = 0.1  # seconds between two looks at what was pushed
NOTHING = "0" * 40  # git's id of a branch before it was pushed first
ALONE = {  # git without what this machine's people have set (git's manual, git and git-config)
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_KEY_0": "core.attributesFile",
    "GIT_CONFIG_KEY_1": "core.autocrlf",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_CONFIG_VALUE_1": "false",
}
HOOK = '#!/bin/sh\nwhile read -r old new ref; do echo "$old $new $ref" >> "$GIT_DIR/pushed"; done\n'


@dataclass
class Connection:
    arn: str
    name: str
    provider: str
    account: str
    status: str = "PENDING"
    tags: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, str]:
        return {
            "ConnectionName": self.name,
            "ConnectionArn": self.arn,
            "ProviderType": self.provider,
            "OwnerAccountId": self.account,
            "ConnectionStatus": self.status,
        }


@dataclass
class Connections:
    by_arn: dict[str, Connection] = field(default_factory=dict)


def state(call: Call) -> dict[str, Connection]:
    return call.cloud.state(Connections, call.account, call.region).by_arn


def same_arn(name: str) -> str:
    """A connection has one id, whichever of the two service names its ARN carries."""
    return name.replace(":codestar-connections:", ":codeconnections:")


def find(cloud: Cloud, connection: str) -> Connection | None:
    """The connection with this ARN, in whichever account and Region."""
    for connections in cloud.states(Connections).values():
        for name, found in connections.by_arn.items():
            if same_arn(name) == same_arn(connection):
                return found
    return None


def complete_handshake(cloud: Cloud, connection: str) -> None:
    """What a person does in the console: install the provider's app and authorize AWS."""
    found = find(cloud, connection)
    if found is None:
        raise KeyError(connection)
    found.status = "AVAILABLE"


# -- the API -----------------------------------------------------------------------------------


def _operation(name: str) -> Callable[[Callable[[Call], dict[str, Any]]], Callable[[Call], dict[str, Any]]]:
    """An operation under both names of the service."""

    def register(handler: Callable[[Call], dict[str, Any]]) -> Callable[[Call], dict[str, Any]]:
        codeconnections.operation(name)(handler)
        codestar_connections.operation(name)(handler)
        return handler

    return register


def _found(call: Call, key: str = "ConnectionArn") -> Connection:
    name = str(call.params[key])
    found = next((c for n, c in state(call).items() if same_arn(n) == same_arn(name)), None)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Connection {name} not found")
    return found


@_operation("CreateConnection")
def create_connection(call: Call) -> dict[str, Any]:
    params = call.params
    if "HostArn" in params or params.get("ProviderType") in INSTALLED:
        raise NotSupported(f"{call.service}: a connection to an installed provider (HostArn)")
    name, provider = str(params["ConnectionName"]), str(params.get("ProviderType", ""))
    if provider not in PROVIDERS or not 0 < len(name) <= NAME_LIMIT:
        raise AwsError("ValidationException", f"ProviderType {provider!r} or ConnectionName {name!r} is not valid")
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
    made = Connection(
        arn(call.service, call.region, call.account, f"connection/{new_id()}"), name, provider, call.account, tags=tags
    )
    state(call)[made.arn] = made
    return {"ConnectionArn": made.arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


@_operation("GetConnection")
def get_connection(call: Call) -> dict[str, Any]:
    return {"Connection": _found(call).shown()}


@_operation("ListConnections")
def list_connections(call: Call) -> dict[str, Any]:
    wanted = call.params.get("ProviderTypeFilter")
    found = [c.shown() for c in state(call).values() if wanted in (None, c.provider)]
    start, size = int(call.params.get("NextToken") or 0), int(call.params.get("MaxResults") or PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {"Connections": found[start : start + size], **more}


@_operation("DeleteConnection")
def delete_connection(call: Call) -> dict[str, Any]:
    state(call).pop(_found(call).arn)
    return {}


@_operation("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    _found(call, "ResourceArn").tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


@_operation("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    found = _found(call, "ResourceArn")
    for key in call.params["TagKeys"]:
        found.tags.pop(key, None)
    return {}


@_operation("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    tags = _found(call, "ResourceArn").tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


# -- the git provider --------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What the provider tells: a push (ref, old, new) or a change of a pull request (event and both branches)."""

    repository: str
    ref: str
    old: str
    new: str
    event: str = "PUSH"  # PUSH | OPEN | UPDATED | CLOSED
    target: str = ""  # of a pull request: the branch that it shall be merged into


Listener = Callable[[Cloud, Change], None]
listeners: list[Listener] = []


@dataclass
class Provider:
    """The provider's repositories, by owner/name, and how many of their pushes were announced."""

    repositories: dict[str, Path] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def git(folder: Path, *arguments: str) -> bytes:
    """What git prints; CalledProcessError with its message where it fails."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ALONE
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=variables)
    return done.stdout


def create_repository(cloud: Cloud, name: str) -> Path:
    """An empty bare repository, owner/name; its folder is what git clones and pushes to."""
    provider = cloud.state(Provider, "", "")
    folder = places.below(cloud.folder / "git", f"{name}.git")
    with provider.lock:
        if not provider.repositories:
            cloud.background("git provider", _watch, cloud, provider)
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        git(folder, "config", "core.hooksPath", "hooks")  # also for who pushes with hooks elsewhere
        hook = folder / "hooks" / "post-receive"
        hook.parent.mkdir()
        make_program(hook, HOOK.encode())
        provider.repositories[name] = folder
    return folder


def repository(cloud: Cloud, name: str) -> Path | None:
    return cloud.state(Provider, "", "").repositories.get(name)


def pull_request(cloud: Cloud, name: str, event: str, source: str, target: str) -> None:
    """A person opened, updated or closed a pull request: event is OPEN, UPDATED or CLOSED."""
    folder = cloud.state(Provider, "", "").repositories[name]
    new = git(folder, "rev-parse", f"refs/heads/{source}").decode().strip()
    old = git(folder, "merge-base", f"refs/heads/{source}", f"refs/heads/{target}").decode().strip()
    _tell(cloud, Change(name, f"refs/heads/{source}", old, new, event, target))


def changed_files(folder: Path, old: str, new: str) -> list[str]:
    return git(folder, "diff", "--name-only", "-z", old, new).decode().strip("\0").split("\0")


def _tell(cloud: Cloud, change: Change) -> None:
    for listener in listeners:
        listener(cloud, change)


def _watch(cloud: Cloud, provider: Provider) -> None:
    while not cloud.stopping.wait(LOOK):
        with provider.lock:
            known: Mapping[str, Path] = dict(provider.repositories)
        for name, folder in known.items():
            pushed = folder / "pushed"
            lines = pushed.read_text().splitlines() if pushed.exists() else []
            for line in lines[provider.announced.get(name, 0) :]:
                old, new, ref = line.split(" ", 2)
                _tell(cloud, Change(name, ref, old, new))
            provider.announced[name] = len(lines)
