"""Publishing: found by name, planned, applied; unchanged bundles write nothing and interrupted runs converge."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.template.reader import read
from localaws.cloud import Cloud
from localaws.services.servicecatalog.state import Catalog
from scripts.kit.bundle import installation, pack
from scripts.kit.plan import PlanStep
from scripts.kit.publish import publishing
from scripts.kit.settings.model import Approval
from scripts.kit.settings.reading import parse
from tests.support.publisher import BUCKET, ENVIRONMENT, REGION, SCIENTIST, A, B, Publisher


@pytest.fixture
def publisher(cloud: Cloud, tmp_path: Path) -> Iterator[Publisher]:
    with pytest.MonkeyPatch.context() as patch:
        yield Publisher(cloud, tmp_path, patch)


def bundle_name(publisher: Publisher) -> str:
    return pack.read_build(publisher.tree / "build").name


def test_the_first_publish_makes_a_product_that_data_scientists_see(publisher: Publisher) -> None:
    assert publisher() == 0
    scientist = publisher.cloud.service_role(SCIENTIST, "ada", "sagemaker.amazonaws.com", REGION)
    views = scientist.client("servicecatalog").search_products()["ProductViewSummaries"]
    assert [v["Name"] for v in views] == ["Multi Account Deployment"]
    catalog = publisher.root.client("servicecatalog")
    described = catalog.describe_product_as_admin(Id=views[0]["ProductId"])
    assert described["Tags"] == [{"Key": "sagemaker:studio-visibility", "Value": "true"}]
    assert publisher.versions() == {bundle_name(publisher): "DEFAULT"}
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]
    assert portfolio["DisplayName"] == "SageMaker Organization Templates"
    constraints = catalog.list_constraints_for_portfolio(PortfolioId=portfolio["Id"])["ConstraintDetails"]
    parameters = catalog.describe_constraint(Id=constraints[0]["ConstraintId"])["ConstraintParameters"]
    role = f"arn:aws:iam::{A}:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"
    assert json.loads(parameters) == {"RoleArn": role}


def test_objects_carry_the_hash_in_their_keys_and_the_tag_that_the_launch_role_may_read(publisher: Publisher) -> None:
    assert publisher() == 0
    bundle = pack.read_build(publisher.tree / "build")
    s3 = publisher.root.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sorted(keys) == sorted(f"bundle/{bundle.digest}/{name}" for name in [*bundle.files, "manifest.json"])
    for key in keys:
        tags = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        assert tags == [{"Key": "servicecatalog:provisioning", "Value": "true"}]
    body = s3.get_object(Bucket=BUCKET, Key=bundle.key("model-deploy.zip"))["Body"].read()
    assert body == bundle.files["model-deploy.zip"]


def test_a_second_publish_writes_nothing(publisher: Publisher) -> None:
    first = publisher.writes_of()
    assert {"PutObject", "CreatePortfolio", "CreateProduct", "CreateConstraint"} < set(first)
    assert publisher.writes_of() == []


def test_a_dry_run_writes_nothing_and_prints_the_plan(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    assert publisher.writes_of("--dry-run", "--json") == []
    output = capsys.readouterr()
    report = json.loads(output.out[output.out.index("{") :])
    assert report["applied"] is False
    assert {step["kind"] for step in report["steps"] if step["action"] == "create"} == {
        "s3 object",
        "portfolio",
        "product",
        "version",
        "association",
        "constraint",
        "principal",
    }
    assert f"publish {bundle_name(publisher)} to account {A}, " in output.err, "no other name to explain"
    assert "+ create product" in output.err
    assert f"bundle/{report['sha256'][:12]}…/manifest.json" in output.err, "a whole hash says no more on a screen"
    assert f"bundle/{report['sha256']}/manifest.json" in {step["name"] for step in report["steps"]}


def test_a_changed_bundle_is_a_new_version_and_older_ones_are_deprecated_not_deleted(publisher: Publisher) -> None:
    publisher()
    old = bundle_name(publisher)
    publisher.change()
    writes = publisher.writes_of()
    assert set(writes) == {"PutObject", "CreateProvisioningArtifact", "UpdateProvisioningArtifact"}
    assert publisher.versions() == {old: "DEPRECATED", bundle_name(publisher): "DEFAULT"}
    keys = [o["Key"] for o in publisher.root.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert len({key.split("/")[1] for key in keys}) == 2
    assert publisher.writes_of() == []


def test_publishing_the_former_bundle_again_brings_its_version_back(publisher: Publisher) -> None:
    publisher()
    old = bundle_name(publisher)
    publisher.change()
    publisher()
    (publisher.tree / "seed-code/model-deploy/README.md").write_text("seed-code/model-deploy\n")
    publisher.pack()
    assert set(publisher.writes_of()) == {"UpdateProvisioningArtifact"}
    assert publisher.versions()[old] == "DEFAULT"
    assert sorted(publisher.versions().values()) == ["DEFAULT", "DEPRECATED"]


def test_a_publish_interrupted_after_every_single_write_converges_without_duplicates(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = publishing.apply

    def interrupted(*arguments: Any, report: Any, **options: Any) -> Any:
        def stop(step: PlanStep) -> None:
            raise KeyboardInterrupt

        return whole(*arguments, report=stop, **options)

    monkeypatch.setattr(publishing, "apply", interrupted)
    codes = []
    while (code := publisher()) == 130:
        codes.append(code)
        assert len(codes) < 40
    assert code == 0
    assert len(codes) == 18  # thirteen objects, and five writes in Service Catalog
    assert publisher.versions() == {bundle_name(publisher): "DEFAULT"}
    assert len(publisher.root.client("servicecatalog").list_portfolios()["PortfolioDetails"]) == 1


def test_what_others_changed_by_hand_is_put_right(publisher: Publisher) -> None:
    publisher()
    catalog = publisher.root.client("servicecatalog")
    product = catalog.search_products_as_admin()["ProductViewDetails"][0]["ProductViewSummary"]["ProductId"]
    catalog.update_product(Id=product, Owner="Another team", RemoveTags=["sagemaker:studio-visibility"])
    key = pack.read_build(publisher.tree / "build").key("model-build.zip")
    publisher.root.client("s3").delete_object_tagging(Bucket=BUCKET, Key=key)
    assert sorted(publisher.writes_of()) == ["PutObjectTagging", "UpdateProduct"]
    assert publisher.writes_of() == []


def test_the_portfolio_and_product_are_found_on_any_page(publisher: Publisher) -> None:
    publisher()
    catalog = publisher.root.client("servicecatalog")
    for number in range(25):
        catalog.create_portfolio(DisplayName=f"Other {number}", ProviderName="me")
    state = publisher.cloud.state(Catalog, A, REGION)
    state.portfolios = dict(reversed(state.portfolios.items()))  # ours comes last
    assert publisher.writes_of() == []


def test_what_the_environment_says_are_the_defaults_of_the_product_and_make_another_version(
    publisher: Publisher,
) -> None:
    product = publisher.tree / pack.PRODUCT
    parameters = """Parameters:
  StagingRegions:
    Type: CommaDelimitedList
    Default: ''
  ProdRegions: {Type: CommaDelimitedList, Default: ''}
  OrganizationalUnitStagingId: {Type: String}
