"""Processing jobs on the embedded AWS: a script really runs, alone and as a step of a pipeline."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import confinement
from localaws.cloud import Cloud
from localaws.services.sagemaker import pipeline_cache, pipeline_retries
from localaws.services.sagemaker.processing import LOG_GROUP, check_places, failure
from tests.support.roles import make_role
from tests.support.sagemaker_world import ACCOUNT, BUCKET, client, make_bucket, make_trainer, processing
from tests.support.waiting import until
from tests.support.zips import zip_of

SPLIT = """\
import json, os, sys, time
rows = open("/opt/ml/processing/input/data/train.csv").read().split()
with open("/opt/ml/processing/output/train/part.csv", "w") as file:
    file.write("\\n".join(rows[:5]))
job = json.load(open("/opt/ml/config/processingjobconfig.json"))
open("/opt/ml/output/message", "w").write(f"{job['ProcessingJobName']} read {len(rows)} rows")
who = ""
if os.environ["ASKED"] == "this":
    import boto3
    who = boto3.client("sts").get_caller_identity()["Arn"]
print("arguments", sys.argv[1:], "as", who, "sees", sorted(os.listdir("/opt/ml")), "and", os.environ["ASKED"])
time.sleep(float(os.environ.get("SLEEP", 0)))
"""
BAD = """\
def split(rows):
    raise ValueError(f"{len(rows)} rows are too few")
split([])
"""
EVALUATE = """\
import json, os
score = float(os.environ["SCORE"])
with open("/opt/ml/processing/output/evaluation/evaluation.json", "w") as file:
    json.dump({"multiclass": {"accuracy": [{"value": score}]}}, file)
