"""Mistakes that people make, as they type them: a clear message, the right exit code, never a traceback."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, SSOTokenLoadError, TokenRetrievalError

from localaws.cloud import Cloud, Session
from scripts import package
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.setting import Setting

pytestmark = pytest.mark.usefixtures("signed_out")
REGION = "us-east-1"

ROOT = pack.ROOT

BUCKET = f"sagemaker-multi-account-bundle-{people.DATA_SCIENCE}-{REGION}"

MODULES = [f"scripts.{path.stem}" for path in sorted((ROOT / "scripts").glob("*.py")) if path.stem != "__init__"]
MODULES += [f"benchmarks.{name}" for name in ("bench", "doctor", "limits", "scale")]


@dataclass(frozen=True)
class World:
    """The rehearsal's organization before the kit comes, and a bundle that is built."""

    cloud: Cloud
    setting: Setting
    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def environment(self, old: str = "", new: str = "") -> Path:
        """An environment file for this organization, with one text replaced."""
        text = people.environment_file(self.setting)
        assert old in text
        file = self.folder / "environment.yaml"
        file.write_text(text.replace(old, new, 1) if old else text)
        return file


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bad-input")
    with embedded_aws(folder / "rehearsal") as cloud:
        setting = people.make_organization(cloud, "delegated", REGION)
        people.make_people(cloud, setting)
        package.main(["--output", str(folder / "bundle")])
        yield World(cloud, setting, folder)
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


