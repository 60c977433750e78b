"""docs/generated/supported.md says what the embedded AWS really supports."""

from __future__ import annotations

import pytest

from awslang.errors import NotSupported
from awslang.policy.action_table import table
from localaws import registry, supported
from localaws.authorization import requests
from localaws.calls import Call, HttpRequest
from localaws.cloud import Cloud
from scripts import supported as command


def test_the_page_is_up_to_date() -> None:
    assert command.PAGE.read_text(encoding="utf-8") == command.page(), "run make supported"


@pytest.mark.parametrize("service", supported.services(), ids=lambda service: service.name)
def test_every_operation_is_answered_or_refused_as_the_page_says(
    cloud: Cloud, service: supported.SupportedService
) -> None:
    def call(operation: str) -> Call:
        root = cloud.root("111111111111", "us-east-1").principal
        http = HttpRequest("POST", "/", "", {}, b"")
        return Call(cloud, root, service.name, operation, {}, root.account, "us-east-1", "id", http)

    assert all(registry.handler_of(call(operation)) is not None for operation in service.ours)
    assert all(registry.handler_of(call(operation)) is None for operation in service.moto)
    assert set(service.checked) <= set(service.moto)
    for operation in service.refused:
        with pytest.raises(NotSupported, match=f"{service.name}:{operation}"):
            registry.handler_of(call(operation))


@pytest.mark.parametrize("service", supported.services(), ids=lambda service: service.name)
def test_what_an_operation_of_the_page_needs_is_known(service: supported.SupportedService) -> None:
    """Else every request to it is refused, whatever the page says."""
    prefix = requests.PREFIX.get(service.name, service.name)
    known = table(prefix)
    needs = {requests.ACTIONS.get((prefix, one), one) for one in [*service.ours, *service.moto]}
    free = {operation for named, operation in requests.FREE if named == prefix}
    assert registry.access(service.name).needs or not needs - free - set(known.actions if known else ())
