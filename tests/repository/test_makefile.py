"""The Makefile: help for every target, ARGS for one command only, and a set-up that runs again only when needed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.kit.console import make_arguments
from tests.support import NASTY, ROOT
from tests.support.makefile import FILES, RULES, TARGETS

LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob(".github/**/*.yml"), ROOT / "buildspec.yml"]
COMMANDS = {path.stem for path in (ROOT / "scripts").glob("*.py") if path.stem != "__init__"}


def run(*line: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """What the line printed, both streams as one, without what a make around this test would hand down."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "ARGS"} | variables
    return subprocess.run(
        line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


@dataclass(frozen=True)
class Tree:
    """A folder with the Makefile, whose Python writes down what it was called with instead of running it."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "calls"

    def make(self, *arguments: str) -> list[list[str]]:
        """The words of each call of Python, in order. The line has to succeed."""
        self.log.write_text("")
        done = run("make", *arguments, folder=self.folder)
        assert done.returncode == 0, done.stdout
        return [line.split("\x1f")[2:-1] for line in self.log.read_text().splitlines()]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Every environment is there and newer than its lock file. The folder has a name that shells stumble over."""
    folder = tmp_path / NASTY
    made = Tree(folder)
    (folder / "requirements").mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    for name in LOCKS:
        (folder / "requirements" / name).touch()
        os.utime(folder / "requirements" / name, (1, 1))
    npm = folder / "requirements" / "cdk" / "package-lock.json"
    npm.parent.mkdir()
    npm.touch()
    os.utime(npm, (1, 1))
    groups = {"cdk", *(name.removesuffix(".txt") for name in LOCKS)} - {"dev", "runtime", "uv"}
    for number, name in enumerate([".venv", *(f".venv-{group}" for group in sorted(groups))]):
        (folder / name / "bin").mkdir(parents=True)
        (folder / name / ".ready").touch()
        os.utime(folder / name / ".ready", (2 + number, 2 + number))
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\n{{ printf "%s\\037" python "$@"; echo; }} >> {shlex.quote(str(made.log))}\n')
    python.chmod(0o755)
    return made


def test_help_is_the_default_and_shows_every_target() -> None:
    shown = run("make").stdout
    assert shown == run("make", "help").stdout
    assert re.findall(r"^ {2}make ([a-z-]+) ", shown, re.MULTILINE) == TARGETS
    assert len(TARGETS) == len(set(TARGETS))


def test_help_shows_the_targets_in_groups_and_how_options_are_given() -> None:
    first, *groups, last = run("make").stdout.strip("\n").split("\n\n")
    for group in (first, *groups):
        title, *lines = group.splitlines()
        assert re.fullmatch("[A-Z][a-z ]+", title)
        assert lines, title
        assert all(line.startswith("  make ") for line in lines), title
    assert [group.splitlines()[0] for group in (first, *groups)] == re.findall(r"^##@ (.+)", RULES, re.MULTILINE)
    assert 'ARGS="' in last
    assert "make TARGET ARGS=--help" in last


def test_every_target_is_phony() -> None:
    assert re.findall(r"^\.PHONY: ([\w-]+)\n\1:", RULES, re.MULTILINE) == TARGETS
    assert len(re.findall(r"\.PHONY", RULES)) == len(TARGETS)


def test_every_command_has_a_target() -> None:
    assert {command.replace("_", "-") for command in COMMANDS} <= set(TARGETS)


# -- ARGS ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("package ARGS='--output x'", ["scripts.package --output x"]),
        ("console-bundle ARGS='--output x'", ["scripts.package", "scripts.console_bundle --output x"]),
        ("seed PROJECT=p ARGS='--profile x'", ["scripts.package", "scripts.seed --project p --profile x"]),
        (
            "package publish TO=s3 ARGS='--profile x'",
            ["scripts.package", "scripts.publish --to s3 --profile x"],
        ),
        ("publish package ARGS=--help", ["scripts.publish", "scripts.package --help"]),
        ("package console-bundle", ["scripts.package", "scripts.console_bundle"]),
        ("lint rehearse permissions ARGS=--json", ["scripts.lint", "scripts.rehearse", "scripts.permissions --json"]),
        ("-j 4 package publish ARGS=x", ["scripts.package", "scripts.publish x"]),
    ],
)
def test_args_reach_the_last_command_only(tree: Tree, line: str, calls: list[str]) -> None:
    assert [" ".join(words) for words in tree.make(*shlex.split(line))] == calls


