"""The chapters of the post's story: each does what a person would do, with the same commands; the services do the rest.

A chapter that fails says which, why and where, with the log of the action or build that failed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws import places
from localaws.cloud import Session, arn
from scripts.kit.bundle import pack
from scripts.kit.console import explain, paint, say
from scripts.kit.projects.history import ENDED
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal import diagnosis, evidence
from scripts.rehearsal import setting as people
from scripts.rehearsal.permissions import read_refusals
from scripts.rehearsal.setting import Setting
from scripts.rehearsal.story import Chapter, Story, StoryFailed
from scripts.rehearsal.titles import ALONE, TITLES


def organization(story: Story) -> None:
    if story.administrator == "self-managed":
        story.setting = people.make_accounts_alone(story.cloud, story.region)
    else:
        story.setting = people.make_organization(story.cloud, story.administrator, story.region, bare=True)
    people.make_people(story.cloud, story.setting)
    for name, account in story.setting.accounts.items():
        say(f"    {account}  {name}")
    story.environment_path.write_text(people.environment_file(story.setting, story.regions, story.images))


def permissions(story: Story) -> None:
    manager = people.sign_in(story.cloud, story.setting.set_up_from, people.ENGINEER, story.region)
    story.command(manager, "scripts.accounts", "--environment", str(story.environment_path), "--invite")
    story.setting = people.with_units(story.cloud, story.setting)
    iam = story.cloud.root(story.setting.data_science, story.region).client("iam")
    policy = f"arn:aws:iam::{story.setting.data_science}:policy/{people.APPROVER_POLICY}"
    people.make_person(iam, story.setting.data_science, people.APPROVER, policy)


def publishing(story: Story) -> None:
    build = story.folder / "bundle"
    story.command(story.engineer, "scripts.package", "--output", str(build))
    story.command(
        story.engineer,
        *("scripts.publish", "--environment", str(story.environment_path), "--bundle", str(build)),
    )


def project(story: Story) -> None:
    story.project_id = create_project(story, story.project_name)
    story.cloud.chapter = "project"
    first = story.until("the pipeline's first execution", lambda: next(iter(story.executions()), None))
    story.execution_id = first["pipelineExecutionId"]
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the first execution of the pipeline ended {status}, without any model")
    skipped = story.stage("DeployStaging").get("latestExecution", {}).get("status")
    story.require(skipped == "Skipped", f"DeployStaging is {skipped} although no model was approved")
    say(f"    project {story.project_name} ({story.project_id}); no approved model yet, so nothing was deployed")


def create_project(story: Story, name: str, **parameters: str) -> str:
    """Create a project from the published product as the data scientist; its id."""
    scientist = story.scientist
    found = scientist.client("servicecatalog").search_products(Filters={"FullTextSearch": ["Multi Account Deployment"]})
    products = [p for p in found["ProductViewSummaries"] if p["Name"] == "Multi Account Deployment"]
    story.require(len(products) == 1, f"the data scientist sees {len(products)} products instead of one")
    versions = scientist.client("servicecatalog").describe_product(Id=products[0]["ProductId"])["ProvisioningArtifacts"]
    shown = (version for version in versions if version.get("Guidance", "DEFAULT") == "DEFAULT")
    current = story.only(shown, f"the product {products[0]['Name']} has no current version")
    setting = story.setting
    values = {**stages_of(setting, story.regions), **parameters}
    sagemaker = scientist.client("sagemaker")
    sagemaker.create_project(
        ProjectName=name,
        ServiceCatalogProvisioningDetails={
            "ProductId": products[0]["ProductId"],
            "ProvisioningArtifactId": current["Id"],
            "ProvisioningParameters": [{"Key": key, "Value": value} for key, value in values.items()],
        },
    )

    def ready() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        return described if described["ProjectStatus"] in {"CreateCompleted", "CreateFailed"} else None

    made = story.until(f"project {name}", ready)
    if made["ProjectStatus"] != "CreateCompleted":
        details = made.get("ServiceCatalogProvisionedProductDetails", {})
        stack = f"SC-{setting.data_science}-{details.get('ProvisionedProductId', '')}"
        raise StoryFailed(
            f"project {name} from {pack.PRODUCT}: {made['ProjectStatus']}",
            setting.data_science,
            details.get("ProvisionedProductStatusMessage", "") + "\n" + stack_failures(story, stack, pack.PRODUCT),
        )
    return str(made["ProjectId"])


def stages_of(setting: Setting, regions: Sequence[str]) -> dict[str, str]:
    """What the data scientist fills in of the product's form."""
    if setting.administrator == "self-managed":
        return {}  # roles, accounts and Regions are the product's defaults, from environment.yaml
    listed = ",".join(regions)
    return {
        "SageMakerExecutionRoleStagingName": "sagemaker-role-staging",
        "SageMakerExecutionRoleProdName": "sagemaker-role-prod",
        "OrganizationalUnitStagingId": setting.units["staging"],
        "OrganizationalUnitProdId": setting.units["prod"],
        "StackSetAdministrator": "DELEGATED_ADMIN" if setting.administrator == "delegated" else "SELF",
        **({"StagingRegions": listed, "ProdRegions": listed} if listed else {}),
    }


