"""The metadata that the CDK writes into its templates."""

from __future__ import annotations

from localaws.cloud import Cloud
from tests.support.cloud_state import state_of
from tests.support.providers import create_resource, delete_resource


def test_the_cdks_metadata_makes_nothing(cloud: Cloud) -> None:
    before = state_of(cloud)
    made = create_resource(cloud, "AWS::CDK::Metadata", {"Analytics": "v2:deflate64:x"})
    assert made.attributes == {}
    assert state_of(cloud) == before
    delete_resource(cloud, "AWS::CDK::Metadata", made.physical_id, {})
    assert state_of(cloud) == before
