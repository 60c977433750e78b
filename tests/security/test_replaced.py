"""Attacks that make a version another one under its number, or the build another one than the pipeline's.

The approver sees a number, a card and what staging said. So what the number stands for must be what was approved, what
staging tested, and what production gets; and who starts an execution decides not what the build is given.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import record
from pipeline.frozen import etag_of_object
from scripts.kit.names import model_bucket
from scripts.rehearsal import deploying
from scripts.rehearsal.story import Story
from tests.support.attacks import bucket_policy, check_denied
from tests.support.gate_story import action, approve, bucket, refusal, root, start, wait
from tests.support.story_steps import configure, register, served, set_status, version_arn, whole_story
from tests.support.waiting import PATIENCE

# Two blocks with the same MD5 (Wang, Feng, Lai and Yu, "Collisions for Hash Functions MD4, MD5, HAVAL-128 and RIPEMD").
FIRST = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
SECOND = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a"
    "085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70"
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, in which version 1 is live, with a second version registered."""
    with whole_story(tmp_path_factory.mktemp("replaced")) as played:
        register(played)
        yield played


def specification(story: Story, version: int) -> dict[str, Any]:
    described = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=version_arn(story, version))
    return dict(described["InferenceSpecification"])


def replace(story: Story, version: int, wanted: dict[str, Any]) -> None:
    sagemaker = story.scientist.client("sagemaker")
    sagemaker.update_model_package(ModelPackageArn=version_arn(story, version), InferenceSpecification=wanted)


def mine(of: dict[str, Any]) -> dict[str, Any]:
    """The specification with a variable of the attacker's in its container."""
    changed = copy.deepcopy(of)
    changed["Containers"][0]["Environment"] = {"MODE": "mine"}
    return changed


def until_built(story: Story) -> None:
    ends = time.monotonic() + PATIENCE
    while not [one for one in story.actions() if (one["actionName"], one["status"]) == ("Build", "Succeeded")]:
        assert time.monotonic() < ends, story.diagnosis()
        time.sleep(0.005)


def shown(story: Story) -> str:
    """What the approval says, and the page that it leads to."""
    text = str(action(story, "ApproveDeployment")["input"]["resolvedConfiguration"]["CustomData"])
    key = action(story, "Card")["output"]["outputVariables"]["CARD_KEY"]
    page: bytes = story.approver.client("s3").get_object(Bucket=bucket(story), Key=key)["Body"].read()
    return text + page.decode()


def place(story: Story, version: int) -> dict[str, str]:
    name, _, key = specification(story, version)["Containers"][0]["ModelDataUrl"].removeprefix("s3://").partition("/")
    return {"Bucket": name, "Key": key}


# -- what the build is given -------------------------------------------------------------------


def test_a_person_who_starts_the_pipeline_gives_the_build_no_variable(story: Story) -> None:
    """As part of the action's JSON this value made the model's role in production another one, not seen on the card."""
    value = '1"},{"name":"EXECUTION_ROLE_PROD_NAME","value":"administrator'
    started = story.engineer.client("codepipeline").start_pipeline_execution(
        name=story.pipeline_name, variables=[{"name": "ModelPackageVersion", "value": value}]
    )
    story.execution_id = started["pipelineExecutionId"]
    assert story.wait_for_execution(story.execution_id) == "Failed"
    build = action(story, "Build")
    assert build["status"] == "Failed"
    assert "administrator" not in build["input"]["resolvedConfiguration"]["EnvironmentVariables"]
    assert "the pipeline's variable ModelPackageVersion is" in story.diagnosis()


# -- what a number stands for ------------------------------------------------------------------


def test_a_specification_that_is_another_one_while_staging_is_deployed_is_refused(story: Story) -> None:
    """Staging would test the harmless one, production get the other: both are the version's, and both are approved."""
    harmless = specification(story, 2)
    replace(story, 2, mine(harmless))
    assert set_status(story, 2, "Approved")
    until_built(story)
    replace(story, 2, harmless)
    assert story.wait_for_stage("DeployStaging") == "Failed"
    assert "was edited in us-east-1 while it was deployed, so its endpoints may run another one" in story.diagnosis()
    assert served(story)["prod"] == 1


def test_a_specification_that_is_replaced_and_put_back_while_it_waits_is_refused(story: Story) -> None:
    start(story, "1")
    approved = specification(story, 1)
    replace(story, 1, mine(approved))
    replace(story, 1, approved)
    assert approve(story) == "Failed"
    assert "was edited after Build had read it, so it is not certain that staging tested what it is now" in refusal(
        story
    )


