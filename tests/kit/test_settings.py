"""The environment file: what it may hold, and how every mistake in it is reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.kit.console import UserError
from scripts.kit.names import STUDIO_ROLE
from scripts.kit.settings import consumers, model, reading
from scripts.kit.stages import Stage
from tests.support import EXAMPLE_SETTINGS, ROOT
from tests.support.cfn import evaluator
from tests.support.settings import SELF_MANAGED, complaint

SUBNETS = ", ".join(f"subnet-0000000{n:x}" if n < 16 else "subnet-12345678" for n in range(17))
SHOP = "arn:aws:iam::555555555555:role/shop"


def test_the_example_is_complete_and_valid() -> None:
    found = reading.parse(EXAMPLE_SETTINGS, "example")
    assert found.accounts.data_science == "111111111111"
    assert found.stack_set_administrator == "DELEGATED_ADMIN"
    assert found.regions == model.Regions(dict.fromkeys((Stage.STAGING, Stage.PROD), ("us-east-1",)))
    assert found.portfolio_principals == ("arn:aws:iam::111111111111:role/service-role/AmazonSageMaker-ExecutionRole",)


def test_what_may_be_left_out_has_the_names_of_the_post() -> None:
    text = (
        "region: eu-west-1\naccounts: {management: '999999999999', data_science: '111111111111'}\n"
        "units: {staging: ou-ab12-stag1111, production: ou-ab12-prod2222}\ntester_external_id: tester\n"
        "studio: {execution_roles: ['arn:aws:iam::111111111111:role/Scientist']}\n"
        "roles: {publishers: [sso/Engineer, user/ada, 'arn:aws:iam::111111111111:role/ci/Publisher']}\n"
    )
    found = reading.parse(text, "small")
    assert (found.catalog.portfolio, found.catalog.product) == (
        "SageMaker Organization Templates",
        "Multi Account Deployment",
    )
    assert found.roles.access == "OrganizationAccountAccessRole"
    assert found.studio.execution_roles == ("Scientist",)
    assert found.roles.publishers == ("role/sso/Engineer", "user/ada", "role/ci/Publisher")


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    text = (
        EXAMPLE_SETTINGS.replace("'999999999999'", "'99999999999'")
        .replace("region: us-east-1", "region: us-east1", 1)
        .replace("staging: ou-ab12-stag1111", "staging: ou-Staging")
        .replace("production: prod", "production: Production-Accounts")
        .replace("tester_external_id:", "tester_externalid:")
    )
    lines = complaint(text).splitlines()
    assert lines[0] == "environment.yaml has 6 mistakes:"
    message = "\n".join(lines[1:])
    assert "line 5, region: 'us-east1' is not a Region with SageMaker (did you mean us-east-1?)" in message
    assert "line 15, accounts.management: '99999999999' is not an account id of 12 digits" in message
    assert "(it has 11 characters)" in message
    assert "units.staging: 'ou-Staging' is not a unit's id, such as ou-ab12-cdefgh34" in message
    assert "roles.suffix.production: 'Production-Accounts' is not at most 10 lowercase letters or digits" in message
    assert "tester_externalid: is not a key of this file (did you mean tester_external_id?)" in message
    assert "tester_external_id: is missing" in message


@pytest.mark.parametrize("written", ["012345678901", "111111111111", "0o17", "1_000"])
def test_an_account_id_that_yaml_reads_as_a_number_is_explained(written: str) -> None:
    message = complaint(EXAMPLE_SETTINGS.replace("'999999999999'", written))
    assert "accounts.management: YAML reads" in message
    assert "Write it in quotes" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("administrator: delegated", "administrator: delegate", "(did you mean delegated?)"),
        ("administrator: delegated", "administrator: management", "must be the management account"),
        ("'999999999999'", "'111111111111'", "cannot be a delegated administrator"),
        ("ou-ab12-prod2222", "ou-ab12-stag1111", "is the staging unit"),
        ("  principals: []", "  principals: arn:aws:iam::1:role/x", "catalog.principals: must be a list"),
        ("  principals: []", "  principals: [me]", "catalog.principals[0]: 'me' is not the ARN"),
        ("approval_email: ''", "approval_email: absent", "notifications.approval_email: 'absent' is not an e-mail"),
        ("    - service-role/AmazonSageMaker-ExecutionRole", "    []", "studio.execution_roles: is empty"),
        (
            "service-role/AmazonSageMaker-ExecutionRole",
            "arn:aws:iam::222222222222:role/Other",
            "studio.execution_roles[0]: is a role of account 222222222222, not of accounts.data_science",
        ),
        ("catalog:\n", "catalog: yes\nother:\n", "catalog: must hold keys of its own"),
        ("studio:\n", "studio:\n  domain: yes\n", "studio.domain: must hold keys of its own"),
        ("studio:\n", "studio:\n  domain: {}\n", "studio.domain.vpc_id: is missing. Write the id of a VPC"),
        ("studio:\n", "studio:\n  domain: {subnet_ids: []}\n", "studio.domain.subnet_ids: is empty"),
        ("studio:\n", "studio:\n  domain: {users: [a_b]}\n", "studio.domain.users[0]: 'a_b' is not a user's name"),
        ("studio:\n", "studio:\n  domain: {users: [ada, Ada]}\n", "studio.domain.users[1]: Ada is there already"),
        ("studio:\n", f"studio:\n  domain: {{subnet_ids: [{SUBNETS}]}}\n", "lists 17 subnets, and a domain takes 16"),
    ],
)
def test_each_mistake_says_what_to_do(old: str, new: str, message: str) -> None:
    assert old in EXAMPLE_SETTINGS
    assert message in complaint(EXAMPLE_SETTINGS.replace(old, new))


@pytest.mark.parametrize("text", ["", "just words", "- a list"])
def test_a_file_without_keys_points_to_the_example(text: str) -> None:
    assert "environment.example.yaml" in complaint(text)


def test_broken_yaml_is_reported_with_its_line() -> None:
    assert complaint("region: us-east-1\naccounts: {").startswith("environment.yaml, line")
    assert "line 2" in complaint("region: us-east-1\nregion: us-east-1\n")


def test_a_missing_file_points_to_the_example(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"eu.yaml does not exist. Copy environment.example.yaml to .*/eu.yaml and"):
        reading.load(tmp_path / "eu.yaml")


def test_a_file_that_cannot_be_read_is_reported_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: Is a directory$"):
        reading.load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("owner: Zürich\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin.yaml cannot be read: it is not text in UTF-8$"):
        reading.load(tmp_path / "latin.yaml")


def test_without_organizations_the_accounts_of_each_stage_are_listed() -> None:
    found = reading.parse(SELF_MANAGED, "alone")
    assert found.targets == model.Targets(
        {Stage.STAGING: ("333333333333", "444444444444"), Stage.PROD: ("222222222222",)}
    )
    assert (found.accounts.management, found.units) == ("", model.Units(dict.fromkeys((Stage.STAGING, Stage.PROD), "")))
    assert (found.stack_set_administrator, found.permission_model) == ("SELF", "SELF_MANAGED")
    assert found.target_roles == "one-by-one"


def test_what_is_new_in_the_file_has_todays_meaning_when_left_out() -> None:
    found = reading.parse(EXAMPLE_SETTINGS, "example")
    assert (found.targets, found.new_accounts, found.invited_accounts) == (None, (), ())
    assert (found.publishing.to, found.source.provider, found.studio.domain_id) == ("service-catalog", "codecommit", "")
    assert (found.target_roles, found.permission_model) == ("stack-set", "SERVICE_MANAGED")
    assert found.images.repository_prefix == ""
    assert found.models == model.Models("", life_cycle=False)  # untagged: as it is in AWS
    assert found.notifications.notice_email == ""
    assert found.approval == model.Approval(four_eyes=False)


def test_every_optional_line_of_the_example_can_be_switched_on() -> None:
    """Each `# key: value` line, without its mark, is still a valid file (targets apart: they replace the units)."""
    words = (
        "new_accounts|invited_accounts|target_roles|regions|approval|publishing|source|domain|domain_id|images|models"
        "|consumers|qa|uat|preprod"
    )
    lines, inside = [], False
    for line in EXAMPLE_SETTINGS.splitlines():
        begins = re.match(rf"(  )?# ({words}):", line)
        inside = bool(begins) or (inside and line.startswith("#   "))
        lines.append(re.sub("^((?:  )?)# ", r"\1", line) if inside else line)
    found = reading.parse("\n".join(lines), "example")
    assert found.new_accounts == (model.NewAccount("models-staging", "models-staging@example.com", "staging"),)
    assert found.invited_accounts == (model.InvitedAccount("222222222222", "production"),)
    assert (found.source.provider, found.source.repository_owner) == ("connection", "my-organization")
    assert found.studio.domain_id == "d-abcdefghijkl"
    assert found.studio.domain == model.Domain(
        "data-science", "vpc-0a1b2c3d4e5f67890", ("subnet-0a1b2c3d4e5f67890",), ("ada",)
    )
    assert found.studio.execution_roles[0] == STUDIO_ROLE
    assert found.images == model.Images("team")
    assert found.models == model.Models("refuse", life_cycle=True)
    assert found.approval == model.Approval(four_eyes=True, before=(Stage.QA,))
    shop = model.Consumer("churn", "arn:aws:iam::555555555555:role/shop")
    assert found.consumers == model.PerStage({**dict.fromkeys(Stage, ()), Stage.PROD: (shop,)})


def test_units_may_be_named_and_a_data_science_account_may_be_new() -> None:
    text = EXAMPLE_SETTINGS.replace("ou-ab12-stag1111", "multi-account-deployment/staging").replace(
        "  data_science: '111111111111'\n", ""
    )
    found = reading.parse(
        f"{text}new_accounts: [{{name: Data science, email: ds@example.com, stage: data_science}}]\n", "new"
    )
    assert found.units == model.Units(
        {Stage.STAGING: "multi-account-deployment/staging", Stage.PROD: "ou-ab12-prod2222"}
    )
    assert found.accounts.data_science == ""


def test_the_consumers_of_a_stage_have_room_in_the_trust_policy() -> None:
    """IAM takes 2,048 characters (User Guide, "IAM and AWS STS quotas")."""
    given = {"SageMakerRoleSuffix": "staging", "Consumers": f"churn@{SHOP}", "ConsumerAccountIds": "555555555555"}
    given |= {
        "PipelineExecutionRoleArn": SHOP,
        "ModelBucketName": "models",
        "ModelKeyArn": "arn:aws:kms:us-east-1:111111111111:key/1",
    }
    text = (ROOT / "templates/20-target-account.yaml").read_text(encoding="utf-8")
    trust = evaluator(text, given).resource("ConsumerRole")["AssumeRolePolicyDocument"]
    length = len(json.dumps(trust, separators=(",", ":"))) - len(f'"churn@{SHOP}"') - 2 * len('"555555555555"')
    assert length + consumers.ROOM <= 2048


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("targets: {staging: ['333333333333']}", "targets: is for `administrator: self-managed` only"),
        ("target_roles: by-hand", "target_roles: 'by-hand' is not one of: stack-set, one-by-one"),
        ("new_accounts: [{name: a, email: b, stage: staging}]", "new_accounts[0].email: 'b' is not an e-mail address"),
        ("new_accounts: [{name: a, email: a@b.cd}]", "new_accounts[0].stage: is missing"),
        ("new_accounts: [{name: a, email: a@b.cd, stage: test}]", "new_accounts[0].stage: 'test' is not one of"),
        (
            "new_accounts: [{name: a, email: a@b.cd, stage: staging}, {name: a, email: b@b.cd, stage: staging}]",
            "new_accounts[1].name: a is another new account's",
        ),
        ("new_accounts: [staging]", "new_accounts[0]: must hold keys of its own"),
        ("invited_accounts: [{id: 222222222222, stage: staging}]", "invited_accounts[0].id: YAML reads"),
        ("publishing: {to: S3}", "publishing.to: 'S3' is not one of"),
        ("approval: {four_eyes: 'true'}", "approval.four_eyes: is 'true'. Write true or false, without quotes"),
        ("approval: {foureyes: true}", "approval.foureyes: is not a key of this file"),
        ("source: {provider: connection}", "source.connection_arn: is missing"),
        ("source: {provider: connection}", "source.repository_owner: is missing"),
        ("images: {repository_prefix: Team}", "images.repository_prefix: 'Team' is not the first part of"),
        ("images: {repository_prefix: /}", "images.repository_prefix: '/' is not"),
        ("images: {prefix: team}", "images.prefix"),
        ("models: {untagged: maybe}", "models.untagged: 'maybe' is not one of: allow, refuse"),
        (
            "regions: {staging: [eu-west-1, eu-west-2], production: [eu-west-3, eu-north-1]}\n"
            "images: {repository_prefix: team/iris/}",
            "images: go to 3 further Regions at most, and the stages have 4",
        ),
        (
            "regions: {staging: [eu-west-1, us-east-1, eu-west-2, eu-west-3, eu-north-1]}",
            "regions.staging: has 4 Regions besides us-east-1, and a stage has room for 3. Leave some out",
        ),
        ("consumers: {prod: []}", "consumers.prod: is not a key of this file"),
        ("consumers: {staging: [churn]}", "consumers.staging[0]: must hold keys of its own"),
        ("consumers: {staging: [{project: churn}]}", "consumers.staging[0].principal: is missing"),
        (
            "consumers: {staging: [{project: churn*, principal: 'arn:aws:iam::555555555555:role/shop'}]}",
            "consumers.staging[0].project: 'churn*' is not the name of a project",
        ),
        (
            "consumers: {staging: [{project: churn, principal: 'arn:aws:iam::555555555555:role/*'}]}",
            "consumers.staging[0].principal: 'arn:aws:iam::555555555555:role/*' is not the ARN of a role or user",
        ),
        (
            f"consumers: {{production: [{', '.join(f'{{project: p{n}, principal: {SHOP}}}' for n in range(40))}]}}",
            "consumers.production: has 1,736 characters of projects and principals",
        ),
        ("source: {repository_owner: me}", "source.provider: is codecommit, which has no connection"),
    ],
)
def test_mistakes_in_the_optional_parts_say_what_to_do(added: str, message: str) -> None:
    assert message in complaint(f"{EXAMPLE_SETTINGS}{added}\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'444444444444'", "'111111111111'", "targets.staging[1]: 111111111111 is the data science account"),
        ("['222222222222']", "['444444444444']", "targets.production[0]: 444444444444 is in targets.staging already"),
        ("['222222222222']", "[]", "targets.production: is empty"),
        ("accounts:\n", "accounts:\n  management: '999999999999'\n", "accounts.management: has no part"),
        ("\nroles:\n", "\nunits: {staging: a, production: b}\nroles:\n", "units: has no part"),
        ("\nroles:\n", "\ntarget_roles: stack-set\nroles:\n", "target_roles: must be one-by-one"),
        (
            "\nroles:\n",
            "\ninvited_accounts: [{id: '555555555555', stage: staging}]\nroles:\n",
            "invited_accounts: needs Organizations",
        ),
    ],
)
def test_mistakes_without_organizations_say_what_to_do(old: str, new: str, message: str) -> None:
    assert old in SELF_MANAGED
    assert message in complaint(SELF_MANAGED.replace(old, new, 1))


IDS = "staging: ou-ab12-stag1111\n  production: ou-ab12-prod2222"
NAMES = "staging: models/eu/staging\n  production: models/eu/production"


@pytest.mark.parametrize(
    ("units", "where"),
    [
        (IDS, ""),
        (NAMES, "models/eu"),
        (NAMES.replace("eu/production", "us/production"), "models"),
        ("staging: staging\n  production: production", ""),
        (f"{IDS}\n  data_science: models", "models"),
        (f"{NAMES}\n  data_science: ou-ab12-data3333", "ou-ab12-data3333"),
    ],
)
def test_a_new_data_science_account_goes_into_the_unit_above_the_stages_unless_another_is_named(
    units: str, where: str
) -> None:
    assert IDS in EXAMPLE_SETTINGS
    assert reading.parse(EXAMPLE_SETTINGS.replace(IDS, units), "names").units.data_science == where


@pytest.mark.parametrize("unit", ["models/eu/staging", "models/eu/staging/science", "models/eu/production"])
def test_the_data_science_account_is_in_no_unit_of_a_stage(unit: str) -> None:
    message = complaint(EXAMPLE_SETTINGS.replace(IDS, f"{NAMES}\n  data_science: {unit}"))
    assert "units.data_science: is the " in message
    assert "unit or in it, whose accounts run models" in message


def test_a_management_account_that_is_the_data_science_account_has_no_unit() -> None:
    text = EXAMPLE_SETTINGS.replace("administrator: delegated", "administrator: management")
    text = text.replace("data_science: '111111111111'", "data_science: '999999999999'")
    assert reading.parse(text.replace(IDS, NAMES), "e").units.data_science == ""
    message = complaint(text.replace(IDS, f"{NAMES}\n  data_science: models"))
    assert "units.data_science: has no part with `administrator: management`" in message


def test_a_shadow_has_minutes_and_a_bucket() -> None:
    shadow = "endpoints: {data_bucket: account, shadow: {minutes: 60, requests: 1000}}\n"
    found = reading.parse(EXAMPLE_SETTINGS + shadow, "example").endpoints.shadow
    assert (found.minutes, found.requests) == (60, 1000)
    assert reading.parse(EXAMPLE_SETTINGS, "example").endpoints.shadow.minutes == 0
    for wrong, said in (
        ("{shadow: {minutes: 60}}", "endpoints.shadow: is compared by captured data, which need a bucket"),
        (
            "{data_bucket: account, shadow: {requests: 5}}",
            "endpoints.shadow.requests: ends a shadow, and there is none",
        ),
        ("{data_bucket: account, shadow: {minutes: 241}}", "is 241. Write a whole number from 0 to 240"),
        ("{data_bucket: account, shadow: {minutes: '60'}}", "is '60'. Write a whole number from 0 to 240"),
        ("{data_bucket: account, shadow: {minutes: true}}", "is True. Write a whole number from 0 to 240"),
        ("{data_bucket: account, shadow: {minutes: 1.5}}", "is 1.5. Write a whole number from 0 to 240"),
        ("{data_bucket: account, shadow: {minutes: -1}}", "is -1. Write a whole number from 0 to 240"),
    ):
        assert said in complaint(f"{EXAMPLE_SETTINGS}endpoints: {wrong}\n"), wrong


def test_a_data_key_is_an_alias_of_the_account_and_needs_data() -> None:
    found = reading.parse(f"{EXAMPLE_SETTINGS}\nendpoints: {{data_bucket: account, data_key: alias/data}}", "example")
    assert found.endpoints == model.Endpoints("account", data_key="alias/data")
    assert "endpoints.data_key: a key, and there is no data. Write data_bucket" in complaint(
        f"{EXAMPLE_SETTINGS}\nendpoints: {{data_key: alias/data}}"
    )
    for wrong in ("data", "alias/aws/s3", "arn:aws:kms:us-east-1:222222222222:alias/data"):
        text = f"{EXAMPLE_SETTINGS}\nendpoints: {{data_bucket: account, data_key: '{wrong}'}}"
        assert "is not the alias of a key, such as alias/endpoint-data" in complaint(text)
