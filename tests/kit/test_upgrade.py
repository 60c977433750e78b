"""Versions, what one changes, and upgrading a project to it, from Service Catalog and from S3."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.names import LAUNCH_ROLE, bundle_bucket
from scripts.kit.projects import upgrading
from scripts.kit.projects.project import Project
from scripts.kit.publish import hosting
from scripts.rehearsal.chapters import checkout
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.fake_services import Fake
from tests.support.installation import Installation

PEOPLE = "templates/13-people.yaml"
CATALOG, HOSTED = "iris-catalog", "iris-hosted"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One project from each publisher, and a newer version that is published to both."""
    folder = tmp_path_factory.mktemp("upgrade")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        made = Installation(cloud, folder, patch)
        made.project(CATALOG)
        made.hosted_project(HOSTED, made.first)
        made.newer = made.newer_version()  # type: ignore[attr-defined]  # for the tests below
        yield made
    assert not cloud.faults, cloud.faults


def newer(kit: Installation) -> str:
    return str(kit.newer)  # type: ignore[attr-defined]  # set by the fixture


def shown(kit: Installation, name: str, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kit.command(name, *arguments, "--json")[0])
    return found


def build_variables(kit: Installation, name: str) -> dict[str, str]:
    codebuild = kit.engineer.client("codebuild")
    names = [n for n in codebuild.list_projects()["projects"] if n.startswith(f"sagemaker-{name}-") and "build" in n]
    project = codebuild.batch_get_projects(names=names)["projects"][0]
    return {v["name"]: v["value"] for v in project["environment"]["environmentVariables"]}


def commit(kit: Installation, repository: str, path: str, content: bytes) -> str:
    """A commit of the data scientist's own; its id."""
    codecommit = kit.engineer.client("codecommit")
    head = codecommit.get_branch(repositoryName=repository, branchName="main")["branch"]["commitId"]
    return str(
        codecommit.create_commit(
            repositoryName=repository,
            branchName="main",
            parentCommitId=head,
            putFiles=[{"filePath": path, "fileContent": content}],
        )["commitId"]
    )


def in_use(kit: Installation, pipeline: str) -> bool:
    """Whether an execution is running: one has begun since the commit, as each push starts one."""
    listed = kit.engineer.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)
    statuses = [one["status"] for one in listed["pipelineExecutionSummaries"]]
    return len(statuses) < 2 or "InProgress" in statuses


def repository_of(kit: Installation, project: str, kind: str = "modeldeploy") -> str:
    listed = kit.engineer.client("codecommit").list_repositories()["repositories"]
    return next(
        str(r["repositoryName"])
        for r in listed
        if r["repositoryName"].startswith(f"sagemaker-{project}-") and r["repositoryName"].endswith(kind)
    )


# -- versions ----------------------------------------------------------------------------------


def test_versions_are_listed_newest_first_with_the_projects_that_run_them(kit: Installation) -> None:
    found = shown(kit, "versions")
    assert [v["name"] for v in found["versions"]] == [newer(kit), kit.first]
    assert found["versions"][0]["guidance"] == {"service-catalog": "current", "s3": "current"}
    assert found["versions"][1]["guidance"] == {"service-catalog": "deprecated", "s3": "deprecated"}
    assert all(len(v["digest"]) == 64 and v["digest"].startswith(v["name"][-8:]) for v in found["versions"])
    assert {p["project"]: (p["publisher"], p["version"], p["seed"]) for p in found["projects"]} == {
        CATALOG: ("service-catalog", kit.first, kit.first[-8:]),
        HOSTED: ("s3", kit.first, kit.first[-8:]),
    }
    out, _ = kit.command("versions")
    assert f"{kit.first}" in out
    assert f"{CATALOG}, {HOSTED}" in out


