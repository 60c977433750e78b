"""What `make teardown` finds, takes down and leaves: a whole installation, broken in many ways, each from one world."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from localaws.cloud import Cloud, Session
from localaws.cloudformation.stacks import stacks_of
from localaws.cloudformation.stacksets.state import sets_of
from localaws.services.sagemaker.projects import Projects
from localaws.services.servicecatalog.state import Catalog
from scripts import doctor
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UserError
from scripts.kit.doctor.merge import merged, without
from scripts.kit.names import SHARED_STACK
from scripts.kit.publish import hosting, sharing
from scripts.kit.teardown import installation as teardown_kit
from scripts.kit.teardown import parts
from scripts.kit.teardown.orphans import Owners
from scripts.kit.teardown.stage_sets import within
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.story import StoryFailed, signed_in
from tests.support.faults import Outcome
from tests.support.light_installation import REGION, LightInstallation

FAILED = "never-made"
SHARED = "555555555555"
OTHER_RULE = {"AllowedOrigins": ["https://example.com"], "AllowedMethods": ["GET"]}
OTHER_STATEMENT = '{"Sid": "Mine",  "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "%s/*"}'


class Whole(LightInstallation):
    """Published to both places, shared in each way, with what `doctor --fix` and people add.

    There is a second project, which failed before anything of it was made.
    """

    policy: str

    def build(self, cloud: Cloud) -> None:
        super().build(cloud)
        story, environment = self.story, str(self.story.environment_path)
        root = cloud.root(story.setting.data_science, REGION)
        domain = root.client("sagemaker").list_domains()["Domains"][0]["DomainId"]
        management = cloud.root(story.setting.management, REGION)
        management.client("servicecatalog").enable_aws_organizations_access()
        delegation = {"AccountId": root.account, "ServicePrincipal": "servicecatalog.amazonaws.com"}
        management.client("organizations").register_delegated_administrator(**delegation)
        text = story.environment_path.read_text()
        text = text.replace("studio:\n", f"studio:\n  domain_id: {domain}\n")
        shares = f"['{SHARED}', organization, {story.setting.units['staging']}]"
        text = text.replace("catalog:\n", f"catalog:\n  share_with: {shares}\n")
        story.environment_path.write_text(f"{text}publishing: {{to: both}}\n")
        story.command(self.manager(cloud), "scripts.accounts", "--environment", environment)
        bundle = ("--bundle", str(story.folder / "bundle"))
        story.command(story.engineer, "scripts.publish", "--environment", environment, *bundle)
        with pytest.raises(StoryFailed, match="CreateFailed"):
            chapters.create_project(story, FAILED, OrganizationalUnitStagingId="none")
        self.add(root)

    def add(self, root: Session) -> None:
        """What others have in the same places, and what people do by hand."""
        s3, bucket = root.client("s3"), f"sagemaker-{REGION}-{root.account}"
        s3.create_bucket(Bucket=bucket)
        statement = OTHER_STATEMENT % f"arn:aws:s3:::{bucket}"
        self.policy = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
        s3.put_bucket_policy(Bucket=bucket, Policy=self.policy)
        with signed_in(root):
            doctor.main([*("--environment", str(self.story.environment_path)), "--fix"])
        assert teardown_kit.READ_MODELS in s3.get_bucket_policy(Bucket=bucket)["Policy"]
        place = {"Bucket": f"sagemaker-multi-account-bundle-{root.account}-{REGION}"}
        rules = s3.get_bucket_cors(**place)["CORSRules"]
        s3.put_bucket_cors(**place, CORSConfiguration={"CORSRules": [OTHER_RULE, *rules]})
        policy = f"arn:aws:iam::{root.account}:policy/sagemaker-multi-account-data-scientist"
        root.client("iam").attach_role_policy(RoleName=people.APPROVER, PolicyArn=policy)
        root.client("cloudformation").create_stack(
            StackName="ci-of-ours",
            TemplateBody=(ROOT / "templates/60-ci-roles.yaml").read_text(),
            Parameters=[{"ParameterKey": "GitHubRepository", "ParameterValue": "my-company/multi-account-sagemaker"}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


Break = Callable[[Cloud], Any]


def taken_down(
    whole: Whole, *arguments: str, breaks: Break = lambda cloud: None, runs: int = 1, by: str = ""
) -> Outcome:
    """What a teardown makes of the installation, after breaks() did something to it. by: the account of who runs it"""

    def who(cloud: Cloud) -> Session:
        breaks(cloud)
        return people.sign_in(cloud, by or whole.story.setting.management, people.ENGINEER, REGION)

    return whole.world.case(whole.teardown(*arguments), who, None, runs)


def clean(outcome: Outcome, whole: Whole) -> bool:
    """Whether nothing of the project is left."""
    assert outcome.codes == (0,), outcome.printed
    held = json.dumps({k: v for k, v in outcome.state.items() if "Logs" not in k})
    return f"sagemaker-project-{whole.story.project_id}" not in held


def set_status(cloud: Cloud, account: str, name: str, status: str) -> None:
    """Leave a stack in the state that a failed operation leaves."""
    found = stacks_of(cloud, account, REGION).find(name)
    assert found is not None
    found.status = status


def stage(whole: Whole, stage: str) -> str:
    return f"sagemaker-{whole.story.project_name}-{whole.story.project_id}-deploy-{stage}"


def set_instance(whole: Whole, cloud: Cloud, stage_name: str, status: str) -> None:
    for found in sets_of(cloud, whole.story.setting.management, REGION).by_id.values():
        if found.name == stage(whole, stage_name):
            for instance in found.instances.values():
                instance.status = status


def digest(text: str) -> str:
    """As tests/support/cloud_state.py shows bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def steps(output: str) -> list[tuple[str, str]]:
    """Action, kind and name of each line of the plan: delete share 555555555555 → ("delete share", "555555555555")."""
    found = re.findall(r"^  [-=] (delete|keep) +(\S+(?: \w+)?) +(\S+)", output, re.MULTILINE)
    return [(f"{action} {kind}", name) for action, kind, name in found]


