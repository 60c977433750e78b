"""A healthy installation for the tests of `make doctor`: with a project, a version and a stage's stack set."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoint_configs import EndpointConfigs
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import new_fleet
from pipeline import sharing
from pipeline.manifest import OF_STAGE
from scripts import doctor
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.command import connect
from scripts.kit.connect import Connection
from scripts.kit.doctor import command, snapshot
from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.doctor.findings import Finding, run_checks
from scripts.kit.doctor.reader import Reader
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.publish import defaults
from scripts.kit.regions import opt_in_regions
from scripts.kit.settings import reading
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import CHAPTERS
from scripts.rehearsal.embedded import xgboost_image
from scripts.rehearsal.story import Story, signed_in
from tests.support.waiting import until

REGION = "us-east-1"
NOTHING = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
NAMING = json.dumps({"Parameters": {"ModelPackageName": {"Type": "String"}}, **json.loads(NOTHING)})
SHORT = {"staging": "staging", "production": "prod"}


class QuickConnection(Connection):
    """Asks with a session of the embedded AWS, which needs no socket."""

    session: Any

    def named_client(self, service: str, region: str | None = None) -> Any:
        return self.session.client(service, region or self.region)


class QuickReader(Reader):
    """Enters the accounts with such sessions."""

    def enter(self, account: str, role: str) -> str:
        if not self.reaches(account):
            mine: Any = self.connection.session
            entered = mine.cloud.assume_role(f"arn:aws:iam::{account}:role/{role}", "doctor", mine.principal, REGION)
            self.connections[account] = QuickConnection(entered, account, REGION)
        return ""


@dataclass
class World:
    """The installation, and who may do everything in each account."""

    story: Story
    bundle: pack.Bundle
    kept: Reader | None = None

    @property
    def cloud(self) -> Cloud:
        return self.story.cloud

    @property
    def account(self) -> str:
        return self.story.setting.data_science

    @property
    def management(self) -> str:
        """The management account; the data science account without Organizations."""
        return self.story.setting.management or self.account

    @property
    def staging(self) -> str:
        return self.story.setting.targets["staging"]

    @property
    def production(self) -> str:
        return self.story.setting.targets["prod"]

    @property
    def project(self) -> str:
        return f"{self.story.project_name}-{self.story.project_id}"

    @property
    def models(self) -> str:
        return f"sagemaker-multi-account-models-{self.account}-{REGION}"

    def client(self, service: str, account: str = "", region: str = REGION) -> Any:
        """As an administrator of an account: of the data science account where none is named."""
        return self.cloud.root(account or self.account, region).client(service)

    def publisher(self, service: str) -> Any:
        """As the ML engineer of the data science account, who alone may write the bundle bucket."""
        return self.engineer(self.account).client(service)

    def engineer(self, account: str) -> Session:
        return people.sign_in(self.cloud, account, people.ENGINEER, REGION)

    def doctor(self, *arguments: str, by: Session | None = None) -> tuple[int, dict[str, Any]]:
        """Exit code and report of `make doctor`, by the ML engineer of the management account."""
        code, text = self.typed("--json", *arguments, by=by)
        return code, json.loads(text)

    def typed(self, *arguments: str, by: Session | None = None) -> tuple[int, str]:
        """Exit code and stdout."""
        line = [
            *("--environment", str(self.story.environment_path), "--bundle", str(self.story.folder / "bundle")),
            *arguments,
        ]
        out = io.StringIO()
        with signed_in(by or self.engineer(self.management)), contextlib.redirect_stdout(out):
            code = console.run(lambda: doctor.main(line))
        return code, out.getvalue()

    def reader(self, region: str = "", fresh: bool = False) -> Reader:
        """The reader of the checks; the usual one is kept, so that its clients are made once."""
        if region or fresh:
            return self.new_reader(region)
        if self.kept is None:
            session: Any = self.engineer(self.management)
            self.kept = QuickReader(QuickConnection(session, self.management, REGION))
        return self.kept

    def new_reader(self, region: str) -> Reader:
        if region in opt_in_regions():
            for account in (self.management, self.account, self.staging, self.production):
                self.client("account", account).enable_region(RegionName=region)
        with signed_in(self.engineer(self.management)):
            return Reader(connect(reading.load(self.story.environment_path), None, region or None))

    def read_bundle(self) -> None:
        """The bundle as the environment file has it published."""
        settings = reading.load(self.story.environment_path)
        with signed_in(self.engineer(self.management)):
            packed = pack.read_build(self.story.folder / "bundle")
            self.bundle = defaults.installed(packed, settings, connect(settings, None, None))

    def look(self, reader: Reader, project: str = "") -> list[Finding]:
        """What the checks find."""
        settings = reading.load(self.story.environment_path)
        with signed_in(self.engineer(self.management)):
            return command.look(reader, settings, self.bundle, project, "")

    def begin(self, reader: Reader, project: str = "") -> Snapshot:
        """A snapshot that reads its facts when they are first looked at."""
        settings = reading.load(self.story.environment_path)
        with signed_in(self.engineer(self.management)):
            return snapshot.begin(reader, settings, self.bundle, project)

    def look_for(self, id: str, facts: Snapshot) -> list[Finding]:
        """What one check finds, with the facts read that it looks at."""
        with signed_in(self.engineer(self.management)):
            return run_checks(facts, [CHECKS[id]])

    def fix(self, reader: Reader, findings: list[Finding]) -> None:
        """As --fix does."""
        assert command.fix(reader, findings, dry_run=False)

    def settled(self) -> None:
        """Nothing goes on any more."""
        until(lambda: not self.cloud.busy)

    def requests(self) -> list[dict[str, Any]]:
        with (self.cloud.folder / "requests.jsonl").open() as lines:
            return [json.loads(line) for line in lines]

    @contextlib.contextmanager
    def environment(self, old: str, new: str) -> Iterator[None]:
        """The environment file with another text in it."""
        file = self.story.environment_path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        try:
            yield
        finally:
            file.write_text(text)


def of_kind(text: str, administrator: str, to: str) -> str:
    """The environment file of an organization as it would be with another administrator or publisher."""
    if administrator == "management":
        text = text.replace("administrator: delegated", "administrator: management")
        text = re.sub(r"management: '\d{12}'", f"management: '{people.DATA_SCIENCE}'", text)
    if administrator == "self-managed" and "administrator: self-managed" not in text:
        start, end = text.index("administrator:"), text.index("roles:\n")
        text = text[:start] + without_organizations([people.STAGING]) + text[end:]
        text = re.sub(r"invited_accounts:\n(?:  - .*\n)+", "", text)
    return text.replace("publishing: {to: both}", f"publishing: {{to: {to}}}")


def played(cloud: Cloud, folder: Path, until: str) -> World:
    """The story up to a chapter, with roles by stack sets, and published to Service Catalog and S3."""
    story = Story(cloud, folder)
    for chapter in CHAPTERS:
        cloud.chapter = chapter
        CHAPTERS[chapter][1](story)
        text = story.environment_path.read_text()
        if chapter == "organization":
            text = text.replace("target_roles: one-by-one", "target_roles: stack-set") + "publishing: {to: both}\n"
        if chapter == "permissions":
            [domain] = cloud.root(story.setting.data_science, REGION).client("sagemaker").list_domains()["Domains"]
            text = text.replace("studio:\n", f"studio:\n  domain_id: {domain['DomainId']}\n")
        story.environment_path.write_text(text)
        if chapter == until:
            break
    world = World(story, pack.read_build(folder / "bundle"))
    world.read_bundle()
    return world


def make_world(cloud: Cloud, folder: Path) -> World:
    """An installation with a project, and stages that deploy no real endpoint."""
    world = played(cloud, folder, "project")
    story = world.story
    version = register_version(world)
    for stage, unit in (("staging", "staging"), ("production", "prod")):
        make_stage(world, stage, story.setting.units[unit], version)
        accounts = [story.setting.targets[unit]]
        sharing.share_group(world.client("sagemaker"), story.project_name, unit, accounts, [version])
    return world


def make_alone(cloud: Cloud, folder: Path) -> World:
    """An installation without Organizations, as `make accounts` leaves it; nothing is published yet."""
    story = Story(cloud, folder, administrator="self-managed")
    for chapter in ("organization", "permissions"):
        CHAPTERS[chapter][1](story)
    return World(story, pack.pack(pack.read_tree(pack.ROOT)))


def without_organizations(staging: list[str]) -> str:
    """The environment file's lines that say where, without Organizations."""
    listed = "', '".join(staging)
    return f"""\
administrator: self-managed
accounts: {{data_science: '{people.DATA_SCIENCE}'}}
targets: {{staging: ['{listed}'], production: ['{people.PRODUCTION}']}}
"""


