"""A project, broken: its parameters, pipeline, rules, stages, version and configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localaws.cloudformation.stacks import Stack, Stacks
from localaws.cloudformation.stacksets.state import Instance, sets_of
from localaws.services.codepipeline.state import PipelineState
from localaws.services.events.service import EventsState
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.projects import Projects
from tests.kit.doctor.cases import case, swapped, without
from tests.kit.doctor.cases.catalog import source
from tests.kit.doctor.cases.organization import move, root
from tests.support.doctor_world import REGION, World, register_version
from tests.support.mirrored import push


def project_stack(world: World) -> Stack:
    return next(s for s in world.cloud.state(Stacks, world.account, REGION).alive() if s.name.startswith("SC-"))


def instance(world: World) -> Instance:
    """The stack instance of the staging account."""
    sets = sets_of(world.cloud, world.management, REGION)
    name = f"sagemaker-{world.project}-deploy-staging"
    return next(s for s in sets.by_id.values() if s.name == name).instances[world.staging, REGION]


@case("project-failed", "aws sagemaker delete-project --project-name iris-multi-01")
def _(world: World) -> Iterator[None]:
    project = world.cloud.state(Projects, world.account, REGION).by_name["iris-multi-01"]
    with swapped(project, "status", "DeleteFailed"):
        yield


@case("project-absent", "aws sagemaker list-projects", project="no-such-project")
def _(world: World) -> Iterator[None]:
    yield


@case("project-units", "--set OrganizationalUnitStagingId=ou-")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "OrganizationalUnitStagingId", "ou-ab12-elsewhere"):
        yield


@case("project-roles", "--set SageMakerExecutionRoleProdName=sagemaker-role-prod")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "SageMakerExecutionRoleProdName", "sagemaker-role-live"):
        yield


@case("project-administrator", "--set StackSetAdministrator=DELEGATED_ADMIN")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "StackSetAdministrator", "SELF"):
        yield


@case("project-connection", "--set SourceConnectionArn=arn:aws:codeconnections:us-east-1:111111111111:connection/")
def _(world: World) -> Iterator[None]:
    arn = f"arn:aws:codeconnections:{REGION}:{world.account}:connection/"
    ours, theirs = (f"{arn}{digit * 8}-89ab-cdef-0123-456789abcdef" for digit in "01")
    with source(world, ours), swapped(project_stack(world).shown, "SourceConnectionArn", theirs):
        yield


@case("project-regions", "add eu-west-1 to regions.staging")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "StagingRegions", f"{REGION},eu-west-1"):
        yield


@case("pipeline-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    pipelines = world.cloud.state(PipelineState, world.account, REGION).pipelines
    with without(pipelines, f"sagemaker-{world.project}-deploy"):
        yield


@case("training-push", "--set BuildOnPush=false")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "BuildOnPush", "true"):
        yield


@case("training-pipeline-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    with swapped(project_stack(world).shown, "BuildOnPush", "true"):
        yield


@case("training-failed", "aws codepipeline start-pipeline-execution")
def _(world: World) -> Iterator[None]:
    """The pipeline is one that reads a repository that does not exist, as the first push to come would find it."""
    client, name = world.client("codepipeline"), f"sagemaker-{world.project}-train"
    pipeline = client.get_pipeline(name=f"sagemaker-{world.project}-deploy")["pipeline"]
    source, build = pipeline["stages"][:2]
    source["actions"] = source["actions"][:1]
    source["actions"][0]["configuration"]["RepositoryName"] = "gone"
    build["actions"][0] |= {"inputArtifacts": source["actions"][0]["outputArtifacts"], "outputArtifacts": []}
    build["actions"][0]["configuration"] = {"ProjectName": f"sagemaker-{world.project}-build"}
    client.create_pipeline(pipeline={**pipeline, "name": name, "stages": [source, build], "variables": []})
    world.settled()
    with swapped(project_stack(world).shown, "BuildOnPush", "true"):
        yield
    client.delete_pipeline(name=name)


@case("shadow-left", "--variables name=ModelPackageVersion,value=1")
def _(world: World) -> Iterator[None]:
    """An execution was stopped while version 2 was in the shadow."""
    production = next(
        s for s in world.cloud.state(Stacks, world.account, REGION).alive() if s.name.endswith("-deploy-prod")
    )
    live = str(production.shown["ModelPackageName"])
    with swapped(production.shown, "ShadowModelPackageName", f"{live.rpartition('/')[0]}/2"):
        yield


@case("transition-disabled", "aws codepipeline enable-stage-transition")
def _(world: World) -> Iterator[None]:
    client = world.client("codepipeline")
    stage = {"pipelineName": f"sagemaker-{world.project}-deploy", "stageName": "DeployProd"}
    client.disable_stage_transition(**stage, transitionType="Inbound", reason="holidays")
    yield
    client.enable_stage_transition(**stage, transitionType="Inbound")


@case("rule-missing", "detect-stack-drift")
def _(world: World) -> Iterator[None]:
    rules = world.cloud.state(EventsState, world.account, REGION).rules
    with without(rules, ("default", "sagemaker-multi-account-approved")):
        yield


@case("rule-disabled", "aws events enable-rule")
def _(world: World) -> Iterator[None]:
    client, name = world.client("events"), "sagemaker-multi-account-approved"
    client.disable_rule(Name=name)
    yield
    client.enable_rule(Name=name)


@case("stage-stack-failed", "continue-update-rollback")
def _(world: World) -> Iterator[None]:
    stacks = world.cloud.state(Stacks, world.account, REGION)
    stage = next(s for s in stacks.alive() if s.name.endswith("deploy-staging"))
    with swapped(stage, "status", "UPDATE_ROLLBACK_FAILED"):
        yield


@case("stage-inoperable", "aws cloudformation delete-stack-instances")
def _(world: World) -> Iterator[None]:
    with swapped(instance(world), "status", "INOPERABLE"):
        yield


@case("stage-outdated", "aws codepipeline start-pipeline-execution")
def _(world: World) -> Iterator[None]:
    with swapped(instance(world), "status", "OUTDATED"):
        yield


def endpoint(world: World) -> dict[str, Any]:
    """The endpoints of the staging account, by name."""
    return world.cloud.state(Endpoints, world.staging, REGION).by_name


@case("endpoint-missing", "make repair PROJECT=iris-multi-01 ACCOUNT=")
def _(world: World) -> Iterator[None]:
    with without(endpoint(world), f"{world.project}-staging"):
        yield


@case("endpoint-taken-back", "aws codepipeline start-pipeline-execution")
def _(world: World) -> Iterator[None]:
    [variant] = endpoint(world)[f"{world.project}-staging"].fleet.config["ProductionVariants"]
    with swapped(variant, "InitialVariantWeight", 2.0):
        yield


@case("stage-stray", "make repair PROJECT=iris-multi-01 ACCOUNT=")
def _(world: World) -> Iterator[None]:
    source = move(world, world.production, root(world))
    yield
    move(world, world.production, source)


# -- the configuration -------------------------------------------------------------------------


@contextmanager
def quiet(world: World) -> Iterator[dict[str, Any]]:
    """The deploy repository, whose commits start nothing meanwhile; staging-config.json is then as it was."""
    events, name = world.client("events"), "sagemaker-multi-account-pushed"
    codecommit = world.client("codecommit")
    repository = f"sagemaker-{world.project}-modeldeploy"
    before = codecommit.get_file(repositoryName=repository, filePath="staging-config.json")["fileContent"]

    def head() -> str:
        branch = codecommit.get_branch(repositoryName=repository, branchName="main")["branch"]
        return str(branch["commitId"])

    events.disable_rule(Name=name)
    file = {"repositoryName": repository, "branchName": "main", "filePath": "staging-config.json"}
    yield {**file, "parentCommitId": head()}
    codecommit.put_file(**file, parentCommitId=head(), fileContent=before)
    world.settled()
    events.enable_rule(Name=name)


@case("config-missing", "copy seed-code/model-deploy/staging-config.json")
def _(world: World) -> Iterator[None]:
    with quiet(world) as file:
        world.client("codecommit").delete_file(**file)
        yield


@case("config-wrong", "correct staging-config.json")
def _(world: World) -> Iterator[None]:
    content = {"Parameters": {"InstanceTyp": "ml.m5.large", "InitialInstanceCount": "0", "BakeSeconds": 60}}
    with quiet(world) as file:
        world.client("codecommit").put_file(**file, fileContent=json.dumps(content).encode())
        yield


# -- the version -------------------------------------------------------------------------------


@contextmanager
def another_version(world: World, **container: str) -> Iterator[None]:
    arn = register_version(world, **container)
    yield
    world.client("sagemaker").delete_model_package(ModelPackageName=arn)


@case("version-image", "an image in Amazon ECR")
def _(world: World) -> Iterator[None]:
    with another_version(world, Image="library/model:1"):
        yield


@case("version-image-shared", "aws ecr set-repository-policy --region us-east-1 --repository-name models")
def _(world: World) -> Iterator[None]:
    with pushed(world, REGION), another_version(world, Image=own_image(world)):
        yield


@case("version-image-missing", "docker push 111111111111.dkr.ecr.us-east-1.amazonaws.com/models:1")
def _(world: World) -> Iterator[None]:
    with another_version(world, Image=own_image(world)):
        yield


def own_image(world: World, account: str = "") -> str:
    return f"{account or world.account}.dkr.ecr.{REGION}.amazonaws.com/models:1"


@contextmanager
def pushed(world: World, region: str, account: str = "") -> Iterator[None]:
    """An image in a repository of the data science account's, or of another one."""
    ecr = world.client("ecr", account, region)
    ecr.create_repository(repositoryName="models")
    push(ecr, "models")
    yield
    ecr.delete_repository(repositoryName="models", force=True)


