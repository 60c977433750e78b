"""Lineage on the embedded AWS (SageMaker Developer Guide, "Amazon SageMaker AI-Created Tracking Entities", "Querying
Lineage Entities", "Manually Create Tracking Entities")."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import base, lineage, lineage_records
from tests.support import ROOT
from tests.support.authorization import allow, check_refused, session
from tests.support.sagemaker_world import ACCOUNT, REGION, client, specification

HERE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ENDPOINT, VERSION = f"{HERE}:endpoint/iris", f"{HERE}:model-package/iris/1"
MODEL, DATA = "s3://models/m.tar.gz", "s3://data/train"
JOB: dict[str, Any] = {
    "TrainingJobName": "fit",
    "TrainingJobArn": f"{HERE}:training-job/fit",
    "TrainingJobStatus": "InProgress",
    "HyperParameters": {"eta": "0.5", "objective": "multi:softmax"},
    "AlgorithmSpecification": {"TrainingImage": "image:1"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": DATA}}}],
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
    "ModelArtifacts": {"S3ModelArtifacts": ""},
}


@pytest.fixture
def traced(cloud: Cloud) -> Cloud:
    """A training job, the version that is registered from it, and an endpoint that serves the version."""
    lineage_records.training(cloud, JOB)
    done = {"TrainingJobStatus": "Completed", "ModelArtifacts": {"S3ModelArtifacts": MODEL}}
    lineage_records.training(cloud, JOB | done)
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="iris")
    sagemaker.create_model_package(
        ModelPackageGroupName="iris",
        InferenceSpecification=specification(MODEL),
        MetadataProperties={"CommitId": "abc"},
    )
    image = specification(MODEL)["Containers"][0]["Image"]
    lineage_records.deployed(
        cloud, ENDPOINT, "iris", [{"Image": image, "ModelDataUrl": MODEL, "ModelPackageName": VERSION}]
    )
    return cloud


def artifact(sagemaker: Any, uri: str) -> str:
    [found] = sagemaker.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
    return str(found["ArtifactArn"])


def asked(sagemaker: Any, start: str, direction: str, **more: Any) -> list[str]:
    """What is found: sources of artifacts and contexts, names of the others."""
    found = []
    for one in sagemaker.query_lineage(StartArns=[start], Direction=direction, **more)["Vertices"]:
        kind, name = one["LineageType"], one["Arn"].split("/", 1)[1]
        if kind == "Artifact":
            found.append(sagemaker.describe_artifact(ArtifactArn=one["Arn"])["Source"]["SourceUri"])
        elif kind == "Context":
            found.append(sagemaker.describe_context(ContextName=name)["Source"]["SourceUri"])
        else:
            found.append(name)
    return found


def test_from_an_endpoint_back_to_its_models_jobs_and_data(traced: Cloud) -> None:
    """The answers that AWS's notebook keeps: data, models (the version and its file), the training job."""
    sagemaker = client(traced, "sagemaker")
    [context] = sagemaker.list_contexts(SourceUri=ENDPOINT)["ContextSummaries"]
    start = context["ContextArn"]
    assert context["ContextType"] == "Endpoint"
    assert asked(sagemaker, start, "Ascendants", Filters={"Types": ["DataSet"]}) == [DATA]
    assert sorted(asked(sagemaker, start, "Ascendants", Filters={"Types": ["Model"]})) == sorted([VERSION, MODEL])
    jobs = {"Types": ["TrainingJob"], "LineageTypes": ["TrialComponent"]}
    assert asked(sagemaker, start, "Ascendants", Filters=jobs) == ["fit-aws-training-job"]
    assert asked(sagemaker, start, "Ascendants", Filters={"Types": ["DataSet"]}, MaxDepth=2) == []
    assert asked(sagemaker, start, "Descendants") == []


def test_from_a_version_forward_to_its_endpoints(traced: Cloud) -> None:
    sagemaker = client(traced, "sagemaker")
    version = artifact(sagemaker, VERSION)
    assert sagemaker.describe_artifact(ArtifactArn=version)["MetadataProperties"] == {"CommitId": "abc"}
    assert asked(sagemaker, version, "Descendants", Filters={"Types": ["Endpoint"]}) == [ENDPOINT]
    assert asked(sagemaker, version, "Both", Filters={"Types": ["DataSet", "Endpoint"]}) == [ENDPOINT, DATA]
    assert asked(sagemaker, artifact(sagemaker, DATA), "Descendants", Filters={"Types": ["Endpoint"]}) == [ENDPOINT]
    edges = {
        (one["SourceType"], one["AssociationType"], one["DestinationType"])
        for one in sagemaker.list_associations(MaxResults=100)["AssociationSummaries"]
    }
    assert edges == {
        ("DataSet", "ContributedTo", "SageMakerTrainingJob"),
        ("Image", "ContributedTo", "SageMakerTrainingJob"),
        ("SageMakerTrainingJob", "Produced", "Model"),
        ("Model", "ContributedTo", "Model"),
        ("Image", "ContributedTo", "Model"),
        ("Approval", "ContributedTo", "Model"),
        ("Model", "AssociatedWith", "ModelGroup"),
        ("Model", "ContributedTo", "ModelDeployment"),
        ("Image", "ContributedTo", "ModelDeployment"),
        ("ModelDeployment", "AssociatedWith", "Endpoint"),
    }


