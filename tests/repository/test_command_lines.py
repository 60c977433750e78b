"""Every documented command line is one that make and the command's own parser take, as it is written.

test_documents.py runs the lines of the README, the guides and the reference; here every line of every document, of the
commands' own help and of the seed code is parsed, which takes no world.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.kit.console import UsageError
from tests.support import ROOT, aws_cli
from tests.support.command_lines import COMMANDS, parser_of
from tests.support.documents import lines_of_code, relative_path
from tests.support.makefile import TARGETS

SEED = ROOT / "seed-code" / "model-build"
DOCUMENTS = [
    *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),  # which says how lines were
    *(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name not in {"decisions", "generated"}),
    *(ROOT / "seed-code").rglob("*.md"),
]
HELP = [path for path in (ROOT / "scripts").glob("*.py") if "examples:" in path.read_text(encoding="utf-8")]
MESSAGES = [
    *(path for folder in ("scripts", "pipeline", "localaws", "seed-code") for path in (ROOT / folder).rglob("*.py")),
    *(ROOT / "templates").glob("*.yaml"),
    ROOT / "environment.example.yaml",
]
OTHER_PARSERS = {
    "scripts.kit",
    "scripts.rehearsal.",
    "tests",
}  # the developer's modules, and another program's options (pytest's)
PLAIN = {"setup", "help", "clean", "lock", "test", "test-notebooks", "check"}  # targets that are no command of the kit
VARIABLES = set(
    re.findall(r"\$\((?:if \$\()?([A-Z_]+)", (ROOT / "Makefile").read_text() + (ROOT / "develop.mk").read_text())
)
START = r"(?:make |(?:\S*/)?python3? (?:-m (?:scripts|benchmarks)\.|start\.py|approve\.py))"


def blocks(text: str) -> Iterator[str]:
    """The lines of a document's fenced blocks that are typed: where there are prompts, those after them."""
    for block in re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        joined = re.sub(r"\\\n *", "", block)
        yield from re.findall(r"^ *\$ (.*)", joined, re.MULTILINE) or joined.splitlines()


def commands(line: str) -> Iterator[str]:
    """The commands of the kit in a line of a shell, each by itself, without its comment."""
    for written_part in re.split(r" && | \| |; ", re.sub(r"  +#.*", "", line.strip())):
        part = re.sub(r"^(?:[A-Z_]+=\S+ +)+", "", written_part.strip())  # variables of the shell before it
        if re.match(START, part.strip()) and not re.search(r" …$|TO=…|scripts\.…|→", part.strip()):
            yield re.sub(r" > \S+$", "", part.strip()).replace("…", "x1")  # what a message fills in


def messages(path: Path) -> Iterator[str]:
    """The commands between backticks in a message of the code, or in a template; x1 for what a message fills in."""
    texts = [path.read_text(encoding="utf-8")]
    if path.suffix == ".py":
        nodes = list(ast.walk(ast.parse(texts[0])))
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        texts = [written(node) for node in nodes if isinstance(node, ast.JoinedStr)]
        texts += [str(node.value) for node in nodes if isinstance(node, ast.Constant) and id(node) not in parts]
    for text in texts:
        yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))