def test_args_with_spaces_and_quotes_arrive_as_the_shell_splits_them(tree: Tree) -> None:
    assert tree.make("publish", "ARGS=--profile 'data science' --region eu-west-1") == [
        ["scripts.publish", "--profile", "data science", "--region", "eu-west-1"]
    ]


@pytest.mark.parametrize(
    "word", ["plain", "a b", NASTY.replace("\n", " "), "$HOME", "$$", "it's", '"', "`id`", "\\", "(é)"]
)
def test_args_as_messages_show_them_arrive_whatever_a_path_holds(tree: Tree, word: str) -> None:
    line = f"make publish {make_arguments(shlex.join(['--environment', word]))}"
    tree.log.write_text("")
    done = run("sh", "-c", line, folder=tree.folder)
    assert done.returncode == 0, done.stdout
    assert tree.log.read_text().split("\x1f")[2:-1] == ["scripts.publish", "--environment", word]


def test_make_cannot_be_given_a_path_with_a_line_break(tree: Tree) -> None:
    """docs/reference/commands.md says so, and names the Python command, which can."""
    line = f"make publish {make_arguments(shlex.join(['--environment', NASTY]))}"
    assert run("sh", "-c", line, folder=tree.folder).returncode == 2


@pytest.mark.parametrize("goals", ["", "setup", "publish clean"])
def test_args_that_would_reach_no_command_are_refused_before_anything_runs(tree: Tree, goals: str) -> None:
    done = run("make", *goals.split(), "ARGS=--profile x", folder=tree.folder)
    assert done.returncode == 2
    assert f"`make {goals.split()[-1] if goals else 'help'}` takes none" in done.stdout
    assert not tree.log.exists()


def test_every_target_that_runs_a_command_hands_it_args(tree: Tree) -> None:
    for target in sorted(set(TARGETS) - {"help", "setup", "clean", "lock"}):
        calls = tree.make(target, "ARGS=--some option")
        assert [words[-2:] == ["--some", "option"] for words in calls] == [False] * (len(calls) - 1) + [True], target


# -- macOS: GNU make 3.81, and BSD's tools ---------------------------------------------------------

NEWER_MAKE = (  # NEWS of GNU make: what 3.82 and later have, and 3.81 takes for something else or not at all
    r"^\.(ONESHELL|SHELLFLAGS|RECIPEPREFIX|POSIX|EXTRA_PREREQS|WAIT)\b",
    r"^\s*(private|undefine|load|unexport) ",
    r"^\s*define \w+ *[:?+!]*=",
    r"^[^\t#]*(!=|::?:=|:::=|&:)",
    r"\$\((file|guile|let|intcmp) ",
)
GNU_TOOLS = (  # what macOS has not, and options that its sed, awk, date, find, grep, … lack or read otherwise
    r"\b(tac|timeout|nproc|realpath|sha256sum|md5sum|gawk|numfmt|shuf|setsid)\b",
    r"\bsed (-\w*[irs]|--)",
    r"\bgrep (-\w*P|--)",
    r"\b(readlink -f|date (-d|--|\+%s%N|-I)|stat (-c|--)|xargs (-r|--|-d)|cp -\w*[tTu]|mv -\w*[tTu]|ln -\w*[rT])",
    r"\b(rm|cp|mv|mkdir|ls|touch|mktemp|sort|head|tail|cut|tr|wc|ln|find|awk) [^|;&]*--\w",
    r"\bfind [^|;&]*-(printf|regextype|readable|executable)",
    r"\b(gensub|strftime|systime|asorti?|toupper)\(|IGNORECASE|PROCINFO",
    r"\becho -|\bsort -\w*V|\bhead -n -",
)