"""


@pytest.fixture
def role(cloud: Cloud) -> str:
    make_bucket(cloud)
    for name, text in (("split", SPLIT), ("bad", BAD), ("evaluate", EVALUATE)):
        client(cloud, "s3").put_object(Bucket=BUCKET, Key=f"code/{name}.py", Body=text.encode())
    return make_trainer(cloud)


def request(role: str, script: str = "split.py", **changed: Any) -> dict[str, Any]:
    inputs = {"code": f"s3://{BUCKET}/code", "data": f"s3://{BUCKET}/data/train/"}
    return processing(role, script, inputs, "train", **{"Environment": {"ASKED": "this"}, **changed})


def process(cloud: Cloud, name: str, **given: Any) -> dict[str, Any]:
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_processing_job(ProcessingJobName=name, **given)

    def ended() -> Any:
        shown = sagemaker.describe_processing_job(ProcessingJobName=name)
        return shown if shown["ProcessingJobStatus"] in {"Completed", "Failed", "Stopped"} else None

    found: dict[str, Any] = until(ended)
    return found


def said(cloud: Cloud, name: str) -> str:
    logs = client(cloud, "logs")
    streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=streams[0]["logStreamName"])["events"]
    return "\n".join(event["message"] for event in events)


def test_a_script_reads_its_inputs_and_leaves_its_outputs(cloud: Cloud, role: str) -> None:
    application = request(role)["AppSpecification"] | {"ContainerArguments": ["--rows", "5"]}
    shown = process(cloud, "split-1", **request(role, AppSpecification=application, Tags=[{"Key": "a", "Value": "b"}]))
    assert (shown["ProcessingJobStatus"], shown["ExitMessage"]) == ("Completed", "split-1 read 75 rows"), shown
    found = client(cloud, "s3").get_object(Bucket=BUCKET, Key="out/train/part.csv")
    assert len(found["Body"].read().split()) == 5
    log = said(cloud, "split-1")
    assert "arguments ['--rows', '5']" in log
    assert f"assumed-role/{role.rsplit('/', 1)[1]}/" in log
    assert "sees ['config', 'output', 'processing'] and this" in log
    sagemaker = client(cloud, "sagemaker")
    assert sagemaker.list_tags(ResourceArn=shown["ProcessingJobArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = sagemaker.list_processing_jobs(StatusEquals="Completed")["ProcessingJobSummaries"]
    assert [job["ProcessingJobName"] for job in listed] == ["split-1"]
    [traced] = sagemaker.list_trial_components(SourceArn=shown["ProcessingJobArn"])["TrialComponentSummaries"]
    ends = [{f"{end}Arn": traced["TrialComponentArn"]} for end in ("Destination", "Source")]
    read, written = (sagemaker.list_associations(**end)["AssociationSummaries"] for end in ends)
    assert sorted(one["SourceType"] for one in read) == ["DataSet", "DataSet", "Image"]
    assert {one["AssociationType"] for one in written} == {"Produced"}
    with pytest.raises(ClientError, match="must be unique within an AWS account"):
        sagemaker.create_processing_job(ProcessingJobName="split-1", **request(role))
    with pytest.raises(ClientError, match="in status Completed"):
        sagemaker.stop_processing_job(ProcessingJobName="split-1")
    failed = process(cloud, "bad-1", **request(role, "bad.py", NetworkConfig={"EnableNetworkIsolation": True}))
    assert failed["FailureReason"].splitlines() == [
        "AlgorithmError: See job logs for more information, exit code: 1",
        "Traceback (most recent call last):",
        '  File "/opt/ml/processing/input/code/bad.py", line 3, in <module>',
        "    split([])",
        '  File "/opt/ml/processing/input/code/bad.py", line 2, in split',
        '    raise ValueError(f"{len(rows)} rows are too few")',
        "ValueError: 0 rows are too few",
    ]


def test_a_job_is_stopped_by_request_and_after_its_time(cloud: Cloud, role: str) -> None:
    slow = {"ASKED": "", "SLEEP": "600"}
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_processing_job(ProcessingJobName="slow-1", **request(role, Environment=slow))
    late = process(cloud, "slow-2", **request(role, Environment=slow, StoppingCondition={"MaxRuntimeInSeconds": 1}))
    assert late["ProcessingJobStatus"] == "Stopped"
    assert sagemaker.describe_processing_job(ProcessingJobName="slow-1")["ProcessingJobStatus"] == "InProgress"
    sagemaker.stop_processing_job(ProcessingJobName="slow-1")
    until(lambda: sagemaker.describe_processing_job(ProcessingJobName="slow-1")["ProcessingJobStatus"] == "Stopped")
    assert "Contents" not in client(cloud, "s3").list_objects_v2(Bucket=BUCKET, Prefix="out/")


def test_a_job_does_only_what_its_role_may(cloud: Cloud, role: str) -> None:
    reads = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "ecr:*"], "Resource": "*"}
    reader = make_role(cloud, "reader", "sagemaker", reads, account=ACCOUNT)
    shown = process(cloud, "reads", **request(reader, Environment={"ASKED": ""}))
    assert f'the role "{reader}" has "s3:PutObject"' in shown["FailureReason"]
    absent = request(role)
    absent["ProcessingInputs"][1]["S3Input"]["S3Uri"] = f"s3://{BUCKET}/nothing"
    assert "No S3 objects found" in process(cloud, "absent", **absent)["FailureReason"]
    alone = make_role(cloud, "alone", "sagemaker", reads | {"Action": ["s3:*"]}, account=ACCOUNT)
    assert "Cannot pull the image" in process(cloud, "alone", **request(alone))["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"S3DataType": "ManifestFile"}, "S3DataType ManifestFile"),
        ({"S3InputMode": "Pipe"}, "S3InputMode Pipe"),
        ({"S3CompressionType": "Gzip"}, "only be used with the S3InputMode Pipe"),
        ({"LocalPath": "/tmp/data"}, "must begin with /opt/ml/processing/"),
        ({"LocalPath": "/opt/ml/processing/input/code"}, "must be unique"),
        ({"S3Uri": "https://x"}, "must be an S3 URL"),
    ],
)
def test_inputs_that_cannot_be_are_refused(changed: dict[str, str], message: str) -> None:
    params = request("role")
    check_places(params)
    params["ProcessingInputs"][1]["S3Input"] |= changed
    with pytest.raises(Exception, match=message):
        check_places(params)


def test_a_reason_holds_the_end_of_a_long_log() -> None:
    assert failure(2, "") == "AlgorithmError: See job logs for more information, exit code: 2"
    reason = failure(1, "x" * 5000 + "\nthe last line\n")
    assert (len(reason), reason.splitlines()[-1]) == (1023, "the last line")


def steps(role: str) -> list[dict[str, Any]]:
    """Preprocess, Evaluate with a property file, and a condition on it."""
    evaluation = processing(role, "evaluate.py", {"code": f"s3://{BUCKET}/code"}, "evaluation")
    evaluation["Environment"] = {"SCORE": {"Get": "Parameters.Score"}, "ROWS": "x"}
    train = {"Get": "Steps.Preprocess.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}
    source = {"S3Uri": train, "LocalPath": "/opt/ml/processing/input/train", "S3DataType": "S3Prefix"}
    evaluation["ProcessingInputs"].append({"InputName": "train", "S3Input": source | {"S3InputMode": "File"}})
    accuracy = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Evaluation"},
            "Path": "multiclass.accuracy[0].value",
        }
    }
    refused = {"Std:Join": {"On": " ", "Values": ["accuracy", accuracy, "is below 0.9"]}}
    bounds = {"Type": "GreaterThanOrEqualTo", "LeftValue": accuracy, "RightValue": 0.9}
    fail = {"Name": "Refused", "Type": "Fail", "Arguments": {"ErrorMessage": refused}}
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    retries = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "MaxAttempts": 2}]
    file = {"PropertyFileName": "Evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"}
    more = {"RetryPolicies": retries, "PropertyFiles": [file], **cached}
    return [
        {"Name": "Preprocess", "Type": "Processing", "Arguments": request(role), **cached},
        {"Name": "Evaluate", "Type": "Processing", "Arguments": evaluation, **more},
        {
            "Name": "Bounds",
            "Type": "Condition",
            "Arguments": {"Conditions": [bounds], "IfSteps": [], "ElseSteps": [fail]},
        },
        {
            "Name": "After",
            "Type": "Processing",
            "Arguments": processing(role, "bad.py", {"code": f"s3://{BUCKET}/code"}),
            "DependsOn": ["Bounds"],
        },
    ]


def execute(cloud: Cloud, **parameters: str) -> dict[str, Any]:
    sagemaker = client(cloud, "sagemaker")
    given = [{"Name": name, "Value": value} for name, value in parameters.items()]
    arn = sagemaker.start_pipeline_execution(PipelineName="all", PipelineParameters=given)["PipelineExecutionArn"]
    shown = sagemaker.describe_pipeline_execution
    until(lambda: shown(PipelineExecutionArn=arn)["PipelineExecutionStatus"] != "Executing")
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {"Arn": arn} | {step["StepName"]: step for step in listed}


def test_a_pipeline_hands_outputs_on_decides_by_a_property_file_and_takes_over_what_is_the_same(
    cloud: Cloud, role: str
) -> None:
    text = json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Score", "Type": "String", "DefaultValue": "0.95"}],
            "Steps": steps(role),
        }
    )
    client(cloud, "sagemaker").create_pipeline(PipelineName="all", PipelineDefinition=text, RoleArn=role)
    first = execute(cloud)
    assert first["Bounds"]["Metadata"]["Condition"]["Outcome"] == "True", first
    assert "ValueError: 0 rows are too few" in first["After"]["FailureReason"]
    second = execute(cloud, Score="0.5")
    assert second["Preprocess"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first["Arn"]}
    assert second["Preprocess"]["Metadata"] == first["Preprocess"]["Metadata"]
    assert "CacheHitResult" not in second["Evaluate"]
    assert second["Refused"]["FailureReason"] == "accuracy 0.5 is below 0.9"
    assert "After" not in second


def test_a_function_gets_the_arguments_of_its_step_and_gives_outputs(cloud: Cloud, role: str) -> None:
    functions = client(cloud, "lambda")
    code = "def handler(event, context):\n    return {'doubled': event['n'] * 2} if event['n'] else 1 / 0\n"
    trusted = make_role(cloud, "function", "lambda", account=ACCOUNT)
    arn = functions.create_function(
        FunctionName="double",
        Runtime="python3.12",
        Handler="index.handler",
        Role=trusted,
        Code={"ZipFile": zip_of({"index.py": code})},
    )["FunctionArn"]
    until(lambda: functions.get_function(FunctionName="double")["Configuration"]["State"] == "Active")
    double = {
        "Name": "Double",
        "Type": "Lambda",
        "FunctionArn": arn,
        "Arguments": {"n": {"Get": "Parameters.N"}},
        "OutputParameters": [{"OutputName": "doubled", "OutputType": "Integer"}],
    }
    doubled = {"Get": "Steps.Double.OutputParameters['doubled']"}
    fail = {"Name": "Says", "Type": "Fail", "Arguments": {"ErrorMessage": doubled}}
    parameters = [{"Name": "N", "Type": "Integer", "DefaultValue": 21}]
    text = json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [double, fail]})
    client(cloud, "sagemaker").create_pipeline(PipelineName="all", PipelineDefinition=text, RoleArn=role)
    assert execute(cloud)["Says"]["FailureReason"] == "42"
    assert "ZeroDivisionError" in execute(cloud, N="0")["Double"]["FailureReason"]


def test_ages_of_runs_and_policies_of_retries_are_read_as_aws_writes_them() -> None:
    config = {"Enabled": True, "ExpireAfter": "p1dT2h"}
    assert pipeline_cache.seconds("A", "Training", config) == 93_600
    cache = pipeline_cache.Cache()
    cache.keep("key", pipeline_cache.Run(-1e9, "arn", {}, {}))
    assert cache.find("key", 93_600) is None
    policy = pipeline_retries.read("A", "Training", [{"ExceptionType": ["Step.THROTTLING"], "ExpireAfterMin": 1}])[0]
    assert [policy.allows(99, 59), policy.allows(0, 61)] == [True, False]
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "CreateTrainingJob")
    assert pipeline_retries.of_error(error) == "Step.THROTTLING"
    assert pipeline_retries.of_reason("InternalServerError: x") == "SageMaker.JOB_INTERNAL_ERROR"


def test_where_there_are_no_rooms_paths_are_rewritten_and_read_as_on_aws(
    cloud: Cloud, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "problem", lambda: "only Linux has namespaces")
    shown = process(cloud, "split-1", **request(role))
    assert shown["ProcessingJobStatus"] == "Completed", shown
    assert (
        'File "/opt/ml/processing/input/code/bad.py"'
        in process(cloud, "bad", **request(role, "bad.py"))["FailureReason"]
    )