# -- everything --------------------------------------------------------------------------------


def test_everything_that_the_kit_publishes_is_taken_down_and_what_others_have_is_left(whole: Whole) -> None:
    outcome = taken_down(whole, "--everything", "--empty-buckets", "--model-group", "--logs", runs=2)
    assert outcome.codes == (0, 0), outcome.printed
    steps_taken = steps(outcome.printed[0])
    shares = [name for what, name in steps_taken if what == "delete share"]
    assert (shares[0], len(shares)) == (SHARED, 3)
    kinds = {what.removeprefix("delete ") for what, _ in steps_taken if what.startswith("delete")}
    assert kinds >= {"principal", "constraint", "association", "product", "portfolio", "tag", "cors rule", "statement"}
    assert ("delete domain tag", hosting.LOCATION_TAG) in steps_taken
    assert "is taken from the role Approver" in outcome.printed[0]
    assert re.search(r"keep +stack +ci-of-ours \(template 60, made by hand", outcome.printed[0])
    assert "keep   organization" in outcome.printed[0]
    assert re.search(r"keep +stack +multi-account-deployment-studio-ada \(people work in Studio", outcome.printed[0])
    assert "2 orphans, 2 of them retained" in outcome.printed[0]  # Studio's domain, and its user
    assert [what for what, _ in steps(outcome.printed[1]) if what.startswith("delete")] == []
    state, before = json.dumps(outcome.state), json.dumps(whole.world.built)
    assert digest(whole.policy) in state, "what others wrote into the policy stays as it was"
    assert digest(whole.policy) not in before
    assert hosting.LOCATION_TAG not in state
    assert hosting.LOCATION_TAG in before
    assert FAILED not in state
    assert FAILED in before


def test_a_statement_is_taken_out_of_a_policy_without_changing_a_character_of_the_others() -> None:
    ours: dict[str, Any] = {"Sid": "Ours", "Effect": "Allow"}
    for policy in (
        '{"Version": "2012-10-17",  "Statement": [ {"Sid": "A"},\n {"Sid":"B"} ] }',
        '{"Statement": [{"Sid": "A"}], "Version": "2012-10-17"}',
        '{"Statement": []}',
    ):
        assert without(policy, "Ours") == policy
        assert without(merged(policy, [ours]), "Ours").split() == policy.split()
    first = '{"Statement": [{"Sid": "Ours"}, {"Sid":  "A"}]}'
    assert without(first, "Ours") == '{"Statement": [{"Sid":  "A"}]}'
    assert json.loads(without('{"Statement": {"Sid": "Ours"}}', "Ours"))["Statement"] == []
    assert without("", "Ours") == ""


# -- half-broken installations ------------------------------------------------------------------

ALL_OF_A_PROJECT = ("--model-group", "--empty-buckets", "--logs")


