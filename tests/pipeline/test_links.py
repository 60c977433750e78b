from __future__ import annotations

import pytest

from pipeline.links import of

PROJECT = {"name": "iris", "id": "p-1"}
JOB = "arn:aws:sagemaker:us-east-1:1:training-job/pipelines-x-Train-y"


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "https://console.aws.amazon.com"),
        ("aws-cn", "https://console.amazonaws.cn"),
        ("aws-us-gov", "https://console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_of_the_partition_shows_execution_tests_and_training(partition: str, host: str) -> None:
    arn = f"arn:{partition}:sagemaker:r-1:111111111111:model-package/iris/1"
    package = {"arn": arn, "origin": {"training-job": JOB}}
    pipeline = f"{host}/codesuite/codepipeline/pipelines/sagemaker-iris-p-1-deploy"
    assert of(package, "run-1", PROJECT, "r-1") == {
        "execution": f"{pipeline}/executions/run-1/timeline?region=r-1",
        "tests": f"{host}/codesuite/codebuild/111111111111/projects/sagemaker-iris-p-1-test/history?region=r-1",
        "training-job": f"{host}/sagemaker/home?region=r-1#/jobs/pipelines-x-Train-y",
    }


def test_what_a_version_says_leads_nowhere_else_and_an_unknown_partition_nowhere() -> None:
    package = {"arn": "arn:aws:sagemaker:r-1:1:model-package/iris/1", "origin": {"training-job": 'x"><script>&a=b#c'}}
    assert of(package, "run-1", PROJECT, "r-1")["training-job"].endswith("#/jobs/x%22%3E%3Cscript%3E%26a%3Db%23c")
    assert of({"arn": "arn:aws-other:sagemaker:r-1:1:model-package/iris/1"}, "run-1", PROJECT, "r-1") == {}
