"""What CreatePipeline refuses, and says why, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.codepipeline.declaration import check
from tests.support.codepipeline_setting import (
    APPROVE,
    BUILD,
    DEPLOY,
    NAME,
    REGION,
    SOURCE,
    Stage,
    action,
    artifacts,
    declaration,
    variable_check,
)

Change = Callable[[dict[str, Any]], Any]


def whole() -> dict[str, Any]:
    return declaration(
        {"name": "Build", "actions": [BUILD]},
        {"name": "Deploy", "actions": [DEPLOY], "beforeEntry": variable_check()},
        {"name": "Approve", "actions": [APPROVE]},
    )


def of(pipeline: dict[str, Any], stage: int) -> dict[str, Any]:
    found: dict[str, Any] = pipeline["stages"][stage]["actions"][0]
    return found


def configure(stage: int, **values: str) -> Change:
    return lambda pipeline: of(pipeline, stage)["configuration"].update(values)


def drop(stage: int, key: str) -> Change:
    return lambda pipeline: of(pipeline, stage)["configuration"].pop(key)


def rule(result: str = "SKIP", **values: Any) -> Change:
    def change(pipeline: dict[str, Any]) -> None:
        condition = pipeline["stages"][2]["beforeEntry"]["conditions"][0]
        condition["result"] = result
        condition["rules"][0].update(values)

    return change


def test_the_kits_kind_of_pipeline_is_created_as_declared(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(cloud, monkeypatch)
    stage.create(whole())
    created = stage.client.get_pipeline(name=NAME)["pipeline"]
    assert (created["pipelineType"], created["version"]) == ("V2", 1)
    assert [[action["name"] for action in one["actions"]] for one in created["stages"]] == [
        ["Source"], ["Build"], ["Deploy"], ["Approve"],
    ]  # fmt: skip


STRUCTURE, STAGE, ACTION = (
    "InvalidStructureException",
    "InvalidStageDeclarationException",
    "InvalidActionDeclarationException",
)


def window(**configuration: str) -> Change:
    kind = {"category": "Rule", "owner": "AWS", "provider": "DeploymentWindow", "version": "1"}
    return rule("FAIL", ruleTypeId=kind, configuration=configuration)


def connection(**configuration: str) -> Change:
    """The source is a connection, with these settings instead of the right ones."""

    def change(pipeline: dict[str, Any]) -> None:
        of(pipeline, 0)["actionTypeId"]["provider"] = "CodeStarSourceConnection"
        given = {
            "ConnectionArn": "arn:aws:codeconnections:us-east-1:111111111111:connection/a1",
            "FullRepositoryId": "owner/repo",
            "BranchName": "main",
        }
        of(pipeline, 0)["configuration"] = given | configuration

    return change


def trigger(**given: Any) -> dict[str, Any]:
    return {
        "providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", **given},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda p: p.update(name="a b"), "ValidationException", "regular expression"),
        (lambda p: p.update(executionMode="FASTEST"), "ValidationException", "enum value set"),
        (lambda p: p.update(artifactStores={}), STRUCTURE, "not both"),
        (lambda p: p["stages"].__delitem__(slice(1, None)), STRUCTURE, "only 1 stage"),
        (lambda p: p["stages"][1].update(name="Source"), STRUCTURE, "more than one stage with the name 'Source'"),
        (lambda p: p["stages"].pop(0), STRUCTURE, "only contains source actions"),
        (lambda p: p["stages"][1]["actions"].append(SOURCE), STRUCTURE, "only the first stage may"),
        (lambda p: p["stages"][1]["actions"].clear(), STAGE, "has 0 actions"),
        (lambda p: p["stages"][1]["actions"].append(BUILD), STAGE, "must be unique; 'Build'"),
        (lambda p: p.update(pipelineType="V1"), STRUCTURE, "must be V2"),
        (lambda p: of(p, 1)["actionTypeId"].update(provider="CodeBuilt"), ACTION, "Provider: 'CodeBuilt'"),
        (lambda p: of(p, 1)["actionTypeId"].update(version="2"), ACTION, "Version: '2'"),
        (lambda p: of(p, 1)["actionTypeId"].update(category="Build", provider="Jenkins"), "NotSupported", "Jenkins"),
        (lambda p: of(p, 1)["actionTypeId"].update(category="Invoke", provider="Lambda"), ACTION, "'FunctionName'"),
        (lambda p: of(p, 1).update(inputArtifacts=[]), ACTION, "has 0 input artifacts; CodeBuild takes 1 to 5"),
        (lambda p: of(p, 0).update(outputArtifacts=[]), ACTION, "0 output artifacts; S3 takes 1 to 1"),
        (lambda p: of(p, 3).update(inputArtifacts=artifacts("BuildOutput")), ACTION, "Manual takes 0 to 0"),
        (
            lambda p: of(p, 1).update(inputArtifacts=artifacts("Nothing")),
            ACTION,
            "Bundle Nothing in action Build is not",
        ),
        (lambda p: of(p, 1).update(inputArtifacts=artifacts("BuildOutput")), ACTION, "in any of the preceding actions"),
        (lambda p: of(p, 1).update(outputArtifacts=artifacts("SourceOutput")), ACTION, "used more than once"),
        (lambda p: of(p, 1).update(namespace="Source"), ACTION, "namespaces must be unique"),
        (lambda p: of(p, 1).update(namespace="variables"), ACTION, "is reserved"),
        (lambda p: of(p, 1).update(namespace="SourceOutput"), ACTION, "name of an artifact"),
        (lambda p: of(p, 1).update(timeoutInMinutes=10), ACTION, "manual approval actions only"),
        (lambda p: of(p, 1).update(runOrder=1000), "ValidationException", "less than or equal to 999"),
        (drop(1, "ProjectName"), ACTION, "missing required configuration 'ProjectName'"),
        (configure(1, Project="x"), ACTION, "unknown configuration 'Project'"),
        (configure(1, EnvironmentVariables="{}"), ACTION, "not a JSON array"),
        (configure(1, EnvironmentVariables='[{"name": "A"}]'), ACTION, "each is an object with name, value"),
        (configure(1, EnvironmentVariables='[{"name": "A", "value": 1}]'), ACTION, "are strings"),
        (configure(1, PrimarySource="Other"), ACTION, "PrimarySource Other is not an input"),
        (configure(1, BatchEnabled="true"), "NotSupported", "BatchEnabled"),
        (configure(1, ProjectName="p" * 1001), "ValidationException", "1000"),
        (configure(0, PollForSourceChanges="no"), ACTION, "valid values are true, false"),
        (configure(2, ActionMode="UPDATE"), ACTION, "valid values are CREATE_UPDATE"),
        (drop(2, "TemplatePath"), ACTION, "TemplatePath is required for the ActionMode CREATE_UPDATE"),
        (drop(2, "RoleArn"), ACTION, "RoleArn is required"),
        (configure(2, TemplatePath="40-stage.yaml"), ACTION, "ArtifactName::FileName"),
        (configure(2, TemplatePath="SourceOutput::40-stage.yaml"), ACTION, "not an input artifact"),
        (configure(2, ActionMode="CHANGE_SET_EXECUTE"), ACTION, "ChangeSetName is required"),
        (configure(2, Capabilities="CAPABILITY_ANY"), ACTION, "CAPABILITY_ANY"),
        (configure(2, ParameterOverrides="[]"), ACTION, "not a JSON object"),
        (configure(1, ProjectName="#{Test.X}"), STRUCTURE, "namespace that does not exist.*ActionName=\\[Build\\]"),
        (configure(1, ProjectName="#{Build.X}"), STRUCTURE, "namespace that does not exist"),
        (configure(1, ProjectName="#{Source}"), STRUCTURE, "separated by a period"),
        (configure(1, ProjectName="#{variables.Other}"), STRUCTURE, "does not declare the variable Other"),
        (configure(1, ProjectName="#{codepipeline.Name}"), STRUCTURE, "no variable Name"),
        (configure(0, S3ObjectKey="#{variables.ModelPackageVersion}"), STRUCTURE, "cannot be used in a source"),
        (rule(configuration={"Variable": "#{Build.DEPLOY}", "Value": "true"}), STAGE, "missing .* 'Operator'"),
        (
            rule(configuration={"Variable": "x", "Value": "true", "Operator": "IS"}),
            STAGE,
            "must be one of EQ, CONTAINS, MATCHES, NE",
        ),
        (
            rule(configuration={"Variable": "#{Later.X}", "Value": "true", "Operator": "EQ"}),
            STRUCTURE,
            "ConditionType=\\[beforeEntry\\]",
        ),
        (rule(ruleTypeId={"category": "Rule", "provider": "VariableTest"}), STAGE, "does not exist"),
        (rule(ruleTypeId={"category": "Rule", "provider": "LambdaInvoke"}), STAGE, "missing .* 'FunctionName'"),
        (window(Cron="0 0 9-25 ? * MON-FRI *"), STAGE, "25 in the field 9-25"),
        (window(Cron="0 9 * *"), STAGE, "has 4 fields"),
        (window(Cron="0 * * ? * * *", TimeZone="Mars/Olympus"), STAGE, "Mars/Olympus is not a time zone"),
        (window(Hour="9"), STAGE, "missing .* 'Cron'"),
        (
            rule("FAIL", ruleTypeId={"category": "Rule", "provider": "Commands"}, configuration={}),
            STAGE,
            "has 0 input artifacts",
        ),
        (
            lambda p: p["stages"][2].update(
                onFailure={**variable_check("ROLLBACK"), "result": "RETRY", "retryConfiguration": {}}
            ),
            STAGE,
            "automatic stage retry cannot be used with conditions",
        ),
        (lambda p: of(p, 1).update(commands=["ls"]), ACTION, "may not have commands"),
        (lambda p: of(p, 0).update(region="eu-west-1"), ACTION, "cannot be a cross-Region action"),
        (connection(ConnectionArn="arn:aws:s3:::x"), ACTION, "not the ARN of a connection"),
        (connection(FullRepositoryId="repo"), ACTION, "not in the form owner/name"),
        (connection(Branch="main"), ACTION, "unknown configuration 'Branch'"),
        (connection(OutputArtifactFormat="CODEBUILD_CLONE_REF"), "NotSupported", "CODEBUILD_CLONE_REF"),
        (
            lambda p: p.update(triggers=[trigger(push=[{"branches": {"includes": ["main"]}}])]),
            STRUCTURE,
            "not a CodeStarSourceConnection source",
        ),
        (
            rule(ruleTypeId={"category": "Rule", "provider": "CloudWatchAlarm"}),
            STAGE,
            "SKIP .* is only valid with the rules LambdaInvoke, VariableCheck",
        ),
        (
            lambda p: p["stages"][2].update(beforeEntry=variable_check("ROLLBACK")),
            STAGE,
            "ROLLBACK is not valid for beforeEntry",
        ),
        (
            lambda p: p["stages"][2].update(onSuccess=variable_check("ROLLBACK")) or p.update(executionMode="PARALLEL"),
            STRUCTURE,
            "PARALLEL mode cannot roll back",
        ),
        (lambda p: of(p, 1).update(region="eu-west-1"), STRUCTURE, "must have artifactStores, one for each region"),
    ],
)
def test_a_wrong_declaration_is_refused(change: Change, code: str, message: str) -> None:
    pipeline = whole()
    change(pipeline)
    with pytest.raises(AwsError, match=message) as refused:
        check(pipeline, REGION)
    assert refused.value.code == code


def test_an_artifact_of_the_same_stage_needs_a_later_run_order() -> None:
    test = action(
        "Test", "Test", "CodeBuild", configuration={"ProjectName": "test"}, inputArtifacts=artifacts("BuildOutput")
    )
    pipeline = declaration({"name": "Build", "actions": [BUILD, test]})
    with pytest.raises(AwsError, match="preceding actions"):
        check(pipeline, REGION)
    pipeline["stages"][1]["actions"][1]["runOrder"] = 2
    check(pipeline, REGION)
