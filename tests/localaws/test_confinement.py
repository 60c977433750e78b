"""Strangers' commands see, change and stop nothing but their own; and where that cannot be, it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws import confinement
from localaws.cloud import Cloud
from localaws.confinement import Free, NotConfined, Room
from scripts.rehearsal.embedded import embedded_aws
from tests.support.codebuild_setting import ACCOUNT, REGION, TRUST, build, log
from tests.support.roles import WRITE_LOGS, make_role
from tests.support.waiting import until
from tests.support.zips import zip_of

confined = pytest.mark.skipif(bool(confinement.problem()), reason=f"not confined here: {confinement.problem()}")
SECRET = "aws_secret_access_key = of-this-machines-user"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with credentials in it."""
    folder = tmp_path / "user"
    (folder / ".aws").mkdir(parents=True)
    (folder / ".aws" / "credentials").write_text(f"[default]\n{SECRET}\n")
    (folder / ".bashrc").write_text("# the user's own\n")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("OF_THE_USER", SECRET)
    return folder


@pytest.fixture
def room(tmp_path: Path, home: Path) -> Iterator[Room]:
    (tmp_path / "build").mkdir()
    made = confinement.place(True, writes=[tmp_path / "build"])
    assert isinstance(made, Room)
    yield made
    made.end()


def said(place: Free, command: str, **variables: str) -> str:
    status, text = place.output(["/bin/sh", "-c", f"{{ {command} ; }} 2>&1"], {"PATH": os.defpath, **variables})
    return f"{text}\nended {status}"


@confined
def test_no_file_of_the_user_is_there(room: Room, home: Path, tmp_path: Path) -> None:
    assert SECRET not in said(room, f"cat {home}/.aws/credentials")
    assert "No such file" in said(room, f"ls {home}")
    assert said(room, "cd /home && ls -A; cd /tmp && ls -A | grep -v pytest; cd /run && ls -A") == "\nended 0"
    assert said(room, f"ls {Path(__file__).parents[2]}/templates").endswith("ended 2")
    (tmp_path / "beside").write_text("x")
    assert said(room, f"ls -A {tmp_path}").split() == ["build", "ended", "0"]


