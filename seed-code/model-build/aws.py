"""What start.py and approve.py share: arguments, the AWS session, the project, how errors are reported."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from steps.common import UserError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def say(message: str) -> None:
    """One line of progress, on stderr; stdout is for data."""
    print(message, file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--project", required=True, help="the SageMaker project's name")
    made.add_argument("--profile", help="AWS profile of the data science account (default: the environment's)")
    made.add_argument("--region", help="AWS Region (default: the profile's)")
    made.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return made


def session(args: argparse.Namespace) -> boto3.Session:
    made = boto3.Session(profile_name=args.profile, region_name=args.region)
    if not made.region_name:
        raise UserError("no AWS Region: give --region, or set AWS_DEFAULT_REGION")
    return made


def project_id(sagemaker: SageMakerClient, name: str) -> str:
    """The id that SageMaker gave to the project, for example p-abcdef123456."""
    try:
        return str(sagemaker.describe_project(ProjectName=name)["ProjectId"])
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            raise UserError(f"there is no SageMaker project {name} in this account and Region") from error
        raise


def show(outcome: dict[str, Any], as_json: bool) -> None:
    """The outcome, on stdout."""
    if as_json:
        print(json.dumps(outcome, indent=2, default=str))
    else:
        for name, value in outcome.items():
            print(f"{name}: {value}")


def run(main: Callable[[], int]) -> int:
    """The exit code of main(); no traceback for what the user or AWS got wrong."""
    try:
        return main()
    except UserError as error:
        for line in str(error).splitlines():
            say(f"error: {line}")
    except ClientError as error:
        answer = error.response["Error"]
        say(f"error: {error.operation_name}: {answer['Code']}: {answer['Message']}")
    except BotoCoreError as error:
        say(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted: what was started goes on in AWS")
        return 130
    return 1