def test_edges_come_with_what_lies_on_the_way_and_pages_add_up(traced: Cloud) -> None:
    sagemaker = client(traced, "sagemaker")
    query: dict[str, Any] = {"StartArns": [artifact(sagemaker, DATA)], "Direction": "Descendants", "IncludeEdges": True}
    answer = sagemaker.query_lineage(**query, Filters={"Types": ["Endpoint"]})
    types = [one["Type"] for one in answer["Vertices"]]
    assert (types[:2], types[-1]) == (["DataSet", "TrainingJob"], "Endpoint")
    assert "ModelGroup" not in types
    first = answer["Edges"][0]
    assert first["SourceArn"] == query["StartArns"][0]
    assert first["AssociationType"] == "ContributedTo"
    whole = sagemaker.query_lineage(**query)
    pages = [sagemaker.query_lineage(**query, MaxResults=2)]
    while "NextToken" in pages[-1]:
        pages.append(sagemaker.query_lineage(**query, MaxResults=2, NextToken=pages[-1]["NextToken"]))
    assert [one for page in pages for one in page["Vertices"]] == whole["Vertices"]
    assert sorted(str(one) for page in pages for one in page["Edges"]) == sorted(str(one) for one in whole["Edges"])


def test_a_trial_component_says_what_its_job_did(traced: Cloud) -> None:
    sagemaker = client(traced, "sagemaker")
    [found] = sagemaker.list_trial_components(SourceArn=JOB["TrainingJobArn"])["TrialComponentSummaries"]
    shown = sagemaker.describe_trial_component(TrialComponentName=found["TrialComponentName"])
    assert shown["Source"]["SourceType"] == "SageMakerTrainingJob"
    assert shown["Status"] == {"PrimaryStatus": "Completed"}
    assert shown["Parameters"]["eta"] == {"NumberValue": 0.5}
    assert shown["Parameters"]["objective"] == {"StringValue": "multi:softmax"}
    assert shown["OutputArtifacts"] == {"SageMaker.ModelArtifact": {"Value": MODEL}}
    failed = JOB | {"TrainingJobName": "bad", "TrainingJobArn": f"{HERE}:training-job/bad", "FailureReason": "no data"}
    lineage_records.training(traced, failed | {"TrainingJobStatus": "Failed"})
    shown = sagemaker.describe_trial_component(TrialComponentName="bad-aws-training-job")
    assert shown["Status"] == {"PrimaryStatus": "Failed", "Message": "no data"}
    assert sagemaker.list_associations(SourceArn=shown["TrialComponentArn"])["AssociationSummaries"] == []


def test_filters_of_a_query(traced: Cloud) -> None:
    sagemaker = client(traced, "sagemaker")
    made = sagemaker.create_artifact(
        Source={"SourceUri": "s3://notes"}, ArtifactType="Note", Properties={"team": "a", "kind": "x"}
    )["ArtifactArn"]
    start = artifact(sagemaker, DATA)
    sagemaker.add_association(SourceArn=made, DestinationArn=start, AssociationType="DerivedFrom")
    later = base.now() + timedelta(hours=1)
    for filters, expected in (
        ({"Properties": {"team": "b", "kind": "x"}}, ["s3://notes"]),
        ({"Properties": {"team": "b"}}, []),
        ({"CreatedBefore": later, "ModifiedBefore": later}, ["s3://notes"]),
        ({"CreatedAfter": later}, []),
        ({"ModifiedAfter": later}, []),
        ({"LineageTypes": ["Action"]}, []),
    ):
        assert asked(sagemaker, start, "Ascendants", Filters=filters) == expected, filters
    for wrong, error in (
        ({"StartArns": [f"{HERE}:artifact/none"], "Direction": "Both"}, "ResourceNotFound"),
        ({"StartArns": [start]}, "Not supported"),
        ({"Direction": "Both"}, "Not supported"),
        ({"StartArns": [start], "Direction": "Both", "MaxDepth": 11}, "ValidationException"),
    ):
        with pytest.raises(ClientError, match=error):
            sagemaker.query_lineage(**wrong)
    with pytest.raises(ClientError, match="not available in ap-northeast-3"):
        traced.root(ACCOUNT, "ap-northeast-3").client("sagemaker").query_lineage(StartArns=[start], Direction="Both")


