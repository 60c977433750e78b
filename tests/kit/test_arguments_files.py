"""Every option that names a file or a folder takes regular files alone: no pipe is waited for, no device is read.

Each command runs in a process of its own, which is ended where it does not end by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from awslang.bounded import open_file, read_file
from scripts.kit.bundle import pack
from tests.support import EXAMPLE_SETTINGS, ROOT
from tests.support.bundle_tree import make_bundle_tree
from tests.support.command_lines import COMMANDS, options

PATIENCE = 60  # seconds on a busy machine; a command takes one
NOWHERE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
ENDLESS = ["pipe", "zero", "link to zero"]
LINES = {  # the options that are read from; those that are written to are in test_output.py
    "--environment": ["status", "--environment", "{odd}"],
    "--bundle": ["console_bundle", "--environment", "{environment}", "--bundle", "{folder}"],
    "--root": ["package", "--root", "{tree}"],
    "--template": ["rehearse", "--template", "{odd}", "--trust"],
    "--setup": ["rehearse", "--template", "{template}", "--setup", "{odd}", "--trust"],
    "--seed-code": ["rehearse", "--template", "{template}", "--seed-code", "seed.zip={odd}", "--trust"],
    "--folder": ["permissions", "--folder", "{folder}"],
    "--images": ["rehearse", "--images", "{odd}"],
}


def put(path: Path, kind: str) -> Path:
    """Something at the path that never ends for who reads it."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.with_name("between").symlink_to("/dev/zero")
        path.symlink_to("between")
    return path


@pytest.mark.parametrize("option", LINES)
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_file_that_never_ends_is_refused_at_once(tmp_path: Path, option: str, kind: str) -> None:
    tree, folder = make_bundle_tree(tmp_path / "tree"), tmp_path / "folder"
    folder.mkdir()
    put(tree / pack.PRODUCT, kind)
    put(folder / {"--bundle": pack.MANIFEST, "--folder": "policies.json"}.get(option, "x"), kind)
    (tmp_path / "environment.yaml").write_text(EXAMPLE_SETTINGS)
    places = {
        "odd": put(tmp_path / "odd", kind),
        "environment": tmp_path / "environment.yaml",
        "template": ROOT / "templates/20-target-account.yaml",
        "tree": tree,
        "folder": folder,
    }
    command, *line = (word.format(**places) for word in LINES[option])
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{command}", *line],
        cwd=ROOT,
        env={**os.environ, **NOWHERE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode in (1, 2), done.stderr
    assert "cannot be read" in done.stderr
    assert "it is not a regular file" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_option_that_names_a_path_is_played() -> None:
    """A new option of this kind is added to the lines above, or to those that are written to."""
    written = {"--output", "--to", "--docs", "--export"}  # tests/kit/test_output.py, test_rollback_story.py
    folders = {"--deploy-repository", "--training-repository", "--base"}  # tests/rehearsal/teams/test_repositories.py
    summaries = {"--rehearsal"}  # tests/rehearsal/acceptance/test_command.py
    found = {
        option.option_strings[0]
        for module in COMMANDS
        for option in options(module)
        if getattr(option.type, "__name__", "") in {"path", "absolute"}
    }
    assert found - written - folders - summaries == LINES.keys() - {"--seed-code"}  # its value is NAME=FOLDER


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read_file(file, 4)


@pytest.mark.parametrize(("there", "reason"), [("folder", "Is a directory"), ("missing", "No such file")])
def test_what_is_no_file_is_refused_with_its_reason(tmp_path: Path, there: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=reason):
        open_file(tmp_path / there)


def test_a_pipe_among_the_seed_code_is_left_out(tmp_path: Path) -> None:
    from scripts.rehearsal.other_templates.seeds import zipped  # the embedded AWS, which the others do not load

    (tmp_path / "seed").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "seed")
    put(tmp_path / "seed" / "pipe", "pipe")
    assert zipped(tmp_path / "seed")