def outdated(kit: Installation, to: str) -> dict[str, str]:
    """What `make doctor` tells of projects that come from an older version, where versions are published so."""
    file = kit.story.environment_path
    text = file.read_text()
    file.write_text(text.replace("publishing: {to: both}", f"publishing: {{to: {to}}}"))
    try:
        found = shown(kit, "doctor", "--bundle", str(kit.tree / "build"))["findings"]
    finally:
        file.write_text(text)
    return {f["resource"]: f["what"] for f in found if f["id"] == "project-outdated"}


def test_doctor_finds_the_older_projects_of_each_publisher(kit: Installation) -> None:
    both = outdated(kit, "both")
    assert both == {
        f"project {CATALOG}": f"it comes from {kit.first}, the product offers {newer(kit)}",
        f"project {HOSTED}": f"it comes from {kit.first}, Studio shows {newer(kit)}",
    }
    assert outdated(kit, "s3") == {f"project {HOSTED}": both[f"project {HOSTED}"]}


# -- diff --------------------------------------------------------------------------------------


def test_a_diff_says_what_the_newest_version_changes_in_a_project(kit: Installation) -> None:
    found = shown(kit, "diff", "--project", CATALOG)
    changes = {c["logical_id"]: (c["effect"], c["properties"]) for c in found["resources"]}
    assert changes == {"Build": ("change", ["Environment"]), "Pipeline": ("change", ["Stages"])}
    assert [(f["effect"], f["name"]) for f in found["files"]] == [("change", "model-deploy/README.md")]
    assert found["permissions"] == []


def test_a_diff_with_what_is_built_shows_replacements_permissions_and_parameters(kit: Installation) -> None:
    product, roles = kit.tree / pack.PRODUCT, kit.tree / PEOPLE
    before = product.read_text(), roles.read_text()
    try:
        kit.change(pack.PRODUCT, "Id}-test\n      Description", "Id}-check\n      Description")
        colour = "  Colour: {Type: String, Default: blue}\n"
        kit.change(pack.PRODUCT, "  SeedCodeDeployKey:\n", f"{colour}  SeedCodeDeployKey:\n")
        kit.change(pack.PRODUCT, "Sid: DenyPlainHttp", "Sid: DenyHttp")
        kit.change(pack.PRODUCT, "  TrainingRepository:\n", "  CodeMoved:\n")
        for _ in ("the build on a push", "the pipeline that trains", "the output"):
            kit.change(pack.PRODUCT, "!GetAtt TrainingRepository.Name", "!GetAtt CodeMoved.Name")
        kit.change(PEOPLE, "Action: codepipeline:PutApprovalResult", "Action: codepipeline:Put*")
        build(kit)
        found = shown(kit, "diff", "--project", CATALOG, "--to", "build", "--bundle", str(kit.tree / "build"))
        out, _ = kit.command("diff", "--project", CATALOG, "--to", "build", "--bundle", str(kit.tree / "build"))
    finally:
        product.write_text(before[0])
        roles.write_text(before[1])
        build(kit)
    effects = {c["logical_id"]: c["effect"] for c in found["resources"]}
    assert effects["Test"] == "replace"
    assert (effects["CodeMoved"], effects["TrainingRepository"]) == ("add", "remove")
    assert effects["Pipeline"] == "change"  # it names the test
    assert [(p["effect"], p["name"]) for p in found["parameters"]] == [("add", "Colour")]
    assert {(p["effect"], p["name"]) for p in found["permissions"]} == {
        ("change", "13-people.yaml Approver ApproveOrRefuse"),
        ("remove", "30-project.yaml ArtifactsPolicy DenyPlainHttp"),
        ("add", "30-project.yaml ArtifactsPolicy DenyHttp"),
    }
    assert "! REPLACE   Test AWS::CodeBuild::Project (Name): Name cannot be changed in place" in out


def build(kit: Installation) -> None:
    from scripts import package

    package.main(["--root", str(kit.tree)])


