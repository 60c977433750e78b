"""What pages, comments and docstrings mention exists: files, make targets, options; and what they count is right."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from awslang.template.template import parse
from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.lint.files import files
from tests import mistakes
from tests.support import ROOT
from tests.support.documents import options_of
from tests.support.makefile import TARGETS

HOUSES = (
    "awslang", "benchmarks", "docs", "localaws", "notebooks", "pipeline", "requirements", "scripts", "seed-code",
    "templates", "tests", ".github",
)  # fmt: skip
MENTION = re.compile(rf"(?<![\w/.:$}}-])(?:{'|'.join(map(re.escape, HOUSES))})/[\w./*-]*[\w/*]")
FILE = re.compile(r"(?!multi-account-sagemaker-)[\w.-]+\.(?:py|yaml|yml|md|json|toml|ipynb|jinja|svg|csv|guard|mk)")
WORD_OF_CODE = r"(?<![\w./*{}<…-])[\w-]+\.(?:py|yaml|yml|md|json|toml|ipynb|jinja|guard)\b(?![\w(])"
BASES = (
    "",
    "seed-code/model-deploy/",
    "seed-code/model-build/",
    "seed-code/model-build/steps/",
)  # a project's repositories say paths of their own
MADE = {  # by the reader, by a command, by a pipeline, or by AWS; and a library
    ".multi-account-deployment.json",
    ".taskcat.yml", ".taskcat_overrides.yml", "REQUEST.json", "NUMBER.json", "deployment.json", "environment.yaml",
    "changes.md", "main.py", "diabetes.csv",
    "model-monitor.json",
    "eu.yaml", "evaluation.json", "history.json", "index.py", "manifest.json", "models.json", "models.yaml",
    "policies.json",
    "probe-results.json", "report.json",
    "requests.jsonl", "ruamel.yaml", "runtimes.yml", "settings.schema.json", "summary.json", "template.json",
    "_trainer.py", "callback.py", "data_utils.py", "encoder.py", "hyperparameter_validation.py", "serve.py",
    "serve_utils.py", "train.py", "xgb_constants.py",
    "_encoders.py", "_transformer.py", "_worker.py", "environment.py", "errors.py", "inference.py", "mapping.py",
    "processingjobconfig.json", "rehearsal-images.yaml", "resourceconfig.json", "serving.py", "sklearn.json",
    "template.yaml", "test_default_quota.py", "test_routing_strategy.py",
    "happened.yaml", "preprod-config.json", "qa-config.json", "uat-config.json", "test_change_board.py",
    "constraint_violations.json", "constraints.json", "statistics.json",
    "sagemaker-lineage-multihop-queries_outputs.ipynb",
    "sagemaker-pipelines-preprocess-train-evaluate-batch-transform_outputs.ipynb",
}  # fmt: skip
EXAMPLES = (  # a reader's
    "seed-code/build", "seed-code/deploy", "localaws/services/acm", "tests/localaws/services/acm",
    "tests/requirements.txt",
)  # fmt: skip
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".jinja", ".toml", ".mk", ".svg"}
ELSEWHERE = (
    "docs/guides/other-templates.md",  # files of other repositories
    "docs/generated/mistakes.md",  # what is said of broken files
    "docs/generated/notebook-01.md",  # ARNs
    "docs/generated/notebook-02.md",  # the same
    "tests/mistakes/",  # the same
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@cache
def tracked() -> tuple[str, ...]:
    return tuple(files(ROOT))


@cache
def file_names() -> frozenset[str]:
    return frozenset(Path(name).name for name in tracked())


READ = [name for name in tracked() if Path(name).suffix in SUFFIXES or Path(name).name == "Makefile"]


@cache
def prose(name: str, text: str) -> tuple[tuple[int, str], ...]:
    """What people read in a file, by line number."""
    return tuple(passages(name, text))


def passages(name: str, text: str) -> Iterator[tuple[int, str]]:
    """What people read in a file, by line: all of Markdown; elsewhere comments, and the docstrings of Python."""
    if name.endswith((".md", ".svg")):
        yield from enumerate(text.splitlines(), 1)
    elif name.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (said := ast.get_docstring(node)):
                yield node.body[0].lineno, said
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if found := re.search(r"(?:^|\s)#(.*)|\{#(.*)#\}", line):
                yield number, found[0]


@cache
def exists(mention: str) -> bool:
    """Whether a path, in which * stands for anything, is there: from the root, or from a repository's seed."""
    path = mention.rstrip("/")
    if "*" not in path:
        return any((ROOT / f"{start}{path}").exists() for start in BASES)
    return any(any(ROOT.glob(f"{start}{path}")) for start in BASES)


def missing_paths(name: str, text: str) -> Iterator[str]:
    """The paths that a file mentions and that are not there; what a placeholder follows is none."""
    for number, line in prose(name, text):
        for found in MENTION.finditer(line) if "/" in line else ():
            if line[found.end() : found.end() + 1] in {"<", "…", "{"} or "NN" in found[0]:
                continue
            if not exists(found[0]) and Path(found[0]).name not in MADE and not found[0].startswith(EXAMPLES):
                yield f"{name}:{number}: {found[0]}"


def missing_files(name: str, text: str) -> Iterator[str]:
    """The file names, between backticks on a page or as words elsewhere, that no file has."""
    for number, line in prose(name, text):
        for span in re.findall(r"`([^`]+)`", line) if name.endswith(".md") else re.findall(WORD_OF_CODE, line):
            word = span.rsplit("/", 1)[-1]
            if FILE.fullmatch(word) and not re.search(r"[<…{*]", span) and word not in file_names() | MADE:
                yield f"{name}:{number}: {span}"


