"""A push that names a key: another one of the account than its owner lets endpoints use, or another account's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import asynchronous
from pipeline.parameters import declared_parameters
from pipeline.settings import problems_of
from tests.support import ROOT
from tests.support.attacks import role_policy
from tests.support.endpoint_stack import DATA, Place, target_account
from tests.support.every_setting import RIGHTS
from tests.support.roles import policy_document
from tests.support.sagemaker_world import OTHER, REGION

DECLARED = declared_parameters((ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"))
CAPTURE = {"InstanceType": "ml.m5.large", "DataCaptureS3Uri": "account"}
URI, ENDPOINT = f"s3://{DATA}/capture", "iris-p-1-prod"
OWN, OTHERS = "alias/data", "alias/payroll"  # of the environment file (RIGHTS), and of another team
ADMINISTRATORS = {"Sid": "Administrators", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Resource": "*",
                  "Action": ["kms:DescribeKey", "kms:PutKeyPolicy", "kms:GetKeyPolicy"]}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A target account whose roles may use one key, by its alias; a second one is another team's."""
    with target_account(tmp_path_factory.mktemp("keys"), waits=0.0002) as found:
        assert found.give_rights(**RIGHTS) == "CREATE_COMPLETE"
        found.there("s3").create_bucket(Bucket=DATA)
        for alias in (OWN, OTHERS):
            key = found.there("kms").create_key()["KeyMetadata"]["KeyId"]
            found.there("kms").create_alias(AliasName=alias, TargetKeyId=key)
        yield found


def build(**settings: str) -> list[str]:
    """What Build says of a pushed file with these settings."""
    return problems_of("prod-config.json", {**CAPTURE, **settings}, DECLARED)


def answer_to(place: Place, key: str) -> str:
    """What the test of the stage says of the key, as the tester's role."""
    return asynchronous.check_key(place.test_session("p-1").client, URI, ENDPOINT, key)


def kept(place: Place) -> list[Any]:
    """What is captured."""
    found = place.there("s3").list_objects_v2(Bucket=DATA, Prefix=f"capture/{ENDPOINT}/AllTraffic/")
    return list(found.get("Contents", []))


def ask(place: Place) -> None:
    body = b"5.1,3.5,1.4,0.2"
    place.there("sagemaker-runtime").invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=body)


@pytest.mark.parametrize("name", ["DataKmsKeyId", "VolumeKmsKeyId"])
@pytest.mark.parametrize(
    "key",
    [
        f"arn:aws:kms:{REGION}:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        f"arn:aws:kms:{REGION}:999999999999:alias/theirs",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
    ],
)
def test_a_push_that_names_a_key_of_another_account_is_refused(name: str, key: str) -> None:
    [problem] = build(**{name: key})
    assert f'Parameters.{name} is "{key}": write empty, or the alias of a KMS key of each account' in problem


def test_a_push_that_names_another_key_of_the_account_for_data_is_refused(place: Place) -> None:
    """Build cannot know it; the model's role may not use the key, so nothing is captured, and the test fails."""
    assert build(DataKmsKeyId=OTHERS) == []
    assert place.push("p-1", **CAPTURE, DataKmsKeyId=OTHERS) == "CREATE_COMPLETE"
    ask(place)
    assert kept(place) == []
    with role_policy(place.cloud.root(OTHER, REGION), "sagemaker-role-prod", "use-the-data-key").changed(
        "UseDataKey", lambda statement: {name: of for name, of in statement.items() if name != "Condition"}
    ):
        ask(place)
        assert len(kept(place)) == 1, "the alias in the role's policy is what refused"
    said = answer_to(place, OTHERS)
    assert f"may not encrypt with the key {OTHERS} (AccessDenied)" in said
    assert "endpoints.data_key" in said
    assert place.push("p-1", **CAPTURE, DataKmsKeyId=OWN) == "UPDATE_COMPLETE"
    ask(place)
    assert (len(kept(place)), answer_to(place, OWN)) == (2, "")


def test_a_key_whose_policy_keeps_the_roles_out_fails_the_test(place: Place) -> None:
    kms = place.there("kms")
    key = kms.describe_key(KeyId=OWN)["KeyMetadata"]["KeyId"]
    before = kms.get_key_policy(KeyId=key)["Policy"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy_document(ADMINISTRATORS))
    assert f"may not encrypt with the key {OWN} (AccessDenied)" in answer_to(place, OWN)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)
    kms.disable_key(KeyId=key)
    assert f"may not encrypt with the key {OWN} (KMS.DisabledException)" in answer_to(place, OWN)
    kms.enable_key(KeyId=key)
    assert "may not encrypt with the key alias/none (AccessDenied)" in answer_to(place, "alias/none")


def test_a_push_that_names_a_key_for_volumes_whose_policy_gives_no_grant_is_refused(place: Place) -> None:
    """The deployment to staging fails with the reason, before an approver is asked."""
    kms = place.there("kms")
    key = kms.describe_key(KeyId=OTHERS)["KeyMetadata"]["KeyId"]
    whole = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"]
    named = {"InstanceType": "ml.m5.large", "VolumeKmsKeyId": OTHERS}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy_document(ADMINISTRATORS))
    assert place.push("p-2", **named) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: kms:CreateGrant" in place.reason("p-2")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy_document(*whole))
    assert place.push("p-3", **named) == "CREATE_COMPLETE"
    assert place.seen("p-3")["config"]["KmsKeyId"] == OTHERS