def test_a_diff_between_two_versions_needs_no_project(kit: Installation) -> None:
    found = shown(kit, "diff", "--from", kit.first[-8:], "--to", newer(kit))
    assert (found["from"], found["to"]) == (kit.first, newer(kit))
    repositories = {c["logical_id"]: c["effect"] for c in found["resources"]}
    assert repositories["DeployRepository"] == "ignore"  # its seed code has another key, which counts at creation only
    assert shown(kit, "diff")["from"] == kit.first  # the version before the newest


def test_an_unknown_version_is_answered_with_those_that_there_are(kit: Installation) -> None:
    _, err = kit.command("diff", "--from", "0.9.9-00000000", code=1)
    assert f"there is no published version 0.9.9-00000000. There are: {newer(kit)}, {kit.first}" in err


# -- upgrade -----------------------------------------------------------------------------------


def test_a_dry_run_tells_everything_and_changes_nothing(kit: Installation) -> None:
    found = shown(kit, "upgrade", "--project", CATALOG, "--dry-run")
    assert (found["from"], found["to"], found["applied"]) == (kit.first, newer(kit), False)
    assert build_variables(kit, CATALOG)["BUNDLE_VERSION"] == kit.first


def test_a_person_who_does_not_see_the_product_reads_what_to_do(kit: Installation) -> None:
    admin = kit.cloud.root(kit.account, kit.story.region)
    _, err = kit.command("upgrade", "--project", CATALOG, code=1, who=admin)
    assert "does not see the product" in err
    assert "catalog.principals" in err


def test_an_upgrade_that_cannot_even_be_rolled_back_is_reported_with_the_way_on(kit: Installation) -> None:
    """The launch role loses the right that the update needs, and its rollback too."""
    root = kit.cloud.root(kit.account, kit.story.region)
    deny = {"Effect": "Deny", "Action": "codebuild:UpdateProject", "Resource": "*"}
    role = LAUNCH_ROLE.rsplit("/", 1)[1]
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    root.client("iam").put_role_policy(RoleName=role, PolicyName="less", PolicyDocument=document)
    try:
        _, err = kit.command("upgrade", "--project", CATALOG, code=1)
        assert "ended UpdateFailed" in err
        assert "is UPDATE_ROLLBACK_FAILED" in err
        assert "templates/30-project.yaml" in err
        assert "codebuild:UpdateProject" in err
        _, err = kit.command("upgrade", "--project", CATALOG, code=1)
    finally:
        root.client("iam").delete_role_policy(RoleName=role, PolicyName="less")
    stack = next(p["stack"] for p in shown(kit, "versions")["projects"] if p["project"] == CATALOG)
    assert f"`aws cloudformation continue-update-rollback --stack-name {stack}` brings it back" in err
    cloudformation = root.client("cloudformation")
    cloudformation.continue_update_rollback(StackName=stack)

    def rolled_back() -> bool:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return bool(status == "UPDATE_ROLLBACK_COMPLETE")

    kit.story.until("the rollback", rolled_back)
    assert build_variables(kit, CATALOG)["BUNDLE_VERSION"] == kit.first


