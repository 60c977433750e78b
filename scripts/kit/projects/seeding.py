"""Seeds the repositories of a project that has a connection to a git provider: with git, as the person who types.

CloudFormation seeds repositories in CodeCommit; no AWS API writes to a provider's (docs/decisions/0010-*.md).
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.git import git
from scripts.kit.names import bundle_bucket
from scripts.kit.plan import PlanStep
from scripts.kit.projects.provisioned import ProvisionedProject
from scripts.kit.publish import versions
from scripts.kit.settings.model import Settings

BRANCH = "main"
HOSTS = {"GitHub": "https://github.com", "GitLab": "https://gitlab.com", "Bitbucket": "https://bitbucket.org"}
KINDS = {"model-deploy.zip": "Deploy", "model-build.zip": "Training"}  # in the names of the product's parameters
SUFFIXES = {"model-deploy.zip": "-modeldeploy", "model-build.zip": "-modelbuild"}  # as template 30 names them


@dataclass(frozen=True)
class Seeding:
    """What a project's repositories begin with. names: of each seed zip's repository, with its owner.

    bundle_version: of the seed code, which is the published one that the project is, or will be, made from
    """

    connection_arn: str
    names: Mapping[str, str]
    bundle_version: str
    seeds: Mapping[str, bytes]


def of_project(connection: Connection, project: ProvisionedProject, given: Mapping[str, str]) -> Seeding:
    """As the project's parameters have it. given: names from the command line, which can only agree."""
    name, values = project.project.name, project.parameters
    if not (arn := values.get("SourceConnectionArn", "")):
        raise UserError(f"the repositories of {name} are in CodeCommit: the project's own stack seeded them")
    own = {seed: values.get(f"{kind}RepositoryName") or name + SUFFIXES[seed] for seed, kind in KINDS.items()}
    for seed, other in given.items():
        if other != own[seed]:
            raise UserError(f"the repository of the project {name} is {own[seed]}, not {other}: leave the name out")
    names = {seed: f"{values['SourceRepositoryOwner']}/{repository}" for seed, repository in own.items()}
    s3, bucket = connection.client("s3"), bundle_bucket(connection.account, connection.region)
    seeds = {}
    for parameter, seed in pack.SEED_KEYS.items():
        seeds[seed] = s3.get_object(Bucket=bucket, Key=values[parameter])["Body"].read()
    return Seeding(arn, names, project.bundle_version, seeds)


def of_new_project(connection: Connection, settings: Settings, name: str, given: Mapping[str, str]) -> Seeding:
    """As the environment file has it, for a project that is yet to be made from the newest version."""
    if settings.source.provider != "connection":
        raise UserError("source.provider is codecommit: the project's own stack seeds its repositories")
    owner = settings.source.repository_owner
    names = {seed: f"{owner}/{given.get(seed, name + suffix)}" for seed, suffix in SUFFIXES.items()}
    version = versions.newest(versions.installed_versions(connection, settings))
    bundle = versions.content(connection, version.digest, version.name, pack.SEEDS)
    return Seeding(settings.source.connection_arn, names, version.name, {seed: bundle.files[seed] for seed in names})


def host(connection: Connection, arn: str, remote: str) -> str:
    """The address in front of owner/name; UserError while the connection waits for a person."""
    try:
        found = connection.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]
    except ClientError as error:
        raise UserError(
            f"the connection {arn} (source.connection_arn): {error.response['Error']['Message']}. "
            "The console shows those that there are: Developer Tools, Settings, Connections"
        ) from error
    if found["ConnectionStatus"] != "AVAILABLE":
        raise UserError(
            f"the connection {found['ConnectionName']} is {found['ConnectionStatus']}. Complete it in the console: "
            "Developer Tools, Settings, Connections, Update pending connection"
        )
    if not remote and found["ProviderType"] not in HOSTS:
        raise UserError(f"{found['ProviderType']} is an installed provider: say its address with --remote URL")
    return remote or HOSTS[found["ProviderType"]]


def make_plan(base: str, names: Mapping[str, str]) -> list[PlanStep]:
    """names: the repository of each seed zip. One that has the branch already is in use: it is left alone."""
    steps = []
    for seed, name in names.items():
        url = f"{base.rstrip('/')}/{name}.git"
        with tempfile.TemporaryDirectory() as outside:  # of every repository, whose configuration would count
            heads = git("ls-remote", "--heads", url, f"refs/heads/{BRANCH}", folder=Path(outside), reaches=True)
        if heads.strip():
            steps.append(PlanStep("keep", "repository", name, f"has a branch {BRANCH}"))
        else:
            steps.append(PlanStep("create", "repository", name, f"{seed} on {BRANCH}", {"url": url, "seed": seed}))
    return steps


def apply(steps: list[PlanStep], seeds: Mapping[str, bytes], message: str, report: Callable[[PlanStep], None]) -> None:
    for step in steps:
        if step.writes:
            push(str(step.request["url"]), seeds[str(step.request["seed"])], message)
            report(step)


def push(url: str, seed: bytes, message: str) -> None:
    """Commit the seed code, all of it and nothing else, and push it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git("init", "--quiet", "--template=", f"--initial-branch={BRANCH}", folder=folder)
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            archive.extractall(folder)
        git("add", "--all", "--force", folder=folder)
        git("commit", "--quiet", "--no-gpg-sign", "--message", message, folder=folder)
        git("push", "--quiet", url, f"HEAD:refs/heads/{BRANCH}", folder=folder, reaches=True)
