"""What AWS refuses for a while after something was made is asked for again: on the codes that public tools retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scripts.kit.console import UserError
from scripts.kit.organization import members, organizing, state
from scripts.kit.publish import publishing
from scripts.kit.publish.catalog import FoundProduct, WantedProduct
from scripts.kit.publish.publishing import PublishedIds
from tests.support.fake_services import Fake, error

ACCOUNT = "111111111111"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.kit.patience.time.sleep", lambda seconds: None)


def after(*refusals: ClientError, answer: Any = None) -> Callable[..., Any]:
    """An operation that is refused so, one after the other, and then answers."""
    left = list(refusals)

    def ask(**_: Any) -> Any:
        if left:
            raise left.pop(0)
        return answer

    return ask


def constraint(*refusals: ClientError) -> Fake:
    want: Any = Fake()
    want.launch_role = "arn:aws:iam::111111111111:role/service-role/Launch"
    catalog = Fake(create_constraint=after(*refusals))
    wanted: WantedProduct = want
    step: Any = type("Step", (), {"action": "create"})
    publishing.write_constraint(catalog, wanted, FoundProduct(), PublishedIds("p", "d", ""), step)  # type: ignore[arg-type]
    return catalog


def test_a_launch_constraint_is_asked_for_until_service_catalog_sees_the_role_and_the_product() -> None:
    made = constraint(
        error("CreateConstraint", "ResourceNotFoundException", "the product is not associated"),
        error("CreateConstraint", "InvalidParametersException", "Role profile does not exist"),
    )
    assert len(made.called("create_constraint")) == 3
    with pytest.raises(ClientError, match="not valid"):
        constraint(error("CreateConstraint", "InvalidParametersException", "Parameters are not valid"))


def test_a_new_account_is_asked_for_until_it_can_be_a_delegated_administrator() -> None:
    names = ("AccountNotFoundException", "ConcurrentModificationException", "ServiceException")
    refusals = [error("RegisterDelegatedAdministrator", name) for name in names]
    listed = [{"DelegatedAdministrators": [{"Id": ACCOUNT}]}]
    organizations: Any = Fake(
        register_delegated_administrator=after(*refusals), list_delegated_administrators=lambda **_: listed
    )
    organizing.register(organizations, ACCOUNT)
    assert len(organizations.called("register_delegated_administrator")) == 4
    known = error("RegisterDelegatedAdministrator", "AccountAlreadyRegisteredException")
    organizations.operations["register_delegated_administrator"] = after(known)
    organizing.register(organizations, ACCOUNT)


def test_an_account_is_asked_for_while_the_organization_is_finalized() -> None:
    names = ("FinalizingOrganizationException", "TooManyRequestsException", "ServiceException")
    asked: Any = Fake(create_account=after(*(error("CreateAccount", name) for name in names), answer="made"))
    assert state.write(asked.create_account, AccountName="new") == "made"
    with pytest.raises(ClientError, match="AccessDenied"):
        state.write(after(error("CreateAccount", "AccessDeniedException")))


def test_an_account_without_a_state_is_no_account_that_is_left_out_silently() -> None:
    """A boto3 from before State leaves it out; Status ended in September 2026."""
    assert [one.id for one in members.active([{"Id": "1", "Name": "a", "State": "ACTIVE"}])] == ["1"]
    assert members.active([{"Id": "1", "Name": "a", "State": "CLOSED", "Status": "ACTIVE"}]) == ()
    with pytest.raises(UserError, match="account 1: this boto3 does not show the State"):
        members.active([{"Id": "1", "Name": "a"}])
