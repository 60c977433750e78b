"""What `make teardown` leaves, the next `make accounts` takes over; what it cannot use is said before it writes."""

from __future__ import annotations

import pytest

from scripts import teardown
from scripts.kit import console
from scripts.kit.names import MODELS_STACK, SHARED_STACK, bundle_bucket, model_bucket
from scripts.kit.stacks import adoption
from scripts.kit.stacks import stack as stacks
from tests.support.accounts_setting import HOME, STUDIO
from tests.support.fake_services import Fake
from tests.support.fake_services import error as refused
from tests.support.rehearsed_organization import REGION, RehearsedOrganization

WANT = stacks.WantedStack("111111111111", MODELS_STACK, "Resources: {}", {})


def resources(organization: RehearsedOrganization, name: str) -> dict[str, str]:
    client = organization.client(organization.setting.data_science, "cloudformation")
    listed = client.describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}


def test_buckets_and_key_that_a_teardown_leaves_are_taken_over_by_the_next_installation(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    home = organization.setting.data_science
    models, bundles = model_bucket(home, REGION), bundle_bucket(home, REGION)
    assert organization() == 0, capsys.readouterr().err
    key = resources(organization, MODELS_STACK)["ModelKey"]
    s3 = organization.client(home, "s3")
    s3.put_object(Bucket=models, Key="iris/model.tar.gz", Body=b"model")
    line = ["--environment", str(organization.environment), "--everything", "--yes"]
    assert console.run(lambda: teardown.main(line)) == 0, capsys.readouterr().err
    assert organization.stacks(home) == {name: HOME[name] for name in STUDIO}
    organization.client(home, "kms").disable_key(KeyId=key)
    written = organization.writes()
    capsys.readouterr()
    assert organization() == 1
    assert f"its key {key} is Disabled" in capsys.readouterr().err
    assert organization.writes() == written, "refused before the first write"
    organization.client(home, "kms").enable_key(KeyId=key)
    s3.delete_bucket_encryption(Bucket=bundles)  # what changed meanwhile is as the template says again
    assert organization() == 0, capsys.readouterr().err
    assert f"takes over the bucket {models} and the key {key}" in capsys.readouterr().err
    assert organization.stacks(home) == {name: "UPDATE_COMPLETE" if name in (MODELS_STACK, SHARED_STACK) else status
                                         for name, status in HOME.items()}  # fmt: skip
    assert resources(organization, MODELS_STACK)["ModelKey"] == key
    assert resources(organization, SHARED_STACK)["BundleBucket"] == bundles
    assert s3.get_object(Bucket=models, Key="iris/model.tar.gz")["Body"].read() == b"model"
    policies = organization.client(home, "kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    assert "StagingDecryptsModels" in policies
    written = organization.writes()
    assert organization() == 0
    assert organization.writes() == written


def test_a_stack_of_which_only_a_failed_import_is_left_is_made_again() -> None:
    found = stacks.FoundStack("IMPORT_ROLLBACK_COMPLETE", "", {})
    kept = adoption.Retained("ModelBucket", "AWS::S3::Bucket", {"BucketName": "b"}, {"BucketName": "b"})
    empty = Fake(list_stack_resources=[{"StackResourceSummaries": []}])
    step = stacks.adopting(empty, WANT, found, stacks.make_plan(WANT, found), lambda: (kept,))  # type: ignore[arg-type]
    assert (step.action, step.request) == ("create", {"adopt": (kept,), "clear": True})
    full = Fake(list_stack_resources=[{"StackResourceSummaries": [{}]}])
    step = stacks.adopting(full, WANT, found, stacks.make_plan(WANT, found), lambda: (kept,))  # type: ignore[arg-type]
    assert step.action == "change"


def test_an_import_that_an_interrupted_run_began_is_waited_for() -> None:
    step = stacks.make_plan(WANT, stacks.FoundStack("IMPORT_IN_PROGRESS", "Resources: {}", {}))
    assert (step.action, step.request) == ("change", {"importing": True})


def test_a_bucket_of_another_account_is_reported() -> None:
    class Home:
        account, region = "111111111111", REGION

        def client(self, service: str) -> Fake:
            return Fake(head_bucket=refused("HeadBucket", "403"))

    with pytest.raises(console.UserError, match="does not belong to account 111111111111"):
        adoption.of_bundles(Home())  # type: ignore[arg-type]