def stack_failures(story: Story, stack: str, file: str) -> str:
    """What failed in a stack of the data science account, and its place in the stack's template."""
    cloudformation = story.engineer.client("cloudformation")
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError:
        return ""  # it was refused before there was one
    body = (story.root / file).read_text(encoding="utf-8")
    return stacks.reasons(cloudformation, stack, lambda logical_id: stacks.place(file, body, logical_id))


def checkout(story: Story, repository: str, folder: Path) -> Path:
    """The files of a CodeCommit repository, fetched as the data scientist."""
    codecommit = story.scientist.client("codecommit")

    def fetch(path: str) -> None:
        listed = codecommit.get_folder(repositoryName=repository, folderPath=path)
        for file in listed["files"]:
            content = codecommit.get_file(repositoryName=repository, filePath=file["absolutePath"])["fileContent"]
            places.write(folder, file["absolutePath"], content)
        for child in listed["subFolders"]:
            fetch(child["absolutePath"])

    fetch("/")
    return folder


def training_repository(story: Story) -> Path:
    folder = story.folder / "checkouts" / f"{story.project_name}-{story.project_id}-modelbuild"
    if not folder.exists():
        checkout(story, f"sagemaker-{story.project_name}-{story.project_id}-modelbuild", folder)
    return folder


def train(story: Story) -> None:
    folder = training_repository(story)
    answer = story.script(story.scientist, folder, "start.py", "--project", story.project_name, "--wait", "--json")
    story.model_package_arn = json.loads(answer)["model_package_arn"]
    say(f"    registered {story.model_package_arn}")


def approve(story: Story) -> None:
    version = story.model_package_arn.rsplit("/", 1)[1]
    before, recorded = {e["pipelineExecutionId"] for e in story.executions()}, recorded_approvals(story)
    arguments = ("approve.py", "--project", story.project_name, "--version", version)
    story.script(story.scientist, training_repository(story), *arguments)

    story.busy_at = time.monotonic()

    def started() -> str | None:
        new = [e["pipelineExecutionId"] for e in story.executions() if e["pipelineExecutionId"] not in before]
        return new[0] if new else "nothing" if story.idle() else None

    story.execution_id = str(story.until("the pipeline to start", started, 20))
    if story.execution_id == "nothing":
        story.execution_id = ""
        account, region = story.setting.data_science, story.region
        reasons = [
            *diagnosis.event_stories(story.cloud, account, region, "SageMaker Model Package State Change"),
            *diagnosis.failed_state_machines(story.cloud, account, region),
        ]
        raise StoryFailed(f"the approval of version {version} started no pipeline", account, "\n".join(reasons))
    new = [key for key in recorded_approvals(story) - recorded if key.endswith(f"-{version}-Approved.json")]
    if len(new) != 1:
        raise StoryFailed(f"the approval of version {version} is not in the project's record")
    say(f"    version {version} is approved, and that is recorded: the pipeline started ({story.execution_id})")


def recorded_approvals(story: Story) -> set[str]:
    """The names of the entries in the project's record."""
    s3 = story.cloud.root(story.setting.data_science, story.region).client("s3")
    found = s3.list_objects_v2(Bucket=f"sagemaker-project-{story.project_id}", Prefix="record/approvals/")
    return {item["Key"] for item in found.get("Contents", [])}


def staging(story: Story) -> None:
    status = story.wait_for_stage("DeployStaging")
    story.require(status == "Succeeded", f"DeployStaging ended {status}")
    say(f"    the data scientist reads how the endpoint answered: {read_tests(story, story.scientist)} tests passed")


