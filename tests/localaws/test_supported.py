"""Every operation that is supported, asked with the least that its model takes: answered or refused, never broken."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from botocore import xform_name
from moto.core.utils import get_service_model

from localaws import supported
from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support.corrections_world import World, refusal
from tests.support.least_requests import NEEDED, sample

# What a query without a start gives, no page says.
UNKNOWN = {("sagemaker", "QueryLineage")}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("least") / "rehearsal") as running:
        yield running


def test_the_least_request_is_answered_or_refused_in_its_services_words(cloud: Cloud) -> None:
    """API References, Common Errors: ValidationError, and the errors of each operation. What the model requires nothing
    of is known to authorization too."""
    asked, unknown = 0, set()
    for service in supported.services():
        client, model = World(cloud).client(service.name), get_service_model(service.name)
        for operation in sorted({*service.ours, *service.moto}):
            shape = model.operation_model(operation).input_shape
            least = {**sample(shape, ""), **NEEDED.get(operation, {})} if shape is not None else {}
            asked += 1
            found = refusal(partial(getattr(client, xform_name(operation)), **least))
            if found == "NotSupported" and (shape is None or not shape.required_members):
                unknown.add((service.name, operation))
    assert [f"{fault.where}\n{fault.traceback}" for fault in cloud.faults] == []
    assert unknown == UNKNOWN
    assert asked > 900