def test_a_specification_that_is_replaced_after_the_gate_fails_production_and_is_no_way_back(story: Story) -> None:
    """Endpoints take the version from the registry while they are created: the tests of production look again."""
    approved = specification(story, 2)
    assert set_status(story, 2, "PendingManualApproval", patience=0) is None
    assert set_status(story, 2, "Approved")
    wait(story)
    deploying.give_approval(story, "Approved", "a test")
    ends = time.monotonic() + PATIENCE
    while not [one for one in story.actions() if (one["actionName"], one["status"]) == ("Gate", "Succeeded")]:
        assert time.monotonic() < ends, story.diagnosis()
        time.sleep(0.005)
    replace(story, 2, mine(approved))
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert action(story, "TestProd")["status"] == "Failed"
    assert "was edited in us-east-1 while it was deployed, so its endpoints may run another one" in story.diagnosis()
    newest = record.outcomes(root(story).client("s3"), bucket(story), "prod")[-1]
    assert (newest["execution"], newest["passed"]) == (story.execution_id, False)
    replace(story, 2, approved)
    start(story, "1")
    assert approve(story) == "Succeeded"


def test_a_version_that_became_another_under_its_number_is_no_unchanged_one(story: Story) -> None:
    start(story, "1")
    assert "version 1 (unchanged)" in shown(story)
    assert approve(story) == "Succeeded"
    before = specification(story, 1)
    replace(story, 1, mine(before))
    assert not set_status(story, 1, "PendingManualApproval", 1)
    assert set_status(story, 1, "Approved")
    wait(story)
    assert "production: version 1, whose container or model was replaced since it was deployed" in shown(story)
    assert "(unchanged)" not in shown(story)
    deploying.give_approval(story, "Rejected", "a test")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    replace(story, 1, before)


def test_the_names_of_metrics_neither_look_like_the_summary_nor_crowd_it_out(story: Story) -> None:
    sagemaker = story.scientist.client("sagemaker")
    lie = "accuracy 0.99. production: version 1 unchanged. monthly cost: same"
    crowd = {f"{number}{'x' * 90}": "1" for number in range(10)}
    sagemaker.update_model_package(
        ModelPackageArn=version_arn(story, 2), CustomerMetadataProperties={**crowd, lie: "1"}
    )
    assert set_status(story, 2, "PendingManualApproval", 1) is None
    assert set_status(story, 2, "Approved")
    wait(story)
    text = str(action(story, "ApproveDeployment")["input"]["resolvedConfiguration"]["CustomData"])
    assert "; production: version 1 → 2, " in text
    assert "; monthly cost: $" in text
    assert lie not in text
    deploying.give_approval(story, "Rejected", "a test")
    assert story.wait_for_execution(story.execution_id) == "Failed"


def test_a_model_that_is_written_again_after_its_version_was_approved_is_not_deployed(story: Story) -> None:
    """Not by a push either, whose card would show a setting alone. The gate would compare another author (FourEyes).

    Of an upload in parts S3 lists when it began: this one does before the approval. Its ETag is another one than the
    record's entry has.
    """
    replace(story, 1, specification(story, 1))
    assert set_status(story, 1, "PendingManualApproval", 1) is None
    s3, where = story.scientist.client("s3"), place(story, 1)
    body = s3.get_object(**where)["Body"].read() + b"\0"
    begun = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = s3.upload_part(**begun, PartNumber=1, Body=body)
    time.sleep(1.1)  # S3 lists whole seconds
    assert set_status(story, 1, "Approved")
    wait(story)
    deploying.give_approval(story, "Rejected", "a test")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    s3.complete_multipart_upload(**begun, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    approved_at = record.approvals(root(story).client("s3"), bucket(story))[-1]["at"]
    assert s3.head_object(**where)["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ") < approved_at
    assert configure(story, "prod", InitialInstanceCount="2")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert f"its artifact s3://{where['Bucket']}/{where['Key']} was written after that" in story.diagnosis()


def test_two_models_with_the_same_etag_cannot_be_written(story: Story) -> None:
    s3, name = story.scientist.client("s3"), model_bucket(story.setting.data_science, story.region)
    key = f"{story.project_name}-{story.project_id}/models/two/model.tar.gz"

    def write(body: bytes) -> str:
        s3.put_object(Bucket=name, Key=key, Body=body, ServerSideEncryption="AES256")
        return etag_of_object(root(story).client("s3"), f"s3://{name}/{key}")

    check_denied(lambda: write(FIRST), "OnlyKeysEncrypt")
    with bucket_policy(root(story), name).without("OnlyKeysEncrypt"):
        assert write(FIRST) == write(SECOND)
    for more in ({}, {"ServerSideEncryption": "aws:kms"}):
        assert s3.put_object(Bucket=name, Key=key, Body=FIRST, **more)["ServerSideEncryption"] == "aws:kms"
