"""A build's sources and artifacts in S3, and those that a pipeline gives it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session, new_id
from localaws.services.codebuild.artifacts import ArtifactError, download
from localaws.services.codebuild.state import PipelineBuild, PipelineWork
from tests.support.codebuild_setting import ACCOUNT, REGION, build, finish, log, phase, project
from tests.support.zips import files_in, zip_of


def unzipped(root: Session, key: str) -> dict[str, str]:
    body = root.client("s3").get_object(Bucket="store", Key=key)["Body"].read()
    return files_in(body)


def test_source_and_artifacts_are_zips_in_s3(root: Session) -> None:
    spec = """
    version: 0.2
    phases:
      build:
        commands: [mkdir -p out/deep, cp given.txt out/deep/, echo done > out/note.txt]
    artifacts:
      files: ['**/*']
      base-directory: out
      name: made-$CODEBUILD_BUILD_NUMBER
      secondary-artifacts:
        flat: {files: ['out/**/*'], discard-paths: yes}
    """
    root.client("s3").put_object(
        Bucket="store", Key="in.zip", Body=zip_of({"given.txt": "here", "buildspec.yml": textwrap.dedent(spec)})
    )
    s3 = {"type": "S3", "location": "store", "packaging": "ZIP", "path": "results"}
    done = build(
        root,
        "",
        source={"type": "S3", "location": "store/in.zip"},
        artifacts={**s3, "name": "x", "overrideArtifactName": True},
        secondaryArtifacts=[{**s3, "name": "flat.zip", "namespaceType": "BUILD_ID", "artifactIdentifier": "flat"}],
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    assert done["artifacts"]["location"] == "arn:aws:s3:::store/results/made-1"
    assert unzipped(root, "results/made-1") == {"deep/given.txt": "here", "note.txt": "done\n"}
    flat = unzipped(root, f"results/{done['id'].split(':')[1]}/flat.zip")
    assert flat == {"given.txt": "here", "note.txt": "done\n"}


def test_artifacts_that_are_not_there_fail_the_upload(root: Session) -> None:
    done = build(
        root,
        "version: 0.2\nphases: {}\nartifacts: {files: [absent.txt]}\n",
        artifacts={"type": "S3", "location": "store", "name": "x"},
    )
    assert done["buildStatus"] == "FAILED"
    assert phase(done, "UPLOAD_ARTIFACTS")["contexts"] == [
        {"statusCode": "CLIENT_ERROR", "message": "no matching artifact paths found"}
    ]


def test_a_pipelines_build_takes_its_inputs_and_leaves_its_outputs(root: Session) -> None:
    spec = """
    version: 0.2
    phases:
      build:
        commands: ['cat given.txt $CODEBUILD_SRC_DIR_Other/more.txt > both.txt', 'echo by $CODEBUILD_INITIATOR']
    artifacts: {files: [both.txt]}
    """
    s3, codebuild = root.client("s3"), root.client("codebuild")
    s3.put_object(Bucket="store", Key="a", Body=zip_of({"given.txt": "1", "b/spec.yml": textwrap.dedent(spec)}))
    s3.put_object(Bucket="store", Key="b", Body=zip_of({"more.txt": "2"}))
    codebuild.create_project(
        **project(source={"type": "CODEPIPELINE", "buildspec": "b/spec.yml"}, artifacts={"type": "CODEPIPELINE"})
    )
    root.cloud.state(PipelineWork, ACCOUNT, REGION).by_token["action-1"] = PipelineBuild(
        pipeline_arn=f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:line",
        input_artifacts={"Main": ("store", "a"), "Other": ("store", "b")},
        primary="Main",
        output_artifacts={"Out": ("store", "out")},
    )
    started = codebuild.start_build(projectName="maker", idempotencyToken="action-1")["build"]
    again = codebuild.start_build(projectName="maker", idempotencyToken="action-1")["build"]
    assert again["id"] == started["id"]
    done = finish(root, started["id"])
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    assert unzipped(root, "out") == {"both.txt": "12"}
    assert "by codepipeline/line" in log(root, done)
    with pytest.raises(ClientError, match="built by CodePipeline"):
        codebuild.start_build(projectName="maker")


# -- names that are no files -------------------------------------------------------------------

NAMES = [
    (["../../../../../outside.txt"], "the name leads out of its folder"),
    (["a", "a/b"], "file exists"),
    (["a", "a/b/c"], "not a directory"),
    (["x" * 300], "file name too long"),
]


@pytest.mark.parametrize(("keys", "reason"), NAMES)
def test_a_source_folder_with_a_key_that_no_file_can_have_fails_the_build(
    root: Session, keys: list[str], reason: str
) -> None:
    prefix = f"store/{new_id()}/"
    for key in keys:
        root.client("s3").put_object(Bucket="store", Key=f"{prefix.removeprefix('store/')}{key}", Body=b"x")
    done = build(root, "", source={"type": "S3", "location": prefix, "buildspec": "version: 0.2\nphases: {}\n"})
    check_refused(root, done, keys[-1], reason)


@pytest.mark.parametrize(("keys", "reason"), NAMES)
def test_a_source_zip_with_a_name_that_no_file_can_have_fails_the_build(
    root: Session, keys: list[str], reason: str
) -> None:
    root.client("s3").put_object(Bucket="store", Key="in.zip", Body=zip_of(dict.fromkeys(keys, "x")))
    done = build(root, "", source={"type": "S3", "location": "store/in.zip"})
    if keys[0].startswith(".."):  # refused with the archive, before anything is unpacked
        assert "holds a file outside of its folder" in phase(done, "DOWNLOAD_SOURCE")["contexts"][0]["message"]
        assert not list(root.cloud.folder.parent.rglob("outside.txt"))
        return
    check_refused(root, done, keys[-1], reason)


def check_refused(root: Session, done: dict[str, Any], key: str, reason: str) -> None:
    assert done["buildStatus"] == "FAILED"
    (context,) = phase(done, "DOWNLOAD_SOURCE")["contexts"]
    assert context["statusCode"] == "CLIENT_ERROR"
    assert context["message"].startswith("open ")
    assert f"/src/{key}: " in context["message"]
    assert reason in context["message"]
    assert not list(root.cloud.folder.parent.rglob("outside.txt"))
    assert root.cloud.faults == []


def test_an_input_artifact_whose_name_leads_out_fails_the_build(root: Session, tmp_path: Path) -> None:
    root.client("s3").put_object(Bucket="store", Key="in.zip", Body=zip_of({"a": "b"}))
    name, there = "x/../../../../../outside", ("store", "in.zip")
    work = PipelineBuild(
        pipeline_arn="arn", input_artifacts={"first": there, name: there}, primary="first", output_artifacts={}
    )
    with pytest.raises(ArtifactError, match="the name leads out of its folder"):
        download(root, {}, work, tmp_path / "a/b/c/build")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_key_with_two_slashes_stays_in_the_sources_folder(root: Session) -> None:
    root.client("s3").put_object(Bucket="store", Key="slashes//etc/given.txt", Body=b"here")
    spec = "version: 0.2\nphases: {build: {commands: [cat etc/given.txt]}}\n"
    done = build(root, "", source={"type": "S3", "location": "store/slashes/", "buildspec": spec})
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)


@pytest.mark.parametrize(
    "body",
    [b"no zip", zip_of({"a": "b"})[:-30], zip_of({"a": "b" * 99}).replace(b"bbb", b"ccc")],
    ids=["no zip", "cut off", "a wrong checksum"],  # a zip holds the time
)
def test_a_source_that_cannot_be_unpacked_fails_the_build(root: Session, body: bytes) -> None:
    root.client("s3").put_object(Bucket="store", Key="in.zip", Body=body)
    done = build(root, "", source={"type": "S3", "location": "store/in.zip"})
    assert "the source is " in phase(done, "DOWNLOAD_SOURCE")["contexts"][0]["message"]
    assert root.cloud.faults == []


def test_a_buildspec_outside_of_the_source_is_not_read(root: Session) -> None:
    (root.cloud.folder.parent / "outside.yml").write_text("version: 0.2\nphases: {}\n")
    root.client("s3").put_object(Bucket="store", Key="in.zip", Body=zip_of({"a": "b"}))
    for path in ("../../../../../outside.yml", str(root.cloud.folder.parent / "outside.yml")):
        root.client("codebuild").delete_project(name="maker")
        done = build(root, "", source={"type": "S3", "location": "store/in.zip", "buildspec": path})
        assert "no such file or directory" in phase(done, "DOWNLOAD_SOURCE")["contexts"][0]["message"]
