"""The training repository's seed code, run as the data scientist runs it, on the embedded AWS."""

from __future__ import annotations

import gzip
import importlib.util
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
from pipeline.payloads import check_fits, read_golden
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


DIABETES = """
model = "diabetes"
[diabetes]
description = "Progression of diabetes after one year"
framework = "xgboost"
task = "regression"
data = "data/diabetes.csv"
label = "progression"
[diabetes.hyperparameters]
objective = "reg:squarederror"
num_round = 30
max_depth = 2
eta = 0.2
[diabetes.metrics]
rmse = { goal = "minimize", bound = 1 }
r2 = { goal = "maximize", bound = 0.2 }
"""


def test_a_regression_on_other_data_needs_its_settings_and_its_data_alone(
    cloud: Cloud, scientist: Session, tmp_path: Path
) -> None:
    """Preprocess, train, evaluate, bounds, register; the first time it is not good enough, and the step says why."""
    folder = tmp_path / "modelbuild"
    shutil.copytree(SEED, folder, ignore=shutil.ignore_patterns("__pycache__", "build"))
    write_diabetes(folder / "data/diabetes.csv")
    (folder / "project.toml").write_text(DIABETES)
    refused = run(scientist, "start.py", "--wait", folder=folder)
    assert refused.returncode == 1
    said = (
        r"Refused: Failed Not registered, since a bound of project\.toml is not reached: "
        r"rmse is [0-9.]+, its bound is at most 1; r2 is 0\.[0-9]+, its bound is at least 0\.2"
    )
    assert re.search(said, refused.stderr), refused.stderr
    (folder / "project.toml").write_text(DIABETES.replace("bound = 1 ", "bound = 80 "))
    done = run(
        scientist, "start.py", "--commit", "5f0c1e", "--author", "Ada <a@b.c>", "--wait", "--json", folder=folder
    )
    assert done.returncode == 0, done.stderr
    assert edited(folder) == ["data/diabetes.csv", "project.toml"]
    outcome = json.loads(done.stdout)
    package = client(cloud, "sagemaker").describe_model_package(ModelPackageName=outcome["model_package_arn"])
    kept = package["CustomerMetadataProperties"]
    assert (kept["commit"], kept["author"]) == ("5f0c1e", "Ada a@b.c")
    assert re.fullmatch("sha256:[0-9a-f]{64}", kept["data-hash"])
    assert kept["training-job"].startswith("pipelines-")
    s3 = client(cloud, "s3")
    place = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
    written = json.loads(s3.get_object(Bucket=BUCKET, Key=place)["Body"].read())
    assert written["regression_metrics"]["rmse"]["value"] == outcome["metrics"]["rmse"] == float(kept["rmse"])
    page = s3.get_object(Bucket=BUCKET, Key=place.replace("evaluation.json", "report.html"))["Body"].read().decode()
    assert "<svg" in page
    golden = tmp_path / "golden-payloads.json"
    golden.write_bytes(
        s3.get_object(Bucket=BUCKET, Key=place.replace("evaluation.json", "golden-payloads.json"))["Body"].read()
    )
    written_for = read_golden(golden)
    check_fits(written_for, 1, kept["model"])
    assert len(written_for.payloads) == 6
    assert all(isinstance(one.expected, float) for one in written_for.payloads)


def write_diabetes(file: Path) -> None:
    """The data set of scikit-learn, which no example uses."""
    package = importlib.util.find_spec("sklearn")  # its import alone takes seconds
    assert package
    assert package.origin
    found = [
        gzip.decompress((Path(package.origin).parent / f"datasets/data/diabetes_{name}.csv.gz").read_bytes()).decode()
        for name in ("data_raw", "target")
    ]
    values, labels = ([line.split() for line in text.splitlines()] for text in found)
    rows = [",".join([*row, *label]) for row, label in zip(values, labels, strict=True)]
    file.write_text("\n".join(["age,sex,bmi,bp,s1,s2,s3,s4,s5,s6,progression", *rows]) + "\n")


def edited(folder: Path) -> list[str]:
    """The files of a repository that are not as the project began with them, by their paths."""
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = [path.relative_to(folder).as_posix() for path in files]
    return sorted(n for n in names if not (SEED / n).is_file() or (SEED / n).read_bytes() != (folder / n).read_bytes())


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
