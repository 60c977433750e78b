"""A person whose git is set up in every way that could change what the kit commits, and where to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CONFIG = """\
[user]
	name = Ada
	useConfigOnly = true
[core]
	excludesFile = {home}/ignore
	attributesFile = {home}/attributes
	hooksPath = {home}/hooks
	autocrlf = true
	safecrlf = true
	worktree = {home}
[commit]
	gpgSign = true
[push]
	gpgSign = true
	followTags = true
[gpg]
	program = false
[init]
	templateDir = {home}/template
	defaultObjectFormat = sha256
[filter "mine"]
	clean = echo changed
	required
"""


def set_up(folder: Path, patch: pytest.MonkeyPatch, config: str = "") -> Path:
    """The person's own repository, which every variable of git names; their HOME is below the folder, too."""
    home, repository = folder / "home", folder / "repository"
    for name in ("hooks/pre-commit", "hooks/pre-push", "hooks/reference-transaction", "template/hooks/pre-commit"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {home}/hook-ran\nexit 1\n")
        path.chmod(0o755)
    (home / ".config/git").mkdir(parents=True)
    for name in ("ignore", ".config/git/ignore"):
        (home / name).write_text("*.csv\nscripts/\n")
    for name in ("attributes", ".config/git/attributes"):
        (home / name).write_text("* filter=mine text eol=crlf\n")
    subprocess.run(["git", "init", "--quiet", "--template=", str(repository)], check=True)
    (repository / "mine.txt").write_text("mine\n")
    line = ["git", "-C", str(repository), "-c", "user.name=Ada", "-c", "user.email=a@b.c"]
    subprocess.run([*line, "add", "mine.txt"], check=True)
    subprocess.run([*line, "commit", "--quiet", "--message", "Mine"], check=True)
    (home / ".gitconfig").write_text(CONFIG.format(home=home) + config)
    for name in [name for name in os.environ if name.startswith("GIT_") or name.endswith(("_proxy", "_PROXY"))]:
        patch.delenv(name)
    variables = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "GIT_DIR": repository / ".git",
        "GIT_WORK_TREE": repository,
        "GIT_INDEX_FILE": repository / ".git/index",
        "GIT_OBJECT_DIRECTORY": repository / ".git/objects",
        "GIT_COMMON_DIR": repository / ".git",
        "GIT_NAMESPACE": "mine",
        "GIT_TEMPLATE_DIR": home / "template",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "commit.gpgSign",
        "GIT_CONFIG_VALUE_0": "true",
    }
    for variable, value in variables.items():
        patch.setenv(variable, str(value))
    return repository


def state(repository: Path) -> dict[str, bytes]:
    """Every file of the repository, byte by byte."""
    files = [path for path in sorted(repository.rglob("*")) if path.is_file()]
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in files}
