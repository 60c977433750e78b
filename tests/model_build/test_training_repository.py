"""The training repository's seed code, run as the data scientist runs it, on the embedded AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from awslang.principals import service_principal
from localaws.cloud import Cloud, Session
from localaws.services.sagemaker import base
from localaws.services.sagemaker.images import check_image
from localaws.services.sagemaker.pipeline_definition import parse
from localaws.services.sagemaker.projects import Project, Projects
from scripts.rehearsal.embedded import published
from tests.support import ROOT
from tests.support.sagemaker_world import ACCOUNT, BUCKET, IRIS, REGION, client, make_trainer

SEED = ROOT / "seed-code" / "model-build"
sys.path.insert(0, str(SEED))

import definition  # noqa: E402  # it is in the seed code, which is no package
import project  # noqa: E402
import start  # noqa: E402
from steps.common import read_table  # noqa: E402

PROJECT, PROJECT_ID = "Iris-Classification", "p-abcdef123456"


def names() -> definition.Names:
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    return definition.names(PROJECT, PROJECT_ID, ACCOUNT, REGION, role, "0123456789ab")


def run(session: Session, script: str, *arguments: str, folder: Path = SEED) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / script), "--project", PROJECT, *arguments],
        env={"PATH": os.defpath, **session.environment()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def scientist(cloud: Cloud) -> Session:
    """A session of the role that trains, in an account with the model bucket, its key and a project."""
    role = make_trainer(cloud)
    client(cloud, "s3").create_bucket(Bucket=BUCKET)
    kms = client(cloud, "kms")
    kms.create_alias(
        AliasName="alias/sagemaker-multi-account-models", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"]
    )
    moment = base.now()
    who: dict[str, Any] = {"IamIdentity": {}}
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/{PROJECT}"
    cloud.state(Projects, ACCOUNT, REGION).by_name[PROJECT] = Project(
        PROJECT, PROJECT_ID, arn, "", who, moment, moment, who, {}, status="CreateCompleted"
    )
    return cloud.assume_role(role, "ada", service_principal("sagemaker.amazonaws.com"), REGION)


def model(name: str) -> project.Project:
    return project.read(model=name)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("iris", ["Training", "Condition"]),
        ("penguins", ["Processing", "Training", "Processing", "Condition"]),
    ],
)
def test_the_definition_is_one_that_sagemaker_takes(name: str, kinds: list[str]) -> None:
    parsed = parse(json.dumps(definition.definition(names(), model(name))))
    assert [step.kind for step in parsed.steps] == kinds
    bounds = parsed.steps[-1]
    assert [[step.kind for step in steps] for steps in (bounds.if_steps, bounds.else_steps)] == [
        ["RegisterModel"],
        ["Fail"],
    ]
    assert len(names().pipeline) <= 256


def test_the_images_are_those_that_sagemaker_has(cloud: Cloud) -> None:
    assert published().registries == definition.IMAGE_ACCOUNTS
    for region in published().registries:
        for framework in definition.IMAGES:
            check_image(cloud, definition.image(region, framework), region)


@pytest.mark.parametrize("example", ["iris", "penguins"])
def test_all_is_encrypted_with_a_key_that_other_accounts_may_use(example: str) -> None:
    """Without a key, SageMaker takes the account's own S3 key, which cannot be shared."""
    steps = definition.definition(names(), model(example))["Steps"]
    outputs = [
        step["Arguments"].get("OutputDataConfig") or step["Arguments"].get("ProcessingOutputConfig") for step in steps
    ]
    keys = [output["KmsKeyId"] for output in outputs if output]
    assert len(keys) == len(steps) - 1
    assert {key.rsplit(":", 1)[1] for key in keys} == {"alias/sagemaker-multi-account-models"}


def test_iris_has_150_rows_and_its_split_is_always_the_same() -> None:
    iris = model("iris")
    table = read_table(iris.file, iris.header)
    train, validation = start.split_rows(iris, table)
    assert (len(table.rows), len(train), len(validation)) == (150, 120, 30)
    assert {*train, *validation} == set(IRIS.read_text(encoding="utf-8").split())
    assert [sum(row.startswith(f"{species},") for row in validation) for species in range(3)] == [10, 10, 10]
    assert start.split_rows(iris, table) == (train, validation)