def test_entities_made_by_hand_live_their_whole_life(cloud: Cloud) -> None:
    sagemaker = client(cloud, "sagemaker")
    step = {"ActionName": "clean", "ActionType": "Workflow", "Source": {"SourceUri": "s3://code"}}
    action = sagemaker.create_action(**step, Status="InProgress", Tags=[{"Key": "team", "Value": "a"}])["ActionArn"]
    assert sagemaker.list_tags(ResourceArn=action)["Tags"] == [{"Key": "team", "Value": "a"}]
    sagemaker.update_action(ActionName="clean", Status="Completed", Properties={"rows": "9", "old": "1"})
    sagemaker.update_action(ActionName="clean", PropertiesToRemove=["old"])
    shown = sagemaker.describe_action(ActionName=action)
    assert (shown["Status"], shown["Properties"]) == ("Completed", {"rows": "9"})
    assert shown["CreatedBy"]["IamIdentity"]["Arn"].endswith(":root")
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_action(**step)
    context = sagemaker.create_context(
        ContextName="study", ContextType="Study", Source={"SourceUri": "https://example.com"}
    )["ContextArn"]
    pair = {"SourceArn": action, "DestinationArn": context}
    assert sagemaker.add_association(**pair)["SourceArn"] == action
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.add_association(**pair)
    [found] = sagemaker.list_associations(DestinationType="Study")["AssociationSummaries"]
    assert (found["SourceName"], found["DestinationName"], "AssociationType" in found) == ("clean", "study", False)
    with pytest.raises(ClientError, match="has associations"):
        sagemaker.delete_context(ContextName="study")
    sagemaker.delete_association(**pair)
    for missing, ask, given in (
        ("no association", sagemaker.delete_association, pair),
        ("does not exist", sagemaker.add_association, pair | {"DestinationArn": f"{HERE}:context/no"}),
        ("does not exist", sagemaker.describe_artifact, {"ArtifactArn": f"{HERE}:artifact/no"}),
    ):
        with pytest.raises(ClientError, match=missing) as error:
            ask(**given)
        assert error.value.response["Error"]["Code"] == "ResourceNotFound"
    sagemaker.delete_context(ContextName="study")
    sagemaker.delete_action(ActionName="clean")
    assert sagemaker.list_actions(ActionType="Workflow")["ActionSummaries"] == []


def test_two_jobs_are_not_associated_and_limits_hold(traced: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = client(traced, "sagemaker")
    job = sagemaker.list_trial_components()["TrialComponentSummaries"][0]["TrialComponentArn"]
    with pytest.raises(ClientError, match="two experiment entities"):
        sagemaker.add_association(SourceArn=job, DestinationArn=job)
    monkeypatch.setitem(lineage.LIMITS, "Artifact", 1)
    monkeypatch.setattr(lineage, "ASSOCIATIONS", 0)
    new = sagemaker.create_artifact(Source={"SourceUri": "a"}, ArtifactType="x")["ArtifactArn"]
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        sagemaker.create_artifact(Source={"SourceUri": "b"}, ArtifactType="x")
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        sagemaker.add_association(SourceArn=new, DestinationArn=job)
    sagemaker.delete_artifact(Source={"SourceUri": "a"})


def test_an_association_needs_the_permission_on_both_ends(traced: Cloud) -> None:
    root = client(traced, "sagemaker")
    ends = {"SourceArn": artifact(root, DATA), "DestinationArn": artifact(root, VERSION)}
    one_end = session(traced, "tracer", allow("sagemaker:AddAssociation", ends["SourceArn"]))
    check_refused(lambda: one_end.client("sagemaker").add_association(**ends))
    both = session(traced, "linker", allow("sagemaker:AddAssociation", list(ends.values())))
    both.client("sagemaker").add_association(**ends)


def test_the_lines_of_the_data_scientists_guide(
    traced: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "guides" / "data-scientist.md").read_text(encoding="utf-8")
    section = page.split("## What a version comes from")[1].split("\n## ")[0]
    code = section.split("```python\n")[1].split("```")[0]
    monkeypatch.setattr(boto3, "client", lambda name: client(traced, name))
    exec(code, {"version": VERSION})
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{HERE}:experiment-trial-component/fit-aws-training-job", DATA]
