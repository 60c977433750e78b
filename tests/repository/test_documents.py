"""Every command that the documents show runs as it is shown: in one world, once each, in the order of ORDER."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT
from tests.support.documents import lines_of_code, make_targets, relative_path
from tests.support.installation import PIPELINE_VARIABLE
from tests.support.story_steps import follow, register, set_status

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "docs/index.md",
    ROOT / "docs/security.md",
    *(ROOT / f"docs/reference/{name}.md" for name in ("checks", "commands", "environment-file", "permissions")),
    *sorted((ROOT / "docs/guides").glob("*.md")),
]
RUN_ELSEWHERE = {
    "acceptance": "tests/rehearsal/acceptance/test_command.py",
    "clean": "tests/repository/test_makefile.py",
    "check": "tests/repository/test_makefile.py",
    "console-bundle": "tests/kit/test_console_bundle.py",
    "lint": "tests/repository/test_lint.py",
    "notebooks": "tests/rehearsal/test_notebooks.py",
    "permissions": "tests/rehearsal/test_story.py",
    "probe": "tests/kit/test_probes.py",
    "project": "tests/kit/test_any_folder.py",
    "rehearse": "tests/rehearsal/test_story.py",
    "seed": "tests/kit/test_seed.py",
    "setup": "tests/repository/test_installed_release.py",
    "sweep": "tests/benchmarks/test_sweep.py",
    "taskcat": "tests/repository/test_taskcat.py",
    "test": ".ci/run",
}
# As in an installation's life: an upgrade changes the pipeline, after which a rollback would take the long way.
ORDER = (
    "accounts", "package", "publish", "doctor", "status", "history", "rollback", "repair", "versions", "diff",
    "upgrade", "teardown",
)  # fmt: skip
AS_MANAGEMENT = {"make teardown EVERYTHING=1"}  # enters the target accounts
MODEL_KEY = "alias/sagemaker-multi-account-models"
NEWER = "          - {Name: NEWER, Value: 'yes'}\n"
ASKING = {"scripts.rollback", "scripts.teardown"}
NAMED_ONLY = {
    "make history",
    "make rollback",
    "make repair",
    "make upgrade",
    "make teardown",
}  # which by themselves say what they need


def commands(text: str) -> Iterator[str]:
    """Every line of a document that calls the kit; what a command prints is none."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = [re.sub(r"\\\n *", "", block) for block in blocks]
    lines = [line for block in blocks for line in (re.findall(r"^\$ (.*)", block, re.MULTILINE) or block.splitlines())]
    lines += lines_of_code(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in lines:
        if line.startswith(("make ", "python -m scripts.")):
            yield line.split("  #")[0].strip()


SHOWN = [(line, path) for path in DOCUMENTS for line in commands(path.read_text(encoding="utf-8"))]


def targets_of(line: str) -> list[str]:
    if line.startswith("make "):
        return make_targets(line)[0]
    return [shlex.split(line)[2].removeprefix("scripts.").replace("_", "-")]


def run_here(line: str) -> list[str]:
    return [target for target in targets_of(line) if target not in RUN_ELSEWHERE]


def position(line: str) -> tuple[int, bool, bool, bool, str]:
    """By ORDER; what only looks before what writes; a project before the whole kit."""
    first = ORDER.index(run_here(line)[0]) if run_here(line)[0] in ORDER else len(ORDER)
    return first, line not in NAMED_ONLY, "--dry-run" not in line, "EVERYTHING" in line or "--fix" in line, line


LINES = sorted({line.replace("=NAME", "=iris-multi-01") for line, _ in SHOWN if run_here(line)}, key=position)


def typed(line: str) -> list[tuple[str, list[str]]]:
    """The modules that a line runs, each with its arguments: those that make itself would run."""
    if line.startswith("python"):
        typed_lines = [line]
    else:
        options = [word for word in shlex.split(line) if "=" in word]
        variables = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "ARGS"}
        make = ["make", "-n", *run_here(line), *options]
        dry_run = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, env=variables, check=True)
        typed_lines = [command for command in dry_run.stdout.splitlines() if " -m scripts." in command]
    words = [shlex.split(command) for command in typed_lines]
    return [(word[word.index("-m") + 1], word[word.index("-m") + 2 :]) for word in words]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a user whose second version is live, and who has just changed the template."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("templates", "seed-code", "pipeline"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "ROOT", folder)
        patch.setattr(pack, "BUILD", folder / "build")
        story = Story(cloud, folder, root=folder)
        play(story, "predictions")
        register(story)
        assert follow(story, set_status(story, 2, "Approved")) == "Succeeded", story.diagnosis()
        settings = story.environment_path.read_text()
        engineer = f"arn:aws:iam::{story.setting.data_science}:role/{people.ENGINEER}"
        settings = settings.replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
        story.environment_path.write_text(f"{settings}publishing: {{to: both}}\n")
        product = folder / pack.PRODUCT
        product.write_text(product.read_text().replace(PIPELINE_VARIABLE, PIPELINE_VARIABLE + NEWER))
        kms = story.engineer.client("kms")
        kms.disable_key_rotation(KeyId=kms.describe_key(KeyId=MODEL_KEY)["KeyMetadata"]["KeyId"])
        manager = people.sign_in(cloud, story.setting.management, people.ENGINEER, story.region)
        (folder / "aws-config").write_text(
            story.engineer.profile("default")
            + story.engineer.profile("profile data-science")
            + manager.profile("profile management")
        )
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(folder / "aws-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.chdir(folder)
        yield folder
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_every_line_is_run_here_or_by_another_test() -> None:
    for line, document in SHOWN:
        assert targets_of(line), f"{relative_path(document)}: {line}"
        for target in targets_of(line):
            assert target in ORDER or (ROOT / RUN_ELSEWHERE[target]).is_file(), f"{relative_path(document)}: {line}"
    called = {target for line, _ in SHOWN for target in targets_of(line)}
    assert set(ORDER) <= called, "a command that no document shows"
    assert set(RUN_ELSEWHERE) <= called, "the table names what no document shows"


@pytest.mark.parametrize("line", LINES)
def test_the_line_runs_as_it_is_shown(world: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if line in AS_MANAGEMENT:
        monkeypatch.setenv("AWS_PROFILE", "management")
    found = typed(line)
    assert len(found) == len(run_here(line))
    for module, given in found:
        arguments = [*given, "--yes"] if module in ASKING else given  # there is no person to type the name
        out, err = io.StringIO(), io.StringIO()
        main = importlib.import_module(module).main
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = console.run(lambda main=main, arguments=arguments: int(main(arguments)))
            except SystemExit as left:  # of --help
                status = int(left.code or 0)
        transcript = f"$ {line}\n{err.getvalue()}{out.getvalue()}"
        print(transcript)
        assert status == (2 if line in NAMED_ONLY else 0), transcript
        assert out.getvalue() or err.getvalue()
        assert [line for line in out.getvalue().splitlines() if line != line.rstrip()] == []
