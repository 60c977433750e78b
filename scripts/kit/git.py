"""Runs git in an environment of its own: nothing that a person has set changes what is committed, or where.

A command that reaches a git provider gets what it needs of the person's configuration, and nothing else: credentials,
proxies and certificates, ssh, and addresses that stand for others (git's manual, git-config and git).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from scripts.kit.console import UserError

PATIENCE = 300  # seconds
REACH = ("credential.", "http.", "protocol.", "ssh.", "url.", "core.askpass", "core.gitproxy", "core.sshcommand")
REACH_VARIABLES = ("GIT_ALLOW_PROTOCOL", "GIT_ASKPASS", "GIT_HTTP_", "GIT_PROXY_", "GIT_SSH", "GIT_SSL_")
CONFIGURATION = "GIT_CONFIG_"  # where the configuration is, or a part of it
PERSONS = ("system", "global", "command")  # the scopes of a configuration that are not a repository's
OWN = {  # over what a system or a repository has
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "user.name": "multi-account-deployment",
    "user.email": "multi-account-deployment@invalid",
}
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}


def git(*arguments: str, folder: Path, reaches: bool = False) -> str:
    """What git prints in a folder. It never asks for a password.

    reaches: the command reaches a git provider, as the person has set git up for that
    """
    settings = [*(reach() if reaches else ()), *OWN.items()]
    variables = variables_of(REACH_VARIABLES if reaches else ()) | NOBODY | configured(settings)
    variables["GIT_TERMINAL_PROMPT"] = "0"
    if reaches:  # the folder is a repository of ours or none, never a part of one around it
        variables["GIT_CEILING_DIRECTORIES"] = str(folder.absolute().parent)
    return os.fsdecode(run(["-C", str(folder), *arguments], arguments[0], variables))


def run(arguments: list[str], name: str, variables: Mapping[str, str]) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=True, env=variables, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise UserError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"git {name} did not answer within five minutes") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {name}: {os.fsdecode(error.stderr).strip()}") from error
    return done.stdout


def variables_of(kept: tuple[str, ...]) -> dict[str, str]:
    """This process's variables, of git's own only those that begin so."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(kept)}


def configured(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The variables that give git these settings, in their order: the last one of a name wins, or all count."""
    listed = list(settings)
    found = {"GIT_CONFIG_COUNT": str(len(listed))}
    for number, (name, value) in enumerate(listed):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def reach() -> Iterator[tuple[str, str]]:
    """The settings of the person and of the system with which git reaches a provider."""
    with tempfile.TemporaryDirectory() as outside:  # of every repository
        line = ["-C", outside, "config", "--list", "--null", "--show-scope"]
        listed = os.fsdecode(run(line, "config", variables_of((CONFIGURATION,)))).split("\0")
    for scope, setting in zip(listed[::2], listed[1::2], strict=False):
        name, equals, value = setting.partition("\n")
        if scope in PERSONS and name.startswith(REACH):
            yield name, value if equals else "true"