@pytest.mark.parametrize(
    ("prod", "staging"),
    [
        ("DELETE_FAILED", "ROLLBACK_COMPLETE"),
        ("ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"),
        ("CREATE_FAILED", "UPDATE_ROLLBACK_COMPLETE"),
    ],
)
def test_stages_in_any_failed_state_are_taken_down(whole: Whole, prod: str, staging: str) -> None:
    def breaks(cloud: Cloud) -> None:
        for name, status in (("prod", prod), ("staging", staging)):
            set_status(cloud, whole.story.setting.data_science, stage(whole, name), status)

    outcome = taken_down(whole, "--project", whole.story.project_name, *ALL_OF_A_PROJECT, breaks=breaks)
    assert clean(outcome, whole)
    assert f"-deploy-prod ({prod}; 1 endpoint" in outcome.printed[0]


def test_instances_that_are_out_of_date_or_inoperable_are_shown_and_go(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        set_instance(whole, cloud, "prod", "INOPERABLE")
        set_instance(whole, cloud, "staging", "OUTDATED")

    outcome = taken_down(whole, "--project", whole.story.project_name, *ALL_OF_A_PROJECT, breaks=breaks)
    assert clean(outcome, whole)
    assert "222222222222 us-east-1 (INOPERABLE)" in outcome.printed[0]
    assert "333333333333 us-east-1 (OUTDATED)" in outcome.printed[0]


def refuse_in_production(whole: Whole, cloud: Cloud) -> None:
    """The production account takes the rights from the role of stack sets."""
    iam = cloud.root(whole.story.setting.targets["prod"], REGION).client("iam")
    role = next(r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("stacksets-exec-"))
    iam.detach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def test_an_account_that_cannot_be_cleared_is_named_with_the_command_that_lets_it_go(whole: Whole) -> None:
    outcome = taken_down(
        whole, "--project", whole.story.project_name, breaks=lambda cloud: refuse_in_production(whole, cloud)
    )
    assert outcome.codes == (1,)
    unit = whole.story.setting.units["prod"]
    assert "could not be deleted everywhere:\n  222222222222 us-east-1: " in outcome.printed[0]
    assert (
        f"aws cloudformation delete-stack-instances --stack-set-name {stage(whole, 'prod')} --call-as DELEGATED_ADMIN "
        f"--retain-stacks --deployment-targets OrganizationalUnitIds={unit},Accounts=222222222222,"
        "AccountFilterType=INTERSECTION --regions us-east-1"
    ) in outcome.printed[0]


def test_an_account_that_was_let_go_by_that_command_is_no_obstacle(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        refuse_in_production(whole, cloud)
        client = cloud.root(whole.story.setting.data_science, REGION).client("cloudformation")
        client.delete_stack_instances(
            StackSetName=stage(whole, "prod"),
            CallAs="DELEGATED_ADMIN",
            RetainStacks=True,
            DeploymentTargets=within([whole.story.setting.units["prod"]], ["222222222222"]),
            Regions=[REGION],
        )

    assert clean(taken_down(whole, "--project", whole.story.project_name, *ALL_OF_A_PROJECT, breaks=breaks), whole)


def test_a_suspended_account_is_forgotten_by_the_stages_and_by_the_kit(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        organizations = cloud.root(whole.story.setting.management, REGION).client("organizations")
        organizations.close_account(AccountId="222222222222")

    outcome = taken_down(whole, "--everything", *ALL_OF_A_PROJECT, breaks=breaks)
    assert clean(outcome, whole)
    forgotten = [name for what, name in steps(outcome.printed[0]) if what == "delete instance"]
    assert forgotten == ["222222222222"] * 2
    assert "multi-account-deployment-target-production (the account is no longer active" in outcome.printed[0]


def test_a_project_whose_update_failed_is_deleted_with_its_tainted_product(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        for catalog in cloud.states(Catalog).values():
            for provisioned in catalog.provisioned.values():
                provisioned.status = "TAINTED"
        for projects in cloud.states(Projects).values():
            for project in projects.by_name.values():
                project.status = "UpdateFailed"

    outcome = taken_down(whole, "--project", whole.story.project_name, *ALL_OF_A_PROJECT, breaks=breaks)
    assert clean(outcome, whole)
    assert "(UpdateFailed; with its pipeline" in outcome.printed[0]


def test_a_project_that_failed_before_it_had_a_pipeline_is_found_by_its_product(whole: Whole) -> None:
    outcome = taken_down(whole, "--project", FAILED)
    assert outcome.codes == (0,), outcome.printed
    assert f"delete project       {FAILED} (" in outcome.printed[0]
    assert FAILED not in json.dumps(outcome.state)


def test_a_protected_stack_is_named_with_the_command_that_takes_the_protection_off(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        client = cloud.root(whole.story.setting.data_science, REGION).client("cloudformation")
        client.update_termination_protection(StackName=stage(whole, "prod"), EnableTerminationProtection=True)

    outcome = taken_down(whole, "--project", whole.story.project_name, breaks=breaks)
    assert outcome.codes == (1,)
    assert (
        f"update-termination-protection --no-enable-termination-protection --stack-name {stage(whole, 'prod')}"
        in (outcome.printed[0])
    )


def test_a_kit_whose_own_stack_failed_is_taken_down(whole: Whole) -> None:
    def breaks(cloud: Cloud) -> None:
        set_status(cloud, whole.story.setting.data_science, SHARED_STACK, "UPDATE_ROLLBACK_FAILED")

    outcome = taken_down(whole, "--everything", *ALL_OF_A_PROJECT, breaks=breaks)
    assert clean(outcome, whole)
    assert "us-east-1 (UPDATE_ROLLBACK_FAILED)" in outcome.printed[0]


# -- who looks where ---------------------------------------------------------------------------


def test_accounts_that_were_not_looked_at_are_named_once_with_the_command_that_looks(whole: Whole) -> None:
    """With credentials of the data science account, which may not enter the targets."""
    outcome = taken_down(whole, "--orphans", by=whole.story.setting.data_science)
    assert outcome.codes == (1,), "the report is not whole"
    (line,) = [line for line in outcome.printed[0].splitlines() if "not looked at" in line]
    assert "222222222222, 333333333333" in line
    assert 'account 999999999999 that may enter them: make teardown ARGS="--orphans --profile PROFILE"' in line
    assert "no orphans where it was looked" in outcome.printed[0]


def test_the_data_science_account_takes_a_project_down_and_says_where_it_did_not_look(whole: Whole) -> None:
    outcome = taken_down(whole, "--project", whole.story.project_name, by=whole.story.setting.data_science)
    assert outcome.codes == (0,), outcome.printed
    assert re.search(
        r"^  = bucket +\S+ - +sagemaker-project-\S+ \(retained, as shown above\)$", outcome.printed[0], re.M
    )
    assert re.search(r"^(\d+) orphans?, \1 of them retained$", outcome.printed[0], re.M)
    assert outcome.printed[0].count("not looked at") == 1


def test_a_mistyped_project_is_reported_with_the_one_that_is_meant(whole: Whole) -> None:
    outcome = taken_down(whole, "--project", "iris-multi-1", "--dry-run")
    assert outcome.codes == (0,), "as after a project was taken down"
    assert "  nothing to do\n" in outcome.printed[0]
    assert "nothing left of one (did you mean iris-multi-01?)" in outcome.printed[0]


def test_why_an_account_was_not_looked_at_stands_on_one_line() -> None:
    part = parts.unseen("log groups", "in 222222222222", UserError("it cannot be entered\nMissing: a statement"))
    assert part.step.detail == "not looked at: it cannot be entered"


def test_a_share_that_another_team_has_to_take_back_says_who() -> None:
    client = boto3.client("servicecatalog", REGION, aws_access_key_id="x", aws_secret_access_key="x")
    stubbed = Stubber(client)
    stubbed.add_client_error("delete_portfolio_share", "OperationNotSupportedException")
    stubbed.activate()
    with pytest.raises(UserError, match="--account-id 111111111111`"):
        sharing.remove(client, "111111111111", "port-1", sharing.PortfolioShare("ORGANIZATION", "o-1", accepted=True))


def test_an_endpoint_of_a_project_that_is_gone_is_an_orphan_without_any_tag() -> None:
    """Template 50 can be deployed by hand: then no stack set has tagged what it makes."""
    owners = Owners(frozenset({"p-aaaaaaaaaaaa"}), kit=True, account="111111111111")
    gone = "of the project p-bbbbbbbbbbbb, which account 111111111111 does not have"
    assert owners.lost("iris-p-bbbbbbbbbbbb-prod", {}) == gone
    assert owners.lost("iris-p-aaaaaaaaaaaa-prod", {}) == ""
    assert owners.lost("theirs-p-bbbbbbbbbbbb-model", {}) == ""


def test_the_mark_of_template_60_stands_in_its_description() -> None:
    assert teardown_kit.CI_ROLES in (ROOT / "templates/60-ci-roles.yaml").read_text()