@contextmanager
def artifact(world: World) -> Iterator[dict[str, str]]:
    place = {"Bucket": world.models, "Key": "iris-multi-01/model.tar.gz"}
    yield place
    world.client("s3").put_object(**place, Body=b"a model")


@case("version-artifact-missing", "aws s3api list-object-versions")
def _(world: World) -> Iterator[None]:
    with artifact(world) as place:
        world.client("s3").delete_object(**place)
        yield


@case("version-artifact-key", "OutputDataConfig.KmsKeyId")
def _(world: World) -> Iterator[None]:
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    with artifact(world) as place:
        world.client("s3").put_object(**place, Body=b"m", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        yield


@case("version-artifact-shared", "default-bucket-policy")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sagemaker-elsewhere")
    s3.put_object(Bucket="sagemaker-elsewhere", Key="model.tar.gz", Body=b"m")
    with another_version(world, ModelDataUrl="s3://sagemaker-elsewhere/model.tar.gz"):
        yield
    s3.delete_object(Bucket="sagemaker-elsewhere", Key="model.tar.gz")
    s3.delete_bucket(Bucket="sagemaker-elsewhere")


@case("group-policy", "aws codepipeline start-pipeline-execution")
def _(world: World) -> Iterator[None]:
    sagemaker, name = world.client("sagemaker"), {"ModelPackageGroupName": "iris-multi-01"}
    before = sagemaker.get_model_package_group_policy(**name)["ResourcePolicy"]
    sagemaker.delete_model_package_group_policy(**name)
    yield
    sagemaker.put_model_package_group_policy(**name, ResourcePolicy=before)
