"""The training repository's seed code, run as the data scientist runs it, on the embedded AWS."""

from __future__ import annotations

import json
import os
import re
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

import aws  # noqa: E402  # as below
import definition  # noqa: E402  # it is in the seed code, which is no package
import start  # noqa: E402

PROJECT, PROJECT_ID = "Iris-Classification", "p-abcdef123456"


def names() -> definition.Names:
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    return definition.names(PROJECT, PROJECT_ID, ACCOUNT, REGION, role, "0123456789ab")


def run(session: Session, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SEED / script), "--project", PROJECT, *arguments],
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


def test_the_definition_is_one_that_sagemaker_takes() -> None:
    parsed = parse(json.dumps(definition.definition(names())))
    assert [step.kind for step in parsed.steps] == ["Training", "RegisterModel"]
    assert len(names().pipeline) <= 256


def test_the_images_are_those_that_sagemaker_has(cloud: Cloud) -> None:
    assert published().registries == definition.IMAGE_ACCOUNTS
    for region in published().registries:
        check_image(cloud, definition.image(region), region)


def test_the_model_is_encrypted_with_a_key_that_other_accounts_may_use() -> None:
    """Without a key, SageMaker takes the account's own S3 key, which cannot be shared."""
    output = definition.training_step(names())["Arguments"]["OutputDataConfig"]
    assert output["KmsKeyId"].endswith("alias/sagemaker-multi-account-models")


def test_iris_has_150_rows_and_its_split_is_always_the_same() -> None:
    rows = IRIS.read_text(encoding="utf-8").split()
    train, validation = start.split(rows)
    assert (len(rows), len(train), len(validation)) == (150, 120, 30)
    assert set(train) | set(validation) == set(rows)
    assert [sum(row.startswith(f"{species},") for row in validation) for species in range(3)] == [10, 10, 10]
    assert start.split(rows) == (train, validation)


@pytest.mark.parametrize("text", ["1, 2.5, 3\n", '"1"," 2.5 ",3\r\n', "\ufeff1,2.5,3\n\n"])
def test_data_is_read_by_rows_whatever_blanks_and_quotes_it_has(tmp_path: Path, text: str) -> None:
    """442 rows with blanks after the commas were once uploaded as 3,899 words."""
    file = tmp_path / "data.csv"
    file.write_text(text * 1 + "0, , 4\n" * 441, encoding="utf-8")
    rows = start.read_rows(file)
    assert len(rows) == 442
    assert (rows[0], rows[1]) == ("1,2.5,3", "0,,4")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("species,length\n" + "0,1\n" * 9, "row 1: the label is 'species', no number. Leave a header out"),
        ("0,1\n" * 5 + "0,1,2\n", "row 6 has 3 columns, the first row has 2"),
        ("0,1\n" * 5 + ",1\n", "row 6: the label is '', no number"),
        ("0,1\n" * 5 + "0,one\n", "row 6: column 2 is 'one', no number"),
        ("0\n" * 9, "row 1 has one column"),
        ("0,1\n" * 4, "has 4 rows: 5 are needed"),
    ],
)
def test_data_that_no_training_can_read_is_refused_with_its_row(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "data.csv"
    file.write_text(text)
    with pytest.raises(aws.UserError, match=re.escape(why)):
        start.read_rows(file)


def test_metrics_that_the_training_does_not_measure_are_refused_before_anything_is_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert definition.wrong_metrics() == []
    monkeypatch.setattr(definition, "HYPERPARAMETERS", {"objective": "reg:squarederror", "eval_metric": "rmse"})
    assert definition.wrong_metrics() == list(definition.METRICS)
    with pytest.raises(aws.UserError, match=r"names validation:merror, .*its eval_metric is"):
        start.main(["--project", PROJECT])  # no session is made


def test_a_regression_is_made_by_the_steps_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = " ".join((SEED / "README.md").read_text(encoding="utf-8").split())
    given = re.search(
        r'For a regression: `("objective": [^`]+)`, `("eval_metric": [^`]+)`, `METRICS = \(([^`]+)\)`', readme
    )
    assert given
    changed = json.loads("{" + f"{given[1]}, {given[2]}" + "}")
    kept = {name: value for name, value in definition.HYPERPARAMETERS.items() if name != "num_class"}
    monkeypatch.setattr(definition, "HYPERPARAMETERS", {**kept, **changed})
    monkeypatch.setattr(definition, "METRICS", tuple(json.loads(f"[{given[3]}]")))
    monkeypatch.setattr(definition, "DESCRIPTION", "Progression of diabetes")
    assert definition.wrong_metrics() == []
    training, register = parse(json.dumps(definition.definition(names()))).steps
    assert training.arguments["HyperParameters"]["objective"] == "reg:squarederror"
    assert register.arguments["ModelPackageDescription"] == "Progression of diabetes"
    assert {*register.arguments["CustomerMetadataProperties"]} == {"validation:rmse", "train:rmse", "data"}


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
