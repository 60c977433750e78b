"""A team's own images, for which rehearsal-images.yaml names a stand-in: trained, used and deployed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from scripts.kit.console import UserError
from scripts.rehearsal import images_file, names
from tests.support.endpoints_setting import ask, make_config, make_model, settled, there
from tests.support.roles import EVERYTHING
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    OTHER,
    REGION,
    channel,
    client,
    job,
    make_bucket,
    make_key,
    make_trainer,
    share_group,
    train,
)

REPOSITORY = "team/sums"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:7"
PROGRAM = """\
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import extra

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        numbers = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"sum": sum(numbers) + MODEL["rows"], "version": extra.VERSION, "by": os.environ["BY"]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

print("runs", sys.argv[1:], "in", os.getcwd())
if sys.argv[1] == "train":
    given = json.load(open("/opt/ml/input/config/hyperparameters.json"))
    rows = open("/opt/ml/input/data/train/train.csv").read().split()
    if given["least"] > str(len(rows)):
        open("/opt/ml/output/failure", "w").write("too few rows")
        sys.exit(3)
    json.dump({"rows": len(rows)}, open("/opt/ml/model/model.json", "w"))
    print("loss=0.25;")
else:
    MODEL = json.load(open("/opt/ml/model/model.json"))
    HTTPServer(("0.0.0.0", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def write_images(folder: Path) -> Path:
    """The team's folder: a program, a wheel that it needs, and the file that names them."""
    (folder / "image").mkdir()
    (folder / "image" / "main.py").write_text(PROGRAM)
    wheel = folder / "extra-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("extra.py", "VERSION = '1.0'\n")
        packed.writestr("extra-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
        packed.writestr("extra-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr("extra-1.0.dist-info/RECORD", "")
    (folder / "requirements.txt").write_text(f"{wheel}\n")
    entry = "{entrypoint: [python3, main.py], folder: image, requirements: requirements.txt, environment: {BY: team}}"
    (folder / names.IMAGES).write_text(f"{REPOSITORY}: {entry}\n")
    return folder / names.IMAGES


def request(name: str, role: str, least: str) -> dict[str, Any]:
    metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": metrics}
    output = {"OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"}}
    inputs = {"InputDataConfig": [channel("train", "text/plain")]}
    return job(name, role, AlgorithmSpecification=algorithm, HyperParameters={"least": least}, **output, **inputs)


def test_an_own_image_trains_and_serves_in_another_account(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = make_trainer(cloud)
    make_trainer(cloud, "serving", OTHER)
    make_bucket(cloud, OTHER)
    sagemaker = client(cloud, "sagemaker")
    ecr = client(cloud, "ecr")
    with pytest.raises(ClientError, match=f"name in rehearsal-images.yaml what stands in for {REPOSITORY}"):
        sagemaker.create_training_job(**request("first", role, "1"))
    cloud.stand_ins = images_file.read(write_images(tmp_path))
    output = {"S3OutputPath": f"s3://{BUCKET}/models", "KmsKeyId": make_key(cloud, OTHER)}
    given = request("first", role, "1") | {"OutputDataConfig": output}
    shown = train(cloud, given.pop("TrainingJobName"), given.pop("RoleArn"), **given)
    assert shown["TrainingJobStatus"] == "Completed", shown
    assert [(item["MetricName"], item["Value"]) for item in shown["FinalMetricDataList"]] == [("loss", 0.25)]
    given = request("few", role, "9")
    failed = train(cloud, given.pop("TrainingJobName"), given.pop("RoleArn"), **given)
    assert failed["FailureReason"] == "AlgorithmError: too few rows, exit code: 3"

    sagemaker.create_model_package_group(ModelPackageGroupName="Iris")
    share_group(cloud, "Iris", OTHER)
    container = {"Image": IMAGE, "ModelDataUrl": shown["ModelArtifacts"]["S3ModelArtifacts"]}
    formats = {"SupportedContentTypes": ["application/json"], "SupportedResponseMIMETypes": ["application/json"]}
    sagemaker.create_model_package(
        ModelPackageGroupName="Iris",
        InferenceSpecification={"Containers": [container], **formats},
        ModelApprovalStatus="Approved",
    )
    make_model(cloud, "sums")
    make_config(cloud, "sums", "sums")
    there(cloud).create_endpoint(EndpointName="sums", EndpointConfigName="sums")
    assert "Failed to pull the image" in settled(cloud, "sums")["FailureReason"]
    ecr.create_repository(repositoryName=REPOSITORY)
    pulls = {**EVERYTHING, "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Sid": "Pull", "Action": "ecr:*"}
    pulls.pop("Resource")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [pulls]})
    ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    there(cloud).delete_endpoint(EndpointName="sums")
    there(cloud).create_endpoint(EndpointName="sums", EndpointConfigName="sums")
    assert settled(cloud, "sums")["EndpointStatus"] == "InService", settled(cloud, "sums")
    answer = ask(cloud, "sums", b"[1, 2]", ContentType="application/json")
    assert json.loads(answer["Text"]) == {"sum": 78, "version": "1.0", "by": "team"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "write repositories and what stands in for them"),
        ("a: [", "cannot be read"),
        ("111.dkr/a:1: {entrypoint: [x]}", "without registry and tag"),
        ("team/a: {entrypoint: [x], port: 1}", "and nothing else"),
        ("team/a: {entrypoint: x}", "must be a list of words"),
        ("team/a: {folder: .}", "entrypoint is missing"),
        ("team/a: {entrypoint: [x], folder: absent}", "absent does not exist"),
        ("team/a: {entrypoint: [x], environment: {A: 1}}", "must hold texts"),
        ("sagemaker-xgboost: {entrypoint: [x]}", "can only have more requirements"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_place_and_cure(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / names.IMAGES
    file.write_text(text)
    with pytest.raises(UserError, match=message) as refused:
        images_file.read(file)
    assert str(file) in str(refused.value)


def test_the_file_of_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert images_file.chosen(None) == {}
    Path(names.IMAGES).write_text("sagemaker-scikit-learn: {requirements: more.txt}")
    Path("more.txt").write_text("pandas\n")
    assert images_file.chosen(None)["sagemaker-scikit-learn"].requirements == tmp_path / "more.txt"
