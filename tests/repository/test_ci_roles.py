"""The kit's own CI: the roles of template 60 suffice, and no more; the workflow asks for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from awslang.principals import Principal
from localaws.cloud import Cloud, Session
from tests.support import ROOT
from tests.support.makefile import TARGETS
from tests.support.providers import provider_of, stack_context
from tests.support.publisher import REGION, A, Publisher
from tests.support.stacks import settled_stack
from tests.support.waiting import until

TEMPLATE = (ROOT / "templates/60-ci-roles.yaml").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [(name, step) for name, job in WORKFLOW["jobs"].items() for step in job["steps"]]
GITHUB = f"arn:aws:iam::{A}:oidc-provider/token.actions.githubusercontent.com"


@pytest.fixture
def publisher(cloud: Cloud, tmp_path: Path) -> Iterator[Publisher]:
    with pytest.MonkeyPatch.context() as patch:
        yield Publisher(cloud, tmp_path, patch)


def deploy(cloud: Cloud, purpose: str) -> dict[str, Any]:
    """Template 60 as a stack of the data science account; the stack."""
    client = cloud.root(A, REGION).client("cloudformation")
    given = {"GitHubRepository": "my-company/kit", "Purpose": purpose}
    client.create_stack(
        StackName="ci",
        TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = settled_stack(client, "ci")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return stack


def job(cloud: Cloud, role_arn: str) -> Session:
    """A session of the role, as GitHub's job has it (the trust is looked at in another test)."""
    name = role_arn.rsplit("/", 1)[1]
    arn = f"arn:aws:sts::{A}:assumed-role/{name}/GitHubActions"
    principal = Principal("role", A, arn, role_arn=role_arn, session_name="GitHubActions")
    return Session(cloud, cloud.issue(principal), REGION)


def test_the_publishers_role_publishes_and_publishes_again(publisher: Publisher) -> None:
    role = deploy(publisher.cloud, "publish")["Outputs"][0]["OutputValue"]
    publisher.sign_in(job(publisher.cloud, role))
    assert publisher() == 0
    publisher.change()
    assert publisher() == 0
    assert len(publisher.versions()) == 2
    assert publisher.writes_of() == []
    lines = [json.loads(line) for line in (publisher.cloud.folder / "requests.jsonl").read_text().splitlines()]
    assert [
        line["action"] for line in lines if "publisher/" in line["principal"] and line["decision"] == "denied"
    ] == []


def test_the_publishers_role_tags_what_it_publishes(publisher: Publisher) -> None:
    """Other tags than at the first time, so that a TagOption leaves the product, too."""
    product = publisher.tree / "templates/30-project.yaml"
    declared = "  OrganizationTags: {Type: String, Default: ''}\n"
    product.write_text(product.read_text().replace("Parameters:\n", f"Parameters:\n{declared}", 1))
    publisher.pack()
    publisher.sign_in(job(publisher.cloud, deploy(publisher.cloud, "publish")["Outputs"][0]["OutputValue"]))
    text = publisher.environment.read_text()
    for value in ("1", "2"):
        publisher.environment.write_text(f"{text}tags: {{cost-center: '{value}'}}\n")
        assert publisher() == 0
        assert publisher.writes_of() == []
        shown = publisher.root.client("servicecatalog").describe_product_as_admin(Name="Multi Account Deployment")
        assert [option["Value"] for option in shown["TagOptions"]] == [value]


