"""Seeds the repositories of a project that has a connection to a git provider: with git, as the person who types.

CloudFormation seeds repositories in CodeCommit by itself; no AWS API writes to a provider's (docs/decisions/0010).
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from botocore.exceptions import ClientError

from scripts.bundle.connect import Connection
from scripts.bundle.console import UserError
from scripts.bundle.environment import Source
from scripts.bundle.plan import Step

BRANCH = "main"
HOSTS = {"GitHub": "https://github.com", "GitLab": "https://gitlab.com", "Bitbucket": "https://bitbucket.org"}
SUFFIXES = {"model-deploy.zip": "-modeldeploy", "model-build.zip": "-modelbuild"}  # as template 30 names them
AUTHOR = ("-c", "user.name=multi-account-deployment", "-c", "user.email=multi-account-deployment@invalid")


def git(*arguments: str, folder: Path | None = None) -> str:
    """What git prints. It never asks for a password: it uses what the person has set up."""
    where = ("-C", str(folder)) if folder else ()
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *where, *arguments], capture_output=True, text=True, check=True, env=environment, timeout=300
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"git {arguments[0]} did not answer within five minutes") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {arguments[0]}: {error.stderr.strip()}") from error
    return done.stdout


def host(connection: Connection, source: Source, remote: str) -> str:
    """The address in front of owner/name; UserError while the connection waits for a person."""
    try:
        found = connection.client("codeconnections").get_connection(ConnectionArn=source.connection_arn)["Connection"]
    except ClientError as error:
        raise UserError(f"source.connection_arn: {error.response['Error']['Message']}") from error
    if found["ConnectionStatus"] != "AVAILABLE":
        raise UserError(
            f"the connection {found['ConnectionName']} is {found['ConnectionStatus']}. Complete it in the console: "
            "Developer Tools, Settings, Connections, Update pending connection"
        )
    if not remote and found["ProviderType"] not in HOSTS:
        raise UserError(f"{found['ProviderType']} is an installed provider: say its address with --remote URL")
    return remote or HOSTS[found["ProviderType"]]


def make_plan(base: str, owner: str, names: Mapping[str, str]) -> list[Step]:
    """names: the repository of each seed zip. One that has the branch already is somebody's: it is left alone."""
    steps = []
    for seed, name in names.items():
        url = f"{base.rstrip('/')}/{owner}/{name}.git"
        if git("ls-remote", "--heads", url, BRANCH).strip():
            steps.append(Step("keep", "repository", f"{owner}/{name}", f"has a branch {BRANCH}"))
        else:
            steps.append(
                Step("create", "repository", f"{owner}/{name}", f"{seed} on {BRANCH}", {"url": url, "seed": seed})
            )
    return steps


def apply(steps: list[Step], seeds: Mapping[str, bytes], message: str, told: Callable[[Step], None]) -> None:
    for step in steps:
        if step.writes:
            push(str(step.request["url"]), seeds[str(step.request["seed"])], message)
            told(step)


def push(url: str, seed: bytes, message: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git("init", "--quiet", f"--initial-branch={BRANCH}", folder=folder)
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            archive.extractall(folder)
        git("add", "--all", folder=folder)
        git(*AUTHOR, "commit", "--quiet", "--message", message, folder=folder)
        git("push", "--quiet", url, f"HEAD:refs/heads/{BRANCH}", folder=folder)