def register_version(world: World, **container: str) -> str:
    """A version that waits for approval, with its artifact in the model bucket."""
    key = f"{world.story.project_name}/model.tar.gz"
    world.client("s3").put_object(Bucket=world.models, Key=key, Body=b"a model")
    found = {"Image": xgboost_image(REGION), "ModelDataUrl": f"s3://{world.models}/{key}", **container}
    made = world.client("sagemaker").create_model_package(
        ModelPackageGroupName=world.story.project_name,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [found],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])


def make_stage(world: World, stage: str, unit: str, version: str) -> None:
    """A stage's stack, which names the version, and its stack set: deployed, with something that needs no endpoint."""
    name = f"sagemaker-{world.project}-deploy-{SHORT[stage]}"
    client = world.engineer(world.account).client("cloudformation")
    named = {"ParameterKey": "ModelPackageName", "ParameterValue": version}
    tags = [{"Key": key, "Value": value} for key, value in OF_STAGE.items()]
    client.create_stack(StackName=name, TemplateBody=NAMING, Parameters=[named], Tags=tags)
    client.create_stack_set(
        StackSetName=name,
        TemplateBody=NOTHING,
        PermissionModel="SERVICE_MANAGED",
        AutoDeployment={"Enabled": False},
        CallAs="DELEGATED_ADMIN",
    )
    operation = client.create_stack_instances(
        StackSetName=name,
        DeploymentTargets={"OrganizationalUnitIds": [unit]},
        Regions=[REGION],
        CallAs="DELEGATED_ADMIN",
    )["OperationId"]

    def ended() -> bool:
        shown = client.describe_stack_set_operation(StackSetName=name, OperationId=operation, CallAs="DELEGATED_ADMIN")
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        return (shown["StackSetOperation"]["Status"], stack["StackStatus"]) == ("SUCCEEDED", "CREATE_COMPLETE")

    until(ended)
    add_endpoint(world, {"staging": world.staging, "production": world.production}[stage], SHORT[stage])


def add_endpoint(world: World, account: str, stage: str) -> None:
    """An endpoint in service that no server stands behind: the checks ask what it runs on, not for predictions."""
    name, moment = f"{world.project}-{stage}", datetime.now(UTC)
    config = {
        "EndpointConfigName": f"{name}-config",
        "EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{account}:endpoint-config/{name}-config",
        "ProductionVariants": [
            {"VariantName": "AllTraffic", "ModelName": f"{name}-model", "InitialVariantWeight": 1.0}
        ],
        "CreationTime": moment,
    }
    shown = {
        "EndpointName": name,
        "EndpointArn": f"arn:aws:sagemaker:{REGION}:{account}:endpoint/{name}",
        "EndpointConfigName": f"{name}-config",
        "EndpointStatus": "InService",
        "CreationTime": moment,
        "LastModifiedTime": moment,
    }
    world.cloud.state(EndpointConfigs, account, REGION).by_name[f"{name}-config"] = config
    world.cloud.state(Endpoints, account, REGION).by_name[name] = Endpoint(shown, new_fleet(config))
