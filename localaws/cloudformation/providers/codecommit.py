"""CodeCommit's resource type (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from awslang.archives import BadArchive, read_zip
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    fill,
    only,
    retag,
    undone_by,
    unless,
    without,
)

FILES_PER_COMMIT = 100  # CodeCommit User Guide, "Quotas": files changed in one CreateCommit
NO_REPOSITORY = {"RepositoryDoesNotExistException"}
CLONES = ("https", "ssh")


@provides("AWS::CodeCommit::Repository")
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
            description = new.get("RepositoryDescription", "")
            codecommit.update_repository_description(repositoryName=name, repositoryDescription=description)
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
            return read_zip(body)
        except BadArchive as error:
            raise ResourceFailed(f"s3://{place['Bucket']}/{place['Key']} {error}") from error

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
