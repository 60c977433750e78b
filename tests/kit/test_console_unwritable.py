"""A full disk and a folder that cannot be written end in a message with the file, and exit code 1, in every command."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts import package, release
from scripts.kit.console import run, unwritten
from tests.support import ROOT

WRITING = {  # each command that writes files; {folder} is where
    "package": "scripts.package --output {folder}/out",
    "console-bundle": "scripts.console_bundle --environment environment.example.yaml --bundle {bundle} "
    "--output {folder}/out",
    "supported": "scripts.supported --to {folder}/out/supported.md",
    "rehearse": "scripts.rehearse --folder {folder}/out --until organization",
    "rehearse --template": "scripts.rehearse --folder {folder}/out --template templates/30-project.yaml --trust",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    assert package.main(["--output", str(folder)]) == 0
    return folder


def typed(line: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """A command as it is typed. limit: the bytes that a file may hold, which ends writing as a full disk does."""

    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python itself has it; the shell's programs do not
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", *line.split()], cwd=ROOT, capture_output=True, text=True, timeout=300, preexec_fn=prepare
    )


def mount(folder: Path, options: str) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user cannot mount a small disk: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that a rehearsal fills in its third chapter."""
    mount(tmp_path, "size=400k")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder in which this user cannot write, not even as root."""
    if os.geteuid():
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
    else:
        mount(tmp_path, "ro")
        yield tmp_path
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_a_file_that_cannot_be_written_any_further_is_named(command: str, bundle: Path, tmp_path: Path) -> None:
    done = typed(WRITING[command].format(folder=tmp_path, bundle=bundle), limit=0)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/out")
    assert done.stderr.endswith(": File too large\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_a_folder_that_cannot_be_written_is_named(command: str, bundle: Path, read_only: Path) -> None:
    done = typed(WRITING[command].format(folder=read_only, bundle=bundle))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {read_only}/out: ")


@pytest.mark.slow
def test_a_disk_that_fills_during_a_rehearsal_is_named(small_disk: Path) -> None:
    done = typed(f"scripts.rehearse --folder {small_disk}/out --until staging")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"error: {small_disk}/out/" in done.stderr.splitlines()[-1]
    assert done.stderr.endswith(": No space left on device\n")


def test_a_release_that_cannot_be_written_is_named(
    read_only: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "sbom", lambda root: b"{}")
    assert run(partial(release.main, ["--allow-changes", "--output", str(read_only / "dist")])) == 1
    assert capsys.readouterr().err.startswith(f"error: {read_only / 'dist'}: ")


def test_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "scripts.package", "--output", str(tmp_path / "out")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: standard output: No space left on device"


def raised(error: OSError) -> OSError:
    """The error as it comes out of writing a file."""
    try:
        raise error
    except OSError as caught:
        return caught


def test_only_errors_of_files_are_explained_so() -> None:
    assert unwritten(raised(OSError(errno.ENOSPC, "No space left on device", "a"))) == "a: No space left on device"
    assert unwritten(raised(OSError(errno.ENOSPC, "No space left on device"))) == (
        "standard output: No space left on device"
    )
    assert unwritten(raised(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))) == ""
    assert unwritten(ValueError("x")) == ""
    assert unwritten(None) == ""


def write_lines(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(b"x")


@pytest.mark.parametrize("write", [write_lines, lambda path: path.write_text("x"), lambda path: path.write_bytes(b"x")])
def test_the_file_of_a_failed_write_is_found(write: Callable[[Path], object]) -> None:
    with pytest.raises(OSError, match="No space") as failed:
        write(Path("/dev/full"))
    assert failed.value.filename is None
    assert unwritten(failed.value) == "/dev/full: No space left on device"