"""
    product.write_text(product.read_text().replace("Parameters:\n", parameters, 1))
    publisher.pack()
    built = bundle_name(publisher)
    assert publisher() == 0
    first = set(publisher.versions())
    assert first != {built}  # the unit is a default of this installation
    regions = "regions: {staging: [us-east-1], production: [us-east-1, eu-west-1]}\n"
    publisher.environment.write_text(ENVIRONMENT + regions)
    assert publisher() == 0
    second = next(name for name, guidance in publisher.versions().items() if guidance == "DEFAULT")
    assert {second} != first
    key = next(
        k for k in publisher.object_keys() if k.split("/")[1].startswith(second.split("-")[1]) and "30-project" in k
    )
    body = publisher.root.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    declared = read(body.decode())[0]["Parameters"]
    assert declared["ProdRegions"]["Default"] == "us-east-1,eu-west-1"
    assert declared["StagingRegions"]["Default"] == ""
    assert declared["OrganizationalUnitStagingId"]["Default"] == "ou-ab12-stag1111"
    assert declared["BundleVersion"]["Default"] == second
    assert publisher.writes_of() == []


@pytest.mark.parametrize("four_eyes", [True, False])
def test_whether_two_people_are_needed_is_fixed_in_the_product(four_eyes: bool) -> None:
    settings = dataclasses.replace(parse(ENVIRONMENT, "example"), approval=Approval(four_eyes))
    bundle = pack.pack(pack.read_tree(pack.ROOT))
    made = installation.with_defaults(bundle, settings, REGION, lambda unit, key: unit)
    declared = read(made.files[pack.PRODUCT].decode())[0]["Parameters"]["FourEyes"]
    value = "true" if four_eyes else "false"
    assert (declared["Default"], declared["AllowedValues"]) == (value, [value])


def test_two_people_that_the_product_cannot_ask_for_are_reported(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.environment.write_text(ENVIRONMENT + "approval: {four_eyes: true}\n")
    assert "has no parameter FourEyes" in refusal(publisher, capsys)


def test_regions_that_the_product_cannot_take_are_reported(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.environment.write_text(ENVIRONMENT + "regions: {production: [eu-west-1]}\n")
    assert "has no parameter ProdRegions" in refusal(publisher, capsys)


def test_the_portfolio_is_shared_as_asked_with_patterns_of_principals(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    organizations = publisher.root.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="data")["OrganizationalUnit"]["Id"]
    publisher.environment.write_text(
        f"{ENVIRONMENT}catalog: {{principals: ['arn:aws:iam:::role/Scientist-*'], "
        f"share_with: ['{B}', organization, {unit}]}}\n"
    )
    message = refusal(publisher, capsys)  # the account's share is made, then the organization is refused
    assert "enable-aws-organizations-access" in message
    publisher.root.client("servicecatalog").enable_aws_organizations_access()
    assert publisher.writes_of() == ["CreatePortfolioShare", "CreatePortfolioShare"]
    assert publisher.writes_of() == []
    catalog = publisher.root.client("servicecatalog")
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]["Id"]
    listed = catalog.list_principals_for_portfolio(PortfolioId=portfolio)["Principals"]
    assert {"PrincipalARN": "arn:aws:iam:::role/Scientist-*", "PrincipalType": "IAM_PATTERN"} in listed
    shared = catalog.describe_portfolio_shares(PortfolioId=portfolio, Type="ORGANIZATIONAL_UNIT")
    assert [(s["PrincipalId"], s["SharePrincipals"]) for s in shared["PortfolioShareDetails"]] == [(unit, True)]


def test_a_product_with_a_hundred_versions_takes_no_more_and_the_way_out_is_reported(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher()
    state = next(iter(publisher.cloud.states(Catalog).values()))
    product = next(iter(state.products.values()))
    former = next(iter(product.artifacts.values()))
    for number in range(99):
        id = f"pa-{number:013}"
        product.artifacts[id] = dataclasses.replace(former, id=id, name=f"0.0.{number}-old")
    publisher.change()
    message = refusal(publisher, capsys)
    assert "the product has 100 versions, and Service Catalog takes 100" in message
    assert "`make versions`" in message


# -- what goes wrong ---------------------------------------------------------------------------


def refusal(publisher: Publisher, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    capsys.readouterr()
    assert publisher(*arguments) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err
    return output.err


def test_a_bundle_that_is_not_built_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    (publisher.tree / "build/manifest.json").unlink()
    assert "the bundle is not built" in refusal(publisher, capsys)


def test_a_stale_bundle_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    stage = publisher.tree / pack.STAGE
    stage.write_text(stage.read_text().replace("A small stage", "A newer stage"))
    message = refusal(publisher, capsys)
    assert "older than the sources" in message
    assert "templates/40-stage.yaml" in message


def test_credentials_of_another_account_are_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.sign_in(publisher.cloud.root(B, REGION))
    assert f"belong to account {B}, but accounts.data_science is {A}" in refusal(publisher, capsys)


def test_no_credentials_are_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        publisher.patch.delenv(name)
    assert "no AWS credentials found" in refusal(publisher, capsys)


def test_a_profile_that_does_not_exist_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no-such-profile" in refusal(publisher, capsys, "--profile", "no-such-profile")


def test_a_region_that_does_not_exist_is_a_usage_error(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean us-east-1?" in refusal(publisher, capsys, "--region", "us-east1", code=2)


def test_a_bucket_that_is_not_there_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.root.client("s3").delete_bucket(Bucket=BUCKET)
    assert "does not exist in account 111111111111. Run `make accounts` first" in refusal(publisher, capsys)


def test_a_bucket_that_another_team_owns_gets_nothing(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.root.client("s3").delete_bucket(Bucket=BUCKET)
    other = publisher.cloud.root(B, REGION).client("s3")
    other.create_bucket(Bucket=BUCKET)
    assert f"the bucket {BUCKET} does not belong to account {A}," in refusal(publisher, capsys)
    assert other.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_launch_role_that_is_not_there_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.root.client("iam").delete_role(RoleName="AmazonSageMakerServiceCatalogProductsLaunchRole")
    assert "launch role" in refusal(publisher, capsys)


def test_a_product_template_that_aws_refuses_is_reported_and_tried_again(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    product = publisher.tree / pack.PRODUCT
    whole = product.read_text()
    product.write_text(whole.replace("Resources:", "Resourcen:"))
    publisher.pack()
    assert "could not take the version" in refusal(publisher, capsys)
    assert "could not take the version" in refusal(publisher, capsys)
    product.write_text(whole)
    publisher.pack()
    assert publisher() == 0
    assert publisher.writes_of() == []


def test_an_object_with_other_content_is_never_overwritten(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    key = pack.read_build(publisher.tree / "build").key("model-build.zip")
    publisher.root.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"theirs")
    assert "exists with other content" in refusal(publisher, capsys)


def test_two_portfolios_of_the_name_are_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        publisher.root.client("servicecatalog").create_portfolio(
            DisplayName="SageMaker Organization Templates", ProviderName="me"
        )
    assert "2 portfolios are named" in refusal(publisher, capsys)


def test_the_bucket_owner_condition_is_checked_as_s3_does(publisher: Publisher) -> None:
    with pytest.raises(ClientError, match="403"):
        publisher.root.client("s3").head_bucket(Bucket=BUCKET, ExpectedBucketOwner=B)
