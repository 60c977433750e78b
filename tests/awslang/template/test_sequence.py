"""The worst order of what does not wait for each other (CloudFormation User Guide, "DependsOn attribute")."""

from __future__ import annotations

from typing import Any

import pytest

from awslang.template.graph import order
from awslang.template.sequence import latest

ROLE, POLICY, TOPIC, BUCKET = "AWS::IAM::Role", "AWS::IAM::RolePolicy", "AWS::SNS::Topic", "AWS::S3::Bucket"
FUNCTION, PERMISSION, RULE = "AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Events::Rule"
TRUST = {"Statement": [{"Principal": {"AWS": "arn:aws:iam::1:role/shop"}, "Resource": "arn:aws:s3:::models/*"}]}


@pytest.mark.parametrize(
    ("resources", "needs", "wanted"),
    [
        pytest.param(
            {"Role": (ROLE, {"RoleName": "shop"}), "Run": (FUNCTION, {"Role": "arn:aws:iam::1:role/shop"})},
            {},
            {"Role": {"Run"}},
            id="named and not waited for",
        ),
        pytest.param(
            {"Role": (ROLE, {"RoleName": "shop"}), "Run": (FUNCTION, {"Role": "arn:aws:iam::1:role/shop"})},
            {"Run": {"Role"}},
            {"Run": {"Role"}},
            id="named and waited for",
        ),
        pytest.param(
            {"Role": (ROLE, {"RoleName": "shop"}), "Run": (FUNCTION, {"Role": "arn:aws:iam::1:role/shop-2"})},
            {},
            {},
            id="another name",
        ),
        pytest.param(
            {"Bucket": (BUCKET, {"BucketName": "models"}), "Topic": (TOPIC, {"Policy": TRUST})},
            {},
            {},
            id="a policy's resource need not exist",
        ),
        pytest.param(
            {"Role": (ROLE, {"RoleName": "shop"}), "Topic": (TOPIC, {"Policy": TRUST})},
            {},
            {"Role": {"Topic"}},
            id="a policy's principal must exist",
        ),
        pytest.param(
            {"Policy": (POLICY, {}), "Role": (ROLE, {}), "Run": (FUNCTION, {})},
            {"Policy": {"Role"}, "Run": {"Role"}},
            {"Policy": {"Role", "Run"}, "Run": {"Role"}},
            id="a role's policy apart",
        ),
        pytest.param(
            {"Permission": (PERMISSION, {}), "Run": (FUNCTION, {}), "Rule": (RULE, {})},
            {"Permission": {"Run", "Rule"}, "Rule": {"Run"}},
            {"Permission": {"Run", "Rule"}, "Rule": {"Run"}},
            id="a permission that waits",
        ),
        pytest.param(
            {
                "A": (TOPIC, {"TopicName": "first", "Of": "second"}),
                "B": (TOPIC, {"TopicName": "second", "Of": "first"}),
            },
            {},
            {"B": {"A"}},
            id="two that name each other",
        ),
    ],
)
def test_what_is_used_without_waiting_comes_after_its_user(
    resources: dict[str, tuple[str, Any]], needs: dict[str, set[str]], wanted: dict[str, set[str]]
) -> None:
    found = latest(resources, {name: needs.get(name, set()) for name in resources})
    assert {name: others for name, others in found.items() if others} == wanted
    order(found)  # there is one
