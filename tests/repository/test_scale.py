"""The numbers of docs/explanation/scale.md, computed from what the kit really does."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
import pytest

from awslang.template.schemas import schema
from awslang.template.template import parse
from benchmarks import limits as scale
from localaws.services.codebuild.images import LAMBDA_MINUTES
from pipeline import accounts, console, endpoints, manifest, registry, report, settings, shadow_watch, sharing
from scripts.kit.console import UsageError
from scripts.kit.doctor.checks import limits
from scripts.kit.settings import reading
from scripts.kit.settings.endpoints import LONGEST_SHADOW
from scripts.kit.stages import Stage
from tests.support import ROOT

PAGE = (ROOT / "docs/explanation/scale.md").read_text(encoding="utf-8")
EIGHT_HOURS = 8 * 60 * 60  # seconds that CodePipeline waits for a build ("Quotas in AWS CodePipeline")
GROUP = "arn:aws:sagemaker:us-east-1:111111111111:model-package-group/iris-multi-01"


@pytest.fixture(scope="module")
def pipeline() -> dict[str, Any]:
    """The pipeline's own modules, by name."""
    modules = (accounts, console, endpoints, manifest, registry, report, settings, sharing)
    return {module.__name__.split(".")[1]: module for module in modules}


def shortest(sharing: Any, group: str, before: dict[str, Any], ids: dict[str, list[str]]) -> str:
    """The group's policy in its shortest form, with as many versions of each stage as it names."""
    versions = [f"{group.replace(':model-package-group/', ':model-package/')}/{n}" for n in range(995, 1000)]
    assert len(versions) == sharing.VERSIONS
    for stage, listed in ids.items():
        before = sharing.merged(before, stage, sharing.statements(stage, versions, listed, short=True))
    return str(sharing.compact(before))


def test_the_policy_holds_as_many_accounts_as_the_page_says(pipeline: Any) -> None:
    sharing = pipeline["sharing"]

    def length(accounts: int) -> int:
        ids = [f"{number:012}" for number in range(accounts)]
        return len(shortest(sharing, GROUP, {}, {"staging": ids[:400], "prod": ids[400:]}))

    most = max(number for number in range(1200, 1400) if length(number) <= sharing.POLICY_LIMIT)
    assert f"{most:,} accounts of both stages" in PAGE, most


def test_the_parameters_hold_as_many_accounts_as_the_page_says(pipeline: Any) -> None:
    each = pipeline["manifest"].PARAMETER_LIMIT // len(",222222222222")
    assert f"{each * len(pipeline['settings'].ACCOUNT_PARAMETERS):,} accounts in a stage" in PAGE
    assert f"{each} accounts in a stage" in PAGE


