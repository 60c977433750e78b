"""git itself over HTTP, with user name and password as the AWS CLI's credential helper makes them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from localaws.cloud import Cloud, Session
from tests.support.authorization import REGION, A, allow, session

ROLE = [allow("codecommit:GitPull")]
NAMES = ["-c", "user.name=Ada", "-c", "user.email=a@b.c"]


def helper(by: Session, broken: str = "") -> str:
    """What `aws codecommit credential-helper` prints: a signature of the method GIT, in the name of the access key."""
    found = by.credentials
    signer: Any = SigV4Auth(
        ReadOnlyCredentials(found.access_key_id, found.secret_access_key, None), "codecommit", REGION
    )
    request: Any = AWSRequest(method="GIT", url="http://127.0.0.1/v1/repos/code")
    request.context["timestamp"] = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    canonical = "GIT\n/v1/repos/code\n\nhost:127.0.0.1\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    password = f"{request.context['timestamp']}Z{broken or signature}"
    user = f"{found.access_key_id}%{found.session_token}"
    return f"!f() {{ echo username={user}; echo password={password}; }}; f"


def git(by: Session, *words: str, folder: Path, broken: str = "") -> subprocess.CompletedProcess[str]:
    setting = ["-c", f"credential.helper={helper(by, broken)}", "-c", "credential.UseHttpPath=true"]
    variables = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
        "no_proxy": "*",
    }  # fmt: skip
    line = ["git", *setting, *NAMES, *words]
    return subprocess.run(line, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


def test_clone_and_push_with_the_callers_own_permissions(cloud: Cloud, tmp_path: Path) -> None:
    codecommit = cloud.root(A, REGION).client("codecommit")
    codecommit.create_repository(repositoryName="code")
    put = {"filePath": "a.txt", "fileContent": b"one"}
    codecommit.create_commit(repositoryName="code", branchName="main", putFiles=[put])
    url = f"{cloud.endpoint}/v1/repos/code"
    arn = f"arn:aws:codecommit:{REGION}:{A}:code"
    reader = session(cloud, "reader", allow("codecommit:GitPull", arn))
    topic = {"StringEqualsIfExists": {"codecommit:References": ["refs/heads/topic"]}}
    writer = session(
        cloud, "writer", allow("codecommit:GitPull", arn), allow("codecommit:GitPush", arn, Condition=topic)
    )
    assert "403" in git(reader, "clone", url, "wrong", folder=tmp_path, broken="0" * 64).stderr
    assert "403" in git(session(cloud, "other"), "clone", url, "wrong", folder=tmp_path).stderr
    done = git(reader, "clone", "--quiet", url, "work", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    work = tmp_path / "work"
    assert (work / "a.txt").read_text() == "one"

    (work / "b.txt").write_text("two")
    for line in (["checkout", "--quiet", "-b", "topic"], ["add", "b.txt"], ["commit", "--quiet", "-m", "Second"]):
        assert git(writer, *line, folder=work).returncode == 0
    assert "403" in git(reader, "push", "origin", "topic", folder=work).stderr
    assert "403" in git(writer, "push", "origin", "topic:main", folder=work).stderr
    assert codecommit.list_branches(repositoryName="code")["branches"] == ["main"]
    done = git(writer, "push", "--quiet", "origin", "topic", folder=work)
    assert done.returncode == 0, done.stderr
    pushed = codecommit.get_branch(repositoryName="code", branchName="topic")["branch"]["commitId"]
    assert pushed == git(writer, "rev-parse", "HEAD", folder=work).stdout.strip()
    shown = codecommit.get_file(repositoryName="code", commitSpecifier="topic", filePath="b.txt")
    assert shown["fileContent"] == b"two"
    log = [json.loads(line) for line in (cloud.folder / "requests.jsonl").read_text().splitlines()]
    pushes = {(one["principal"].split("/")[1], one["error"]) for one in log if one["operation"] == "GitPush"}
    assert pushes == {("reader", "AccessDeniedException"), ("writer", "AccessDeniedException"), ("writer", "")}


@pytest.mark.parametrize("user", ["", "stranger:nothing"])
def test_git_is_asked_for_credentials_or_refused(cloud: Cloud, user: str) -> None:
    url = (
        cloud.endpoint.replace("//", f"//{user}@" if user else "//")
        + "/v1/repos/code/info/refs?service=git-upload-pack"
    )
    done = subprocess.run(["curl", "-s", "-i", "--noproxy", "*", url], capture_output=True, text=True, timeout=30)
    assert done.stdout.split()[1] == ("403" if user else "401")
    assert ("Basic realm" in done.stdout) is not bool(user)
