"""What `make status` tells of a stage, from its stack (test_rollback_story.py and the stories show whole tables)."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripts.kit.connect import Connection
from scripts.kit.projects import status
from scripts.kit.projects.project import Project
from scripts.kit.projects.served import Outcome
from scripts.kit.stages import Stage
from tests.support.fake_services import Fake, error

PROJECT = Project("iris", "p-abc", "CreateCompleted")
VERSIONS = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris"


def connection(parameters: dict[str, str]) -> Connection:
    """A data science account whose production has a stack with these parameters, and no endpoint."""
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    at = datetime(2026, 12, 1, tzinfo=UTC)
    stack = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE", "CreationTime": at, "Parameters": listed}
    services: dict[str, Any] = {
        "cloudformation": Fake(
            describe_stacks={"Stacks": [stack]}, describe_stack_set=error("D", "StackSetNotFoundException")
        ),
        "sagemaker": Fake(describe_model_package={"ModelApprovalStatus": "Approved"}),
        "codepipeline": Fake(),
    }
    return cast("Connection", SimpleNamespace(client=services.__getitem__))


@pytest.mark.parametrize(("shadow", "why"), [("", ""), (f"{VERSIONS}/3", "version 3 is its shadow")])
def test_a_shadow_of_production_is_named(shadow: str, why: str) -> None:
    parameters = {"ModelPackageName": f"{VERSIONS}/2", "ShadowModelPackageName": shadow}
    found = status.stage(connection(parameters), PROJECT, Stage.PROD, outcome=Outcome())
    assert (found.version, found.why) == ("2", why)