def test_a_report_holds_as_many_places_as_the_page_says() -> None:
    golden = json.loads((ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    assert f"{500 // (len(golden) + 3)} places" in PAGE


def test_the_doctor_knows_what_the_build_step_takes(pipeline: Any) -> None:
    sharing, settings = pipeline["sharing"], pipeline["settings"]
    each = pipeline["manifest"].PARAMETER_LIMIT // len(",222222222222")
    assert each * len(settings.ACCOUNT_PARAMETERS) == limits.ACCOUNTS_PER_STAGE
    assert sharing.POLICY_LIMIT == limits.GROUP_POLICY
    assert settings.FURTHER_REGIONS == reading.FURTHER_REGIONS
    own = {*sharing.READ_GROUP.values(), *sharing.USE_VERSIONS.values(), *sharing.FOR_ALL}
    assert own == limits.SHARED_BY_US


@pytest.mark.parametrize("group", [GROUP, GROUP.replace("iris", "Iris")])
def test_the_doctor_measures_a_groups_policy_as_the_build_step_writes_it(pipeline: Any, group: str) -> None:
    sharing, accounts = pipeline["sharing"], [f"{number:012}" for number in range(1_300)]
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "sagemaker:ListTags", "Resource": group}
    former = {"Sid": "TargetAccountsUseVersions", "Effect": "Allow", "Principal": {"AWS": accounts[:3]}}
    before = {"Version": "2012-10-17", "Statement": [theirs, former]}
    written = shortest(sharing, group, before, {"staging": accounts[:500], "prod": accounts[500:]})
    counts = {Stage.STAGING: 500, Stage.PROD: 800}
    assert limits.group_policy_size(group, json.dumps(before), counts) == len(written)


# -- AWS's numbers, and what the kit uses of them ----------------------------------------------


def test_the_table_and_its_sources_stand_on_the_page() -> None:
    assert scale.table((1_000, 10_000), 2) in PAGE
    assert "\n".join(scale.sources()) in PAGE


@pytest.mark.slow
def test_the_first_limits_are_those_that_the_page_names() -> None:
    first, second = sorted(scale.LIMITS, key=lambda limit: scale.most_accounts(limit, 2))[:2]
    assert (first.name, second.most) == ("policy of a model group", limits.ACCOUNTS_PER_STAGE)
    assert not any(limit.share(1_000, 2) > 1 for limit in scale.LIMITS)
    most = scale.most_accounts(first, 2)
    assert f"{most:,} accounts of both stages" in PAGE
    assert f"10,000 accounts need {-(-10_000 // most)} projects" in PAGE


def test_the_kit_gives_itself_the_time_that_is_computed_with(pipeline: Any) -> None:
    endpoints, resources = pipeline["endpoints"], parse((ROOT / "templates/30-project.yaml").read_text()).resources
    minutes = {name: resources[name]["Properties"]["TimeoutInMinutes"] for name in ("Build", "Test")}
    condition, on_lambda, on_ec2 = minutes["Build"]["Fn::If"]
    assert (endpoints.AT_ONCE, endpoints.SECONDS) == (scale.AT_ONCE, scale.TEST_SECONDS)
    assert (condition, on_lambda) == ("UsesLambda", {"Ref": "AWS::NoValue"})
    assert scale.BUILD_MINUTES == LAMBDA_MINUTES < on_ec2
    config = endpoints.CONFIG  # the last request begins just before the end, and may hang as often as it is tried
    hangs = config.retries["max_attempts"] * (config.connect_timeout + config.read_timeout + 20)  # 20: between tries
    asked, with_shadow, tests = minutes["Test"]["Fn::If"]
    assert scale.TEST_SECONDS + 2 * hangs < tests * 60  # a slow answer is asked for a second time
    longest = LONGEST_SHADOW * 60 + 2 * shadow_watch.SETTLE + shadow_watch.LAST_LOOK + 2 * hangs
    assert (asked, longest < with_shadow * 60 < EIGHT_HOURS) == ("HasShadow", True)
    further = pipeline["settings"].FURTHER_REGIONS + 1
    assert scale.test_seconds(limits.ACCOUNTS_PER_STAGE, further) < scale.TEST_SECONDS


def test_awss_own_models_say_the_same() -> None:
    def most(service: str, operation: str) -> int:
        model = botocore.session.get_session().get_service_model(service).operation_model(operation)
        assert model.input_shape is not None
        return int(model.input_shape.members["MaxResults"].metadata["max"])

    assert most("organizations", "ListAccountsForParent") == scale.ACCOUNTS_OF_A_PAGE
    assert most("cloudformation", "ListStackInstances") == scale.INSTANCES_OF_A_PAGE
    handlers = schema("AWS::CloudFormation::StackSet").document["handlers"]
    assert {handlers[name]["timeoutInMinutes"] for name in ("create", "update")} == {scale.HANDLER_HOURS * 60}


def test_the_artifact_of_the_build_step_is_no_larger_than_computed(pipeline: Any) -> None:
    many = tuple(pipeline["accounts"].Account(f"{n:012}", f"{n:050}") for n in range(500))  # a name has 50 at most
    regions = ["ap-southeast-1", "ap-southeast-2"]
    listed = [{"id": account.id, "name": account.name} for account in many]
    places = [[account.id, region] for account in many for region in regions]
    names = {account.id: account.name for account in many}
    manifest = json.dumps({"accounts": listed, "parameters": ",".join(names), "card": places, "names": names}, indent=2)
    assert len(manifest) < scale.ARTIFACT_BYTES_OF_A_PLACE * len(places)


@pytest.mark.parametrize(
    "sentence",
    [
        f"{scale.build_seconds(1_000, 2):.0f} seconds at 1,000 accounts, "
        f"{scale.build_seconds(10_000, 2):.0f} at 10,000",
        f"1,000 accounts in two Regions take {scale.deploy_hours(1_000, 2):.1f} hours, "
        f"10,000 take {scale.deploy_hours(10_000, 2):.1f}",
        f"on {scale.least_at_once(1_000, 2)} accounts at once for 1,000, "
        f"on {scale.least_at_once(10_000, 2)} for 10,000",
        f"1,000 accounts take {scale.deploy_hours(1_000, 2, 20):.1f} hours",
        f"1,000 accounts in two Regions take {scale.test_seconds(1_000, 2):.0f} seconds",
        f"{scale.TEST_SECONDS * scale.AT_ONCE // scale.PLACE_SECONDS:,} places",
        f"1,000 new accounts take {1_000 / scale.CREATE_ACCOUNT_A_SECOND / 3_600:.1f} hours",
        f"{scale.ORGANIZATION_FIRST}, raised on request",
        f"holds {scale.CASES_OF_A_REPORT} cases",
    ],
)
def test_what_the_page_says_in_words_is_computed(sentence: str) -> None:
    assert sentence in " ".join(PAGE.split()), sentence


def test_the_texts_of_the_steps_and_their_cases_fit(pipeline: Any) -> None:
    assert pipeline["report"].CASE_LIMIT == scale.CASES_OF_A_REPORT
    assert f"each step writes at most {pipeline['console'].SUMMARY_LIMIT}" in PAGE
    assert 2 * pipeline["console"].SUMMARY_LIMIT + 1 <= 1_000


def test_the_limits_of_another_organization_are_computed(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--accounts", "400", "--regions", "3"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"stack instances of a stack set \| 100,000 accounts times Regions \| 1,200 \(1 %\)", out)
    with pytest.raises(UsageError, match="--accounts many"):
        scale.main(["--accounts", "many"])
