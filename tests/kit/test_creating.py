"""Creating a project: which version, what is refused before anything is asked for, and what a failure says."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.projects import creating
from scripts.kit.publish.versions import CATALOG, S3, BundleVersion
from scripts.kit.settings.model import Catalog
from tests.support.fake_services import ACCOUNT, REGION, Fake, error

PRODUCT = Catalog(portfolio="Ours", product="Multi Account Deployment", owner="ml", principals=())
NAME = "iris-1"
PARAMETERS = [
    {"ParameterKey": "SageMakerProjectName", "ParameterType": "String"},
    {
        "ParameterKey": "BuildCompute",
        "ParameterType": "String",
        "DefaultValue": "ec2",
        "ParameterConstraints": {"AllowedValues": ["ec2"], "AllowedPattern": ""},
    },
    {"ParameterKey": "DeployRepositoryName", "ParameterType": "String", "DefaultValue": ""},
]


def artifact(id: str, day: int, guidance: str = "DEFAULT") -> dict[str, Any]:
    return {"Id": id, "Name": f"0.{day}", "CreatedTime": datetime(2026, 1, day, tzinfo=UTC), "Guidance": guidance}


def catalog(**operations: Any) -> Fake:
    product = {
        "ProductViewSummary": {"ProductId": "prod-1"},
        "ProvisioningArtifacts": [artifact("pa-1", 1), artifact("pa-3", 3, "DEPRECATED"), artifact("pa-2", 2)],
        "LaunchPaths": [{"Id": "lp-0", "Name": "Theirs"}, {"Id": "lp-1", "Name": "Ours"}],
    }
    shown = {"ProvisioningArtifactParameters": PARAMETERS}
    return Fake(**{"describe_product": product, "describe_provisioning_parameters": shown, **operations})


def connection(**clients: Fake) -> Connection:
    found: Any = SimpleNamespace(account=ACCOUNT, region=REGION, partition="aws", client=clients.__getitem__)
    return found  # type: ignore[no-any-return]  # as much of a connection as is asked for here


def offer() -> creating.Offer:
    return creating.in_catalog(connection(servicecatalog=catalog()), PRODUCT)


def project(status: str, **more: Any) -> dict[str, Any]:
    return {"ProjectName": NAME, "ProjectId": "p-1", "ProjectStatus": status, **more}


def sagemaker(*statuses: str, **operations: Any) -> Fake:
    """Whose project has one status after the other."""
    left = list(statuses)

    def describe(**_: Any) -> dict[str, Any]:
        return project(left.pop(0) if len(left) > 1 else left[0])

    other = {"ProjectName": f"{NAME}-other", "ProjectStatus": "CreateCompleted"}
    listed = [{"ProjectSummaryList": [other, *[project(status) for status in statuses[:1]]]}]
    return Fake(**{"list_projects": listed, "describe_project": describe, **operations})


def test_the_newest_current_version_of_the_product_is_asked_for_through_the_kits_portfolio() -> None:
    asked = creating.request(NAME, offer(), {"BuildCompute": "ec2"}, {"team": "ml"})
    assert asked == {
        "ProjectName": NAME,
        "ServiceCatalogProvisioningDetails": {
            "ProductId": "prod-1",
            "ProvisioningArtifactId": "pa-2",
            "PathId": "lp-1",
            "ProvisioningParameters": [{"Key": "BuildCompute", "Value": "ec2"}],
        },
        "Tags": [{"Key": "team", "Value": "ml"}],
    }


def test_a_template_in_s3_is_asked_for_without_an_empty_list_of_parameters() -> None:
    source = {"TemplateName": "t", "TemplateURL": "https://b/t.yaml", "RoleARN": "arn"}
    made = creating.request(NAME, creating.Offer(S3, BundleVersion("0.1", "", {}, ""), {}, source), {}, {})
    assert made == {"ProjectName": NAME, "TemplateProviders": [{"CfnTemplateProvider": source}]}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BuildComput", "ec2", "no such parameter that can be set .did you mean BuildCompute"),
        ("SageMakerProjectName", "x", "no such parameter that can be set"),
        ("BuildCompute", "lambda", r"does not take lambda: it must be one of AllowedValues \(ec2\)"),
    ],
)
def test_a_value_that_the_version_does_not_take_is_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        creating.check(offer(), {name: value})


def test_a_parameter_without_a_value_is_named() -> None:
    lacking = {"Owner": {"Type": "String"}}
    bare = creating.Offer(CATALOG, BundleVersion("0.1", "", {}, ""), lacking, {})
    with pytest.raises(UserError, match="--set Owner=VALUE"):
        creating.check(bare, {})
    creating.check(bare, {"Owner": "me"})


@pytest.mark.parametrize("status", ["CreateCompleted", "UpdateFailed", "DeleteInProgress"])
def test_a_project_that_exists_is_refused_with_its_status(status: str) -> None:
    known = connection(sagemaker=sagemaker(status))
    with pytest.raises(UserError, match=f"{NAME} exists already in account {ACCOUNT}, {REGION} .p-1, {status}"):
        creating.check_free(known, NAME, creating.there(known, NAME))


@pytest.mark.parametrize("statuses", [(), ("DeleteCompleted",)])
def test_a_name_is_free_where_only_a_longer_one_or_a_deleted_project_has_it(statuses: tuple[str, ...]) -> None:
    known = connection(sagemaker=sagemaker(*statuses))
    assert creating.there(known, NAME) is None
    creating.check_free(known, NAME, None)


def test_a_project_that_is_being_created_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.kit.patience.time.sleep", lambda _: None)
    taken = error("CreateProject", "ValidationException", "Project iris-1 already exists.")
    known = connection(sagemaker=sagemaker("Pending", "Pending", "CreateInProgress", "CreateCompleted",
                                           create_project=taken))  # fmt: skip
    creating.create(known, {"ProjectName": NAME})  # whose first answer was lost
    assert creating.wait(known, NAME)["ProjectStatus"] == "CreateCompleted"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("CreateCompleted", "ValidationException"), ("Pending", "AccessDeniedException")],
)
def test_a_request_that_is_refused_is_no_project_to_follow(status: str, refusal: str) -> None:
    refused = error("CreateProject", refusal, "no")
    with pytest.raises(type(refused), match=refusal):
        creating.create(connection(sagemaker=sagemaker(status, create_project=refused)), {"ProjectName": NAME})


def test_a_failure_has_the_reasons_of_the_record_and_of_the_stack(capsys: pytest.CaptureFixture[str]) -> None:
    details = {"ProvisionedProductId": "pp-1", "ProvisionedProductStatusMessage": "it failed"}
    shown = project("CreateFailed", ServiceCatalogProvisionedProductDetails=details)
    records = {
        "describe_provisioned_product": {"ProvisionedProductDetail": {"LastRecordId": "rec-1"}},
        "describe_record": {"RecordDetail": {"RecordErrors": [{"Description": "no such OU"}]}},
    }
    event = {
        "EventId": "1", "StackId": "s", "PhysicalResourceId": "b", "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "taken",
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    events = Fake(describe_stack_events=[{"StackEvents": [event]}])
    said = str(creating.failure(connection(servicecatalog=catalog(**records), cloudformation=events), NAME, shown))
    assert events.called("describe_stack_events")[0]["StackName"] == f"SC-{ACCOUNT}-pp-1"
    assert [said.count(words) for words in ("it failed", "no such OU", "Bucket", "taken")] == [1, 1, 1, 1]
    assert f"make teardown PROJECT={NAME}" in said
    hidden = Fake(describe_stack_events=error("DescribeStackEvents", "AccessDenied", "not you"))
    said = str(creating.failure(connection(servicecatalog=catalog(**records), cloudformation=hidden), NAME, shown))
    assert "no such OU" in said
    assert "as the ML engineer" in said
    assert "not you" in capsys.readouterr().err


def test_repositories_at_a_git_provider_have_the_names_that_the_project_was_given() -> None:
    settings: Any = SimpleNamespace(source=SimpleNamespace(provider="connection", repository_owner="us"))
    given = {"ProvisioningParameters": [{"Key": "DeployRepositoryName", "Value": "how-we-deploy"}]}
    shown = project("CreateCompleted", ServiceCatalogProvisioningDetails=given)
    found = creating.repositories(connection(), settings, NAME, shown)
    assert found == {"Deploy": "us/how-we-deploy", "Training": f"us/{NAME}-modelbuild"}
