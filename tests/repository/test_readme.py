"""What the README and the other documents say is so: templates, commands, options, files, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import botocore.session
import pytest
from botocore import xform_name

from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from tests.support import ROOT
from tests.support.documents import help_of, lines_of_code, make_targets, options_of, relative_path
from tests.support.makefile import TARGETS

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
NOT_OURS = {"build", "dist", "node_modules"}  # and environments and caches, whose names begin with a dot
OWN_OF_THE_CLI = {"configure", "sso", "s3"}  # commands that are no API of AWS
INDEXED = ("decisions", "developing")  # folders with an index of their own
COMMANDS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py") if path.stem != "__init__")


def files(pattern: str) -> list[Path]:
    return sorted(path for path in ROOT.rglob(pattern) if is_ours(path.relative_to(ROOT).parts))


def is_ours(parts: tuple[str, ...]) -> bool:
    return parts[0] not in NOT_OURS and not any(part.startswith(".") and part != ".github" for part in parts)


DOCUMENTS = files("*.md")
TEMPLATES = sorted((ROOT / "templates").glob("*.yaml"))


def module_of(target: str) -> str:
    """The command of a target: scripts.console_bundle for `make console-bundle`."""
    return f"scripts.{target.replace('-', '_')}"


def target_of(command: str) -> str:
    """The target of a command: `make console-bundle` for scripts/console_bundle.py."""
    return command.replace("_", "-")


# -- the README --------------------------------------------------------------------------------


def test_the_table_of_templates_has_every_template_and_no_other() -> None:
    listed = re.findall(r"^\| \[([\w.-]+)\]\((templates/[\w.-]+)\) \|", README, re.MULTILINE)
    assert all(Path(link).name == name for name, link in listed)
    assert [link for _, link in listed] == [relative_path(path) for path in TEMPLATES]


def test_the_layout_is_that_of_the_repository() -> None:
    block = README.split("## What is in it")[1].split("```")[1]
    folders: list[str] = []
    for line in block.strip("\n").splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders = [*folders[:depth], name]
        path = ROOT / "".join(folders)
        assert path.is_dir() if name.endswith("/") else path.is_file(), line
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in NOT_OURS}
    assert [name for name in sorted(top) if not name.startswith((".", "__")) and f"{name}/" not in block] == []


def test_names_of_aws_resources_in_the_readme_are_those_of_the_templates() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
    for span in lines_of_code(README):
        if re.fullmatch(r"(sagemaker|multi-account)-[a-z-]+", span):
            assert span in templates, span


def test_what_it_supports_is_on_the_first_screen() -> None:
    """One sentence, one picture, the two commands, then what it supports and what not; the product before its parts."""
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    assert headings[:3] == ["Try it without an AWS account", "What it supports", "What is in it"]
    assert README.index("](docs/explanation/architecture.svg)") < README.index("$ make rehearse")
    assert README[: README.index("## What it supports")].count("\n") < 60


def test_the_index_lists_every_document_once() -> None:
    """Notes and pages for developers have indexes of their own."""
    for folder, index in ((ROOT / "docs", "index.md"), *((ROOT / "docs" / name, "README.md") for name in INDEXED)):
        text = (folder / index).read_text(encoding="utf-8")
        found = [path for path in files("*.md") if path.is_relative_to(folder) and path != folder / index]
        for path in found:
            name = path.relative_to(folder).as_posix()
            if name.split("/")[0] not in INDEXED:
                assert text.count(f"]({name})") == 1, name
    assert "](docs/index.md)" in README


def test_the_readme_has_no_place_left_to_fill_in() -> None:
    assert re.findall(r"\b(?:TODO|FIXME|TBD|[A-Z]+_[A-Z_]+)\b", re.sub(r"export \w+", "", README)) == []


# -- every document ----------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative_path)
def test_every_relative_link_resolves(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (document.parent / target) if target else document
        assert path.exists(), link
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative_path)
def test_every_command_that_a_document_names_exists_with_its_options(document: Path) -> None:
    for line in lines_of_code(document.read_text(encoding="utf-8")):
        targets, options = make_targets(line)
        assert set(targets) <= set(TARGETS), line
        commands = [module_of(target) for target in targets if target.replace("-", "_") in COMMANDS]
        for option in options if commands else []:  # make lock hands its options to uv
            assert any(option in options_of(command) for command in commands), line
        for command in re.findall(r"python3? -m scripts\.(\w+)\b(?!\.)", line):
            assert command in COMMANDS, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative_path)
def test_every_aws_command_that_a_document_shows_is_one_of_the_aws_cli(document: Path) -> None:
    session = botocore.session.Session()
    for line in lines_of_code(document.read_text(encoding="utf-8")):
        if not (found := re.match(r"aws ([a-z][a-z0-9-]+) ([a-z][a-z-]+)", line)) or found.group(1) in OWN_OF_THE_CLI:
            continue
        service, name = found.groups()
        model = session.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
        assert name in operations, line
        shape = model.operation_model(operations[name]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        assert set(re.findall(r"--([a-z-]+)", line)) <= known | {"profile", "region", "query", "output"}, line


# -- the commands ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_target_and_help_with_examples_that_can_be_typed(command: str) -> None:
    assert target_of(command) in TARGETS
    help_text = help_of(f"scripts.{command}")
    assert f"usage: python -m scripts.{command} " in help_text
    examples = [line.strip() for line in help_text.split("\nexamples:\n")[1].split("\n\n")[0].splitlines()]
    assert any(line.startswith(f"python -m scripts.{command}") for line in examples)
    listed = help_text.split("\noptions:\n")[1]
    for line in examples:
        assert make_targets(line)[0] == [target_of(command)] or line.startswith(f"python -m scripts.{command}"), line
        for option in re.findall(r"--[a-z-]+", line):
            assert f"  {option}" in listed, line


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_option_has_its_default_in_brackets(command: str) -> None:
    options = help_of(f"scripts.{command}").split("\noptions:\n")[1]
    assert re.findall(r"[^(\w]default\b.*", options) == []


def test_dry_run_of_doctor_goes_with_fix_only_and_json_says_what_it_prints() -> None:
    assert re.search(r"--dry-run +with --fix: ", help_of("scripts.doctor"))
    assert re.search(r"--json +print the findings as JSON", help_of("scripts.doctor"))
    assert re.search(r"--json +print the differences as JSON", help_of("scripts.diff"))
    assert all("--dry-run" not in help_of(f"scripts.{name}") for name in ("status", "versions", "diff"))


def test_messages_name_only_targets_that_exist() -> None:
    for path in [*files("scripts/**/*.py"), *TEMPLATES]:
        for span in re.findall(r"`(make [^`]+)`", path.read_text(encoding="utf-8")):
            targets, _ = make_targets(span)
            assert targets, f"{relative_path(path)}: {span}"
            assert set(targets) <= set(TARGETS), f"{relative_path(path)}: {span}"


# -- the environment file ----------------------------------------------------------------------


def keys_of(kind: type[Any], before: str = "") -> Iterator[str]:
    """The keys of the environment file: the fields of its dataclasses, in their own names."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        inner = [get_origin(hint) or hint, *get_args(hint)]
        nested = next((one for one in inner if is_dataclass(one) and isinstance(one, type)), None)
        name = f"{before}{field.name}"
        if field.name == "by_stage":
            yield from (f"{before}{stage.key}" for stage in Stage)
            continue
        yield from keys_of(nested, f"{name}.") if nested else [name]


def test_the_page_of_the_environment_file_has_every_key_and_no_other() -> None:
    page = (ROOT / "docs/reference/environment-file.md").read_text(encoding="utf-8")
    first_cells = " ".join(re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE))
    listed = set(re.findall(r"`([a-z_.]+)`", first_cells))
    of_lists, of_stages = {"new_accounts", "invited_accounts"}, {"production_alone"}  # which says what stages there are
    assert listed - of_lists == {*keys_of(Settings), *of_stages}
