"""The notebooks: as git has them, and run cell by cell with the real SDK on the embedded AWS.

Every notebook is run once, by what `make notebooks` calls; the tests after it look at what came of it.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from localaws.server import EmbeddedAws
from scripts import notebooks as command
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, UserError
from scripts.rehearsal import deploying
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks import command as running
from scripts.rehearsal.notebooks import run as notebooks
from scripts.rehearsal.notebooks.run import NOTEBOOKS, Executed, NotebookFailed, execute, rendered, text_of
from scripts.rehearsal.permissions import read_refusals, read_requests
from scripts.rehearsal.setting import STUDIO_ROLE
from scripts.rehearsal.story import Story

pytestmark = pytest.mark.notebooks

FILES = sorted(NOTEBOOKS.glob("*.ipynb"))
FIRST = NOTEBOOKS / "01-train-register-approve.ipynb"
SECOND = NOTEBOOKS / "02-compare-and-roll-back.ipynb"
TELEMETRY = re.compile(r"sm-pysdk-t-us-east-1\.s3\.us-east-1\.amazonaws\.com")


@cache
def book(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def code(path: Path) -> dict[str, str]:
    """The source of every code cell, by its id."""
    return {cell["id"]: text_of(cell["source"]) for cell in book(path)["cells"] if cell["cell_type"] == "code"}


def words(path: Path) -> str:
    return "\n".join(text_of(cell["source"]) for cell in book(path)["cells"])


# -- as git has them ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_second_cell_names_the_project_and_nothing_else(path: Path) -> None:
    """The post: "In the second cell of the notebook, replace the project_name variable"."""
    second = book(path)["cells"][1]
    assert second["cell_type"] == "code"
    tree = ast.parse(text_of(second["source"])).body
    assert len(tree) == 1
    assert ast.unparse(tree[0]) == f"project_name = {Story.project_name!r}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_outputs_are_not_kept_in_git(path: Path) -> None:
    for cell in book(path)["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_has_one_form_and_asks_for_no_special_kernel(path: Path) -> None:
    content = book(path)
    assert path.read_text(encoding="utf-8") == json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_cell_knows_of_a_rehearsal(path: Path) -> None:
    assert not re.search(r"rehears|embedded|localhost|127\.0\.0\.1|endpoint_url|\b\d{12}\b", words(path), re.I)


def test_the_names_in_the_notebook_are_those_of_the_kit() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").glob("*.yaml"))
    said = words(FIRST)
    for name in (
        "sagemaker-multi-account-models-{account}-{region}",
        "alias/sagemaker-multi-account-models",
        "sagemaker-{project_name}-{project_id}-deploy",
        "sagemaker-{project_name}-{project_id}-test",
        "sagemaker-multi-account-approver",
        "sagemaker-PROJECT-ID-modeldeploy",
        "sagemaker-PROJECT-ID-modelbuild",
    ):
        assert name in said
        in_template = name.replace("{account}", "${AWS::AccountId}").replace("{region}", "${AWS::Region}")
        in_template = in_template.replace("{project_name}", "PROJECT").replace("{project_id}", "ID")
        in_template = in_template.replace("PROJECT-ID", "${SageMakerProjectName}-${SageMakerProjectId}")
        assert in_template in templates, name
    for part in ("DeployStaging", "TestStaging", "ApproveDeployment"):
        assert part in said
        assert f"Name: {part}\n" in templates
    reports = re.search(r"^reports:\n  (\w+):", (ROOT / "pipeline/test-buildspec.yml").read_text(), re.M)
    assert reports
    assert f"-test-{reports.group(1)}" in said
    assert (ROOT / "seed-code/model-deploy/tests/golden-payloads.json").is_file()
    assert "tests/golden-payloads.json" in said


@pytest.mark.parametrize(("path", "page"), [(FIRST, "notebook-01.md"), (SECOND, "notebook-02.md")])
def test_the_copy_to_read_is_of_this_notebook(path: Path, page: str) -> None:
    """`python -m scripts.notebooks --docs docs/generated` makes it again."""
    text = (ROOT / "docs/generated" / page).read_text(encoding="utf-8")
    place = 0
    for cell in book(path)["cells"]:
        place = text.find(text_of(cell["source"]), place)
        assert place >= 0, f"docs/generated/{page} has not the cell {cell['id']}"


def test_the_plot_of_the_copy_is_small() -> None:
    text = (ROOT / "docs/generated/notebook-01.md").read_text(encoding="utf-8")
    plots = re.findall(r"!\[[^\]]+\]\(([\w.-]+\.png)\)", text)
    assert plots == ["notebook-01-plot.png"]
    assert (ROOT / "docs/generated" / plots[0]).read_bytes().startswith(b"\x89PNG")
    assert len((ROOT / "docs/generated" / plots[0]).read_bytes()) < 100_000


# -- run -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """The notebook ran in full, and then once more from the data on, as a person does who tries another model."""

    server: EmbeddedAws
    story: Story
    executed: Executed  # of the first time
    cells: dict[str, dict[str, Any]]  # with their outputs; -again is the second time
    requests: list[dict[str, Any]]  # while the notebook ran

    def printed(self, cell: str) -> str:
        outputs = self.cells[cell]["outputs"]
        return "".join(text_of(output["text"]) for output in outputs if output["output_type"] == "stream")

    @property
    def pipeline(self) -> str:
        return f"{self.story.project_name}-{self.story.project_id}-notebook"


def run_twice(folder: Path) -> Path:
    """A copy of the notebook with its cells from the data on a second time."""
    cells = book(FIRST)["cells"]
    start = next(number for number, cell in enumerate(cells) if cell["id"] == "upload")
    again = [{**cell, "id": f"{cell['id']}-again"} for cell in cells[start:] if cell["cell_type"] == "code"]
    path = folder / FIRST.name
    path.write_text(json.dumps({**book(FIRST), "cells": cells + again}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not (notebooks.ENVIRONMENT / ".ready").is_file():
        pytest.skip("the notebooks' environment is not installed; `make notebooks` installs it")
    folder = tmp_path_factory.mktemp("notebooks")
    server = embedded_aws(folder)
    with server as cloud:
        story = Story(cloud, folder)
        play(story, until="project")
        executed = execute(run_twice(folder), server, story, folder / "notebook")
        requests = [entry for entry in read_requests(folder / "requests.jsonl") if entry["chapter"] == FIRST.stem]
        cells = executed.content["cells"]
        first = replace(executed, content={**executed.content, "cells": cells[: len(book(FIRST)["cells"])]})
        story.execution_id = story.executions()[1]["pipelineExecutionId"]  # the second one is the newest
        story.model_package_arn = story.scientist.client("sagemaker").list_model_packages(
            ModelPackageGroupName=story.project_name, SortBy="CreationTime", SortOrder="Ascending"
        )["ModelPackageSummaryList"][0]["ModelPackageArn"]
        yield World(server, story, first, {cell["id"]: cell for cell in cells}, requests)
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_every_cell_ran_in_order(world: World) -> None:
    cells = [cell for cell in world.executed.content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert list(world.executed.seconds)[: len(cells)] == list(code(FIRST))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def test_it_ran_unchanged(world: World) -> None:
    ran = {cell["id"]: text_of(cell["source"]) for cell in world.executed.content["cells"]}
    assert ran == {cell["id"]: text_of(cell["source"]) for cell in book(FIRST)["cells"]}


def test_it_trained_as_the_training_repository_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Image, hyperparameters, metrics, key and data are those of seed-code/model-build."""
    monkeypatch.syspath_prepend(str(ROOT / "seed-code/model-build"))
    seed, start, project, checks = map(importlib.import_module, ("definition", "start", "project", "checks"))
    iris = project.read(model="iris")
    sagemaker, s3 = world.story.scientist.client("sagemaker"), world.story.scientist.client("s3")
    described = sagemaker.describe_pipeline(PipelineName=world.pipeline)
    steps = {step["Name"]: step["Arguments"] for step in json.loads(described["PipelineDefinition"])["Steps"]}
    account, region = world.story.setting.data_science, world.story.region
    kit = seed.names(world.story.project_name, world.story.project_id, account, region, described["RoleArn"], "")
    assert list(steps) == ["Train", "Register"]
    assert steps["Train"]["AlgorithmSpecification"]["TrainingImage"] == seed.image(region)
    assert steps["Train"]["HyperParameters"] == {name: str(value) for name, value in iris.hyperparameters.items()}
    assert steps["Train"]["OutputDataConfig"]["KmsKeyId"] == kit.key
    assert steps["Train"]["ResourceConfig"]["InstanceCount"] == {"Get": "Parameters.TrainingInstanceCount"}
    assert set(steps["Register"]["CustomerMetadataProperties"]) == {"model", *iris.metrics}
    container = seed.register_step(kit, iris)["Arguments"]["InferenceSpecification"]["Containers"][0]
    assert steps["Register"]["InferenceSpecification"]["Containers"] == [container]
    rows = start.split_rows(iris, checks.read_table(iris.file, iris.header))
    for channel, part in zip(steps["Train"]["InputDataConfig"], rows, strict=True):
        place = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{kit.bucket}/")
        body = s3.get_object(Bucket=kit.bucket, Key=f"{place}{channel['ChannelName']}.csv")["Body"].read().decode()
        sent = [[float(value) for value in line.split(",")] for line in body.split()]
        assert sent == [[float(value) for value in line.split(",")] for line in part]


