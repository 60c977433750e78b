"""CodeCommit, CodeBuild and CodePipeline resource types (CloudFormation Template Reference)."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, ResourceFailed
from localaws.cloudformation.providers.shapes import (
    all_tags,
    fill,
    only,
    retag,
    tag_list,
    tagging,
    truth,
    undone_by,
    unless,
    without,
)

FILES_PER_COMMIT = 100  # CodeCommit User Guide, "Quotas": files changed in one CreateCommit
NO_REPOSITORY = {"RepositoryDoesNotExistException"}


class Repository:
    """AWS::CodeCommit::Repository. Code seeds the repository when it is made, and never again."""

    carried = frozenset({"Code", "KmsKeyId", "RepositoryDescription", "RepositoryName", "Tags", "Triggers"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::CodeCommit::Repository", properties, self.carried)
        codecommit, name = context.client("codecommit"), str(properties["RepositoryName"])
        seed = self._seed(context, properties["Code"]) if "Code" in properties else {}
        arguments = without(properties, "Code", "Triggers", "Tags")
        if tags := all_tags(context.tags, properties):
            arguments["Tags"] = tags
        filled = fill(codecommit, "CreateRepository", arguments, "AWS::CodeCommit::Repository")
        made = codecommit.create_repository(**filled)["repositoryMetadata"]
        with undone_by(lambda: codecommit.delete_repository(repositoryName=name)):
            self._commit(codecommit, name, properties.get("Code", {}).get("BranchName", "main"), seed)
            if properties.get("Triggers"):
                self._trigger(codecommit, name, properties["Triggers"])
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::CodeCommit::Repository", new, self.carried)
        codecommit, name = context.client("codecommit"), str(new["RepositoryName"])
        if old["RepositoryName"] != name:
            codecommit.update_repository_name(oldName=old["RepositoryName"], newName=name)
        if old.get("RepositoryDescription") != new.get("RepositoryDescription"):
            told = new.get("RepositoryDescription", "")
            codecommit.update_repository_description(repositoryName=name, repositoryDescription=told)
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            codecommit.update_repository_encryption_key(repositoryName=name, kmsKeyId=new.get("KmsKeyId", ""))
        if (old.get("Triggers") or []) != (new.get("Triggers") or []):
            self._trigger(codecommit, name, new.get("Triggers") or [])
        arn = f"arn:aws:codecommit:{context.region}:{context.account}:{name}"
        retag(
            context,
            old,
            new,
            lambda tags: codecommit.tag_resource(resourceArn=arn, tags=tags),
            lambda keys: codecommit.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        https, ssh = (f"{way}://git-codecommit.{context.region}.amazonaws.com/v1/repos/{name}" for way in CLONES)
        return Made(physical_id, {"Arn": arn, "Name": name, "CloneUrlHttp": https, "CloneUrlSsh": ssh})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        name = str(properties["RepositoryName"])
        unless(NO_REPOSITORY, context.client("codecommit").delete_repository, repositoryName=name)

    def _seed(self, context: Context, code: dict[str, Any]) -> dict[str, bytes]:
        """The files of the zip in S3, read with the credentials that the stack acts with."""
        only("AWS::CodeCommit::Repository.Code", code, {"S3", "BranchName"})
        place = code["S3"]
        version = {"VersionId": place["ObjectVersion"]} if place.get("ObjectVersion") else {}
        body = context.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"], **version)["Body"].read()
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
        except zipfile.BadZipFile as error:
            raise ResourceFailed(f"s3://{place['Bucket']}/{place['Key']} is not a zip file") from error

    def _commit(self, codecommit: Any, name: str, branch: str, files: dict[str, bytes]) -> None:
        paths, parent = sorted(files), ""
        for start in range(0, len(paths), FILES_PER_COMMIT):
            some = paths[start : start + FILES_PER_COMMIT]
            parent = codecommit.create_commit(
                repositoryName=name,
                branchName=branch,
                commitMessage="Initial commit",
                putFiles=[{"filePath": path, "fileContent": files[path]} for path in some],
                **({"parentCommitId": parent} if parent else {}),
            )["commitId"]

    def _trigger(self, codecommit: Any, name: str, triggers: list[dict[str, Any]]) -> None:
        arguments = {"RepositoryName": name, "Triggers": triggers}
        filled = fill(codecommit, "PutRepositoryTriggers", arguments, "AWS::CodeCommit::Repository")
        codecommit.put_repository_triggers(**filled)

    def _made(self, metadata: dict[str, Any]) -> Made:
        return Made(
            metadata["repositoryId"],
            {
                "Arn": metadata["Arn"],
                "Name": metadata["repositoryName"],
                "CloneUrlHttp": metadata["cloneUrlHttp"],
                "CloneUrlSsh": metadata["cloneUrlSsh"],
            },
        )


CLONES = ("https", "ssh")


class BuildProject:
    """AWS::CodeBuild::Project: its properties are the API's, with a capital."""

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        codebuild = context.client("codebuild")
        name = str(properties.get("Name") or context.generated_name(255))
        arguments = {**properties, "Name": name, **tagging(context, properties)}
        made = codebuild.create_project(**fill(codebuild, "CreateProject", arguments, "AWS::CodeBuild::Project"))
        return self._made(made["project"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        codebuild = context.client("codebuild")
        cleared = {name: EMPTY[name] for name in old if name not in new and name in EMPTY}
        arguments = {**cleared, **new, "Name": physical_id, "Tags": tag_list(all_tags(context.tags, new))}
        if lost := [name for name in old if name not in arguments]:
            raise NotSupported(f"AWS::CodeBuild::Project: taking {lost[0]} away")
        made = codebuild.update_project(**fill(codebuild, "UpdateProject", arguments, "AWS::CodeBuild::Project"))
        return self._made(made["project"])

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        context.client("codebuild").delete_project(name=physical_id)

    def _made(self, project: dict[str, Any]) -> Made:
        return Made(project["name"], {"Arn": project["arn"], "Id": project["name"]})


# What takes a property of a build project away (CodeBuild API Reference, "UpdateProject": what is left out stays).
EMPTY: dict[str, Any] = {
    "Cache": {"Type": "NO_CACHE"},
    "ConcurrentBuildLimit": -1,
    "Description": "",
    "EncryptionKey": "",
    "FileSystemLocations": [],
    "LogsConfig": {},
    "QueuedTimeoutInMinutes": 480,
    "SecondaryArtifacts": [],
    "SecondarySourceVersions": [],
    "SecondarySources": [],
    "SourceVersion": "",
    "TimeoutInMinutes": 60,
    "VpcConfig": {},
}


class Pipeline:
    """AWS::CodePipeline::Pipeline."""

    carried = frozenset(
        {
            "ArtifactStore", "ArtifactStores", "DisableInboundStageTransitions", "ExecutionMode", "Name",
            "PipelineType", "RestartExecutionOnUpdate", "RoleArn", "Stages", "Tags", "Triggers", "Variables",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        client = context.client("codepipeline")
        name = str(properties.get("Name") or context.generated_name(100))
        arguments = {"Pipeline": self._declaration(name, properties), **tagging(context, properties)}
        filled = fill(client, "CreatePipeline", arguments, "AWS::CodePipeline::Pipeline")
        made = client.create_pipeline(**filled)["pipeline"]
        with undone_by(lambda: client.delete_pipeline(name=name)):
            self._transitions(client, name, {}, properties)
        return self._made(context, name, made)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        client = context.client("codepipeline")
        arguments = {"Pipeline": self._declaration(physical_id, new)}
        filled = fill(client, "UpdatePipeline", arguments, "AWS::CodePipeline::Pipeline")
        made = client.update_pipeline(**filled)["pipeline"]
        self._transitions(client, physical_id, old, new)
        arn = f"arn:aws:codepipeline:{context.region}:{context.account}:{physical_id}"
        retag(
            context,
            old,
            new,
            lambda tags: client.tag_resource(resourceArn=arn, tags=[{"key": k, "value": v} for k, v in tags.items()]),
            lambda keys: client.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        if truth(new.get("RestartExecutionOnUpdate")):
            client.start_pipeline_execution(name=physical_id)
        return self._made(context, physical_id, made)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"PipelineNotFoundException"}, context.client("codepipeline").delete_pipeline, name=physical_id)

    def _declaration(self, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        only("AWS::CodePipeline::Pipeline", properties, self.carried)
        kept = without(properties, "Tags", "DisableInboundStageTransitions", "RestartExecutionOnUpdate")
        declaration = without(kept, "ArtifactStores") | {"Name": name}
        if stores := properties.get("ArtifactStores"):
            declaration["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in stores}
        declaration["Stages"] = [self._stage(stage) for stage in properties["Stages"]]
        return declaration

    def _stage(self, stage: dict[str, Any]) -> dict[str, Any]:
        """The stage with its actions' configuration values as text, which is how the API takes them."""
        actions = []
        for action in stage["Actions"]:
            given = action.get("Configuration")
            if isinstance(given, str):
                given = json.loads(given)
            actions.append({**action, **({"Configuration": given} if given is not None else {})})
        return {**stage, "Actions": actions}

    def _transitions(self, client: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before = {t["StageName"]: t["Reason"] for t in old.get("DisableInboundStageTransitions") or []}
        after = {t["StageName"]: t["Reason"] for t in new.get("DisableInboundStageTransitions") or []}
        common = {"pipelineName": name, "transitionType": "Inbound"}
        for stage, reason in after.items():
            if before.get(stage) != reason:
                client.disable_stage_transition(**common, stageName=stage, reason=reason)
        for stage in before.keys() - after.keys():
            client.enable_stage_transition(**common, stageName=stage)

    def _made(self, context: Context, name: str, pipeline: dict[str, Any]) -> Made:
        arn = f"arn:aws:codepipeline:{context.region}:{context.account}:{name}"
        return Made(name, {"Arn": arn, "Version": str(pipeline.get("version", 1))})
