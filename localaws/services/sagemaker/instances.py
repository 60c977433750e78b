"""How many instances of a type an account's endpoints have in a Region, and the quota of it: ResourceLimitExceeded.

SageMaker API Reference, CreateEndpoint, UpdateEndpoint and UpdateEndpointWeightsAndCapacities (Errors); AWS General
Reference, "Amazon SageMaker AI endpoints and quotas" (a quota for each type). While an endpoint is updated, the new
fleet counts beside the old one (Developer Guide, "Blue/Green Deployments"), of a rolling update one batch ("Use rolling
deployments"). The words of the refusal: aws-samples/sagemaker-custom-project-templates#51.

That an update is refused before it begins is our reading: docs/explanation/open-questions.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.sagemaker.servers import Fleet
from localaws.services.servicequotas.service import quota
from localaws.variants import variants_of

if TYPE_CHECKING:
    from localaws.services.sagemaker.deployment import Endpoint

WITHOUT = {"Failed"}  # the status of an endpoint that has none


def types_of(fleet: Fleet, counts: Mapping[str, int] | None = None) -> Counter[str]:
    """The instances of a fleet by type. counts: by variant, where not those that it has"""
    given, found = fleet.counts if counts is None else counts, Counter[str]()
    for variant in variants_of(fleet.config):
        if "InstanceType" in variant:
            found[variant["InstanceType"]] += given.get(variant["VariantName"], 0)
    return found


def check(call: Call, endpoints: Iterable[Endpoint], more: Counter[str]) -> None:
    """ResourceLimitExceeded where the account may not have so many more. endpoints: its own in the Region"""
    used = Counter[str]()
    for endpoint in endpoints:
        if endpoint.shown["EndpointStatus"] not in WITHOUT:
            used += types_of(endpoint.fleet) + endpoint.coming
    for name, delta in sorted(more.items()):
        limit = quota(call.cloud, call.account, call.region, "sagemaker", f"{name} for endpoint usage")
        if delta > 0 and used[name] + delta > limit:
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{name} for endpoint usage' is {limit:g} Instances, with current "
                f"utilization of {used[name]} Instances and a request delta of {delta} Instances. Please contact AWS "
                "support to request an increase for this limit.",
            )