class Terminal:
    """Where a person types commands."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capsys = patch, capsys

    def sign_in(self, session: Session) -> None:
        for name, value in session.environment().items():
            self.patch.setenv(name, value)

    def refuses(self, command: str, *arguments: object, code: int = 1) -> str:
        """What a refused command says on stderr; it has printed nothing on stdout."""
        return self.refuses_module(f"scripts.{command}", *arguments, code=code)

    def refuses_module(self, module: str, *arguments: object, code: int) -> str:
        """The same of a module, such as benchmarks.bench."""
        self.capsys.readouterr()
        line = [str(argument) for argument in arguments]
        ended = console.run(lambda: int(importlib.import_module(module).main(line)))
        output = self.capsys.readouterr()
        assert ended == code, output.err
        assert output.out == ""
        assert "Traceback" not in output.err
        return output.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def engineer(world: World) -> Session:
    return people.sign_in(world.cloud, world.setting.data_science, people.ENGINEER, REGION)


def typed(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as the shell runs it."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )


# -- the environment file ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["publish", "accounts"])
def test_a_missing_environment_file_is_reported_with_what_to_copy(terminal: Terminal, command: str) -> None:
    message = terminal.refuses(command)
    assert message == (
        "error: environment.yaml does not exist. Copy environment.example.yaml to environment.yaml and fill it in\n"
    )


def test_the_message_is_all_that_a_shell_sees(tmp_path: Path) -> None:
    done = typed("scripts.publish", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: environment.yaml does not exist.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["publish", "accounts"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("management: '999999999999'", "management: '99999999999'",
         ["accounts.management: '99999999999' is not an account id of 12 digits", "it has 11 characters"]),
        ("region: us-east-1", "region: us-east1",
         ["region: 'us-east1' is not a Region with SageMaker", "did you mean us-east-1?"]),
        ("staging: ou-", "staging: ou-x-", ["units.staging: 'ou-x-", "is not a unit's id, such as ou-ab12-cdefgh34"]),
        ("  management: '999999999999'\n", "", ["accounts.management: is missing. Write an account id of 12 digits"]),
        ("administrator:", "adminstrator:", ["is not a key of this file (did you mean administrator?)"]),
        ("accounts:\n", "accounts: [\n", ["environment.yaml", "line"]),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environment_file_is_reported_with_its_place(
    world: World, terminal: Terminal, command: str, old: str, new: str, words: list[str]
) -> None:
    message = terminal.refuses(command, "--environment", world.environment(old, new))
    for word in words:
        assert word in message
    assert "line " in message


def test_an_environment_file_that_cannot_be_read_is_reported(terminal: Terminal, tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be read" in terminal.refuses("publish", "--environment", tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "binary.yaml cannot be read" in terminal.refuses("publish", "--environment", tmp_path / "binary.yaml")


def test_a_unit_that_the_organization_does_not_have_is_reported(world: World, terminal: Terminal) -> None:
    terminal.sign_in(engineer(world))
    unit = world.setting.units["staging"]
    absent = unit[:-4] + "zzzz"
    message = terminal.refuses("accounts", "--environment", world.environment(unit, absent), "--dry-run")
    assert f"units.staging: the unit {absent} is not in the organization o-" in message
    assert "list-organizational-units-for-parent" in message


# -- who is signed in, and where ---------------------------------------------------------------


@pytest.mark.parametrize("command", ["publish", "accounts"])
def test_no_credentials_are_reported_with_how_to_sign_in(world: World, terminal: Terminal, command: str) -> None:
    bundle = ["--bundle", world.bundle] if command == "publish" else []
    message = terminal.refuses(command, "--environment", world.environment(), *bundle)
    assert "no AWS credentials found" in message
    assert "--profile NAME" in message


@pytest.mark.parametrize("command", ["publish", "accounts"])
def test_a_profile_that_does_not_exist_is_reported(world: World, terminal: Terminal, command: str) -> None:
    bundle = ["--bundle", world.bundle] if command == "publish" else []
    message = terminal.refuses(command, "--environment", world.environment(), "--profile", "absent", *bundle)
    assert "absent" in message
    assert "aws configure list-profiles" in message


def test_credentials_that_aws_does_not_know_are_reported(world: World, terminal: Terminal) -> None:
    terminal.sign_in(engineer(world))
    terminal.patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    message = terminal.refuses("accounts", "--environment", world.environment())
    assert "invalid. These credentials are not known to AWS: check the profile" in message


def test_expired_credentials_are_reported_as_such(world: World, terminal: Terminal) -> None:
    signed_in = engineer(world)
    terminal.sign_in(Session(world.cloud, world.cloud.issue(signed_in.principal, seconds=-1), REGION))
    message = terminal.refuses("accounts", "--environment", world.environment())
    assert "is expired. The credentials have expired: sign in again" in message


def test_what_the_credentials_may_not_do_is_reported_with_what_to_do(world: World, terminal: Terminal) -> None:
    iam = world.cloud.root(people.DATA_SCIENCE, REGION).client("iam")
    people.make_person(iam, people.DATA_SCIENCE, "Guest", "arn:aws:iam::aws:policy/AmazonSageMakerReadOnly")
    terminal.sign_in(people.sign_in(world.cloud, people.DATA_SCIENCE, "Guest", REGION))
    message = terminal.refuses("accounts", "--environment", world.environment())
    assert "AccessDenied" in message
    assert "cloudformation:DescribeStackResource" in message
    assert message.endswith("use others (--profile NAME), or have an administrator grant it\n")


@pytest.mark.parametrize(
    "error",
    [SSOTokenLoadError(error_msg="no token"), TokenRetrievalError(provider="sso", error_msg="it has expired.")],
)
def test_a_sign_in_that_has_run_out_is_reported_with_how_to_sign_in_again(error: BotoCoreError) -> None:
    message = console.explain(error)
    assert ".." not in message
    assert message.endswith(". Sign in again: aws sso login, with --profile NAME where you use one")


@pytest.mark.parametrize("command", ["publish", "accounts"])
def test_credentials_of_an_account_that_has_nothing_to_do_with_it_are_reported(
    world: World, terminal: Terminal, command: str
) -> None:
    terminal.sign_in(world.cloud.root(people.STAGING, REGION))
    bundle = ["--bundle", world.bundle] if command == "publish" else []
    message = terminal.refuses(command, "--environment", world.environment(), *bundle)
    assert f"these credentials belong to account {people.STAGING}" in message
    assert people.DATA_SCIENCE in message


@pytest.mark.parametrize("command", ["publish", "accounts", "rehearse"])
def test_a_region_that_does_not_exist_is_a_usage_error(world: World, terminal: Terminal, command: str) -> None:
    given = [] if command == "rehearse" else ["--environment", world.environment()]
    bundle = ["--bundle", world.bundle] if command == "publish" else []
    message = terminal.refuses(command, *given, *bundle, "--region", "us-east1", code=2)
    assert "'us-east1' is not a Region with SageMaker (did you mean us-east-1?)" in message


def test_more_regions_than_a_stage_has_room_for_are_a_usage_error(terminal: Terminal) -> None:
    regions = "us-east-1,eu-west-1,eu-west-2,eu-west-3,eu-north-1"
    message = terminal.refuses("rehearse", "--regions", regions, code=2)
    assert "at most 3 besides us-east-1" in message


def test_a_pause_of_no_seconds_is_a_usage_error(terminal: Terminal) -> None:
    assert "--pause: 0: write a number of seconds above 0" in terminal.refuses("status", "--pause", "0", code=2)


def test_an_endpoint_that_does_not_answer_is_reported(world: World, terminal: Terminal) -> None:
    terminal.sign_in(engineer(world))
    terminal.patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    terminal.patch.setenv("AWS_MAX_ATTEMPTS", "1")
    message = terminal.refuses("accounts", "--environment", world.environment())
    assert "Is the Region spelt right, and the network reachable?" in message


# -- the bundle and its bucket -----------------------------------------------------------------


def test_a_bundle_that_is_not_built_is_reported(world: World, terminal: Terminal, tmp_path: Path) -> None:
    message = terminal.refuses("publish", "--environment", world.environment(), "--bundle", tmp_path)
    assert "the bundle is not built" in message
    assert "make package" in message


def test_an_invalid_manifest_is_reported(world: World, terminal: Terminal, tmp_path: Path) -> None:
    for text in ("{", "[]", "{}"):
        (tmp_path / "manifest.json").write_text(text)
        message = terminal.refuses("publish", "--environment", world.environment(), "--bundle", tmp_path)
        assert "make package" in message


def test_a_bucket_that_is_not_there_yet_is_reported(world: World, terminal: Terminal) -> None:
    terminal.sign_in(engineer(world))
    message = terminal.refuses("publish", "--environment", world.environment(), "--bundle", world.bundle)
    assert f"the bucket {BUCKET} does not exist in account {people.DATA_SCIENCE}. Run `make accounts` first" in message


def test_a_bucket_that_another_team_owns_is_reported_and_gets_nothing(world: World, terminal: Terminal) -> None:
    terminal.sign_in(engineer(world))
    other = world.cloud.root(people.STAGING, REGION).client("s3")
    other.create_bucket(Bucket=BUCKET)
    try:
        message = terminal.refuses("publish", "--environment", world.environment(), "--bundle", world.bundle)
        assert f"the bucket {BUCKET} does not belong to account {people.DATA_SCIENCE}," in message
        assert other.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    finally:
        other.delete_bucket(Bucket=BUCKET)


def test_an_incomplete_tree_is_reported(terminal: Terminal, tmp_path: Path) -> None:
    message = terminal.refuses("package", "--root", tmp_path)
    assert "pyproject.toml cannot be read" in message
    assert "Is the clone complete?" in message


# -- the rehearsal -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 33, "iris_1", "-iris", "iris-", "iris 1", "", "ïris"])
def test_a_wrong_project_name_is_a_usage_error_before_anything_starts(
    terminal: Terminal, tmp_path: Path, name: str
) -> None:
    message = terminal.refuses("rehearse", f"--project={name}", "--folder", tmp_path / "new", code=2)
    assert "1 to 32 letters, digits and hyphens" in message
    assert "Example: iris-multi-01" in message
    assert not (tmp_path / "new").exists()


def test_a_port_in_use_is_reported(terminal: Terminal, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = terminal.refuses("rehearse", "--port", port, "--folder", tmp_path / "new")
    assert f"port {port} on 127.0.0.1 cannot be used (Address already in use)" in message
    assert "Choose another with --port" in message
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none_is_a_usage_error(terminal: Terminal, port: str) -> None:
    assert "--port" in terminal.refuses("rehearse", f"--port={port}", code=2)


@pytest.mark.parametrize("option", ["--until=never", "--administrator=unknown", "--projekt=x"])
def test_an_option_that_does_not_exist_is_a_usage_error(terminal: Terminal, option: str) -> None:
    assert option.partition("=")[0] in terminal.refuses("rehearse", option, code=2)


def test_a_folder_that_is_a_file_is_reported(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = terminal.refuses("rehearse", "--folder", tmp_path / "file", code=2)
    assert f"error: --folder {tmp_path / 'file'}: this is a file. Name a folder" in message


# -- how commands are called -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "line", "named"),
    [
        ("scripts.rollback", "", "--project, --stage. Example: make rollback PROJECT=iris-multi-01 STAGE=prod"),
        ("scripts.upgrade", "", "--project. Example: make upgrade PROJECT=iris-multi-01"),
        ("scripts.seed", "", "--project. Example: make seed PROJECT=iris-multi-01"),
        ("scripts.teardown", "", "name one of --project NAME (PROJECT=NAME of make)"),
        ("scripts.rollback", "--project p --stage dev", "argument --stage: invalid choice: 'dev'"),
        ("scripts.rehearse", "--until never", "argument --until: invalid choice: 'never'"),
        ("benchmarks.bench", "--rounds many", "argument --rounds: invalid int value: 'many'"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(terminal: Terminal, module: str, line: str, named: str) -> None:
    message = terminal.refuses_module(module, *line.split(), code=2)
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert named in message


@pytest.mark.parametrize("module", MODULES)
def test_every_command_answers_an_unknown_option_in_one_line(terminal: Terminal, module: str) -> None:
    message = terminal.refuses_module(module, "--no-such-option", code=2)
    assert message.startswith("error: ")
    assert message.endswith(" (see --help)\n")
    assert message.count("\n") == 1