def test_the_repositorys_own_tests_pass() -> None:
    """Its unit tests, and all steps of both examples on 200 rows, as a team runs them: in seconds, without AWS."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"],
        cwd=SEED,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[0-9]{2} passed", done.stdout), done.stdout


def test_a_scientist_trains_and_approves(cloud: Cloud, scientist: Session) -> None:
    first = run(scientist, "start.py", "--wait", "--json")
    assert first.returncode == 0, first.stderr
    outcome: dict[str, Any] = json.loads(first.stdout)
    assert outcome["version"] == 1
    assert outcome["status"] == "PendingManualApproval"
    assert outcome["metrics"]["validation:merror"] <= 0.1
    assert "Register: Succeeded" in first.stderr
    shown = client(cloud, "sagemaker").describe_model_package(ModelPackageName=outcome["model_package_arn"])
    assert shown["ModelCard"]["ModelCardStatus"] == "Draft"
    card = json.loads(shown["ModelCard"]["ModelCardContent"])
    (container,) = shown["InferenceSpecification"]["Containers"]
    assert card["model_overview"]["model_artifact"] == [container["ModelDataUrl"]]
    ((group,),) = [one["metric_groups"] for one in card["evaluation_details"]]
    assert {one["name"]: one["value"] for one in group["metric_data"]} == outcome["metrics"]
    job = card["training_details"]["training_job_details"]
    assert job["training_arn"].endswith("/" + shown["CustomerMetadataProperties"]["training-job"])
    assert {"name": "max_depth", "value": "3"} in job["user_provided_hyper_parameters"]
    second = json.loads(run(scientist, "start.py", "--wait", "--json").stdout)
    assert (second["pipeline"], second["version"]) == (f"{PROJECT}-{PROJECT_ID}-train", 2)
    approved = json.loads(run(scientist, "approve.py", "--version", "1", "--description", "good", "--json").stdout)
    assert approved == {"model_package_arn": outcome["model_package_arn"], "version": 1, "status": "Approved"}
    rejected = json.loads(run(scientist, "approve.py", "--reject", "--json").stdout)
    assert (rejected["version"], rejected["status"]) == (2, "Rejected")
    sagemaker = client(cloud, "sagemaker")
    package = sagemaker.describe_model_package(ModelPackageName=outcome["model_package_arn"])
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "good")
    pipeline = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{PROJECT}-{PROJECT_ID}-train"
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=pipeline)["Tags"]}
    assert tags == {"sagemaker:project-name": PROJECT, "sagemaker:project-id": PROJECT_ID}


def test_a_model_that_does_not_reach_its_bound_is_not_registered_and_the_step_says_why(
    cloud: Cloud, scientist: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "modelbuild"
    shutil.copytree(SEED, folder, ignore=shutil.ignore_patterns("__pycache__", "build"))
    bounds = '"validation:merror" = { goal = "minimize", bound = 0.15 }'
    text = (folder / "project.toml").read_text()
    assert bounds in text
    (folder / "project.toml").write_text(text.replace(bounds, bounds.replace("0.15", "0.001")))
    refused = run(scientist, "start.py", "--commit", "5f0c1e", "--author", "Ada <a@b.c>", "--wait", folder=folder)
    assert refused.returncode == 1
    said = (
        r"Refused: Failed Not registered, since a bound of project\.toml is not reached: "
        r"validation:merror is [0-9.]+, its bound is at most 0\.001"
    )
    assert re.search(said, refused.stderr), refused.stderr
    sagemaker = client(cloud, "sagemaker")
    (execution,) = sagemaker.list_pipeline_executions(PipelineName=f"{PROJECT}-{PROJECT_ID}-train")[
        "PipelineExecutionSummaries"
    ]
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])
    values = {one["Name"]: one["Value"] for one in given["PipelineParameters"]}
    assert (values["Commit"], values["Author"]) == ("5f0c1e", "Ada a@b.c")


def test_mistakes_are_reported_without_a_traceback(cloud: Cloud, scientist: Session) -> None:
    nothing = run(scientist, "approve.py")
    assert nothing.returncode == 1
    assert "Traceback" not in nothing.stderr
    root = run(cloud.root(ACCOUNT, REGION), "start.py")
    assert root.returncode == 1
    assert "name the role that trains with --role" in root.stderr
    unknown = run(scientist, "start.py", "--project", "absent")
    assert unknown.returncode == 1
    assert "there is no SageMaker project absent" in unknown.stderr
