"""What a rehearsal writes belongs to its user alone, whatever the umask is."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws import private
from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.codebuild_setting import ACCOUNT, REGION, TRUST, build
from tests.support.roles import make_role


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """What others may read, write or enter, the folder included."""
    found = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink() and mode(path) & 0o077]
    return [f"{path} {mode(path):o}" for path in found]


def test_a_folder_is_closed_and_one_that_is_there_stays_as_it_is(tmp_path: Path, umask: int) -> None:
    private.make_folder(tmp_path / "a" / "b")
    assert open_to_others(tmp_path / "a") == []
    (tmp_path / "a" / "b").chmod(0o755)
    private.make_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o755
    with private.closed_to_others():
        (tmp_path / "a" / "file").touch()
    assert mode(tmp_path / "a" / "file") == 0o600
    assert os.umask(umask) == umask


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        private.make_folder(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_folder_into_which_others_may_write_is_refused(tmp_path: Path) -> None:
    for bits in (0o720, 0o702, 0o1777):
        tmp_path.chmod(bits)
        with pytest.raises(PermissionError, match="other users may write into"):
            private.make_folder(tmp_path)
        assert mode(tmp_path) == bits


def test_a_file_is_never_open_to_others_and_takes_no_reader_with_it(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "aws-config"
    path.touch(mode=0o666)
    path.chmod(0o666)
    with path.open() as of_another:
        private.write(path, "the new secret")
        assert (mode(path), path.read_text()) == (0o600, "the new secret")
        assert of_another.read() == ""


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "aws-config").symlink_to("theirs")
    private.write(tmp_path / "aws-config", "ours")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "aws-config").is_symlink()


def work(cloud: Cloud) -> None:
    """A build that fails, with all that it leaves: of one that succeeds, the log alone stays."""
    root = cloud.root(ACCOUNT, REGION)
    iam = root.client("iam")
    iam.create_role(RoleName="builder", Path="/service-role/", AssumeRolePolicyDocument=str(TRUST).replace("'", '"'))
    iam.attach_role_policy(RoleName="builder", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    make_role(cloud, "other", "lambda")
    made = build(root, "version: 0.2\nphases: {build: {commands: ['echo x > made', 'mkdir folder', 'false']}}\n")
    assert made["buildStatus"] == "FAILED"


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_all_that_an_embedded_aws_writes_is_closed_to_others(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        folder = tmp_path / "rehearsal"
        folder.mkdir(mode=0o755)
        (folder / "requests.jsonl").touch()
        with embedded_aws(folder) as cloud:
            work(cloud)
            assert {path.name for path in folder.rglob("*")} >= {"requests.jsonl", "env.sh", "script.sh", "made"}
            assert open_to_others(folder) == [f"{folder} 755"], "the folder that was there, and nothing in it"
        assert os.umask(mask) == mask, "the umask is given back"
    finally:
        os.umask(before)


def test_a_program_runs_whatever_other_threads_start_meanwhile(tmp_path: Path, umask: int) -> None:
    """Written by this process, 56 of 1,500 were "busy" beside four threads that start programs (execve(2), ETXTBSY)."""
    over = threading.Event()

    def start_programs() -> None:
        while not over.is_set():
            subprocess.run(["/bin/true"], check=True)

    threads = [threading.Thread(target=start_programs) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(50):
            program = tmp_path / str(number)
            private.make_program(program, b"#!/bin/sh\nexit 0\n")
            assert stat.S_IMODE(program.stat().st_mode) == 0o700
            subprocess.run([program], check=True)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_every_program_of_the_embedded_aws_is_written_so() -> None:
    own = ROOT / "localaws" / "private.py"
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "localaws").rglob("*.py")
        if path != own and re.search(r"chmod\([^)]*0o7", path.read_text(encoding="utf-8"))
    ]
    assert found == [], "private.make_program writes what is run"
