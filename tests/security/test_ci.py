"""A workflow of GitHub that is not the protected environment: its token gets no role of template 60.

The embedded AWS has no identity provider of GitHub; the trust policies of the stack are decided for the token's claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from awslang.policy.document import parse
from localaws.cloud import Session
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.stacks import settled_stack
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
TEMPLATE = (ROOT / "templates/60-ci-roles.yaml").read_text(encoding="utf-8")
ROLES = {"publish": "sagemaker-multi-account-publisher", "taskcat": "sagemaker-multi-account-taskcat"}
WITH_IDS = "my-company@1234567/kit@7654321"
STRANGERS = {
    "a branch": "repo:my-company/kit:ref:refs/heads/main",
    "a tag without the environment": "repo:my-company/kit:ref:refs/tags/v1.0.0",
    "a pull request": "repo:my-company/kit:pull_request",
    "another environment": "repo:my-company/kit:environment:try",
    "an environment whose name goes on": "repo:my-company/kit:environment:{purpose}-2",
    "a fork": "repo:stranger/kit:environment:{purpose}",
    "another repository": "repo:my-company/website:environment:{purpose}",
    "the name, taken over by a new repository": "repo:my-company@99/kit@98:environment:{purpose}",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with embedded_aws(tmp_path_factory.mktemp("ci")) as cloud:
        yield cloud.root(ACCOUNT, REGION)
    assert not cloud.faults, cloud.faults


def trust(root: Session, purpose: str, **more: str) -> dict[str, Any]:
    """The trust policy of the role that template 60 makes for the purpose."""
    client = root.client("cloudformation")
    given = {"GitHubRepository": "my-company/kit", "Purpose": purpose, **more}
    client.create_stack(
        StackName="ci",
        TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    assert settled_stack(client, "ci")["StackStatus"] == "CREATE_COMPLETE"
    found = root.client("iam").get_role(RoleName=ROLES[purpose])["Role"]["AssumeRolePolicyDocument"]
    client.delete_stack(StackName="ci")
    until(lambda: not client.list_stacks(StackStatusFilter=["DELETE_IN_PROGRESS"])["StackSummaries"])
    return dict(found)


def lets_in(document: dict[str, Any], subject: str, audience: str = "sts.amazonaws.com") -> bool:
    """Whether one of the statements holds for a token with these claims."""
    claims = {
        "token.actions.githubusercontent.com:sub": (subject,),
        "token.actions.githubusercontent.com:aud": (audience,),
    }
    statements = parse(json.dumps(document), "trust", ACCOUNT, "trust").statements
    return any(all(test.holds(claims, True) for test in one.conditions) for one in statements)


def with_pattern(document: dict[str, Any], pattern: str) -> dict[str, Any]:
    """The trust as it is often written: a pattern for the subject, and no audience."""
    (statement,) = document["Statement"]
    conditions = {"StringLike": {"token.actions.githubusercontent.com:sub": pattern}}
    return {**document, "Statement": [{**statement, "Condition": conditions}]}


@pytest.mark.parametrize("purpose", ROLES)
def test_a_workflow_outside_the_protected_environment_gets_no_role(root: Session, purpose: str) -> None:
    document = trust(root, purpose)
    assert lets_in(document, f"repo:my-company/kit:environment:{purpose}")
    for which, subject in STRANGERS.items():
        assert not lets_in(document, subject.format(purpose=purpose)), which
        assert lets_in(with_pattern(document, "repo:*"), subject.format(purpose=purpose)), which
    assert not lets_in(document, f"repo:my-company/kit:environment:{purpose}", "https://github.com/my-company")


@pytest.mark.parametrize("purpose", ROLES)
def test_a_repository_that_takes_over_the_name_gets_no_role_where_ids_are_given(root: Session, purpose: str) -> None:
    document = trust(root, purpose, GitHubSubject=WITH_IDS)
    assert lets_in(document, f"repo:{WITH_IDS}:environment:{purpose}")
    subjects = [f"repo:my-company/kit:environment:{purpose}", f"repo:my-company@99/kit@98:environment:{purpose}"]
    for subject in subjects:
        assert not lets_in(document, subject), subject
        assert lets_in(with_pattern(document, f"repo:my-company*/kit*:environment:{purpose}"), subject), subject