def approval(story: Story) -> None:
    approval_token(story, story.approver.client("codepipeline"))
    cases = read_before_approving(story)
    give_approval(story, "Approved", f"Staging passed {cases} tests")
    say(f"    the approver saw {cases} tests that passed, and approved")


def look_at_pipeline(story: Story, person: Session) -> None:
    """What the console asks for when a person opens the pipeline and its newest execution."""
    codepipeline = person.client("codepipeline")
    name, execution = story.pipeline_name, story.execution_id
    shown = codepipeline.get_pipeline(name=name)["pipeline"]
    codepipeline.get_pipeline_state(name=name)
    codepipeline.list_pipeline_executions(pipelineName=name)
    seen = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)["pipelineExecution"]
    codepipeline.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    story.require(seen["pipelineVersion"] == shown["version"], f"{name} is not the pipeline that ran")


def read_before_approving(story: Story) -> int:
    """The pipeline, the version and the tests of staging, as the approver sees them; how many tests passed."""
    approver = story.approver
    look_at_pipeline(story, approver)
    sagemaker = approver.client("sagemaker")
    sagemaker.list_model_packages(ModelPackageGroupName=story.project_name)
    version = sagemaker.describe_model_package(ModelPackageName=story.model_package_arn)
    key = story.card_key(approver)
    card = approver.client("s3").get_object(Bucket=f"sagemaker-project-{story.project_id}", Key=key)["Body"].read()
    story.require(story.model_package_arn.encode() in card, f"the card {key} is not of {story.model_package_arn}")
    story.require(evidence.says_cost(card), f"the card {key} says no cost, nor why it is not known")
    status = version["ModelApprovalStatus"]
    story.require(status == "Approved", f"the approver sees {story.model_package_arn} {status}")
    return read_tests(story, approver)


def read_tests(story: Story, person: Session) -> int:
    """The newest test report of the project, as a person opens it; how many tests passed."""
    codebuild = person.client("codebuild")
    group = f"report-group/sagemaker-{story.project_name}-{story.project_id}-test-endpoints"
    group_arn = arn("codebuild", story.region, story.setting.data_science, group)
    reports = codebuild.list_reports_for_report_group(reportGroupArn=group_arn)["reports"]  # the newest first
    report = codebuild.batch_get_reports(reportArns=reports[:1])["reports"][0]
    cases = codebuild.describe_test_cases(reportArn=report["arn"])["testCases"]
    story.require(report["status"] == "SUCCEEDED", f"the newest tests are {report['status']}")
    return len(cases)


def approval_token(story: Story, codepipeline: Any) -> str:
    """What answers the manual approval, as soon as the pipeline waits for it."""

    def waiting() -> str | None:
        stages = codepipeline.get_pipeline_state(name=story.pipeline_name)["stageStates"]
        asks = (stage for stage in stages if stage["stageName"] == "ApproveDeployment")
        stage = story.only(asks, f"{story.pipeline_name} has no stage ApproveDeployment")
        latest = stage.get("latestExecution", {})
        if latest.get("pipelineExecutionId") != story.execution_id:
            return None
        story.require(latest["status"] not in ENDED, f"ApproveDeployment ended {latest['status']} unasked")
        token: str | None = stage["actionStates"][-1].get("latestExecution", {}).get("token")  # after Card
        return token

    return str(story.until("the pipeline to ask for approval", waiting))


def give_approval(story: Story, result: str, summary: str) -> None:
    """Answer the manual approval through the API, as the approver."""
    codepipeline = story.approver.client("codepipeline")
    codepipeline.put_approval_result(
        pipelineName=story.pipeline_name,
        stageName="ApproveDeployment",
        actionName="ApproveDeployment",
        token=approval_token(story, codepipeline),
        result={"status": result, "summary": summary},
    )


def production(story: Story) -> None:
    status = story.wait_for_stage("DeployProd")
    story.require(status == "Succeeded", f"DeployProd ended {status}")
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the pipeline ended {status}")
    look_at_pipeline(story, story.scientist)


