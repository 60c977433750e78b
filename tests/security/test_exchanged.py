"""A model that is exchanged while the gate decides, and code that lies below its key: neither reaches production."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from scripts.rehearsal.story import Story
from tests.support.attacks import check_denied
from tests.support.gate_story import action, approve, bucket, root, wait
from tests.support.story_steps import served, set_status, version_arn, whole_story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with whole_story(tmp_path_factory.mktemp("exchanged")) as played:
        yield played


def registered(story: Story, folder: str, **below: bytes) -> tuple[str, str]:
    """Version 1 again, as the data scientist copies it: bucket and key. below: objects below that key, by name"""
    sagemaker, s3 = story.scientist.client("sagemaker"), story.scientist.client("s3")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    container = first["InferenceSpecification"]["Containers"][0]
    name, _, former = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    key = f"{former.rpartition('/')[0]}/{folder}/model.tar.gz"
    s3.put_object(Bucket=name, Key=key, Body=s3.get_object(Bucket=name, Key=former)["Body"].read())
    for one, content in below.items():
        s3.put_object(Bucket=name, Key=f"{key}/{one}", Body=content)
    kept = {"Image": container["Image"], "ModelDataUrl": f"s3://{name}/{key}"}
    sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name, ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={**first["InferenceSpecification"], "Containers": [kept]},
        CustomerMetadataProperties=first.get("CustomerMetadataProperties", {}),
    )  # fmt: skip
    time.sleep(1.1)  # S3 lists seconds: else it looks as if it was written after the approval
    return name, key


def test_a_model_that_is_written_again_once_the_gate_has_decided_is_not_shared(story: Story) -> None:
    """Who reads the record sees the decision a moment before the model gets production's tag."""
    name, key = registered(story, "race")
    assert set_status(story, 2, "Approved")
    wait(story)
    s3, prefix = story.scientist.client("s3"), f"record/decisions/{story.execution_id}/"
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            if s3.list_objects_v2(Bucket=bucket(story), Prefix=prefix).get("KeyCount"):
                s3.put_object(Bucket=name, Key=key, Body=b"another model")
                return

    attack = threading.Thread(target=exchange)
    attack.start()
    status = approve(story)
    over.set()
    attack.join()
    tags: list[Any] = root(story).client("s3").get_object_tagging(Bucket=name, Key=key)["TagSet"]
    assert tags == [], "what no approver saw is shared with production"
    assert (status, served(story)["prod"]) in (("Failed", 1), ("Failed", 2))
    if action(story, "Gate")["status"] == "Failed":  # else the tag was there before, and production cannot read it
        assert "it was written again since Build found it" in story.diagnosis()


def test_code_below_the_models_key_reaches_no_account(story: Story) -> None:
    name, key = registered(story, "below", **{"sourcedir.tar.gz": b"harmless code"})
    assert set_status(story, 3, "Approved")
    wait(story)
    code = f"{key}/sourcedir.tar.gz"
    story.scientist.client("s3").put_object(Bucket=name, Key=code, Body=b"other code")
    assert approve(story) == "Succeeded", story.diagnosis()
    for stage, account in story.setting.targets.items():
        role = story.cloud.service_role(
            f"arn:aws:iam::{account}:role/sagemaker-role-{stage}", "m", "sagemaker.amazonaws.com", story.region,
            SourceArn=f"arn:aws:sagemaker:{story.region}:{account}:model/m",
        )  # fmt: skip
        s3 = role.client("s3")
        assert s3.get_object(Bucket=name, Key=key)["ContentLength"]
        check_denied(partial(s3.get_object, Bucket=name, Key=code), "s3:GetObject")