def unknown_targets(name: str, text: str) -> Iterator[str]:
    """The targets after `make` between backticks, and the options of commands, that do not exist."""
    for number, line in prose(name, text):
        for targets in re.findall(r"`make((?: [a-z][a-z-]*)+)", line):
            for target in targets.split():
                if target not in TARGETS:
                    yield f"{name}:{number}: make {target}"
        for command, rest in re.findall(r"python3? -m ((?:scripts|benchmarks)\.[a-z_]+)\b(?!\.)([^`\n]*)", line):
            for option in re.findall(r"(?<![\w-])--[a-z-]+", rest):
                if option not in options_of(command):
                    yield f"{name}:{number}: {command} {option}"


@pytest.mark.parametrize("look", [missing_paths, missing_files, unknown_targets], ids=lambda look: look.__name__)
def test_what_is_mentioned_exists(look: object) -> None:
    assert callable(look)
    read = [name for name in READ if not name.startswith(ELSEWHERE)]
    found = [line for name in read for line in look(name, (ROOT / name).read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("look", "name", "text", "found"),
    [
        (missing_paths, "a.md", "see docs/gone.md.", ["a.md:1: docs/gone.md"]),
        (missing_paths, "a.py", '"""Like scripts/gone.py."""\n', ["a.py:1: scripts/gone.py"]),
        (missing_paths, "a.py", 'x = "scripts/gone.py"\n', []),
        (missing_paths, "a.py", "x = 1  # scripts/gone/ says it\n", ["a.py:1: scripts/gone/"]),
        (missing_paths, "a.yaml", "A: b  # docs/decisions/0006\n", ["a.yaml:1: docs/decisions/0006"]),
        (missing_paths, "a.md", "templates/*.yaml, localaws/services/<service>/, tests/kit/", []),
        (missing_files, "a.py", "x = 1  # as in gone.py\n", ["a.py:1: gone.py"]),
        (missing_files, "a.md", "`gone.yaml`, `50-endpoint.yaml`, `gone-….yaml`", ["a.md:1: gone.yaml"]),
        (unknown_targets, "a.md", "`make rehearse gone`", ["a.md:1: make gone"]),
        (unknown_targets, "a.md", "`python -m scripts.rehearse --gone`", ["a.md:1: scripts.rehearse --gone"]),
        (unknown_targets, "a.md", "`python -m scripts.rehearse --keep`", []),
    ],
)
def test_what_does_not_exist_is_found(look: object, name: str, text: str, found: list[str]) -> None:
    assert callable(look)
    assert list(look(name, text)) == found


# -- counts ------------------------------------------------------------------------------------


def number_of(word: str) -> int:
    return int(word.replace(",", "")) if word[0].isdigit() else NUMBERS.index(word.lower())


WORD = rf"(\d[\d,]*|{'|'.join(NUMBERS)})"
COUNTED: dict[str, Callable[[], int]] = {  # what follows a number on a page, and how many there are
    r"mistakes\b": lambda: len(mistakes.load()),
    r"small edits\b": lambda: len(mistakes.load()),
    r"checks of `make doctor`": lambda: len(CHECKS),
    r"decisions\b": lambda: len(list((ROOT / "docs/decisions").glob("0*.md"))),
}


def wrong_counts(name: str, text: str) -> Iterator[str]:
    for what, real in COUNTED.items():
        for said in re.findall(rf"(?<![\w.]){WORD} {what}", " ".join(text.split()), re.IGNORECASE):
            if number_of(said) != real():
                yield f"{name}: {said} {what}: {real()}"


def test_counts_on_pages_are_those_of_today() -> None:
    pages = [name for name in READ if name.endswith(".md") and name != "CHANGELOG.md"]
    assert [line for name in pages for line in wrong_counts(name, (ROOT / name).read_text(encoding="utf-8"))] == []
    assert list(wrong_counts("a.md", "9999 mistakes")) != []


TYPES = {  # the words of architecture.md for what a template makes
    "role": "AWS::IAM::Role",
    "managed policies": "AWS::IAM::ManagedPolicy",
    "managed policy": "AWS::IAM::ManagedPolicy",
    "event rule": "AWS::Events::Rule",
    "build project": "AWS::CodeBuild::Project",
    "pipeline": "AWS::CodePipeline::Pipeline",
    "stack set": "AWS::CloudFormation::StackSet",
    "model": "AWS::SageMaker::Model",
    "endpoint": "AWS::SageMaker::Endpoint",
    "alarm": "AWS::CloudWatch::Alarm",
    "key alias": "AWS::KMS::Alias",
    "repositories": "AWS::CodeCommit::Repository",
}


def test_the_architecture_counts_what_each_template_makes() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:data science|target).*\| (.+) \| (\d\d-[\w-]+\.yaml)", page, re.MULTILINE)
    assert len(rows) == 10
    for makes, name in rows:
        types = [
            resource["Type"]
            for resource in parse((ROOT / "templates" / name).read_text(encoding="utf-8")).resources.values()
        ]
        for said, what in re.findall(rf"{WORD} ({'|'.join(TYPES)})s?\b", makes.split("(")[0]):
            assert number_of(said) == types.count(TYPES[what]), f"{name}: {said} {what}"
        named = {TYPES[what] for _, what in re.findall(rf"{WORD} ({'|'.join(TYPES)})s?\b", makes.split("(")[0])}
        assert set(TYPES.values()) & set(types) == named, name


def test_the_readme_counts_the_steps_of_the_installation() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Install it in your organization")[1].split("\n## ")[0]
    said = re.search(rf"{WORD} steps from [^,]+, where the post has 97", section, re.IGNORECASE)
    assert said
    assert list(map(int, re.findall(r"^(\d+)\. ", section, re.MULTILINE))) == list(range(1, number_of(said[1]) + 1))
