"""Script mode on the embedded AWS: a team's own script trains, and its own functions answer."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.containers import script_serve
from localaws.services.ecr.images import SKLEARN, XGBOOST
from localaws.services.sagemaker import script_mode, storage
from scripts.rehearsal.embedded import embedded_aws
from tests.support.sagemaker_world import BUCKET, channel, client, job, make_bucket, make_trainer, train
from tests.support.sagemaker_world import SKLEARN as IMAGE
from tests.support.waiting import until

TRAIN = """\
import argparse, json, os, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
parser.add_argument("-n", type=int)
given = parser.parse_args() if "SM_CHANNEL_TRAIN" in os.environ else None
rows = open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv")).read().split()
if given.rate < 0:
    raise ValueError(f"{len(rows)} rows with the rate {given.rate}")
for number in range(given.n):
    print(f"epoch {number}: loss={1 / (number + 1)};")
print(os.getcwd(), sorted(os.listdir()), os.environ["SM_HPS"], os.environ["OWN"])
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.json"), "w") as file:
    json.dump({"rows": len(rows)}, file)
shutil.copytree("/opt/ml/code", "/opt/ml/model/code")
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "seen.txt"), "w").write("all")
"""
SERVE = """\
import json, os
import helper
def model_fn(model_dir):
    print("loads", model_dir, os.environ["OWN"])
    return json.load(open(f"{model_dir}/model.json"))["rows"]
def predict_fn(data, model):
    if data.shape == (2,):
        raise ValueError("one row is no table")
    return data.sum(axis=1) + model
"""
HYPERPARAMETERS = {
    "sagemaker_program": '"train.py"',
    "sagemaker_submit_directory": f"s3://{BUCKET}/code/sourcedir.tar.gz",
    "sagemaker_region": '"us-east-1"',
    "rate": "0.5",
    "n": "3",
}
METRICS = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}, {"Name": "absent", "Regex": "accuracy=([0-9.]+)"}]


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def request(name: str, role: str, **changed: str) -> dict[str, Any]:
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": METRICS}
    more = {"InputDataConfig": [channel("train", "application/x-any")], "Environment": {"OWN": "variable"}}
    return job(name, role, AlgorithmSpecification=algorithm, HyperParameters=HYPERPARAMETERS | changed, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A bucket with a team's scripts, and one trained job."""
    with embedded_aws(tmp_path_factory.mktemp("scripts")) as running:
        role = make_trainer(running)
        make_bucket(running)
        files = archive(
            train_py=TRAIN, inference_py=SERVE, helper_py="", requirements_txt="numpy>=1\nscikit_learn # any\n"
        )
        client(running, "s3").put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=files)
        train(running, "first", role, **{k: v for k, v in request("first", role).items() if k != "TrainingJobName"})
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def role_of(world: Cloud) -> str:
    return str(client(world, "sagemaker").describe_training_job(TrainingJobName="first")["RoleArn"])