def written(text: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x1" for part in text.values)


def shown() -> dict[str, tuple[str, bool]]:
    """Every documented command: where it is first, and whether it is to be typed as it is."""
    found: dict[str, tuple[str, bool]] = {}
    for path in [*DOCUMENTS, *HELP]:
        text = path.read_text(encoding="utf-8")
        whole = list(blocks(text))
        if path in HELP:
            whole = text.split("examples:\n", 1)[1].split('"""', 1)[0].splitlines()
        for line in whole:
            found |= {command: (relative_path(path), True) for command in commands(line)}
        if path in DOCUMENTS:
            for line in lines_of_code(text):
                found = {command: (relative_path(path), False) for command in commands(line)} | found
    for path in MESSAGES:
        for line in messages(path):
            if line.endswith(("TO=x1", "--template")):  # the value is named beside it
                continue
            found = {command: (relative_path(path), False) for command in commands(line)} | found
    return found


SHOWN = shown()


@cache
def calls(line: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The modules that a line runs, each with its arguments: of a make line, what make itself would run."""
    lines = [line]
    if line.startswith("make "):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "ARGS"}
        words = shlex.split(line)[1:]
        done = subprocess.run(
            ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, env=variables, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        unknown = {word.partition("=")[0] for word in words if re.match(r"\w+=", word)} - VARIABLES
        assert not unknown, f"{line}: {', '.join(unknown)} is no variable of the Makefile, and make takes any"
        lines = [
            command for command in done.stdout.splitlines() if " -m scripts." in command or " -m benchmarks" in command
        ]
    found = []
    for words in (shlex.split(command) for command in lines):
        script = next((word for word in words if word in {"start.py", "approve.py"}), "")
        at = words.index(script) if script else words.index("-m") + 1
        found.append((words[at], tuple(words[at + 1 :])))
    return tuple(found)


def seed_parser(script: str) -> argparse.ArgumentParser:
    """The parser of a script of the training repository."""
    parsed: list[argparse.ArgumentParser] = []

    def parse_args(self: argparse.ArgumentParser, *_: object) -> argparse.Namespace:
        parsed.append(self)
        raise StopIteration

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SEED))
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        module = importlib.import_module(script.removesuffix(".py"))
        with contextlib.suppress(StopIteration):
            module.main([])
    return parsed[0]


def problem(module: str, given: tuple[str, ...], typed: bool) -> str:
    """What the command's parser says of its arguments; "" for nothing. typed: as they are, with all that is required"""
    if module.endswith(".py"):
        parser = seed_parser(module)
    elif module in COMMANDS:
        parser = parser_of(module)
    else:
        known = importlib.util.find_spec(module) is not None
        return "" if known and module.startswith((*OTHER_PARSERS, "benchmarks.")) else f"there is no command {module}"
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args([*given])
        except UsageError as error:
            return "" if not typed and "are required" in str(error) else str(error)
        except SystemExit as left:  # of --help, or of the training repository's parser
            wrong = "" if left.code == 0 else said.getvalue().splitlines()[-1]
            return "" if not typed and "are required" in wrong else wrong
    return ""


def test_every_documented_line_is_parsed_as_it_is_written() -> None:
    wrong = [
        f"{document}: {line}: {said}"
        for line, (document, typed) in SHOWN.items()
        if not (line.startswith("make ") and set(line.split()) & PLAIN)
        for module, given in calls(line)
        if (said := problem(module, given, typed))
    ]
    assert wrong == []


def test_the_lines_are_found_in_every_kind_of_document() -> None:
    kinds = {"README.md", "docs/guides", "docs/reference", "docs/developing", "scripts", "seed-code/model-build"}
    assert {kind for kind in kinds if any(document.startswith(kind) for document, _ in SHOWN.values())} == kinds
    assert sum(typed for _, typed in SHOWN.values()) == 133
    called = {target for line in SHOWN if line.startswith("make ") for target in shlex.split(line)[1:]}
    assert called & set(TARGETS) >= {"accounts", "console-bundle", "seed", "package", "publish", "rehearse", "teardown"}


def test_every_aws_command_of_a_message_can_be_typed_with_what_it_names() -> None:
    """Its options exist, and where it has any, those that it needs are there. x1 stands for what is filled in."""
    lines = {line: path for path in MESSAGES for line in messages(path) if re.match(r"aws [a-z0-9-]+ [a-z-]+", line)}
    assert len(lines) == 21
    wrong = [f"{relative_path(path)}: {line}: {said}" for line, path in lines.items() if (said := lacking(line))]
    assert wrong == []


def typed_in_aws_cli(text: str) -> Iterator[str]:
    """The commands of the AWS CLI in a document's blocks, with x1 for the words that a person fills in."""
    for kind, block in re.findall(r"^ *```([a-z]*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        command = ""
        for line in [] if kind not in ("", "sh", "console") else re.sub(r"\\\n *", "", block).splitlines():
            command = f"{command} {line.strip().removeprefix('$ ')}".strip()
            if not command.startswith("aws ") or command.count("'") % 2 == 0:  # a value goes on on the next line
                yield from [re.sub(r"(?<![\w-])[A-Z]+(_[A-Z]+)+|(?<= )POLICY$", "x1", command)] * command.startswith(
                    "aws "
                )
                command = ""


def test_every_aws_command_of_a_document_can_be_typed() -> None:
    lines = {line: path for path in DOCUMENTS for line in typed_in_aws_cli(path.read_text(encoding="utf-8"))}
    assert len(lines) == 30
    wrong = [f"{relative_path(path)}: {line}: {said}" for line, path in lines.items() if (said := lacking(line))]
    assert wrong == []


def lacking(line: str) -> str:
    """What a command of the AWS CLI has no option for, or lacks; "" for nothing, and for one that is only named."""
    if " --" not in line or line.startswith("aws configure "):
        return ""
    try:
        service, operation, given, _ = aws_cli.parse(line)
    except aws_cli.NotACommand as error:
        return f"no command: {error}"
    shape = aws_cli.SESSION.get_service_model(service).operation_model(operation).input_shape
    return ", ".join(set(shape.required_members if shape else ()) - set(given))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("aws ecr delete-repository --region x1 --force", "repositoryName"),
        ("aws ecr delete-repositories --all", "no command"),
        ("aws kms enable-key --key-id x1 --now", "no command"),
        ("aws organizations leave-organization", ""),
    ],
)
def test_an_aws_command_that_lacks_something_is_found(line: str, said: str) -> None:
    assert said in lacking(line)
    assert bool(said) == bool(lacking(line))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("make publish TO=elsewhere", "invalid choice: 'elsewhere'"),
        ('make accounts ARGS="--invites"', "unrecognized arguments: --invites"),
        ("make rollback PROJECT=p", "the following arguments are required: --stage"),
        ("python -m scripts.publishing --json", "there is no command scripts.publishing"),
        ("python start.py --wait", "the following arguments are required: --project"),
    ],
)
def test_a_line_that_no_command_takes_is_found(line: str, said: str) -> None:
    [(module, given)] = calls(line)
    assert said in problem(module, given, typed=True)


@pytest.mark.parametrize("line", ["make history PROJEKT=iris", "AWS_PROFILE=data-science make history PROJEKT=iris"])
def test_a_variable_that_make_would_take_and_nothing_reads_is_found(line: str) -> None:
    with pytest.raises(AssertionError, match="PROJEKT is no variable of the Makefile"):
        calls(*commands(line))


def test_a_profile_alone_reaches_every_command_that_signs_in() -> None:
    """Through make, with what the target itself needs: `make TARGET PROJECT=… ARGS="--profile x"`."""
    needed = "PROJECT=p STAGE=staging ACCOUNT=333333333333"
    reached = set()
    for target in sorted(set(TARGETS) - PLAIN):
        name = f"scripts.{target.replace('-', '_')}"
        if name not in COMMANDS or "--profile" not in parser_of(name).format_help():
            continue
        module, given = calls(f'make {target} {needed} ARGS="--profile x"')[-1]
        assert (module, parser_of(name).parse_args([*given]).profile) == (name, "x")
        reached.add(target)
    assert reached >= {"accounts", "doctor", "publish", "repair", "seed", "status", "teardown", "upgrade"}