@confined
def test_only_the_builds_own_folder_can_be_written(room: Room, tmp_path: Path) -> None:
    assert said(room, f"echo made > {tmp_path}/build/file").endswith("ended 0")
    assert (tmp_path / "build" / "file").read_text() == "made\n"
    for place in ("/usr", "/etc", sys.base_prefix):
        assert "Read-only file system" in said(room, f"touch {place}/of-a-stranger")
    said(room, f"echo x > {tmp_path}/beside; echo x > /tmp/{tmp_path.name}; echo x > /home/x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "user"]
    assert not Path("/tmp", tmp_path.name).exists()


@confined
def test_no_process_but_its_own_is_seen_or_stopped(room: Room) -> None:
    with subprocess.Popen(["sleep", "60"], env={"OF_THE_USER": SECRET}) as other:
        assert SECRET not in said(room, "cat /proc/*/environ /proc/*/cmdline")
        assert "of-this" not in said(room, f"cat /proc/{os.getpid()}/environ")
        said(room, "kill -9 -1; for n in 2 3 4 5 6 7 8 9; do kill -9 $n; done")
        assert "No such process" in said(room, f"kill -9 {other.pid}")
        assert other.poll() is None
        other.kill()
    assert said(room, "echo goes on") == "goes on\n\nended 0"


@confined
def test_no_variable_but_the_declared_ones_is_there(room: Room) -> None:
    found = dict(line.split("=", 1) for line in said(room, "/usr/bin/env", ONE="1").splitlines() if "=" in line)
    assert {name: found.get(name) for name in ("ONE", "OF_THE_USER", "LC_CTYPE")} == {
        "ONE": "1", "OF_THE_USER": None, "LC_CTYPE": None}  # fmt: skip
    assert found.keys() <= {"ONE", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}


@confined
def test_a_variable_of_the_program_does_nothing_to_what_leads_it_in(room: Room, tmp_path: Path) -> None:
    """The library or module would be loaded outside of the room."""
    trap = tmp_path / "build" / "ctypes.py"
    trap.write_text(f"open('{tmp_path}/caught', 'w')\n")
    given = {"PYTHONPATH": str(trap.parent), "PYTHONHOME": "/nowhere", "LD_PRELOAD": "/nowhere.so"}
    assert "ended 0" in said(room, "true", **given)
    assert not (tmp_path / "caught").exists()


@confined
def test_no_right_is_left_and_none_can_be_had(room: Room, tmp_path: Path) -> None:
    assert said(room, "grep Cap /proc/self/status").count("0000000000000000") == 5
    assert "NoNewPrivs:\t1" in said(room, "grep NoNewPrivs /proc/self/status")
    for command in ("umount /usr", "mount -t tmpfs none /usr", "unshare -Urm umount /usr", "chroot /"):
        assert "ended 0" not in said(room, command)


@confined
def test_a_program_ends_in_the_room_as_it_does_outside(room: Room) -> None:
    for command, code in (("exit 3", 3), ("kill -9 $$", -9), ("kill -15 $$", -15), ("true", 0)):
        assert room.start(["/bin/sh", "-c", command], {}).wait() == code
    assert room.start(["/no/such/program"], {}, stderr=subprocess.DEVNULL).wait() == 127


@confined
def test_what_a_command_leaves_running_ends_with_the_room(tmp_path: Path, home: Path) -> None:
    made = confinement.place(True, writes=[tmp_path])
    beat = tmp_path / "beat"
    said(made, f"(while true; do date > {beat}; sleep 0.1; done) > /dev/null 2>&1 & true")
    until(beat.exists)
    beat.unlink()
    until(beat.exists)  # in the next command it is still there
    made.end()
    beat.unlink(missing_ok=True)
    time.sleep(0.5)
    assert not beat.exists()


@confined
def test_what_a_command_makes_of_a_file_leads_nowhere(room: Room, home: Path, tmp_path: Path) -> None:
    """The rehearsal itself reads and writes files of a build, with all that it may."""
    file = tmp_path / "build" / "file"
    said(room, f"ln -s {home}/.aws/credentials {file}")
    with pytest.raises(OSError, match="leads out of the build's folder"):
        room.read(file)
    said(room, f"rm {file}; ln -s {home}/.bashrc {file}")
    room.write(file, "rm -rf ~\n", append=True)
    room.write(file, "rm -rf ~\n")
    assert (home / ".bashrc").read_text() == "# the user's own\n"
    said(room, f"rm {file}; echo content > {file}")
    assert room.read(file) == b"content\n"


@confined
def test_a_home_below_a_folder_of_the_system_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "_homes", lambda: ["/usr/share"])
    made = Room([Path(sys.base_prefix)], [tmp_path])
    assert said(made, "ls -A /usr/share") == "\nended 0"
    made.end()


@confined
def test_a_folder_behind_a_link_is_there_under_both_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("content")
    (tmp_path / "link").symlink_to("real")
    made = Room([Path(sys.base_prefix), tmp_path / "link"], [])
    assert said(made, f"cat {tmp_path}/link/file") == "content\nended 0"
    made.end()


# -- in the embedded AWS -----------------------------------------------------------------------------


