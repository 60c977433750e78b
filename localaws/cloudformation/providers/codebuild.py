"""CodeBuild's resource type (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    fill,
    tag_list,
    tagging,
)

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


TIMES = ("QueuedTimeoutInMinutes", "TimeoutInMinutes")


@provides("AWS::CodeBuild::Project")
class BuildProject:
    """AWS::CodeBuild::Project: its properties are the API's, with a capital."""

    carried = frozenset(  # the service takes some of the others at their defaults
        {
            "Artifacts", "Cache", "ConcurrentBuildLimit", "Description", "EncryptionKey", "Environment", "LogsConfig",
            "Name", "QueuedTimeoutInMinutes", "SecondaryArtifacts", "ServiceRole", "Source", "SourceVersion", "Tags",
            "TimeoutInMinutes",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        codebuild = context.client("codebuild")
        name = str(properties.get("Name") or context.generated_name(255))
        arguments = {**properties, "Name": name, **tagging(context, properties)}
        made = codebuild.create_project(**fill(codebuild, "CreateProject", arguments, "AWS::CodeBuild::Project"))
        return self._made(made["project"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        codebuild = context.client("codebuild")
        cleared = {name: EMPTY[name] for name in old if name not in new and name in EMPTY}
        if str(new["Environment"]["Type"]).endswith("_LAMBDA_CONTAINER"):  # has times of its own, and takes no others
            cleared = {name: value for name, value in cleared.items() if name not in TIMES}
        arguments = {**cleared, **new, "Name": physical_id, "Tags": tag_list(all_tags(context.tags, new))}
        if lost := [name for name in old if name not in {*arguments, *TIMES}]:
            raise NotSupported(f"AWS::CodeBuild::Project: taking {lost[0]} away")
        made = codebuild.update_project(**fill(codebuild, "UpdateProject", arguments, "AWS::CodeBuild::Project"))
        return self._made(made["project"])

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        context.client("codebuild").delete_project(name=physical_id)

    def _made(self, project: dict[str, Any]) -> Made:
        return Made(project["name"], {"Arn": project["arn"], "Id": project["name"]})
