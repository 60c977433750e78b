"""What every resource type has: a generated name, a schema, attributes."""

from __future__ import annotations

from typing import Any

from awslang.template import schemas
from localaws.cloud import Cloud
from localaws.cloudformation.provider import providers
from tests.support.providers import REGION, provider_of, stack_context


def test_a_generated_name_is_stable_and_holds_the_limit(cloud: Cloud) -> None:
    made = stack_context(cloud, "Bucket")
    assert made.generated_name(63) == made.generated_name(63)
    assert made.generated_name(63).startswith("shop-Bucket-")
    long = stack_context(cloud, "ALogicalIdThatGoesOnAndOn", stack_name="a-stack-whose-name-has-many-letters-" * 3)
    for limit in (63, 64, 128):
        assert len(long.generated_name(limit)) <= limit
    assert long.generated_name(63, lower=True).islower()
    assert made.generated_name(63) != stack_context(cloud, "Bucket", token="t2").generated_name(63)


def test_every_provider_is_of_a_type_that_the_registry_knows() -> None:
    assert [name for name in providers() if not schemas.known(name, REGION) and "Custom" not in name] == []


def test_a_types_provider_is_in_the_module_or_package_of_its_service() -> None:
    assert len(providers()) == 62
    for type_name, provider in providers().items():
        module = type(provider).__module__.removeprefix("localaws.cloudformation.providers.").split(".")[0]
        service = type_name.split("::")[1].lower()
        assert module.replace("_", "") == {"lambda": "awslambda"}.get(service, service), type_name


def test_what_is_made_answers_every_attribute_of_the_schema(cloud: Cloud) -> None:
    """GetAtt of what the schema calls read-only must not come to nothing."""
    simple: dict[str, dict[str, Any]] = {
        "AWS::SNS::Topic": {},
        "AWS::SQS::Queue": {},
        "AWS::Logs::LogGroup": {},
        "AWS::KMS::Key": {},
        "AWS::S3::Bucket": {},
        "AWS::SSM::Parameter": {"Type": "String", "Value": "v"},
    }
    for number, (name, properties) in enumerate(simple.items()):
        made = provider_of(name).create(stack_context(cloud, f"L{number}"), properties)
        missing = set(schemas.schema(name, REGION).read_only) - set(made.attributes)
        assert not {attribute for attribute in missing if "." not in attribute and "Configuration" not in attribute}, (
            name
        )
