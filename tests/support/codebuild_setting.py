"""A project and its builds, for the tests of CodeBuild."""

from __future__ import annotations

import textwrap
from typing import Any

from localaws.cloud import Session
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def project(buildspec: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "name": "maker",
        "source": {"type": "NO_SOURCE", "buildspec": textwrap.dedent(buildspec) or "version: 0.2\nphases: {}\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": f"arn:aws:iam::{ACCOUNT}:role/service-role/builder",
        **changes,
    }


def finish(root: Session, build_id: str) -> dict[str, Any]:
    codebuild = root.client("codebuild")
    until(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["buildComplete"])
    return dict(codebuild.batch_get_builds(ids=[build_id])["builds"][0])


def build(root: Session, buildspec: str, start: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(buildspec, **changes))
    return finish(root, codebuild.start_build(projectName="maker", **(start or {}))["build"]["id"])


def log(root: Session, build: dict[str, Any]) -> str:
    logs = build["logs"]
    answer = root.client("logs").get_log_events(
        logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
    )
    return "\n".join(event["message"] for event in answer["events"])


def phase(build: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in build["phases"] if item["phaseType"] == name)
    return found


def statuses(build: dict[str, Any]) -> dict[str, str]:
    return {item["phaseType"]: item.get("phaseStatus", "") for item in build["phases"]}