def test_an_upgrade_under_the_stock_role_keeps_parameters_and_the_users_commits(kit: Installation) -> None:
    mine = commit(kit, repository_of(kit, CATALOG), "README.md", b"# Mine\n")
    before = build_variables(kit, CATALOG)
    pipeline = repository_of(kit, CATALOG).replace("-modeldeploy", "-deploy")
    kit.story.until("the end of what the commit started", lambda: not in_use(kit, pipeline))
    _, err = kit.command("upgrade", "--project", CATALOG)
    assert f"{CATALOG} runs {newer(kit)}" in err
    assert "Build: UPDATE_COMPLETE" in err
    assert "DeployRepository" not in err  # nothing of it changes: its seed code's key stays, its tags do
    after = build_variables(kit, CATALOG)
    template = after["ENDPOINT_TEMPLATE_KEY"]  # the pipeline's code and template are the version's
    assert re.fullmatch(rf"bundle/{newer(kit)[-8:]}[0-9a-f]{{56}}/templates/50-endpoint.yaml", template)
    assert after == {**before, "BUNDLE_VERSION": newer(kit), "NEWER": "yes", "ENDPOINT_TEMPLATE_KEY": template}
    head = kit.engineer.client("codecommit").get_branch(repositoryName=repository_of(kit, CATALOG), branchName="main")
    assert head["branch"]["commitId"] == mine
    assert "~ model-deploy/README.md" in err  # the seed code is older than the version's, which is reported
    typed = f"--patch model-deploy --environment {kit.story.environment_path}"
    assert f'make diff PROJECT={CATALOG} TO={newer(kit)} ARGS="{typed}" | git -C CLONE-OF-MODEL-DEPLOY apply' in err
    running = {p["project"]: p for p in shown(kit, "versions")["projects"]}
    assert (running[CATALOG]["version"], running[CATALOG]["seed"]) == (newer(kit), kit.first[-8:])


def test_an_upgraded_project_is_left_alone_the_next_time(kit: Installation) -> None:
    _, err = kit.command("upgrade", "--project", CATALOG)
    assert "already: nothing to do" in err


def test_the_patch_of_the_seed_code_merges_with_the_users_own_commits(kit: Installation, tmp_path: Path) -> None:
    """In a clone that began with the old seed code and went on, git apply --3way brings in the new."""
    patch, _ = kit.command("diff", "--project", CATALOG, "--to", newer(kit), "--patch", "model-deploy")
    clone = tmp_path / "clone"
    old = pack.pack(pack.read_tree(ROOT))
    from scripts.kit.bundle.differences import seeds

    for name, content in seeds(old).items():
        folder, _, path = name.partition("/")
        if folder == "model-deploy":
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).write_bytes(content)

    def git(*arguments: str, text: str = "") -> str:
        who = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(["git", *who, *arguments], cwd=clone, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "seed")
    readme = clone / "README.md"
    readme.write_text(readme.read_text() + "\nMy own last line.\n")
    git("commit", "-qam", "mine")
    git("apply", "--3way", "-", text=patch)
    assert "Read this first." in readme.read_text()
    assert readme.read_text().endswith("My own last line.\n")