def unportable(rules: str) -> list[str]:
    """The lines that the make or the tools of macOS do not understand."""
    lines = rules.splitlines()
    wrong = [line for line in lines if any(re.search(pattern, line) for pattern in NEWER_MAKE)]
    recipes = (line for line in lines if line.startswith("\t") or "$(shell" in line)
    return wrong + [line for line in recipes if any(re.search(pattern, line) for pattern in GNU_TOOLS)]


def test_the_rules_hold_to_what_the_make_and_the_tools_of_macos_know() -> None:
    assert unportable(RULES) == []


@pytest.mark.parametrize(
    "line",
    [
        ".ONESHELL:",
        ".SHELLFLAGS := -ec",
        "private X := 1",
        "undefine X",
        "define X =",
        "NOW != date",
        "X ::= 1",
        "a b &: c",
        "\t$(file >x,y)",
        "\tsed -i s/a/b/ x",
        "\tsed -E -i s/a/b/ x; tac x",
        "\tgrep -oP 'x' y",
        "\tdate -d yesterday",
        "\treadlink -f .",
        "\tls --color x",
        "\tfind . -name x -printf y",
        "\tawk '{print gensub(/a/, 1, 1)}'",
        "\techo -n x",
    ],
)
def test_what_macos_lacks_is_found(line: str) -> None:
    assert unportable(line) == [line]


# -- what documents say --------------------------------------------------------------------------


def documented() -> list[str]:
    """Every make line of a document, of CI and of the build: in backticks, or a line of its own."""
    whole = re.compile(r'make( +[a-z][a-z-]*| +[A-Z]+=("[^"]*"|[^ "|…]+))+')
    found = set()
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        spans = [" ".join(span.split()) for span in re.findall(r"`(make [^`]+)`", text)]
        spans += re.findall(r"^ *(?:\$ |- run: |- )?(make [a-z].*)$", text, re.MULTILINE)
        found |= {span for span in spans if whole.fullmatch(span)}
    return sorted(found)


def test_documented_lines_run_as_they_are_written(tree: Tree) -> None:
    lines = [line for line in documented() if not {"clean", "setup", "help", "lock"} & set(line.split())]
    assert {"make rehearse", "make accounts", "make publish"} <= set(lines), "the lines are not found any longer"
    for line in lines:
        words = shlex.split(line)[1:]
        targets = [word for word in words if "=" not in word]
        args = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
        calls = tree.make(*words)
        assert len(calls) >= len(targets), line
        wanted = shlex.split(args[0]) if args else []
        assert calls[-1][len(calls[-1]) - len(wanted) :] == wanted, line
        assert not any(word in before for before in calls[:-1] for word in wanted), line


# -- environments --------------------------------------------------------------------------------


def test_set_up_runs_again_only_when_the_lock_file_changes(tree: Tree) -> None:
    def would_run(target: str) -> str:
        return run("make", "-n", target, folder=tree.folder).stdout

    assert "pip install" not in would_run("test") + would_run("test-notebooks")
    os.utime(tree.folder / "requirements" / "lint.txt", (9, 9))
    assert re.findall(r"-r (\S+)", would_run("test")) == ["requirements/lint.txt"]
    assert "pip install" not in would_run("test-notebooks")
    for name in ("uv", "dev"):
        os.utime(tree.folder / "requirements" / f"{name}.txt", (9, 9))
        assert "-r requirements/dev.txt" in would_run("package")