def test_the_version_is_approved_and_its_metrics_are_those_that_were_read(world: World) -> None:
    version = world.story.scientist.client("sagemaker").describe_model_package(
        ModelPackageName=world.story.model_package_arn
    )
    assert version["ModelApprovalStatus"] == "Approved"
    assert version["CustomerMetadataProperties"].pop("model") == "iris"
    for metric, value in version["CustomerMetadataProperties"].items():
        assert f"{metric:<20} {float(value):.4f}" in world.printed("read-metrics")
    wrong = round(30 * float(version["CustomerMetadataProperties"]["validation:merror"]))
    assert version["ApprovalDescription"] == f"{wrong} of 30 held-out flowers wrong"  # as counted by the notebook


def test_progress_was_reported_while_it_waited(world: World) -> None:
    assert re.findall(r"(\w+) +Succeeded", world.printed("start-pipeline")) == ["Train", "Register"]
    found = re.findall(r"(\w+) +Succeeded", world.printed("follow-pipeline"))
    assert sorted(found[:2]) == ["Kit", "Source"]
    assert found[2:4] == ["Build", "DeployResourcesStaging"]
    assert sorted(found[4:6]) == ["OwnTests", "TestStaging"]
    assert found[6:] == ["Card"]


def test_the_pipeline_tested_that_very_version_in_staging_and_waits(world: World) -> None:
    assert "version 1 is live in staging" in world.printed("follow-pipeline")
    golden = json.loads((ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    account = world.story.setting.targets["staging"]
    for name in ("the endpoint serves the manifest's model", *(payload["name"] for payload in golden)):
        assert re.search(rf"SUCCEEDED +staging\.{account}/us-east-1 +{name} ", world.printed("read-tests"))
    assert "waits for approval" in world.printed("approve-production")
    build = next(action for action in world.story.actions() if action["actionName"] == "Build")
    assert build["output"]["outputVariables"]["MODEL_PACKAGE_VERSION"] == "1"


def test_run_again_it_brings_another_version_to_staging_behind_the_one_that_waits(world: World) -> None:
    assert "version 2 of iris-multi-01: PendingManualApproval" in world.printed("read-metrics-again")
    assert "version 2 is live in staging" in world.printed("follow-pipeline-again")
    assert "still waits for an answer about an earlier version" in world.printed("approve-production-again")
    golden = json.loads((ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    endpoint = deploying.ask_endpoint(world.story, "staging", world.story.setting.targets["staging"], golden)
    assert endpoint["model_package_arn"] == world.story.model_package_arn.removesuffix("1") + "2"
    assert endpoint["predictions"] == endpoint["expected"]
    waiting = world.story.stage("ApproveDeployment")["latestExecution"]
    assert (waiting["pipelineExecutionId"], waiting["status"]) == (world.story.execution_id, "InProgress")


def test_the_plot_is_there(world: World) -> None:
    files = rendered(world.executed, "notebook-01", "head")
    assert sorted(files) == ["notebook-01-plot.png", "notebook-01.md"]
    assert files["notebook-01-plot.png"].startswith(b"\x89PNG")
    assert base64.b64decode(world.cells["plot"]["outputs"][0]["data"]["image/png"]) == files["notebook-01-plot.png"]


def test_it_asked_as_the_studio_role_and_was_refused_only_what_that_role_never_may(world: World) -> None:
    """The SDK would check the role with SimulatePrincipalPolicy; Studio's own policy does not grant it."""
    asked = {entry["principal"] for entry in world.requests}
    assert not [who for who in asked if who.endswith((":root", "MLEngineer", "Approver"))]
    assert any(f"assumed-role/{STUDIO_ROLE}/" in who for who in asked)
    refused = {(one.who.rsplit("/", 1)[1], one.action) for one in read_refusals(world.story.folder / "requests.jsonl")}
    assert refused == {(STUDIO_ROLE, "iam:SimulatePrincipalPolicy")}


def test_it_reached_aws_alone(world: World) -> None:
    """Beside AWS's API the SDK asks for one address, where it counts how it is used."""
    assert [host for host in world.executed.refused_hosts if not TELEMETRY.fullmatch(host)] == []
    assert "GetCallerIdentity" in {entry["operation"] for entry in world.requests}


def test_the_last_cell_serves_an_approver_only(world: World) -> None:
    """It is run as it stands, with a reason filled in: first by the data scientist, then by the approver."""
    source = code(FIRST)["approve-production"].replace('approval_reason = ""', 'approval_reason = "9 tests passed"', 1)
    before = code(FIRST)["follow-pipeline"]
    source = f"{before[: before.index('for _ in looks')]}\n{source}"  # the functions that it uses
    names = {"deployment": world.story.pipeline_name, "region": world.story.region}
    names["deployment_id"] = world.story.execution_id
    seen: list[str] = []
    for person in (world.story.scientist, world.story.approver):
        own = {**names, "codepipeline": person.client("codepipeline")}
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(compile(source, "approve-production", "exec"), own)
        seen.append(said.getvalue())
    assert seen[0].startswith("Your role may not approve. A role with the policy")
    assert seen[1].startswith("approved")
    assert world.story.wait_for_stage("DeployProd") == "Succeeded"


def test_the_second_notebook_compares_reads_and_rejects(world: World, tmp_path: Path) -> None:
    """As it stands it only reads; with a number filled in it rejects that version."""
    content = book(SECOND)
    for cell in content["cells"]:
        text = text_of(cell["source"])
        cell["source"] = text.replace("version_to_reject = 0", "version_to_reject = 2").replace(
            'reason = ""', 'reason = "wrong answers"'
        )
    path = tmp_path / SECOND.name
    path.write_text(json.dumps(content), encoding="utf-8")
    executed = execute(path, world.server, world.story, tmp_path / "run")
    said = {
        cell["id"]: "".join(text_of(output["text"]) for output in cell["outputs"])
        for cell in executed.content["cells"]
        if cell["cell_type"] == "code"
    }
    assert re.search(r"version +2 +1\s", said["versions"])
    assert re.search(r"validation:merror +0\.1000 +0\.1000", said["versions"])
    assert "of 30 held-out flowers wrong" in said["read-card"]
    assert re.search(r"version 1 Approved by \w+", said["read-history"])
    assert "version 1 in staging: tests passed" in said["read-history"]
    assert "version 2 is rejected" in said["reject-version"]
    arn = f"{world.story.model_package_arn.rsplit('/', 1)[0]}/2"
    package = world.story.scientist.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Rejected", "wrong answers")


# -- a notebook that fails -----------------------------------------------------------------------


def test_a_cell_that_fails_is_named_with_its_error_and_ends_the_run(world: World, tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for name, source in {"fine": "x = 1", "broken": "x / 0", "never": "print(x)"}.items()
    ]
    path = tmp_path / "02-broken.ipynb"
    path.write_text(json.dumps({**book(FIRST), "cells": cells}), encoding="utf-8")
    with pytest.raises(NotebookFailed, match=r"02-broken\.ipynb, cell broken:\n[\s\S]*ZeroDivisionError"):
        execute(path, world.server, world.story, tmp_path / "run")
    kept = json.loads((tmp_path / "run/02-broken.ipynb").read_text(encoding="utf-8"))
    assert [cell["execution_count"] for cell in kept["cells"]] == [1, 2, None]


def test_the_command_says_what_it_ran_and_writes_the_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], world: World
) -> None:
    """With the run from above in place of another one."""

    def embedded(folder: Path) -> contextlib.nullcontext[Any]:
        folder.mkdir()
        return contextlib.nullcontext(world.story.cloud)

    monkeypatch.setattr(running, "embedded_aws", embedded)
    monkeypatch.setattr(running, "play", lambda *arguments, **more: None)
    monkeypatch.setattr(notebooks, "execute", lambda *arguments: world.executed)
    assert command.main(["--json", "--folder", str(tmp_path), "--docs", str(tmp_path)]) == 0
    stdout = json.loads(capsys.readouterr().out)["notebooks"]
    assert stdout == [{"notebook": path.name, "seconds": world.executed.seconds} for path in (FIRST, SECOND)]
    written = [f"notebook-{number}{kind}" for number in ("01", "02") for kind in ("-plot.png", ".md")]
    assert sorted(path.name for path in tmp_path.glob("notebook*")) == written
    assert f"[{FIRST.name}](../../notebooks/{FIRST.name})" in (tmp_path / "notebook-01.md").read_text(encoding="utf-8")

    def fails(*arguments: object) -> Executed:
        raise NotebookFailed("01.ipynb, cell plot: no colours")

    monkeypatch.setattr(notebooks, "execute", fails)
    assert command.main(["--folder", str(tmp_path)]) == 1
    assert "failed: 01.ipynb, cell plot: no colours" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"--docs .*none: there is no such folder"):
        command.main(["--docs", str(tmp_path / "none")])


def test_a_missing_environment_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`make notebooks` installs it"):
        notebooks.python_of(tmp_path / ".venv-notebooks")