@pytest.fixture
def strange(tmp_path: Path, home: Path) -> Iterator[Cloud]:
    with embedded_aws(tmp_path / "rehearsal", strangers=True) as running:
        iam = running.root(ACCOUNT, REGION).client("iam")
        iam.create_role(RoleName="builder", Path="/service-role/", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.attach_role_policy(RoleName="builder", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        yield running
    assert not running.faults, running.faults


@confined
def test_a_strangers_build_works_and_sees_nothing_of_the_user(strange: Cloud, home: Path) -> None:
    root = strange.root(ACCOUNT, REGION)
    made = build(root, f"""
        version: 0.2
        env: {{variables: {{GREETING: hello}}, exported-variables: [FOUND]}}
        phases:
          build:
            commands:
              - python -c "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
              - export FOUND="$GREETING $(cat {home}/.aws/credentials 2>/dev/null)$OF_THE_USER"
              - 'test -z "$(ls -A $HOME)"'
    """)  # fmt: skip
    assert made["buildStatus"] == "SUCCEEDED", log(root, made)
    assert "assumed-role/builder/" in log(root, made)
    assert made["exportedEnvironmentVariables"] == [{"name": "FOUND", "value": "hello "}]


@confined
@pytest.mark.parametrize("way", ["a base directory", "a link"])
def test_a_strangers_artifact_holds_no_file_of_the_user(strange: Cloud, home: Path, way: str) -> None:
    root = strange.root(ACCOUNT, REGION)
    root.client("s3").create_bucket(Bucket="sagemaker-out")
    base = f"base-directory: {home}/.aws" if way == "a base directory" else "base-directory: ."
    made = build(
        root,
        f"""
        version: 0.2
        phases: {{build: {{commands: ["ln -s {home}/.aws/credentials credentials"]}}}}
        artifacts: {{files: ['credentials'], {base}}}
        """,
        artifacts={"type": "S3", "location": "sagemaker-out", "packaging": "NONE", "name": "p"},
    )
    assert made["buildStatus"] == "FAILED"
    assert "leads out of the build's folder" in str(made["phases"])
    assert "Contents" not in root.client("s3").list_objects_v2(Bucket="sagemaker-out")


@confined
def test_a_strangers_function_works_and_sees_nothing_of_the_user(strange: Cloud, home: Path) -> None:
    functions = strange.root(ACCOUNT, REGION).client("lambda")
    code = f"""
import os
def handler(event, context):
    found = [name for name in ({str(home)!r}, {str(home / ".aws/credentials")!r}) if os.path.exists(name)]
    open(os.environ["TMPDIR"] + "/mine", "w").close()
    return {{"found": found, "user": os.environ.get("OF_THE_USER"), "preload": os.environ["LD_PRELOAD"]}}
"""
    functions.create_function(
        FunctionName="look", Code={"ZipFile": zip_of({"index.py": code})}, Runtime="python3.12", Timeout=30,
        Handler="index.handler", Role=make_role(strange, "run", "lambda", WRITE_LOGS),
        Environment={"Variables": {"LD_PRELOAD": "/nowhere.so"}},
    )  # fmt: skip
    until(lambda: functions.get_function(FunctionName="look")["Configuration"]["State"] == "Active")
    answer = json.loads(functions.invoke(FunctionName="look")["Payload"].read())
    assert answer == {"found": [], "user": None, "preload": "/nowhere.so"}


# -- where it cannot be ------------------------------------------------------------------------------


def test_the_kits_own_commands_run_without_a_room(tmp_path: Path) -> None:
    assert type(confinement.place(False, writes=[tmp_path])) is Free


def test_a_machine_without_namespaces_runs_them_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "problem", lambda: "unshare: Operation not permitted")
    place = confinement.place(True, writes=[tmp_path])
    assert type(place) is Free
    assert said(place, "echo $ONE", ONE="1") == "1\n\nended 0"
    place.write(tmp_path / "file", "a")
    place.write(tmp_path / "file", "b", append=True)
    assert place.read(tmp_path / "file") == b"ab"
    assert place.end() is None  # type: ignore[func-returns-value]


def test_a_room_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "PYTHON", (sys.executable, "-c", "import sys; sys.exit('unshare: not permitted')"))
    with pytest.raises(NotConfined, match="unshare: not permitted"):
        Room([], [tmp_path])
    assert confinement.problem.__wrapped__() == "unshare: not permitted"


def test_only_linux_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confinement.problem.__wrapped__() == "only Linux has namespaces"
