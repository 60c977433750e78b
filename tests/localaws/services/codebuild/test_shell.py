"""A build's shell and its own Python, wherever the checkout is and the rehearsal's environment is today."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localaws.services.codebuild.shell import Shell, interpreter, make_python
from tests.support import NASTY

SHELLS = [interpreter("bash", True), interpreter("sh", True), interpreter("sh", False)]


@pytest.fixture(params=SHELLS, ids=["bash", "bash as sh", "sh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """The shell of a build below a folder with every character that a shell may stumble over."""
    source = tmp_path / NASTY / "src"
    source.mkdir(parents=True)
    variables = {"PATH": "/usr/bin:/bin", "ODD": NASTY, "SRC": str(source), "SECRET": "hush"}
    return Shell(tmp_path / NASTY / "tmp", source, variables, request.param, lambda _: None, lambda: "")


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_variables_and_folder_carry_over_in_a_folder_of_any_name(shell: Shell, tmp_path: Path) -> None:
    said: list[str] = []
    shell.say = said.append
    for command in (
        "SET=1; export LIST='a \"b\" $c'",
        'mkdir "$ODD" && cd "$ODD"',
        "pwd; echo $SET; echo $LIST",
        "false",
    ):
        status = shell.run(command)
    assert "\n".join(said) == f'{tmp_path / NASTY / "src" / NASTY}\n1\na "b" $c'
    assert status == 1
    assert shell.values(["ODD", "SET", "NONE"]) == {"ODD": NASTY, "SET": "1"}


def test_a_build_writes_its_variables_nowhere_else(shell: Shell, tmp_path: Path) -> None:
    """Where the folder was unquoted, they went into a file named as the path's first word: credentials included."""
    before = below(tmp_path)
    for path in (tmp_path / NASTY.split()[0], tmp_path / NASTY.splitlines()[0]):
        path.write_text("a stranger's")
    assert shell.run("cd ..") == 0
    own = {f"{NASTY}/tmp/{name}" for name in ("script.sh", "env.sh", "dir.txt")}
    assert below(tmp_path) == before | own | {NASTY.split()[0], NASTY.splitlines()[0]}
    assert (tmp_path / NASTY.split()[0]).read_text() == "a stranger's"
    assert "hush" in (tmp_path / NASTY / "tmp/env.sh").read_text()


def test_a_text_is_expanded_with_its_quotes(shell: Shell) -> None:
    assert shell.expand("""$SRC/it's a "report" $(echo "$SECRET") (1)""") == (
        f"""{shell.folder.parent}/src/it's a "report" hush (1)"""
    )


def test_a_folder_that_is_gone_fails_the_command(shell: Shell) -> None:
    assert shell.run("mkdir gone && cd gone") == 0
    (shell.folder.parent / "src/gone").rmdir()
    assert shell.run("true") == 1


def test_the_builds_pip_and_packages_are_found_in_a_folder_of_any_name(tmp_path: Path) -> None:
    programs = make_python(tmp_path / NASTY / "python", tmp_path / NASTY / ".image", ["python3.12"])
    for line in (["python3.12", "-c", "import boto3, yaml; print('pip ')"], ["pip", "--version"]):
        done = subprocess.run([str(programs / line[0]), *line[1:]], env={}, capture_output=True, text=True)
        assert done.stdout.startswith("pip "), done.stderr


def test_a_folder_that_another_environment_has_used_gets_the_packages_of_this_one(tmp_path: Path) -> None:
    packages, gone, older = tmp_path / ".image", tmp_path / "gone", tmp_path / "older"
    for folder in (packages, older / "yaml"):
        folder.mkdir(parents=True)
    (older / "yaml" / "__init__.py").write_text("raise ImportError('of another environment')\n")
    (packages / "boto3").symlink_to(gone / "boto3")
    (packages / "boto3-0.0.1.dist-info").symlink_to(gone / "boto3-0.0.1.dist-info")
    (packages / "yaml").symlink_to(older / "yaml")
    programs = make_python(tmp_path / "python", packages, [])
    code = "import boto3, importlib.metadata, yaml; print(importlib.metadata.version('boto3'), yaml.__file__)"
    done = subprocess.run([str(programs / "python"), "-c", code], env={}, capture_output=True, text=True, check=True)
    assert not done.stdout.startswith("0.0.1")
    assert f"{packages}/yaml/__init__.py" in done.stdout
    assert all(link.exists() for link in packages.iterdir())
    before = {link.name: link.lstat().st_mtime_ns for link in packages.iterdir()}
    make_python(tmp_path / "second", packages, [])
    assert {link.name: link.lstat().st_mtime_ns for link in packages.iterdir()} == before
