"""The project template in S3: published beside the product, seen, and made into a project as the kit's launch role."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from scripts.kit.names import S3_LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import hosting
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from tests.support.installation import Installation
from tests.support.played import check_played, holders_of


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("hosting")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        yield Installation(cloud, folder, patch, to="s3")
    assert not cloud.faults, cloud.faults


def bucket(kit: Installation) -> str:
    return bundle_bucket(kit.account, kit.story.region)


def visible(kit: Installation) -> dict[str, bool]:
    """Whether Studio shows each template, by version."""
    s3 = kit.engineer.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket(kit), Prefix=hosting.PREFIX)["Contents"]
    tags = {o["Key"]: s3.get_object_tagging(Bucket=bucket(kit), Key=o["Key"])["TagSet"] for o in listed}
    wanted = {"Key": "sagemaker:studio-visibility", "Value": "true"}
    return {hosting.version_of(key): wanted in found for key, found in tags.items()}


def test_the_template_alone_is_published_with_its_tag_and_no_product(kit: Installation) -> None:
    assert visible(kit) == {kit.first: True}
    assert kit.engineer.client("servicecatalog").list_portfolios()["PortfolioDetails"] == []


def test_a_project_is_created_from_it_without_studio(kit: Installation) -> None:
    out, _ = kit.command("project", "--project", "hosted-3", "--json", who=kit.story.scientist)
    made = json.loads(out)
    assert (made["publisher"], made["version"], made["status"]) == ("s3", kit.first, "CreateCompleted")
    stack = f"SP-{made['id']}-{hosting.TEMPLATE_NAME}"
    (found,) = kit.engineer.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert found["RoleARN"].endswith(S3_LAUNCH_ROLE)
    _, err = kit.command("project", "--project", "hosted-4", "--from", "service-catalog", code=1)
    assert "does not see a product Multi Account Deployment" in err


def test_the_data_scientist_makes_changes_and_deletes_a_project_from_it_as_the_launch_role(kit: Installation) -> None:
    made = kit.hosted_project("hosted-1", kit.first)
    assert made["ProjectStatus"] == "CreateCompleted", made["TemplateProviderDetails"]
    detail = made["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
    assert detail["StackDetail"]["Name"] == f"SP-{made['ProjectId']}-multi-account-deployment"
    kit.story.project_name, kit.story.project_id = "hosted-1", made["ProjectId"]
    kit.first_execution()
    template = {"TemplateName": detail["TemplateName"], "TemplateURL": detail["TemplateURL"]}
    parameters = [{"Key": "SeedCodeBuildKey", "Value": "another"}]  # which says what a repository began with, no more
    sagemaker = kit.story.scientist.client("sagemaker")
    sagemaker.update_project(
        ProjectName="hosted-1",
        TemplateProvidersToUpdate=[{"CfnTemplateProvider": {**template, "Parameters": parameters}}],
    )
    assert kit.settled("hosted-1")["ProjectStatus"] == "UpdateCompleted"
    sagemaker.delete_project(ProjectName="hosted-1")

    def gone() -> bool:
        return "hosted-1" not in {p["ProjectName"] for p in sagemaker.list_projects()["ProjectSummaryList"]}

    kit.story.until("the project to go", gone)


def test_without_the_launch_role_the_data_scientist_makes_nothing(kit: Installation) -> None:
    failed = kit.hosted_project("hosted-2", kit.first, RoleARN="")
    assert failed["ProjectStatus"] == "CreateFailed"
    message = failed["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]["StatusMessage"]
    assert "cloudformation:CreateStack" in message


def test_an_unchanged_bundle_writes_nothing_again(kit: Installation) -> None:
    out, err = kit.command("publish", "--bundle", str(kit.tree / "build"), "--json")
    report = json.loads(out)
    assert {step["action"] for step in report["steps"]} == {"keep"}
    assert report["template_url"].endswith(hosting.template_key(kit.first))
    assert "nothing to do" in err
    assert "Name the domain (studio.domain_id)" in err


def test_the_cors_rule_is_that_of_awss_samples_and_one_that_reads_alone_is_not_enough() -> None:
    assert hosting.answers_studio(hosting.RULE)
    assert set(hosting.RULE["AllowedMethods"]) == {"POST", "PUT", "GET", "HEAD", "DELETE"}
    for name in ("AllowedMethods", "ExposeHeaders", "AllowedHeaders", "AllowedOrigins"):
        assert not hosting.answers_studio({**hosting.RULE, name: ["GET"]}), name


def test_other_cors_rules_stay_and_the_domain_says_where_the_templates_are(kit: Installation) -> None:
    s3, sagemaker = kit.engineer.client("s3"), kit.engineer.client("sagemaker")
    others = {"AllowedOrigins": ["https://example.com"], "AllowedMethods": ["PUT"], "ID": "theirs"}
    s3.put_bucket_cors(Bucket=bucket(kit), CORSConfiguration={"CORSRules": [others]})
    role = f"arn:aws:iam::{kit.account}:role/{kit.settings.studio.execution_roles[0]}"
    arn = sagemaker.create_domain(
        DomainName="studio",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": role},
        SubnetIds=["subnet-12345678"],
        VpcId="vpc-12345678",
    )["DomainArn"]
    text = kit.story.environment_path.read_text()
    kit.story.environment_path.write_text(text.replace("studio:\n", f"studio:\n  domain_id: {arn.split('/')[1]}\n"))
    try:
        _, err = kit.command("publish", "--bundle", str(kit.tree / "build"))
        assert "create cors rule" in err
        assert "beside 1 others" in err
        rules = s3.get_bucket_cors(Bucket=bucket(kit))["CORSRules"]
        assert {"theirs", hosting.RULE_ID} == {rule["ID"] for rule in rules}
        tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
        assert {"Key": hosting.LOCATION_TAG, "Value": f"s3://{bucket(kit)}/project-templates/"} in tags
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": hosting.LOCATION_TAG, "Value": "s3://theirs/"}])
        _, err = kit.command("publish", "--bundle", str(kit.tree / "build"))
        assert "it says s3://theirs/, and is left so" in err
    finally:
        kit.story.environment_path.write_text(text)


def test_a_newer_version_hides_the_older_and_deletes_nothing(kit: Installation) -> None:
    newer = kit.newer_version()
    assert visible(kit) == {kit.first: False, newer: True}


def test_the_same_sources_are_published_to_both(kit: Installation) -> None:
    newer = next(version for version, shown in visible(kit).items() if shown)
    before = kit.story.environment_path.read_text()
    kit.story.environment_path.write_text(before.replace("publishing: {to: s3}", "publishing: {to: both}"))
    manager = people.sign_in(kit.cloud, kit.story.setting.management, people.ENGINEER, kit.story.region)
    kit.command("accounts", who=manager)  # makes AWS's launch role
    kit.story.environment_path.write_text(before)
    kit.command("publish", "--bundle", str(kit.tree / "build"), "--to", "both")
    catalog = kit.engineer.client("servicecatalog")
    product = catalog.search_products_as_admin()["ProductViewDetails"][0]["ProductViewSummary"]["ProductId"]
    listed = catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]
    assert [item["Name"] for item in listed] == [newer]


def test_a_template_with_other_content_is_never_overwritten(kit: Installation) -> None:
    s3 = kit.engineer.client("s3")
    newer = next(version for version, shown in visible(kit).items() if shown)
    key = hosting.template_key(newer)
    content = s3.get_object(Bucket=bucket(kit), Key=key)["Body"].read()
    tagging = s3.get_object_tagging(Bucket=bucket(kit), Key=key)["TagSet"]
    s3.put_object(Bucket=bucket(kit), Key=key, Body=b"theirs")
    _, err = kit.command("publish", "--bundle", str(kit.tree / "build"), code=1)
    assert "exists with other content, which publishing never overwrites" in err
    s3.put_object(Bucket=bucket(kit), Key=key, Body=content)
    s3.put_object_tagging(Bucket=bucket(kit), Key=key, Tagging={"TagSet": tagging})


def test_a_missing_launch_role_or_domain_is_reported(kit: Installation) -> None:
    text = kit.story.environment_path.read_text()
    kit.story.environment_path.write_text(text.replace("studio:\n", "studio:\n  domain_id: d-nowhere12345\n"))
    try:
        _, err = kit.command("publish", "--bundle", str(kit.tree / "build"), code=1)
        assert "studio.domain_id: there is no domain d-nowhere12345" in err
    finally:
        kit.story.environment_path.write_text(text)
    with pytest.raises(ClientError, match="AccessDenied"):
        kit.story.scientist.client("iam").delete_role(RoleName=S3_LAUNCH_ROLE.rsplit("/", 1)[1])


def test_what_rests_on_this_story_is_used_in_it(kit: Installation) -> None:
    check_played(holders_of(kit.story.cloud), __file__)
