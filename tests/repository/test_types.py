"""boto3-stubs check the requests of the kit, of the pipeline and of the seed code: a misspelt one fails mypy.

That the product runs without the stubs is for test_dependencies.py: it imports nothing that it does not depend on.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

HEAD = """\
import boto3
from pipeline.clients import AccountClients, Clients
from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.organization.state import write
from scripts.kit.teardown.parts import removal
def requests(connection: Connection, clients: Clients, tester: AccountClients, session: boto3.Session) -> None:
"""
WRONG = {  # a request: the code of mypy's error, and the name that it concerns
    'connection.client("cloudformation").describe_stackz(StackNam="x")': ("attr-defined", "describe_stackz"),
    'connection.client("cloudformation").describe_stacks(StackNam="x")': ("call-arg", "StackNam"),
    'connection.client("cloudfront")': ("call-overload", "__call__"),
    'if_there(connection.client("cloudformation").describe_stacks, StackNam="x")': ("call-arg", "StackNam"),
    'removal(connection.client("s3").delete_bucket, Buckett="x")': ("call-arg", "Buckett"),
    'write(connection.client("organizations").create_account, AccountNam="x")': ("call-arg", "AccountNam"),
    'pages("cloudformation", "list_stacks", "StackSummaries")': ("arg-type", "pages"),
    'clients("sagemaker", "eu-west-1").describe_modelz(ModelName="x")': ("attr-defined", "describe_modelz"),
    'clients("cloudformation", "eu-west-1").describe_stacks(StackNam="x")': ("call-arg", "StackNam"),
    'tester("sagemaker-runtime").invoke_endpoint(EndpointNam="x")': ("call-arg", "EndpointNam"),
    'session.client("sagemaker").describe_projekt(ProjectName="x")': ("attr-defined", "describe_projekt"),
}
RIGHT = (
    'connection.client("cloudformation", "eu-west-1").describe_stacks(StackName="x")["Stacks"][0]["StackStatus"]',
    'if_there(connection.client("cloudformation").describe_stacks, StackName="x")',
    'removal(connection.client("s3").delete_bucket, Bucket="x")',
    'write(connection.client("organizations").create_account, AccountName="x", Email="y")',
    'pages(connection.client("cloudformation"), "list_stacks", "StackSummaries")',
    'clients("sagemaker", "eu-west-1").describe_model(ModelName="x")',
    'tester("sagemaker-runtime").invoke_endpoint(EndpointName="x", Body=b"")',
    'session.client("sagemaker").describe_project(ProjectName="x")',
)


@pytest.mark.slow  # about 15 seconds where the cache of mypy is empty
def test_a_request_that_aws_does_not_know_fails_mypy_and_the_right_ones_pass(tmp_path: Path) -> None:
    requests = [*WRONG, *RIGHT]
    file = tmp_path / "requests_of_a_test.py"
    file.write_text(HEAD + "".join(f"    {request}\n" for request in requests), encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", str(file)]  # with the settings and the cache of `make lint`
    shown = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = re.findall(rf"{file.name}:(\d+): error: (.*)  \[([a-z-]+)\]", shown.stdout)
    first = HEAD.count("\n") + 1
    found = {requests[int(line) - first]: (code, text) for line, text, code in errors}
    assert {request: code for request, (code, _) in found.items()} == {r: code for r, (code, _) in WRONG.items()}
    assert [request for request, (_, name) in WRONG.items() if name not in found[request][1]] == []
    assert shown.stdout.endswith(f"Found {len(WRONG)} errors in 1 file (checked 1 source file)\n")
