"""What is asked for: stacks, stack sets, and what these deploy to, of the kit and of others."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.who_may.policies import DATA_SCIENCE, QA_UNIT, STAGING, UNITS
from tests.support.who_may.thing import BETWEEN, HERE, NAME, OF_STAGE, OTHER_NAME, Thing


def stacks() -> Iterator[Thing]:
    """Each of them, in the data science account."""
    names = {
        "staging's stack": f"sagemaker-{NAME}-deploy-staging",
        "production's stack": f"sagemaker-{NAME}-deploy-prod",
        **{f"{name}'s stack": f"sagemaker-{NAME}-deploy-{stage}" for name, stage in BETWEEN.items()},
        "a project made from S3": "SP-1234",
        "a stack of taskcat": "tCaT-kit-1",
        "another team's stack": "network",
        "another stack of sagemaker": "sagemaker-notebooks",
        "another team's staging": "network-deploy-staging",
        "another team's production": "network-deploy-prod",
        **{f"another team's {name}": f"network-deploy-{stage}" for name, stage in BETWEEN.items()},
        "a stack of a stage of another template": f"sagemaker-{OTHER_NAME}-deploy-prod",
    }
    of_stages = {"staging's stack", "production's stack", *(f"{name}'s stack" for name in BETWEEN)}
    for name, stack in names.items():
        keys = OF_STAGE if name in of_stages else {}
        yield Thing(name, f"arn:aws:cloudformation:{HERE}:stack/{stack}/1", DATA_SCIENCE, ("stack",), keys)
    for name, stack_set, keys in (
        ("a stage's stack set", f"sagemaker-{NAME}-deploy-staging", OF_STAGE),
        ("another team's stack set", "network", {}),
    ):
        yield Thing(name, f"arn:aws:cloudformation:{HERE}:stackset/{stack_set}:1", DATA_SCIENCE, ("stackset",), keys)
    for part in (
        "SageMaker-Endpoint",
        "SageMaker-EndpointConfig",
        "SageMaker-Model",
        "CloudWatch-Alarm",
        "IAM-Role",
        "ApplicationAutoScaling-ScalableTarget",
        "ApplicationAutoScaling-ScalingPolicy",
        "SageMaker-Domain",
    ):
        yield Thing(
            f"the type AWS::{part.replace('-', '::')}",
            f"arn:aws:cloudformation:{HERE}:type/resource/AWS-{part}",
            DATA_SCIENCE,
            ("type",),
        )
    targets = {
        **{f"the unit of {stage}": unit for stage, unit in UNITS.items()},
        "the unit of QA": QA_UNIT,
        "another unit": "ou-ab12-other333",
        "an account": STAGING,
        "the organization's root": "r-ab12",
    }
    for name, target in targets.items():
        for whose, stack_set in (
            ("", f"sagemaker-{NAME}-deploy-staging"),
            (" for another team's stack set", "network"),
            (" for another team's stack set of a stage", "network-deploy-staging"),
            (" for another stack set of sagemaker", "sagemaker-notebooks"),
        ):
            arn = f"arn:aws:cloudformation:{HERE}:stackset-target/{stack_set}/{target}"
            yield Thing(name + whose, arn, DATA_SCIENCE, ("stackset-target",))
