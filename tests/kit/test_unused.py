"""Which models and configurations an endpoint still needs, when nothing but the endpoint names them."""

from __future__ import annotations

from types import SimpleNamespace

from scripts.kit.projects.unused import used
from tests.support.fake_services import Fake, error


def test_the_model_in_an_endpoints_shadow_is_used_as_the_one_that_answers() -> None:
    config = {
        "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "live"}],
        "ShadowProductionVariants": [{"VariantName": "Shadow", "ModelName": "candidate"}],
    }
    clients = {
        "sagemaker": Fake(
            describe_endpoint=lambda **asked: (
                {"EndpointConfigName": "former"}
                if asked["EndpointName"] == "iris-p-1-prod"
                else error("DescribeEndpoint", "ValidationException")
            ),
            describe_endpoint_config=config,
        ),
        "cloudformation": Fake(list_stacks=[{"StackSummaries": []}]),
    }
    there, project = (
        SimpleNamespace(client=clients.__getitem__),
        SimpleNamespace(prefix="sagemaker-iris-p-1", endpoint=lambda stage: f"iris-p-1-{stage}"),
    )
    assert used(there, project) == ({"former"}, {"live", "candidate"})  # type: ignore[arg-type]