def test_locking_leaves_unchanged_files_as_old_as_they_are(tree: Tree) -> None:
    """uv writes each file; here it writes the same again, but adds a package to lint.txt."""
    uv = tree.folder / ".venv" / "bin" / "uv"
    changing = 'case "$file" in */lint.txt) echo "added==1" > "$file" ;; *) : > "$file" ;; esac'
    uv.write_text(f"#!/bin/sh\nfor file; do :; done\n{changing}\n")  # the last argument is the file
    uv.chmod(0o755)
    tree.make("lock")
    times = {name: (tree.folder / "requirements" / name).stat().st_mtime for name in LOCKS}
    assert {name for name, time in times.items() if time != 1} == {"lint.txt"}


def test_the_tests_and_the_quick_check_install_no_notebook_environment(tree: Tree) -> None:
    shutil.rmtree(tree.folder / ".venv-notebooks")
    for target in ("setup", "test", "check", "lint", "rehearse"):
        assert "notebooks.txt" not in run("make", "-n", target, folder=tree.folder).stdout
    assert "requirements/notebooks.txt" in run("make", "-n", "test-notebooks", folder=tree.folder).stdout
    assert "requirements/notebooks.txt" in run("make", "-n", "notebooks", folder=tree.folder).stdout


def test_without_the_developers_part_the_product_alone_is_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    for name in ("runtime", "uv"):
        (tmp_path / "requirements" / f"{name}.txt").touch()
    assert "-r requirements/runtime.txt" in run("make", "-n", "publish", folder=tmp_path).stdout
    shown = re.findall(r"^ {2}make ([a-z-]+) ", run("make", folder=tmp_path).stdout, re.MULTILINE)
    assert {target.replace("-", "_") for target in shown} - COMMANDS == {"help", "setup", "clean"}


def test_cleaning_removes_what_was_made_and_keeps_the_environment_file(tree: Tree) -> None:
    kept = {path.relative_to(tree.folder).as_posix() for path in tree.folder.rglob("*") if path.parts[-2][0] != "."}
    kept = {name for name in kept if not name.startswith(".") and (tree.folder / name).is_file()}
    made = ["build/manifest.json", "dist/x.zip", ".mypy_cache/x", "scripts/__pycache__/x.pyc"]
    for name in [*made, "environment.yaml", "scripts/x.py"]:
        (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.folder / name).touch()
    assert run("make", "clean", folder=tree.folder).returncode == 0
    left = {path.relative_to(tree.folder).as_posix() for path in tree.folder.rglob("*") if path.is_file()}
    assert left == kept | {"environment.yaml", "scripts/x.py"}
    assert [path.name for path in tree.folder.glob(".*")] == []


def test_cleaning_keeps_environments_that_the_kit_did_not_make(tree: Tree) -> None:
    mine = {".venv/bin/mine", ".venv/__pycache__/x.pyc", ".venv-mine/bin/mine", ".venv-mine/__pycache__/x.pyc"}
    shutil.rmtree(tree.folder / ".venv")
    for name in mine:
        (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.folder / name).touch()
    done = run("make", "clean", folder=tree.folder)
    assert (done.returncode, done.stdout) == (0, ".venv was not made by make setup: it stays\n")
    files = {path.relative_to(tree.folder).as_posix() for path in tree.folder.rglob("*") if path.is_file()}
    assert {name for name in files if name.startswith(".")} == mine


@pytest.mark.parametrize("failing", ["", "test", "test-notebooks"])
def test_continuous_integration_runs_all_tests_and_fails_when_one_part_fails(tmp_path: Path, failing: str) -> None:
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "ran $1" && test "$1" != "{failing}"\n')
    make.chmod(0o755)
    done = run(str(ROOT / ".ci" / "run"), folder=tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert re.findall(r"^ran (.+)$", done.stdout, re.MULTILINE) == ["test", "test-notebooks"]
    assert done.returncode == (1 if failing else 0)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_host_and_pins_every_package_with_its_hash(name: str) -> None:
    lock = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", lock)
    pinned = re.findall(r"^([a-z0-9-]+)==(.*?)(?=^[a-z0-9-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert pinned
    assert all("--hash=sha256:" in rest for _, rest in pinned)
