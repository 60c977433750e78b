"""The deploy repository's seed code and the published code of the pipeline: both fit the templates."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from localaws.services.codebuild.buildspec import parse
from localaws.services.codebuild.images import select_runtime
from scripts.kit.bundle import pack
from tests.support import ROOT

SEED = ROOT / "seed-code" / "model-deploy"
TEMPLATES = ROOT / "templates"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """The published code as a build gets it: the pipeline's steps and two templates."""
    folder = tmp_path / "kit"
    for name, content in pack.pipeline_code(pack.read_tree(ROOT)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "AWS_REGION": "us-east-1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def parameters(template: str) -> dict[str, dict[str, Any]]:
    lines = (TEMPLATES / template).read_text().splitlines()
    start = lines.index("Parameters:")
    end = next(n for n in range(start + 1, len(lines)) if re.match(r"\S", lines[n]) and lines[n][0] != "#")
    return dict(yaml.safe_load("\n".join(lines[start:end]))["Parameters"])


def test_a_deploy_repository_holds_no_code_of_the_pipeline_and_no_template() -> None:
    assert sorted(pack.seed("model-deploy.zip", pack.read_tree(ROOT))) == [
        "README.md",
        "examples/sklearn/golden-payloads.json",
        "prod-config.json",
        "settings.schema.json",
        "staging-config.json",
        "tests/golden-payloads.json",
        "tests/test_endpoint.py",
    ]


@pytest.mark.parametrize("name", ["own-tests-buildspec.yml", "test-buildspec.yml"])
def test_the_buildspecs_use_a_runtime_that_the_projects_image_has(name: str) -> None:
    project = (TEMPLATES / "30-project.yaml").read_text()
    (image,) = set(re.findall(r"(aws/codebuild/amazonlinux-x86_64-standard:\S+?)[\s'\]]", project))
    spec = parse((ROOT / "pipeline" / name).read_text())
    assert select_runtime(image, "python", spec.runtimes["python"]) == spec.runtimes["python"]


@pytest.mark.parametrize("name", ["buildspec.yml", "gate-buildspec.yml"])
def test_the_buildspecs_of_lambda_compute_name_no_runtime(name: str) -> None:
    """It has none to choose: "Run builds on AWS Lambda compute" (CodeBuild User Guide), Limitations."""
    spec = parse((ROOT / "pipeline" / name).read_text())
    assert spec.runtimes == {}
    commands = [command for phase in spec.phases.values() for command in phase.commands]
    assert any(command.startswith("python3 -m pipeline.") for command in commands)


@pytest.mark.parametrize(
    "name", ["buildspec.yml", "gate-buildspec.yml", "own-tests-buildspec.yml", "test-buildspec.yml"]
)
def test_the_buildspecs_install_nothing_themselves(name: str) -> None:
    spec = parse((ROOT / "pipeline" / name).read_text())
    assert not any(re.search(r"\bpip\b", command) for phase in spec.phases.values() for command in phase.commands)


def test_the_build_exports_what_the_pipeline_reads() -> None:
    project = (TEMPLATES / "30-project.yaml").read_text()
    files = (("Build", "buildspec.yml"), ("TestStaging", "test-buildspec.yml"), ("Card", "gate-buildspec.yml"))
    for namespace, file in files:
        read = set(re.findall(rf"#\{{{namespace}\.(\w+)\}}", project))
        assert read
        assert read <= set(parse((ROOT / "pipeline" / file).read_text()).exported)


def test_every_setting_of_an_endpoint_can_be_made_in_the_configuration_files(kit: Path) -> None:
    """The build's small reader of parameter names agrees with a real YAML reader."""
    done = python(
        kit, "-c",
        "import json; from pathlib import Path; from pipeline.settings import *; "
        "print(json.dumps([list(template_parameters(Path('40-stage.yaml'))), WRITTEN_HERE]))",
    )  # fmt: skip
    names, written = json.loads(done.stdout)
    assert names == list(parameters("40-stage.yaml"))
    assert set(written) <= set(names)
    endpoint = set(parameters("50-endpoint.yaml"))
    missing = endpoint - set(names)
    assert not missing, f"40-stage.yaml does not pass on {missing}"
    for stage in ("staging", "prod"):
        config = json.loads((SEED / f"{stage}-config.json").read_text())
        assert set(config["Parameters"]) <= set(names) - set(written)


def test_the_build_writes_every_parameter_that_has_no_default(kit: Path) -> None:
    done = python(kit, "-c", "import json; from pipeline.settings import *; print(json.dumps(WRITTEN_HERE))")
    required = {name for name, body in parameters("40-stage.yaml").items() if "Default" not in body}
    assert required <= set(json.loads(done.stdout))


def test_the_build_project_gives_the_variables_that_the_build_needs(kit: Path) -> None:
    done = python(kit, "-c", "import json; from pipeline.settings import *; print(json.dumps(VARIABLES))")
    project = (TEMPLATES / "30-project.yaml").read_text()
    given = set(re.findall(r"Name: ([A-Z_]+)", project)) | set(re.findall(r'"name":"([A-Z_]+)"', project))
    assert set(json.loads(done.stdout)) - given == {"AWS_REGION", "MODEL_PACKAGE_VERSION"}  # that one CodePipeline says


def test_a_step_that_is_not_set_up_says_what_is_missing(kit: Path) -> None:
    done = python(kit, "-m", "pipeline.build")
    assert done.returncode == 1
    assert "environment variable CODEBUILD_SRC_DIR_SourceOutput is not set" in done.stderr
    assert "Traceback" not in done.stderr
    assert "SUMMARY='Failed: " in (kit / "exports.sh").read_text()


def test_the_golden_payloads_are_rows_of_the_data_with_their_class() -> None:
    rows = {}
    for line in (ROOT / "seed-code/model-build/data/iris.csv").read_text().split():
        label, features = line.split(",", 1)
        rows[features] = float(label)
    golden = json.loads((SEED / "tests/golden-payloads.json").read_text())
    for payload in golden["payloads"]:
        assert rows[payload["body"]] == payload["expected"], payload["name"]
    assert {payload["expected"] for payload in golden["payloads"]} == {0.0, 1.0, 2.0}


def test_the_readme_names_every_file() -> None:
    text = (SEED / "README.md").read_text()
    for name in pack.seed("model-deploy.zip", pack.read_tree(ROOT)):
        if name != "README.md":
            assert Path(name).name in text, name