def said(world: Cloud, group: str, prefix: str) -> str:
    logs = client(world, "logs")
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"][0]["logStreamName"]
    return "\n".join(e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"])


def test_a_script_gets_its_arguments_and_variables_and_leaves_a_model(world: Cloud) -> None:
    shown = client(world, "sagemaker").describe_training_job(TrainingJobName="first")
    assert shown["TrainingJobStatus"] == "Completed", shown
    metrics = [(item["MetricName"], round(item["Value"], 4)) for item in shown["FinalMetricDataList"]]
    assert metrics == [("loss", 0.3333)]
    log = said(world, "/aws/sagemaker/TrainingJobs", "first/")
    assert "requirements.txt: numpy, scikit-learn are taken as they are installed" in log
    assert (
        "/opt/ml/code ['helper.py', 'inference.py', 'requirements.txt', 'train.py'] {\"n\":3,\"rate\":0.5} variable"
        in log
    )
    keys = [item["Key"] for item in client(world, "s3").list_objects_v2(Bucket=BUCKET, Prefix="models/")["Contents"]]
    assert keys == ["models/first/output/model.tar.gz", "models/first/output/output.tar.gz"]


def test_a_script_that_fails_says_why(world: Cloud) -> None:
    given = request("fails", role_of(world), rate="-1")
    name = given.pop("TrainingJobName")
    reason = train(world, name, given.pop("RoleArn"), **given)["FailureReason"]
    assert reason.startswith(
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "Traceback (most recent'
    )
    assert "ValueError: 75 rows with the rate -1.0" in reason
    assert 'Command "python3 train.py -n 3 --rate -1", exit code: 1' in reason
    given = request("absent", role_of(world), sagemaker_submit_directory=f"s3://{BUCKET}/code/none.tar.gz")
    name = given.pop("TrainingJobName")
    assert "The specified key does not exist" in train(world, name, given.pop("RoleArn"), **given)["FailureReason"]


def test_the_functions_of_a_model_answer_and_the_toolkit_adds_what_they_lack(world: Cloud) -> None:
    sagemaker = client(world, "sagemaker")
    url = sagemaker.describe_training_job(TrainingJobName="first")["ModelArtifacts"]["S3ModelArtifacts"]
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "OWN": "mine"}
    variables |= {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    broken = {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    for name, environment in (("sums", variables), ("broken", broken)):
        container = {"Image": IMAGE, "ModelDataUrl": url, "Environment": environment}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role_of(world))
        variant = {"VariantName": "All", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "ModelName": name}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    shown: Any = {}
    for name in ("sums", "broken"):
        shown[name] = settled(world, name)
    assert shown["sums"]["EndpointStatus"] == "InService", said(world, "/aws/sagemaker/Endpoints/sums", "All")
    assert "did not pass the ping health check" in shown["broken"]["FailureReason"]
    assert 'File "/opt/ml/code/train.py", line 6' in said(world, "/aws/sagemaker/Endpoints/broken", "All")
    assert "loads /opt/ml/model mine" in said(world, "/aws/sagemaker/Endpoints/sums", "All")
    runtime = client(world, "sagemaker-runtime")
    asked = {"EndpointName": "sums", "ContentType": "text/csv", "Body": b"1,2\n3,4\n"}
    assert json.loads(runtime.invoke_endpoint(**asked)["Body"].read()) == [78.0, 82.0]
    answer = runtime.invoke_endpoint(**asked, Accept="text/csv")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"78.0\n82.0\n", "text/csv")
    with pytest.raises(ClientError, match="500 Internal Server Error"):
        runtime.invoke_endpoint(**asked | {"Body": b"1,2\n"})
    assert "ValueError: one row is no table" in said(world, "/aws/sagemaker/Endpoints/sums", "All")


def settled(world: Cloud, name: str) -> dict[str, Any]:
    def look() -> Any:
        shown = client(world, "sagemaker").describe_endpoint(EndpointName=name)
        return shown if shown["EndpointStatus"] != "Creating" else None

    found: dict[str, Any] = until(look)
    return found


def test_jobs_that_cannot_run_are_refused(world: Cloud) -> None:
    given = request("none", role_of(world), sagemaker_program='""')
    with pytest.raises(ClientError, match="without a script"):
        client(world, "sagemaker").create_training_job(**given)


def test_hyperparameters_are_read_as_the_toolkit_reads_them() -> None:
    script = script_mode.of_job(
        {"HyperParameters": {"sagemaker_program": "a.py", "x": "plain", "m": '{"b": 1, "a": 2}'}}
    )
    assert script is not None
    assert script_mode.arguments(script.own) == ["-m", "a=2,b=1", "-x", "plain"]
    assert script_mode.of_job({"HyperParameters": {"rate": "1"}}) is None
    assert script_mode.of_model({"SAGEMAKER_PROGRAM": ""}) is None


def test_requirements_that_are_not_here_are_named(tmp_path: Path) -> None:
    assert script_mode.check_requirements(tmp_path, ()) == ""
    (tmp_path / "requirements.txt").write_text("# none\npandas==2.2\nscikit-learn\n")
    with pytest.raises(script_mode.NoScript, match="names pandas, which"):
        script_mode.check_requirements(tmp_path, ("scikit-learn",))


def test_links_that_lead_out_of_a_container_are_no_output(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("y")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    assert storage.files_in(tmp_path / "out") == [tmp_path / "out" / "file"]


def test_the_toolkits_formats() -> None:
    assert script_serve.decode(SKLEARN, "1,2\n", "text/csv").shape == (2,)
    assert script_serve.decode(SKLEARN, "[[1, 2]]", "application/json").tolist() == [[1.0, 2.0]]
    array = script_serve.decode(SKLEARN, "1,2\n3,4", "text/csv")
    assert script_serve.decode(SKLEARN, script_serve.encode(array, "application/x-npy"), "application/x-npy").shape == (
        2,
        2,
    )
    assert script_serve.encode(array[0], "text/csv") == "1.0\n2.0\n"
    with pytest.raises(script_serve.Unsupported):
        script_serve.decode(SKLEARN, b"", "image/png")
    with pytest.raises(script_serve.Unsupported):
        script_serve.decode(XGBOOST, b"", "image/png")
    with pytest.raises(script_serve.Unsupported):
        script_serve.encode(array, "image/png")