def test_an_ou_that_the_publishers_role_cannot_look_up_is_an_error_and_no_other_version(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    """The role has nothing of Organizations: it once took an OU that is named by its path for none."""
    assert publisher() == 0
    text = publisher.environment.read_text()
    publisher.environment.write_text(text.replace("ou-ab12-stag1111", "multi-account-deployment/staging"))
    publisher.sign_in(job(publisher.cloud, deploy(publisher.cloud, "publish")["Outputs"][0]["OutputValue"]))
    before = publisher.requests()
    assert publisher() == 1
    said = capsys.readouterr().err
    assert "units.staging: the product allows this OU alone, and its id cannot be looked up here" in said
    assert "Write the id itself, such as ou-ab12-cdefgh34" in said
    assert not [name for name in publisher.requests()[len(before) :] if name.startswith(("Create", "Put", "Update"))]
    assert len(publisher.versions()) == 1


def test_the_publishers_role_takes_nothing_down(publisher: Publisher) -> None:
    assert publisher() == 0
    catalog = publisher.root.client("servicecatalog")
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]["Id"]
    product = catalog.search_products_as_admin()["ProductViewDetails"][0]["ProductViewSummary"]["ProductId"]
    session = job(publisher.cloud, deploy(publisher.cloud, "publish")["Outputs"][0]["OutputValue"])
    bucket = f"sagemaker-multi-account-bundle-{A}-{REGION}"
    key = publisher.root.client("s3").list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    refused: list[Callable[[], Any]] = [
        lambda: session.client("servicecatalog").delete_product(Id=product),
        lambda: session.client("servicecatalog").delete_portfolio(Id=portfolio),
        lambda: session.client("s3").delete_object(Bucket=bucket, Key=key),
        lambda: session.client("iam").list_roles(),
    ]
    for ask in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            ask()


def test_only_the_environment_of_the_repository_gets_a_role(cloud: Cloud) -> None:
    client = cloud.root(A, REGION).client("cloudformation")
    for purpose, name in (("publish", "publisher"), ("taskcat", "taskcat")):
        deploy(cloud, purpose)
        iam = cloud.root(A, REGION).client("iam")
        trust = iam.get_role(RoleName=f"sagemaker-multi-account-{name}")["Role"]["AssumeRolePolicyDocument"]
        [statement] = trust["Statement"]
        assert statement["Principal"] == {"Federated": GITHUB}
        assert statement["Condition"]["StringEquals"] == {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:my-company/kit:environment:{purpose}",
        }
        client.delete_stack(StackName="ci")
        until(lambda: not client.list_stacks(StackStatusFilter=["DELETE_IN_PROGRESS"])["StackSummaries"])
        assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_an_identity_provider_is_changed_in_place(cloud: Cloud) -> None:
    provider = provider_of("AWS::IAM::OIDCProvider")
    url = "https://token.actions.githubusercontent.com"
    old = {"Url": url, "ClientIdList": ["sts.amazonaws.com"], "ThumbprintList": ["b" * 40]}
    new = {**old, "ThumbprintList": ["a" * 40]}
    made = provider.create(stack_context(cloud), old)
    assert made.physical_id == GITHUB
    provider.update(stack_context(cloud), made.physical_id, old, new)
    shown = cloud.root(A, REGION).client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=GITHUB)
    assert shown["ClientIDList"] == ["sts.amazonaws.com"]
    assert shown["ThumbprintList"] == ["a" * 40]
    with pytest.raises(NotSupported, match="ClientIdList"):
        provider.update(stack_context(cloud), made.physical_id, new, {**new, "ClientIdList": ["other"]})
    provider.delete(stack_context(cloud), made.physical_id, new)
    provider.delete(stack_context(cloud), made.physical_id, new)


# -- the workflow ------------------------------------------------------------------------------


def test_every_action_is_pinned_by_its_commit() -> None:
    uses = [step["uses"] for _, step in STEPS if "uses" in step]
    assert len(uses) == 21
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use) for use in uses)


def test_only_the_jobs_that_need_aws_get_a_token_and_no_job_gets_a_key() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "aws-access-key-id" not in text
    assert WORKFLOW["permissions"] == {"contents": "read"}
    with_token = {name for name, one in WORKFLOW["jobs"].items() if one.get("permissions", {}).get("id-token")}
    assert with_token == {name for name, step in STEPS if "configure-aws-credentials" in step.get("uses", "")}
    for name in with_token:
        assert WORKFLOW["jobs"][name]["environment"] == name  # what template 60 trusts
        assert "_ROLE_ARN != ''" in WORKFLOW["jobs"][name]["if"]


def test_every_make_target_that_ci_runs_exists() -> None:
    build = yaml.safe_load((ROOT / "buildspec.yml").read_text())
    commands = [step["run"] for _, step in STEPS if step.get("run", "").startswith("make")]
    commands += build["phases"]["build"]["commands"]
    assert len(commands) == 13
    for command in commands:
        words = re.sub(r'ARGS="[^"]*"', "", command).split()
        assert words[0] == "make"
        assert set(words[1:]) <= set(TARGETS), command