def predictions(story: Story) -> None:
    golden = json.loads((story.root / "seed-code/model-deploy/tests/golden-payloads.json").read_text())
    for stage, account in story.setting.targets.items():
        for region in story.regions or (story.region,):
            story.endpoints.append(ask_endpoint(story, stage, account, golden["payloads"], region))
    for endpoint in story.endpoints:
        right = [p == e for p, e in zip(endpoint["predictions"], endpoint["expected"], strict=True)]
        where = f"{endpoint['account']} {endpoint['region']}"
        say(f"    {endpoint['stage']:<8} {where} {endpoint['name']}: {sum(right)} of {len(right)} right")
        answers, expected = " ".join(endpoint["predictions"]), " ".join(endpoint["expected"])
        story.require(all(right), f"{endpoint['name']} in {where} predicts {answers}, expected {expected}")
        serves = endpoint["model_package_arn"]
        source = source_of(story, serves, endpoint["region"])
        story.require(source == story.model_package_arn, f"{endpoint['name']} in {where} serves {serves}")


def source_of(story: Story, arn: str, region: str) -> str:
    """The version that a model package is a copy of; the package itself where it is not a copy."""
    if region == story.region:
        return arn
    sagemaker = story.cloud.root(story.setting.data_science, region).client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    return str(found.get("CustomerMetadataProperties", {}).get("source-model-package", ""))


def ask_endpoint(
    story: Story, stage: str, account: str, payloads: list[dict[str, Any]], region: str = ""
) -> dict[str, Any]:
    """Invoke a stage's endpoint with every golden payload, as an administrator of its account.

    region: the story's where it is not given
    """
    region = region or story.region
    session = story.cloud.root(account, region)
    sagemaker = session.client("sagemaker")
    name = f"{story.project_name}-{story.project_id}-{stage}"
    endpoint = sagemaker.describe_endpoint(EndpointName=name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    answers, expected = [], []
    for payload in payloads:
        answer = session.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, ContentType=payload["content_type"], Body=payload["body"].encode()
        )
        answers.append(answer["Body"].read().decode().strip())
        expected.append(str(payload["expected"]))
    return {
        "account": account,
        "region": region,
        "stage": stage,
        "name": name,
        "status": endpoint["EndpointStatus"],
        "model_package_arn": model["PrimaryContainer"]["ModelPackageName"],
        "predictions": answers,
        "expected": expected,
    }


CHAPTERS: dict[str, tuple[str, Callable[[Story], None]]] = {
    name: (TITLES[name], chapter)
    for name, chapter in {
        "organization": organization,
        "permissions": permissions,
        "publishing": publishing,
        "project": project,
        "training": train,
        "model-approval": approve,
        "staging": staging,
        "deployment-approval": approval,
        "production": production,
        "predictions": predictions,
    }.items()
}


def located(story: Story, message: str, account: str, log: str) -> StoryFailed:
    """The failure, with the places of the kit's resources that it names, and every request that was refused."""
    places = diagnosis.places(story.cloud, story.root, f"{message}\n{log}")
    denied = diagnosis.refused(story.cloud, story.root)
    return StoryFailed(message, account, "\n".join([log, *places, *denied]).strip())


def play(story: Story, until: str | None = None) -> None:
    """Play the chapters in order, up to and with `until`; StoryFailed from the one that fails."""
    renamed = ALONE if story.administrator == "self-managed" else {}
    story.chapters = [Chapter(name, renamed.get(name, title)) for name, (title, _) in CHAPTERS.items()]
    for number, chapter in enumerate(story.chapters, 1):
        say(paint(f"{number:>2}  {chapter.title}", "1"))
        story.cloud.chapter = chapter.name
        chapter.began, start = time.time(), time.monotonic()
        try:
            CHAPTERS[chapter.name][1](story)
            story.require_no_fault()
            for one in read_refusals(story.cloud.folder / "requests.jsonl"):
                message = f"{one.who} was refused {one.action} on {one.resource}, and went on without it. {one.missing}"
                raise StoryFailed(message, one.who.split(":")[4] if one.who.startswith("arn:") else "")
            chapter.outcome = "succeeded"
        except ClientError as error:
            chapter.outcome = "failed"
            story.require_writable()
            raise located(story, explain(error), "", story.diagnosis() if story.project_id else "") from error
        except StoryFailed as error:
            chapter.outcome = "failed"
            story.require_writable()
            raise located(story, str(error), error.account, error.log) from error
        except BaseException:
            chapter.outcome = "failed"
            raise
        finally:
            chapter.seconds = round(time.monotonic() - start, 3)
        say(f"    {paint('done', '32')} in {chapter.seconds:.1f} s")
        if chapter.name == until:
            break
