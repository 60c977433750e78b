"""Consumers in other accounts: who may ask which project's endpoint, with the lines of the guide, and who may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from awslang.principals import Principal
from localaws.cloud import Session
from tests.support.attacks import check_denied, role_policy, trust_policy
from tests.support.endpoint_stack import Place, target_account
from tests.support.played import check_played, holders_of
from tests.support.roles import make_role
from tests.support.sagemaker_world import OTHER, REGION

SHOP_ACCOUNT, STRANGER = "555555555555", "666666666666"
SHOP = f"arn:aws:iam::{SHOP_ACCOUNT}:role/shop"
CLERK = f"arn:aws:iam::{SHOP_ACCOUNT}:role/clerk"
THIEF = f"arn:aws:iam::{STRANGER}:role/shop"
ROLE = f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod-consumer"
ALLOWED = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": ROLE}


class World:
    """Endpoints of two projects in a production account, of which the shop may ask one."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pairs = f"iris@{SHOP},flowers@{CLERK}"
        assert self.give(self.pairs, SHOP_ACCOUNT) == "CREATE_COMPLETE"
        for project, name in (("p-1", "iris"), ("p-2", "flowers"), ("p-3", "iris-2")):
            assert place.push(project, SageMakerProjectName=name) == "CREATE_COMPLETE"
        for arn in (SHOP, CLERK, THIEF):
            self.make(arn)

    def give(self, pairs: str, accounts: str) -> str:
        return self.place.give_rights(Consumers=pairs, ConsumerAccountIds=accounts)

    def make(self, arn: str) -> None:
        """The role, which its own account allows to become the consumer's."""
        account, name = arn.split(":")[4], arn.rsplit("/", 1)[1]
        make_role(self.place.cloud, name, "lambda", ALLOWED, account=account)

    def session(self, arn: str) -> Session:
        account, name = arn.split(":")[4], arn.rsplit("/", 1)[1]
        by = f"arn:aws:sts::{account}:assumed-role/{name}/mine"
        return self.place.cloud.session_for(Principal("role", account, by, role_arn=arn, session_name="mine"), REGION)

    def become(self, arn: str, stated: str, **tags: str) -> Session:
        """The consumer's role, entered by this principal. stated: the external id; tags: of the session"""
        listed = [{"Key": f"sagemaker:{name.replace('_', '-')}", "Value": value} for name, value in tags.items()]
        sts = self.session(arn).client("sts")
        answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="mine", Tags=listed, ExternalId=stated)
        credentials = self.place.cloud.credentials(answer["Credentials"]["AccessKeyId"])
        assert credentials is not None
        return Session(self.place.cloud, credentials, REGION)


def ask(session: Session, endpoint: str) -> str:
    answer = session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2"
    )
    return str(answer["Body"].read().decode()).strip()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with target_account(tmp_path_factory.mktemp("consumers"), waits=0.0002) as place:
        yield World(place)


def test_a_consumer_asks_the_endpoint_of_its_project(world: World) -> None:
    shop = world.become(SHOP, f"iris@{SHOP}", project_name="iris")
    assert ask(shop, "iris-p-1-prod") == "0.0"
    assert ask(world.become(CLERK, f"flowers@{CLERK}", project_name="flowers"), "flowers-p-2-prod") == "0.0"


@pytest.mark.parametrize("endpoint", ["flowers-p-2-prod", "iris-2-p-3-prod"])
def test_a_consumer_that_asks_another_projects_endpoint_is_refused(world: World, endpoint: str) -> None:
    shop = world.become(SHOP, f"iris@{SHOP}", project_name="iris")
    check_denied(lambda: ask(shop, endpoint), "sagemaker:InvokeEndpoint")


def test_a_consumer_can_do_nothing_but_ask(world: World) -> None:
    sagemaker = world.become(SHOP, f"iris@{SHOP}", project_name="iris").client("sagemaker")
    check_denied(lambda: sagemaker.describe_endpoint(EndpointName="iris-p-1-prod"), "sagemaker:DescribeEndpoint")
    check_denied(sagemaker.list_endpoints, "sagemaker:ListEndpoints")


@pytest.mark.parametrize(
    ("caller", "stated", "tags"),
    [
        (SHOP, f"flowers@{SHOP}", {"project_name": "flowers"}),  # a project that the pair does not name
        (SHOP, f"flowers@{CLERK}", {"project_name": "flowers"}),  # the pair of another principal
        (SHOP, f"iris@{SHOP}", {"project_name": "flowers"}),  # its own pair, and the tag of another project
        (SHOP, f"iris@{SHOP}", {}),  # no project
        (SHOP, f"iris@{SHOP}", {"project_name": "iris", "project_id": "p-2"}),  # a tag that other roles rely on
        (SHOP, "iris", {"project_name": "iris"}),
        (THIEF, f"iris@{SHOP}", {"project_name": "iris"}),  # a role of the same name in another account
        (THIEF, f"iris@{THIEF}", {"project_name": "iris"}),
    ],
)
def test_who_is_no_consumer_of_the_project_is_refused(
    world: World, caller: str, stated: str, tags: dict[str, str]
) -> None:
    check_denied(lambda: world.become(caller, stated, **tags), "sts:")


@pytest.mark.parametrize(
    ("condition", "stated"), [("StringEquals", f"flowers@{CLERK}"), ("StringLike", f"flowers@{SHOP}")]
)
def test_each_condition_of_the_trust_keeps_one_of_them_out(world: World, condition: str, stated: str) -> None:
    def without(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Condition": {k: v for k, v in statement["Condition"].items() if k != condition}}

    trust = trust_policy(world.place.cloud.root(OTHER, REGION), ROLE.rsplit("/", 1)[1])
    with trust.changed("ConsumersAskTheirProjects", without):
        assert world.become(SHOP, stated, project_name="flowers")


def test_the_endpoints_tag_keeps_a_consumer_off_other_projects(world: World) -> None:
    policy = role_policy(world.place.cloud.root(OTHER, REGION), ROLE.rsplit("/", 1)[1], "ask-one-project")
    shop = world.become(SHOP, f"iris@{SHOP}", project_name="iris")
    with policy.changed("AskOneProject", lambda statement: {k: v for k, v in statement.items() if k != "Condition"}):
        assert ask(shop, "flowers-p-2-prod") == "0.0"


def test_what_rests_on_this_story_is_used_in_it(world: World) -> None:
    check_played(holders_of(world.place.cloud), __file__)


def test_a_consumer_that_is_taken_out_is_refused_and_without_any_there_is_no_role(world: World) -> None:
    assert world.give(f"flowers@{CLERK}", SHOP_ACCOUNT) == "UPDATE_COMPLETE"
    check_denied(lambda: world.become(SHOP, f"iris@{SHOP}", project_name="iris"), "sts:AssumeRole")
    assert world.give("", "") == "UPDATE_COMPLETE"
    names = {role["RoleName"] for role in world.place.there("iam").list_roles()["Roles"]}
    assert "sagemaker-role-prod-consumer" not in names
    assert "sagemaker-role-prod-tester" in names