def test_a_project_from_s3_is_upgraded_as_its_own_launch_role(kit: Installation) -> None:
    _, err = kit.command("upgrade", "--project", HOSTED)
    assert f"{HOSTED} runs {newer(kit)}" in err
    assert build_variables(kit, HOSTED)["NEWER"] == "yes"
    detail = kit.settled(HOSTED)["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
    assert detail["TemplateURL"].endswith(hosting.template_key(newer(kit)))
    _, err = kit.command("upgrade", "--project", HOSTED)
    assert "already: nothing to do" in err


def test_a_value_that_the_version_was_not_published_with_is_refused_before_anything_is_sent(kit: Installation) -> None:
    _, err = kit.command("upgrade", "--project", CATALOG, "--set", "ProdRegions=eu-west-1", code=1)
    assert f"version {newer(kit)} was published with other values alone: ProdRegions is eu-west-1 and not empty" in err
    text = kit.story.environment_path.read_text()
    kit.story.environment_path.write_text(f"{text}regions: {{production: [us-east-1, eu-west-1]}}\n")
    try:
        kit.publish()
    finally:
        kit.story.environment_path.write_text(text)
    began = kit.settled(HOSTED)["LastModifiedTime"]
    _, err = kit.command("upgrade", "--project", HOSTED, code=1)
    assert "ProdRegions is empty and not us-east-1,eu-west-1. Upgrade with --set ProdRegions=us-east-1,eu-west-1" in err
    assert kit.settled(HOSTED)["LastModifiedTime"] == began
    _, err = kit.command("upgrade", "--project", HOSTED, "--set", "ProdRegions=us-east-1,eu-west-1")
    assert "parameter ProdRegions:  -> us-east-1,eu-west-1" in err
    assert build_variables(kit, HOSTED)["PROD_REGIONS"] == "us-east-1,eu-west-1"


def test_a_version_may_be_gone_back_to(kit: Installation) -> None:
    kit.command("upgrade", "--project", CATALOG, "--to", kit.first)
    assert "NEWER" not in build_variables(kit, CATALOG)


def test_a_change_that_the_stock_role_may_not_make_is_known_before_and_rolled_back_where_it_is_tried(
    kit: Installation,
) -> None:
    topic = "  Told:\n    Type: AWS::SNS::Topic\n\n  Build:\n"
    kit.change(pack.PRODUCT, "  Build:\n", topic)
    version = kit.publish()
    _, err = kit.command("upgrade", "--project", CATALOG, code=1)
    assert "will be refused: Told (AWS::SNS::Topic): the launch role may not sns:CreateTopic" in err
    assert "may not change Told" in err
    _, err = kit.command("upgrade", "--project", CATALOG, "--force", code=1)
    assert f"CloudFormation rolled the update back: the project runs version {kit.first} as before" in err
    assert "Told: " in err
    assert "sns:CreateTopic" in err
    assert shown(kit, "versions")["versions"][0]["name"] == version


def test_bad_input_is_reported(kit: Installation) -> None:
    _, err = kit.command("upgrade", "--project", "unknown", code=1)
    assert "no project unknown made from the kit" in err
    _, err = kit.command("upgrade", "--project", CATALOG, "--set", "ProdRegions", code=2)
    assert "argument --set: ProdRegions: write NAME=VALUE" in err
    _, err = kit.command("upgrade", "--project", CATALOG, "--set", "Nothing=1", code=1)
    assert "has no such parameter" in err
    kit.command("diff", "--project", CATALOG, "--from", kit.first, code=2)


def test_the_repository_is_the_users_own_in_the_end(kit: Installation, tmp_path: Path) -> None:
    kit.story.project_name = CATALOG
    folder = checkout(kit.story, repository_of(kit, CATALOG), tmp_path / "clone")
    assert (folder / "README.md").read_text() == "# Mine\n"


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_project_whose_pipeline_is_running_is_in_use_and_is_not_upgraded(status: str) -> None:
    summaries = [{"status": "Succeeded", "pipelineExecutionId": "0"}, {"status": status, "pipelineExecutionId": "e-1"}]
    codepipeline = Fake(list_pipeline_executions={"pipelineExecutionSummaries": summaries})
    made: Any = SimpleNamespace(project=Project("iris", "p-1", ""))
    there: Any = SimpleNamespace(client=lambda service: codepipeline)
    with pytest.raises(UserError, match="You must not update a project that is in use") as refused:
        upgrading.check_idle(there, made)
    said = str(refused.value)
    assert "stop-pipeline-execution --pipeline-name sagemaker-iris-p-1-deploy --pipeline-execution-id e-1" in said
    summaries.pop()
    upgrading.check_idle(there, made)


def test_a_version_from_before_published_code_in_s3_is_no_way_back(kit: Installation) -> None:
    """Service Catalog holds such a version inactive, S3 has no state. The last of these tests: it is the newest."""
    digest, declared = "0" * 64, (ROOT / pack.PRODUCT).read_bytes()
    name = pack.version_name("0.2.0", digest)
    manifest = json.dumps({"version": "0.2.0", "sha256": digest, "files": {pack.PRODUCT: "1"}}).encode()
    held = {
        pack.object_key(digest, pack.PRODUCT): declared,
        pack.object_key(digest, pack.MANIFEST): manifest,
        hosting.template_key(name): declared,
    }
    bucket = bundle_bucket(kit.account, kit.story.region)
    for key, body in held.items():
        kit.engineer.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    _, err = kit.command("upgrade", "--project", HOSTED, "--to", name, code=1)
    assert f"version {name} is from before 0.3: its pipelines run the code of their repositories" in err
