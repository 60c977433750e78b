"""Links of the card into AWS's console: the execution, the report of the tests, the training job. Pure.

No page of AWS promises these addresses (docs/explanation/open-questions.md), so each link's text is the name itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipeline.executions import pipeline_name

# By partition (AWS Management Console Getting Started Guide; the guides of the other partitions).
HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def of(package: Mapping[str, Any], execution: str, project: Mapping[str, str], region: str) -> dict[str, str]:
    """Where the console shows what the card names, by what it is; without what is not known."""
    _, partition, _, _, account, _ = str(package["arn"]).split(":", 5)
    if partition not in HOSTS:
        return {}
    console = f"https://{HOSTS[partition]}"
    pipeline = pipeline_name(project["name"], project["id"])
    tests = f"sagemaker-{project['name']}-{project['id']}-test"
    found = {
        "execution": f"/codesuite/codepipeline/pipelines/{quote(pipeline)}/executions/{quote(execution)}/timeline",
        "tests": f"/codesuite/codebuild/{account}/projects/{quote(tests)}/history",
    }
    links = {name: f"{console}{path}?region={region}" for name, path in found.items()}
    if job := training_job(package):
        links["training-job"] = f"{console}/sagemaker/home?region={region}#/jobs/{quote(job)}"
    return links


def training_job(package: Mapping[str, Any]) -> str:
    """The name of the training job that the version says it comes from, "" for none."""
    said: str = package.get("origin", {}).get("training-job", "")
    return said.rpartition("/")[2]
