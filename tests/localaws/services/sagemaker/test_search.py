"""Search on the embedded AWS (SageMaker API Reference, "Search", "Filter", "NestedFilters", "SearchExpression")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import base, models, training
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import allow, check_refused, session
from tests.support.corrections_world import World
from tests.support.sagemaker_world import ACCOUNT, OTHER, REGION, client, specification

MODEL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/served"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Three versions in two groups, one of them approved, and two training jobs with a metric each."""
    with embedded_aws(tmp_path_factory.mktemp("search")) as cloud:
        sagemaker = client(cloud, "sagemaker")
        for group, team in (("iris", "a"), ("wine", "b")):
            sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "team", "Value": team}])
        for group in ("iris", "iris", "wine"):
            sagemaker.create_model_package(
                ModelPackageGroupName=group,
                InferenceSpecification=specification("s3://models/m.tar.gz"),
                CustomerMetadataProperties={"data.rows": "150"},
            )
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/iris/1"
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        World(cloud).endpoint("ml.m5.large")
        cloud.state(models.Models, ACCOUNT, REGION).by_name["served"] = models.Model(
            {"ModelName": "served", "ModelArn": MODEL, "CreationTime": base.now()}, models.Container("", "", {})
        )
        jobs = cloud.state(training.TrainingJobs, ACCOUNT, REGION).by_name
        for name, value, rate in (("coarse", 0.25, "0.9"), ("fine", 0.125, "0.05")):
            job: dict[str, Any] = {
                "TrainingJobName": name,
                "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}",
                "TrainingJobStatus": "Completed",
                "CreationTime": base.now(),
                "HyperParameters": {"eta": rate},
                "EnableNetworkIsolation": False,
                "FinalMetricDataList": [{"MetricName": "validation:merror", "Value": value, "Timestamp": base.now()}],
                "InputDataConfig": [
                    {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": f"s3://data/{name}/train"}}},
                    {"ChannelName": "test", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/coarse/test"}}},
                ],
            }
            jobs[name] = training.Job(job)
            base.put_tags(cloud, job["TrainingJobArn"], [{"Key": "kind", "Value": name}])
        yield cloud


def found(cloud: Cloud, resource: str, *filters: dict[str, str], **more: Any) -> list[str]:
    """The last part of each ARN that the search finds."""
    expression = {"SearchExpression": {"Filters": list(filters)}} if filters else {}
    answer = client(cloud, "sagemaker").search(Resource=resource, **expression, **more)
    return [next(iter(one.values()))[f"{resource}Arn"].split("/", 1)[1] for one in answer["Results"]]


def by(name: str, operator: str, value: str = "") -> dict[str, str]:
    return {"Name": name, "Operator": operator} | ({"Value": value} if value else {})


def test_each_operator_of_a_filter(searched: Cloud) -> None:
    approved = by("ModelApprovalStatus", "Equals", "Approved")
    assert found(searched, "ModelPackage", approved) == ["iris/1"]
    assert found(searched, "ModelPackage", {"Name": "ModelPackageGroupName", "Value": "wine"}) == ["wine/1"]
    assert found(searched, "ModelPackage", by("ModelPackageVersion", "GreaterThan", "1")) == ["iris/2"]
    assert found(searched, "ModelPackage", by("ModelPackageGroupName", "In", "wine,beer")) == ["wine/1"]
    assert found(searched, "ModelPackage", by("CustomerMetadataProperties.data.rows", "NotEquals", "150")) == []
    assert found(searched, "ModelPackage", by("CreationTime", "LessThan", "2020-01-01T00:00:00")) == []
    assert len(found(searched, "ModelPackage", by("CreationTime", "GreaterThan", "2020-01-01T00:00:00Z"))) == 3
    assert found(searched, "ModelPackageGroup", by("Tags.team", "Equals", "b")) == ["wine"]
    assert found(searched, "ModelPackageGroup", by("Tags.nothing", "NotExists")) == ["wine", "iris"]
    assert found(searched, "TrainingJob", by("TrainingJobName", "Contains", "ars")) == ["coarse"]
    assert found(searched, "TrainingJob", by("Metrics.validation:merror", "LessThan", "0.2")) == ["fine"]
    assert found(searched, "TrainingJob", by("HyperParameters.eta", "GreaterThan", "0.5")) == ["coarse"]
    assert found(searched, "TrainingJob", by("HyperParameters.eta", "GreaterThanOrEqualTo", "1")) == []
    assert len(found(searched, "TrainingJob", by("EnableNetworkIsolation", "Equals", "false"))) == 2


def test_a_nested_filter_holds_for_one_object_of_a_list(searched: Cloud) -> None:
    """NestedFilters: "a nested filter is satisfied if a single object in the list satisfies all"."""
    path = "InputDataConfig.DataSource.S3DataSource.S3Uri"
    both = [by("InputDataConfig.ChannelName", "Equals", "train"), by(path, "Contains", "data/coarse")]
    nested = {"NestedPropertyName": "InputDataConfig", "Filters": both}
    sagemaker = client(searched, "sagemaker")
    answer = sagemaker.search(Resource="TrainingJob", SearchExpression={"NestedFilters": [nested]})
    assert [one["TrainingJob"]["TrainingJobName"] for one in answer["Results"]] == ["coarse"]
    assert answer["Results"][0]["TrainingJob"]["Tags"] == [{"Key": "kind", "Value": "coarse"}]
    assert len(found(searched, "TrainingJob", *both)) == 2  # of the whole job: each channel fits one of them
    either = {"Operator": "Or", "Filters": [by("TrainingJobName", "Equals", "fine")], "NestedFilters": [nested]}
    assert len(sagemaker.search(Resource="TrainingJob", SearchExpression={"SubExpressions": [either]})["Results"]) == 2


def test_endpoints_and_models_are_shown_as_their_records_have_them(searched: Cloud) -> None:
    sagemaker = client(searched, "sagemaker")
    (endpoint,) = sagemaker.search(Resource="Endpoint")["Results"]
    assert endpoint["Endpoint"]["EndpointStatus"] == "InService"
    assert endpoint["Endpoint"]["ProductionVariants"][0]["VariantName"] == "all"
    by_name = {"Filters": [by("Model.ModelName", "Equals", "served")]}
    (model,) = sagemaker.search(Resource="Model", SearchExpression=by_name)["Results"]
    assert model["Model"] == {"Model": model["Model"]["Model"], "Endpoints": []}
    assert model["Model"]["Model"]["ModelArn"] == MODEL
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: sagemaker:Search of Experiment"):
        sagemaker.search(Resource="Experiment")


def test_order_pages_and_visibility(searched: Cloud) -> None:
    assert found(searched, "TrainingJob", SortBy="Metrics.validation:merror", SortOrder="Ascending") == [
        "fine", "coarse",
    ]  # fmt: skip
    assert found(searched, "ModelPackage")[0] == "iris/1"  # changed last: the default is LastModifiedTime
    pages = (
        client(searched, "sagemaker")
        .get_paginator("search")
        .paginate(Resource="ModelPackage", PaginationConfig={"PageSize": 2})
    )
    assert [len(page["Results"]) for page in pages] == [2, 1]
    assert next(iter(pages))["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
    shown = found(searched, "TrainingJob", VisibilityConditions=[{"Key": "Tags.kind", "Value": "fine"}])
    assert shown == ["fine"]
    assert client(searched, "sagemaker", OTHER).search(Resource="TrainingJob")["Results"] == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([by("Nothing", "Equals", "a")], "Nothing is not a valid property"),
        ([by("Metrics.loss", "Equals", "a")], "not a valid value"),
        ([by("ModelPackageVersion", "Contains", "1")], "only for text"),
        ([by("TrainingJobName", "LessThan", "b")], "not supported for the text property"),
        ([by("TrainingJobName", "Equals")], "needs a value"),
        ([by("RoleArn", "Contains", "a"), by("TrainingJobName", "Contains", "b")], "usage limit of 1 exceeded"),
    ],
)
def test_what_no_expression_may_have(searched: Cloud, filters: list[dict[str, str]], message: str) -> None:
    resource = "ModelPackage" if filters[0]["Name"] == "ModelPackageVersion" else "TrainingJob"
    with pytest.raises(ClientError, match=message) as caught:
        found(searched, resource, *filters)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_search_needs_its_own_action(searched: Cloud) -> None:
    """Service Authorization Reference, Amazon SageMaker: Search acts on no resource."""
    without = session(searched, "lists", allow("sagemaker:List*")).client("sagemaker")
    check_refused(lambda: without.search(Resource="TrainingJob"))
    assert session(searched, "searches", allow("sagemaker:Search")).client("sagemaker").search(Resource="Endpoint")
