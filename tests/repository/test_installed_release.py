"""The README's second path: the released zip, outside the clone, with nothing but the packages of its own lock file.

Its commands work on a rehearsal that goes on in another process, as `make rehearse ARGS="--keep"` leaves it, and know
it by the profiles that this writes alone. The tests are one story and run in the order in which they stand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts import release
from scripts.kit import marker
from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from tests.support import NASTY, ROOT
from tests.support.waiting import until

NO_NETWORK = re.compile("error sending request|[Cc]onnection|[Nn]etwork|name resolution|No matching distribution")
PROJECT = "iris-multi-01"


def environment(**variables: str) -> dict[str, str]:
    """This process's variables without a way to AWS, and without what make or a virtual environment hands down."""
    kept = {k: v for k, v in os.environ.items() if not re.match("AWS_|MAKE|ARGS$|VIRTUAL_ENV|PYTHON", k)}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | {"AWS_EC2_METADATA_DISABLED": "true"} | variables


@dataclass(frozen=True)
class Installed:
    """The released zip, unpacked and set up in a folder of its own. profiles: AWS's file of them."""

    folder: Path
    profiles: str = os.devnull

    def run(self, *line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A program in the folder; both streams as one."""
        given = environment(AWS_CONFIG_FILE=self.profiles) | variables
        return subprocess.run(
            line, cwd=self.folder, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900
        )

    def make(self, line: str) -> str:
        """What `make LINE` prints; it has to succeed."""
        done = self.run("make", *shlex.split(line))
        assert done.returncode == 0, done.stdout
        return done.stdout

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(".venv/bin/python", *arguments, **variables)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make release` writes."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    assert release.main(["--allow-changes", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed") / NASTY
    [archive] = dist.glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    made = Installed(folder / archive.stem)
    done = made.run("make", "setup", f"PYTHON={sys.executable}")
    if done.returncode and "CI" not in os.environ and NO_NETWORK.search(done.stdout):
        pytest.skip(f"no network, and uv's cache lacks a package of requirements/runtime.txt: {done.stdout[-300:]}")
    assert done.returncode == 0, done.stdout
    return made


@dataclass
class Rehearsal:
    """A rehearsal that runs in a separate process until it gets a signal to end."""

    folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def said(self, words: str) -> bool:
        assert self.process.poll() is None, "".join(self.lines)
        return any(words in line for line in self.lines)

    def variables(self, who: str) -> dict[str, str]:
        """What it writes to export for a person."""
        text = (self.folder / "env.sh").read_text().split(f"# the {who}, ")[1].split("\n\n")[0]
        return dict(re.findall(r"export (\w+)=(\S+)", text))

    def client(self, who: str, service: str) -> Any:
        said = self.variables(who)
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=said["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=said["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=said["AWS_SESSION_TOKEN"],
        )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("kept")
    line = [sys.executable, "-m", "scripts.rehearse", "--keep", "--until", "predictions", "--folder", str(folder)]
    with subprocess.Popen(line, cwd=ROOT, env=environment(), text=True, stderr=subprocess.PIPE) as process:
        made = Rehearsal(folder, process)
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: made.lines.extend(process.stderr or []), daemon=True)
        reader.start()
        try:
            until(lambda: made.said("Ctrl-C stops it."), 600)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join()


@pytest.fixture(scope="module")
def ready(installed: Installed, kept: Rehearsal) -> Installed:
    """The installation with the environment file of the rehearsal."""
    (installed.folder / "environment.yaml").write_bytes((kept.folder / "environment.yaml").read_bytes())
    return replace(installed, profiles=str(kept.folder / "aws-config"))


# -- the files of the release --------------------------------------------------------------------


def test_the_same_commit_gives_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    assert release.main(["--allow-changes", "--output", str(tmp_path)]) == 0
    made, again = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (dist, tmp_path))
    assert made.pop(marker.MARKER) != again.pop(marker.MARKER)  # of the kit's own folders: it is for one folder
    assert again == made
    assert len(made) == 3  # the zip, the SBOM, the checksums


def test_checksums_outside_and_inside_are_those_of_the_files(dist: Path, installed: Installed) -> None:
    for folder, files in ((dist, 2), (installed.folder, 100)):
        lines = (folder / "SHA256SUMS").read_text().splitlines()
        assert len(lines) >= files
        for line in lines:
            wanted, name = line.split("  ")
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == wanted, name


def test_the_bill_of_materials_is_one_of_cyclonedx_and_lists_the_lock_file(dist: Path) -> None:
    [path] = dist.glob("*.cdx.json")
    bill = json.loads(path.read_text(encoding="utf-8"))
    python = ROOT / ".venv-release" / "bin" / "python"
    check = "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import *; "
    check += "sys.exit(1 if JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) else 0)"
    for text, code in ((json.dumps(bill), 0), (json.dumps({**bill, "serial": 1}), 1)):
        assert subprocess.run([python, "-c", check], input=text, text=True).returncode == code
    pinned = re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / release.LOCK).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted((one["name"], one["version"]) for one in bill["components"]) == sorted(pinned)
    assert bill["metadata"]["component"]["version"] == pack.pack(pack.read_tree(ROOT)).version
    assert all(one["purl"].startswith("pkg:pypi/") and one["externalReferences"] for one in bill["components"])


def test_the_zip_holds_the_product_and_nothing_of_the_rehearsal(installed: Installed) -> None:
    names = {path.name for path in installed.folder.iterdir()} - {".venv"}
    assert names == {part.split("/")[0] for part in release.SHIPPED} | {release.SBOM, release.SUMS}
    assert {path.name for path in (installed.folder / "requirements").iterdir()} == {"runtime.txt", "uv.txt"}
    commands = {path.stem for path in (installed.folder / "scripts").glob("*.py")} - {"__init__"}
    assert {"accounts", "package", "publish", "doctor", "upgrade", "teardown"} <= commands
    assert not commands & {"rehearse", "lint", "release", "notebooks", "permissions", "taskcat"}
    assert {path.name for path in (installed.folder / "scripts").iterdir() if path.is_dir()} <= {"kit", "__pycache__"}


def test_a_release_of_files_that_are_not_committed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "git", lambda *arguments, folder: " M README.md\n?? x\n")
    with pytest.raises(UserError, match="2 files differ from the commit"):
        release.main(["--output", str(tmp_path / "dist")])
    assert not (tmp_path / "dist").exists()


# -- with the packages of the runtime lock file alone --------------------------------------------


def test_no_package_of_the_rehearsal_is_installed(installed: Installed) -> None:
    for name in ("moto", "xgboost", "werkzeug", "policy_sentry", "pytest"):
        assert installed.python("-c", f"import {name}").returncode == 1, name
    assert installed.python("-c", "import boto3, yaml, regex, rich, jinja2").returncode == 0


def test_every_command_answers_help(installed: Installed) -> None:
    commands = sorted({path.stem for path in (installed.folder / "scripts").glob("*.py")} - {"__init__"})
    assert len(commands) == 15
    for command in commands:
        done = installed.python("-m", f"scripts.{command}", "--help")
        assert done.returncode == 0, done.stdout
        assert f"usage: python -m scripts.{command} " in done.stdout


def test_it_packs_the_same_bundle_as_the_clone(installed: Installed) -> None:
    assert installed.make("package").splitlines()[-1] == pack.pack(pack.read_tree(ROOT)).name


def unchanged(shown: str) -> None:
    """Every step of the plan is one of something that stays."""
    assert re.search(r"^ *(\d+) steps: \1 unchanged$", shown, re.MULTILINE), shown


def test_what_is_installed_is_found_as_it_is(ready: Installed) -> None:
    for dry in ("", " --dry-run"):
        unchanged(ready.make(f"accounts ARGS='--profile management{dry}'"))
    unchanged(ready.make("package publish ARGS='--profile data-science'"))
    assert PROJECT in ready.make("versions ARGS='--profile data-science'")
    assert "no differences" in ready.make(f"diff PROJECT={PROJECT} ARGS='--profile data-science'")
    assert ready.make("status ARGS='--profile data-science'").count("in service") == 2
    found = ready.make("doctor ARGS='--profile management'")
    assert re.search(r"\d+ checks, nothing found$", found, re.MULTILINE), found


def test_a_project_is_upgraded_to_a_template_that_was_changed_here(ready: Installed) -> None:
    settings, engineer = ready.folder / "environment.yaml", "arn:aws:iam::111111111111:role/MLEngineer"
    principals = settings.read_text().replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
    settings.write_text(principals)  # the role that upgrades has to see the product
    template = ready.folder / "templates" / "50-endpoint.yaml"
    template.write_text(
        template.read_text(encoding="utf-8").replace("Description: >-\n", "Description: >-\n  Ours.\n", 1)
    )
    assert "published 0." in ready.make("package publish ARGS='--profile data-science'")
    assert "50-endpoint.yaml" in ready.make(f"diff PROJECT={PROJECT} ARGS='--profile data-science'")
    ready.make(f"upgrade PROJECT={PROJECT} ARGS='--profile data-science'")
    assert "nothing to do" in ready.make(f"upgrade PROJECT={PROJECT} ARGS='--profile data-science'")


def test_production_goes_back_to_the_version_before(ready: Installed, kept: Rehearsal) -> None:
    scientist = kept.variables("data scientist")
    for step in (["start.py", "--wait"], ["approve.py"]):
        done = ready.python(f"seed-code/model-build/{step[0]}", "--project", PROJECT, *step[1:], **scientist)
        assert done.returncode == 0, done.stdout
    pipeline = json.loads((kept.folder / "summary.json").read_text(encoding="utf-8"))["pipeline"]["name"]
    approver = kept.client("approver", "codepipeline")

    def waiting() -> Any:
        stages = approver.get_pipeline_state(name=pipeline)["stageStates"]
        [stage] = [one for one in stages if one["stageName"] == "ApproveDeployment"]
        latest = stage["actionStates"][-1].get("latestExecution", {})
        return latest.get("token") if latest.get("status") == "InProgress" else None

    def approve() -> None:
        approver.put_approval_result(
            pipelineName=pipeline, stageName="ApproveDeployment",
            actionName=approver.get_pipeline(name=pipeline)["pipeline"]["stages"][3]["actions"][-1]["name"],
            result={"status": "Approved", "summary": "the tests passed"}, token=until(waiting, 300),
        )  # fmt: skip

    def in_production(version: int) -> bool:
        shown = ready.make(f"status PROJECT={PROJECT} ARGS='--profile data-science'")
        return bool(re.search(rf"^prod .* {version} +in service", shown, re.MULTILINE))

    approve()
    until(lambda: in_production(2), 300)
    # The upgrade gave the pipeline other code: CodePipeline rolls back to no execution from before it, and an approver
    # is asked (docs/decisions/0024-the-pipelines-code-is-published.md).
    shown = ready.make(f"rollback PROJECT={PROJECT} STAGE=prod ARGS='--yes --profile data-science'")
    assert "ApproveDeployment" in shown, shown
    approve()
    until(lambda: in_production(1), 300)


def test_the_project_is_taken_down(ready: Installed) -> None:
    ready.make(f"teardown PROJECT={PROJECT} ARGS='--yes --profile data-science'")
    assert PROJECT not in ready.make("versions ARGS='--profile data-science'")
