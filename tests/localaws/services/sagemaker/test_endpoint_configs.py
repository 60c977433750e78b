"""What an endpoint configuration refuses of members that are each right."""

from __future__ import annotations

from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.services.sagemaker.endpoint_configs import check_async, check_capture

CAPTURE = {"CaptureOptions": [{"CaptureMode": "Input"}]}
ANSWERS = {"OutputConfig": {"S3OutputPath": "s3://answers/a"}}


def test_an_asynchronous_endpoint_captures_no_data() -> None:
    """SageMaker Developer Guide, "Supported features"."""
    with pytest.raises(AwsError, match="DataCaptureConfig is not supported for asynchronous endpoints"):
        check_capture({"DataCaptureConfig": CAPTURE, "AsyncInferenceConfig": ANSWERS}, serverless=False)
    check_capture({"DataCaptureConfig": CAPTURE}, serverless=False)  # does not raise


@pytest.mark.parametrize(("kind", "refused"), [("ml.inf1.xlarge", True), ("ml.inf2.xlarge", False)])
def test_an_asynchronous_endpoint_runs_on_no_inf1(kind: str, refused: bool) -> None:
    """SageMaker Developer Guide, "Asynchronous inference" and "Exclusions" of the deployment guardrails."""
    variants: list[dict[str, Any]] = [{"InstanceType": kind}]
    if not refused:
        check_async(ANSWERS, variants)
        return
    with pytest.raises(AwsError, match=f"not supported for the instance type {kind}"):
        check_async(ANSWERS, variants)
