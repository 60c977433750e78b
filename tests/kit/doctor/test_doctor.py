"""`make doctor`: a healthy installation has no finding; each way to break it is found, with its fix."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import pytest

from scripts.kit.doctor import report
from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.doctor.checks.launch import NEEDED
from scripts.kit.doctor.checks.sharing import PULL
from scripts.kit.doctor.facts.projects import has_registry
from scripts.kit.doctor.facts.stacks import PREFIX
from scripts.kit.doctor.facts.storage import ALIAS
from scripts.kit.doctor.findings import Finding, Place
from scripts.kit.doctor.following import OF_STACKS, OF_TARGETS, STACK_GONE, TARGET_GONE
from scripts.kit.doctor.merge import merged
from scripts.kit.doctor.reader import Reader
from scripts.kit.names import ROLES_STACK, SHARED_STACK
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws, xgboost_image
from tests.kit.doctor.cases import cases, swapped
from tests.kit.doctor.cases.catalog import source
from tests.kit.doctor.cases.organization import move
from tests.kit.doctor.cases.projects import another_version, own_image, project_stack, pushed, quiet
from tests.kit.doctor.cases.self_managed import targets
from tests.kit.doctor.cases.sizes import IRELAND, storage_in_ireland
from tests.kit.doctor.cases.storage import OTHERS
from tests.kit.doctor.cases.targets import TESTER, stack, trust
from tests.support import ROOT, cures
from tests.support.doctor_break import check_broken
from tests.support.doctor_world import REGION, World, make_world
from tests.support.roles import policy_document

CASES = cases()
READS = re.compile("Get|List|Describe|Search|Head|AssumeRole$")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("doctor")
    with embedded_aws(folder) as cloud:
        yield make_world(cloud, folder)
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_a_healthy_installation_has_no_finding_and_everything_is_checked(world: World) -> None:
    code, shown = world.doctor()
    expected = shown.pop("expected")
    assert shown == {"findings": [], "not_checked": [], "errors": 0}
    assert code == 0
    *listed, total = world.typed()[1].splitlines()
    assert total == f"{len(CHECKS)} checks, nothing found"
    assert len(listed) == len(expected)
    assert all(line.startswith("expected: ") for line in listed)


def test_without_a_bundle_a_project_is_upgraded_once_one_is_packed_and_published(world: World) -> None:
    with swapped(project_stack(world).shown, "BuildOnPush", "true"):
        facts = world.begin(world.reader())
        facts.built = None
        (found,) = world.look_for("training-push", facts)
    assert [line.split(" ARGS=")[0] for line in found.fix.splitlines()] == [
        "make package", "then make publish", "then make upgrade PROJECT=iris-multi-01",
    ]  # fmt: skip


def test_every_one_of_the_181_checks_has_a_case() -> None:
    assert sorted(CASES) == sorted(CHECKS)
    assert len(CHECKS) == 181


def test_every_row_of_the_cures_is_of_a_check() -> None:
    elsewhere = cures.WITH_A_DEPLOYMENT
    assert cures.WORDS.isdisjoint(cures.NOT_PLAYED)
    assert elsewhere.isdisjoint(cures.WORDS | cures.NOT_PLAYED.keys())
    assert cures.WORDS | elsewhere | cures.NOT_PLAYED.keys() <= set(CASES)
    named = re.findall(r"tests/[a-z_/]+\.py", " ".join(cures.NOT_PLAYED.values()))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_what_follows_from_a_broken_stack_is_listed_beneath_it() -> None:
    def finding(id: str, resource: str, account: str = people.DATA_SCIENCE) -> Finding:
        return Finding(CHECKS[id], Place(account, resource, "is gone", "make accounts"))

    failed = finding("kit-stack-failed", f"stack {SHARED_STACK}")
    starter, other = finding("starter-missing", "the starter"), finding("starter-missing", "another's", people.STAGING)
    apart = finding("model-bucket-missing", "a bucket")
    listed = [starter, failed, other, apart]
    text = report.lines(listed, [])
    assert text[-1] == "3 errors, 0 warnings, 0 notes; 1 more follows from these"
    at = text.index(f"        follows: starter-missing  {people.DATA_SCIENCE} the starter: is gone")
    assert next(line for line in text[:at] if "follows" in line or "error" in line).split()[1] == "kit-stack-failed"
    follows = [found["follows"] for found in report.as_data(listed, [])["findings"]]
    assert follows == [f"kit-stack-failed stack {SHARED_STACK}", "", "", ""]
    assert all(ids <= set(CHECKS) for ids in (*OF_STACKS.values(), OF_TARGETS, STACK_GONE, TARGET_GONE))


def test_what_is_gone_is_listed_beneath_its_own_stack_and_the_cure_is_that_stacks(world: World) -> None:
    """Advice to make a bucket or a topic by hand would be in the way of the stack that makes it."""
    gone = ("starter-missing", "approvals-topic-missing", "external-id-missing", "project-role-missing")
    with contextlib.ExitStack() as broken:
        for case in gone:
            broken.enter_context(CASES[case].broken(world))  # a role of template 12 is gone, and three of 11
        broken.enter_context(swapped(stack(world, world.account, SHARED_STACK), "status", "ROLLBACK_FAILED"))
        shown = world.doctor()[1]["findings"]
    by_id = {found["id"]: found for found in shown}
    assert sorted(one["id"] for one in shown if not one["id"].startswith("could-")) == sorted(
        [*gone, "kit-stack-failed"]
    )
    for id in (*gone[:3], "could-message-approvers"):  # the last one follows from the topic
        assert by_id[id]["follows"] == f"kit-stack-failed stack {SHARED_STACK}"
        assert by_id[id]["fix"] == by_id["kit-stack-failed"]["fix"]
    assert by_id["project-role-missing"]["follows"] == ""
    assert ROLES_STACK in by_id["project-role-missing"]["fix"]


@pytest.mark.parametrize(
    ("id", "role"), [("role-trusts-others", f"{PREFIX}BuildRole"), ("tester-trusts-others", TESTER)]
)
def test_a_trust_policy_that_names_others_alone_gets_the_templates_and_a_deleted_role_is_nobody(
    world: World, id: str, role: str
) -> None:
    account = world.staging if role == TESTER else world.account
    with trust(world, account, role, AWS=f"arn:aws:iam::{world.production}:root"):
        [found] = world.look_for(id, world.begin(world.reader()))
        cures.carry_out(world, found)  # IAM refuses a policy without statements
        facts = world.begin(world.reader())
        assert [*world.look_for(id, facts), *world.look_for("project-role-trust", facts)] == []
        assert world.look_for("tester-role-trust", facts) == []
    iam = world.client("iam", account)
    gone = iam.create_role(RoleName="Gone", AssumeRolePolicyDocument=people.trust(Service="ec2.amazonaws.com"))["Role"]
    with trust(world, account, role, AWS=gone["Arn"]):
        iam.delete_role(RoleName="Gone")
        assert world.look_for(id, world.begin(world.reader())) == []


def test_a_repository_of_a_shared_account_is_looked_at_and_none_of_awss(world: World) -> None:
    """That of the organization's management account; each of the three actions counts."""
    shared, facts = world.management, world.begin(world.reader())
    ecr = world.client("ecr", shared)
    assert has_registry(facts.reader, facts.settings, xgboost_image(REGION)[:12]) is False
    with pushed(world, REGION, shared), another_version(world, Image=own_image(world, shared)):

        def found(*actions: str) -> list[Place]:
            accounts = [world.staging, world.production]
            allow = {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": [*actions, "ecr:DescribeImages"]}
            ecr.set_repository_policy(repositoryName="models", policyText=policy_document(allow))
            return [one.place for one in world.look_for("version-image-shared", world.begin(world.reader()))]

        assert found(*PULL) == []
        [place] = found(*PULL[:2])
        assert f"the repository models of {shared} does not allow {world.staging}, {world.production}" in place.what
        assert place.account == shared


@pytest.mark.parametrize("id", sorted(id for id in CASES if not CASES[id].alone))
def test_what_is_broken_is_found_with_its_fix(world: World, id: str) -> None:
    check_broken(world, id)


def test_everything_was_fixed_again(world: World) -> None:
    assert world.look(world.reader()) == []


# -- the command -------------------------------------------------------------------------------


def test_without_fix_nothing_is_written_whatever_is_found(world: World) -> None:
    with CASES["model-bucket-policy"].broken(world), CASES["rule-disabled"].broken(world):
        before = len(world.requests())
        code, shown = world.doctor()
        assert code == 1
        assert shown["errors"] == 2
        assert world.doctor("--fix", "--dry-run")[0] == 1
        asked = {request["operation"] for request in world.requests()[before:]}
    assert [name for name in asked if not READS.match(name)] == []
    assert {finding["id"] for finding in shown["findings"]} == {"model-bucket-policy", "rule-disabled"}
    assert all(finding["safe"] for finding in shown["findings"])


def test_fix_sends_what_is_safe_and_leaves_other_peoples_statements_byte_for_byte(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with CASES["model-bucket-policy"].broken(world), CASES["starter-missing"].broken(world):
        code, text = world.typed("--fix")
        policy = world.client("s3").get_bucket_policy(Bucket=world.models)["Policy"]
        theirs = (OTHERS % world.models).split("[")[1].rsplit("]", 1)[0].strip()
        assert theirs in policy
        assert "StagingReadsModels" in policy
        assert "ProductionReadsModels" in policy
        assert "aws s3api put-bucket-policy" in capsys.readouterr().err
        assert code == 1  # the state machine is still missing
        assert "starter-missing" in text
        assert "model-bucket-policy" not in text


def test_a_finding_says_what_where_why_and_what_to_do(world: World) -> None:
    with CASES["delegation"].broken(world):
        code, text = world.typed()
    assert code == 1
    assert "error   delegation  999999999999 account 111111111111" in text
    assert "delegated administrators of stack sets: none" in text
    assert "Each stage is a stack set" in text
    assert "to do: aws organizations register-delegated-administrator" in text
    assert "1 error, 0 warnings, 0 notes" in text


def test_the_commands_in_the_fixes_name_the_file_and_the_region_that_were_typed(world: World) -> None:
    code, text = world.typed("--region", "eu-west-1")
    assert code == 1
    typed = f"--environment {world.story.environment_path} --region eu-west-1"
    assert f'make accounts ARGS="--profile management {typed}"' in text
    assert f'make publish ARGS="--profile data-science {typed}"' in text


def test_a_mistyped_project_is_reported_with_the_one_that_is_meant_and_ends_with_1(world: World) -> None:
    code, text = world.typed("--project", "iris-multi-1")
    assert code == 1
    assert "error   project-absent" in text
    assert "(did you mean iris-multi-01?)" in text


def test_warnings_and_notes_do_not_stop(world: World) -> None:
    with CASES["model-key-rotation"].broken(world), CASES["quota-blue-green"].broken(world):
        code, shown = world.doctor()
    assert code == 0
    assert [finding["severity"] for finding in shown["findings"]] == ["warning", "note"]


@pytest.mark.parametrize(
    "content",
    [
        '{"Regions": null, "Parameters": {"InitialInstanceCount": "\u00b2"}}'.encode(),
        b"[" * 100_000 + b"]" * 100_000,
        b"\xff",
    ],
    ids=["null", "nested", "binary"],
)
def test_a_projects_broken_settings_file_is_a_finding_and_the_check_goes_on(world: World, content: bytes) -> None:
    with quiet(world) as file:
        world.client("codecommit").put_file(**file, fileContent=content)
        code, shown = world.doctor()
    assert code == 1
    assert {finding["id"] for finding in shown["findings"]} == {"config-wrong", "rule-disabled"}  # quiet() disables it
    assert shown["not_checked"] == []


# -- who may see what --------------------------------------------------------------------------


def test_from_the_data_science_account_the_targets_are_not_checked_and_the_report_says_who_can(world: World) -> None:
    code, shown = world.doctor(by=world.engineer(world.account))
    assert (code, shown["findings"]) == (0, [])
    [note] = shown["not_checked"]
    assert note["what"] == "roles and endpoints of 2 target accounts"
    assert note["who"] == "the management account 999999999999"
    words = world.typed(by=world.engineer(world.account))[1]
    assert words.endswith("checks, nothing found in what was checked; not checked: 1, named above\n")


def test_the_data_science_account_sees_that_it_is_no_delegated_administrator(world: World) -> None:
    with CASES["delegation"].broken(world):
        code, shown = world.doctor(by=world.engineer(world.account))
    assert code == 1
    assert [finding["id"] for finding in shown["findings"]] == ["delegation"]
    assert "the organization's OUs and accounts" in [note["what"] for note in shown["not_checked"]]


def test_what_the_credentials_may_not_read_is_reported_and_is_not_a_finding(world: World) -> None:
    iam = world.client("iam")
    people.make_person(iam, world.account, "Visitor", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    visitor = people.sign_in(world.cloud, world.account, "Visitor", "us-east-1")
    code, shown = world.doctor(by=visitor)
    assert code == 0
    assert shown["findings"] == []
    needs = {note["needs"] for note in shown["not_checked"]}
    assert {"the permission servicecatalog:ListPortfolios", "the permission kms:DescribeKey"} <= needs
    assert all(note["who"] for note in shown["not_checked"])


def test_the_reader_refuses_to_write(world: World) -> None:
    reader = world.reader()
    with pytest.raises(ValueError, match="writes"):
        reader.ask(world.account, "s3", "DeleteBucket", Bucket=world.models)
    assert isinstance(reader, Reader)


def test_accounts_of_nested_units_are_checked_too(world: World) -> None:
    client, unit = world.client("organizations", world.management), world.story.setting.units["staging"]
    child = client.create_organizational_unit(ParentId=unit, Name="Nested")["OrganizationalUnit"]["Id"]
    move(world, world.staging, child)
    try:
        assert world.look(world.reader()) == []
        with CASES["model-role-missing"].broken(world):
            assert [one.check.id for one in world.look(world.reader())] == ["model-role-missing"]
    finally:
        move(world, world.staging, unit)
        client.delete_organizational_unit(OrganizationalUnitId=child)


def test_without_organizations_the_projects_own_list_says_which_accounts_are_left_over(world: World) -> None:
    values = project_stack(world).shown
    with swapped(values, "OrganizationalUnitStagingId", ""), swapped(values, "StagingAccountIds", "123456789012"):
        projects = world.begin(world.reader()).projects
    with targets(world, [world.staging]):
        facts = world.begin(world.reader())
        facts.__dict__["projects"] = projects
        [found] = world.look_for("stage-stray", facts)
    assert world.staging in found.place.what
    assert "or list them in targets.staging of the environment file again" in found.fix


def test_a_region_without_connections_is_reported(world: World) -> None:
    arn = f"arn:aws:codeconnections:us-east-1:{world.account}:connection/01234567-89ab-cdef-0123-456789abcdef"
    with source(world, arn):
        [found] = world.look_for("source-unavailable", world.begin(world.reader("ap-southeast-3")))
        assert world.look_for("source-unavailable", world.begin(world.reader())) == []
    assert "leave source out" in found.fix


def test_every_region_is_looked_at(world: World) -> None:
    ireland, key = world.client("kms", region=IRELAND), {"KeyId": ALIAS}
    with storage_in_ireland(world):
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::sagemaker-*/*"}
        bucket = {"Bucket": world.models.replace("us-east-1", IRELAND)}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        s3 = world.client("s3", region=IRELAND)
        s3.put_bucket_policy(**bucket, Policy=policy)
        s3.delete_public_access_block(**bucket)
        facts = world.begin(world.reader())
        ids = ["bucket-public", "bucket-versioning", "model-bucket-encryption", "model-key-rotation"]
        ids += ["model-bucket-deny", "model-region-missing"]
        found = {id: {one.place.region for one in world.look_for(id, facts)} for id in ids}
        assert found == {id: {IRELAND} for id in ids}
        assert {one.place.region for one in world.look_for("model-key-state", facts)} == set()
        ireland.disable_key(KeyId=ireland.describe_key(**key)["KeyMetadata"]["KeyId"])
        facts = world.begin(world.reader())
        assert {one.place.region for one in world.look_for("model-key-state", facts)} == {IRELAND}
        with CASES["model-role-reads"].broken(world):
            [reads] = world.look_for("model-role-reads", facts)
        assert f"kms:Decrypt on arn:aws:kms:{IRELAND}:" in reads.place.what
        assert {region for target in facts.targets for region, _ in target.quotas} == {"us-east-1", IRELAND}


def test_an_image_of_another_region_is_reported(world: World) -> None:
    with another_version(world, Image=own_image(world).replace("us-east-1", IRELAND)):
        [found] = world.look_for("version-image", world.begin(world.reader()))
    assert f"its image is in {IRELAND}" in found.place.what
    assert "an image in us-east-1" in found.fix


def test_no_connections_stay_open_to_a_target_account_once_it_is_read(world: World) -> None:
    """A thousand accounts' would be more than a process may have."""
    reader = world.reader(fresh=True)
    world.look_for("target-closed", facts := world.begin(reader))
    assert {target.account.id for target in facts.targets} == {world.staging, world.production}
    assert {a for a, there in reader.connections.items() if there.clients} == {world.management, world.account}


# -- what the texts rest on --------------------------------------------------------------------


def test_the_launch_role_is_asked_for_exactly_what_a_launch_asked(world: World) -> None:
    launches = [r for r in world.requests() if str(r.get("role")).endswith("ProductsLaunchRole")]
    asked = {need["action"] for request in launches for need in request["needs"]}
    assert asked == set(NEEDED)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", '{"Version": "2012-10-17", "Statement": [OURS]}'),
        ('{"Statement":[ ]}', '{"Statement":[OURS]}'),
        ('{"Statement": {"Sid":"A"} , "Id":"x"}', '{"Statement": [{"Sid":"A"}, OURS] , "Id":"x"}'),
        ('{ "Id": "[", "Statement":[ {"Sid":"A"}\n]}', '{ "Id": "[", "Statement":[ {"Sid":"A"}, OURS\n]}'),
        ('{"Statement":[{"Sid" : "Ours", "x":1},{"Sid":"B"}]}', '{"Statement":[OURS,{"Sid":"B"}]}'),
    ],
)
def test_a_statement_is_merged_by_its_sid_and_nothing_else_moves(policy: str, expected: str) -> None:
    ours = {"Sid": "Ours", "Effect": "Allow"}
    made = merged(policy, [ours])
    assert made == expected.replace("OURS", json.dumps(ours))
    assert merged(made, [ours]) == made


def test_the_page_of_findings_is_what_the_code_says() -> None:
    """To write it again: python -m scripts.kit.doctor.report"""
    assert report.table() in (ROOT / "docs/generated/checks.md").read_text(encoding="utf-8")


def test_the_page_for_developers_shows_a_check_and_a_case_as_they_stand_in_the_code() -> None:
    page = (ROOT / "docs/developing/add-a-doctor-check.md").read_text(encoding="utf-8")
    check, case = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert check in (ROOT / "scripts/kit/doctor/checks/storage.py").read_text(encoding="utf-8")
    assert case in (ROOT / "tests/kit/doctor/cases/storage.py").read_text(encoding="utf-8")
