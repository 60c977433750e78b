"""Check the model of project.toml, upload its data and steps, start the training pipeline, wait for the version.

Everything is checked before anything is paid for. A build on a push needs no more than this command with --commit,
--author and --wait: it ends with 0 once the version is registered.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aws import parser, project_id, run, say, session, show
from botocore.exceptions import ClientError, NoCredentialsError
from checks import check
from definition import ECR_IMAGE, Names, definition, image_of, names
from project import FILE, ROOT, Project, read, step_files
from steps.common import Table, UserError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

EVERY = 5  # of a short pipeline: every fifth row is kept for validation
NO_REPOSITORY = "RepositoryNotFoundException"
LONGEST_PAUSE = 10.0  # seconds between two looks at a running pipeline
SHAPES = {  # where AWS's own API model lists the instance types of each kind of job
    "training": "TrainingInstanceType",
    "processing": "ProcessingInstanceType",
    "serving": "ProductionVariantInstanceType",
}
UNUSUAL = re.compile(
    r"[^A-Za-z0-9\u00c0-\u024f _.:/=+@-]"
)  # what a version's metadata do not take (CreateModelPackage)
Files = Mapping[str, bytes]  # by key


# -- what is uploaded --------------------------------------------------------------------------


def split_rows(project: Project, table: Table) -> tuple[list[str], list[str]]:
    """Rows to train with and to validate with, the label first: always the same for the same rows."""
    label = table.names.index(project.label_name)
    places = [label, *(table.names.index(name) for name in project.features)]
    rows = [",".join(row[place] for place in places) for row in table.rows]
    train = [row for number, row in enumerate(rows) if number % EVERY != EVERY - 1]
    return train, [row for number, row in enumerate(rows) if number % EVERY == EVERY - 1]


def data_files(project: Project, table: Table) -> Files:
    """A full pipeline reads the file as it is; a short one has its rows split here."""
    if project.pipeline == "full":
        return {f"raw/{project.file.name}": project.file.read_bytes()}
    parts = zip(("train", "validation"), split_rows(project, table), strict=True)
    return {f"{name}/{name}.csv": ("\n".join(rows) + "\n").encode() for name, rows in parts}


def code_files(project: Project) -> Files:
    """The steps as the containers start them: scripts side by side, with what they share in steps/ beside them."""
    if project.pipeline == "short":
        return {}
    settings = json.dumps(asdict(project.for_steps()), indent=2, sort_keys=True).encode()
    sources = {name: path.read_bytes() for name, path in step_files(project.root).items()}
    package = {f"steps/{name}": content for name, content in sources.items()} | {"steps/settings.json": settings}
    scripts = {name: sources[name] for name in ("preprocess.py", "train.py", "evaluate.py", "inference.py")}
    files = {**scripts, **package}
    return {**{f"files/{name}": content for name, content in files.items()}, "sourcedir.tar.gz": packed(files)}


def packed(files: Files) -> bytes:
    """The files as tar.gz: the same files are the same bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(made.getvalue(), mtime=0)


def hash_of(files: Files) -> str:
    """SHA-256 of names and contents."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def upload(s3: S3Client, these: Names, folder: str, files: Files) -> None:
    """The files under an S3 prefix, encrypted with the kit's key."""
    prefix = folder.removeprefix(f"s3://{these.bucket}/")
    for name, content in files.items():
        s3.put_object(
            Bucket=these.bucket,
            Key=f"{prefix}/{name}",
            Body=content,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=these.key,
        )
    say(f"uploaded {len(files)} {'file' if len(files) == 1 else 'files'} to {folder}/")


def check_image(ecr: ECRClient, image: str) -> None:
    """UserError where an own image is not there. Of a registry that may not be asked, SageMaker will say it.

    Asked for as SageMaker pulls it, with a right that each role that trains has.
    """
    found = ECR_IMAGE.fullmatch(image)
    if found is None:
        raise UserError(f"{FILE}: {image} is no image of Amazon ECR")
    which: ImageIdentifierTypeDef = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"]}
    try:
        answer = ecr.batch_get_image(registryId=found["account"], repositoryName=found["repository"], imageIds=[which])
    except ClientError as error:
        missing = [error.response["Error"]["Message"]] if error.response["Error"]["Code"] == NO_REPOSITORY else []
    else:
        missing = [one["failureReason"] for one in answer["failures"] if one["failureCode"] == "ImageNotFound"]
    if missing:
        raise UserError(f"{FILE}: the image {image} is not there: push it, or correct image. {missing[0]}")


# -- who and what ------------------------------------------------------------------------------


def git(*arguments: str) -> str:
    """What git says of this repository; "" where it is none."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit_of() -> str:
    """The commit that is checked out, with +changes where the files are not as it has them; "none" without git."""
    if Path(git("rev-parse", "--show-toplevel") or "/") != ROOT:
        return "none"
    return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")


def author_of(made: boto3.Session, commit: str) -> str:
    """The author of git's newest commit; in the build on a push, which has no git, CodeCommit's of this commit."""
    if repository := os.environ.get("TRAINING_REPOSITORY"):
        try:
            asked = made.client("codecommit").get_commit(repositoryName=repository, commitId=commit)
            return asked["commit"]["author"]["name"]
        except ClientError as error:
            say(f"the author of commit {commit} is not known: {error.response['Error']['Code']}")
            return "none"
    return git("log", "-1", "--format=%an")


def plain(text: str) -> str:
    """A text as the metadata of a version take it."""
    return " ".join(UNUSUAL.sub(" ", text).split())[:256] or "none"


def instances(sagemaker: SageMakerClient) -> dict[str, list[str]]:
    """The instance types that each kind of job may have, as this boto3 knows them."""
    model = sagemaker.meta.service_model
    return {kind: list(getattr(model.shape_for(name), "enum", [])) for kind, name in SHAPES.items()}


def account_of(made: boto3.Session) -> str:
    return made.client("sts").get_caller_identity()["Account"]


def caller_role(made: boto3.Session) -> str:
    """The ARN of the role whose session this is."""
    caller = made.client("sts").get_caller_identity()["Arn"]
    kind, _, rest = caller.split(":", 5)[5].partition("/")
    if kind != "assumed-role":
        raise UserError(f"{caller} is not a role: name the role that trains with --role ARN")
    return made.client("iam").get_role(RoleName=rest.split("/")[0])["Role"]["Arn"]


def put_pipeline(sagemaker: SageMakerClient, these: Names, project: Project) -> None:
    """The pipeline with today's definition."""
    body = json.dumps(definition(these, project))
    pages = sagemaker.get_paginator("list_pipelines").paginate(PipelineNamePrefix=these.pipeline)
    there = {found["PipelineName"] for page in pages for found in page["PipelineSummaries"]}
    if these.pipeline in there:
        sagemaker.update_pipeline(PipelineName=these.pipeline, PipelineDefinition=body, RoleArn=these.role)
        say(f"updated the pipeline {these.pipeline}")
        return
    sagemaker.create_pipeline(  # type: ignore[call-arg]  # botocore adds the ClientRequestToken
        PipelineName=these.pipeline,
        PipelineDescription=f"Trains and registers the model of {these.project}",
        PipelineDefinition=body,
        RoleArn=these.role,
        Tags=[
            {"Key": "sagemaker:project-name", "Value": these.project},
            {"Key": "sagemaker:project-id", "Value": these.project_id},
        ],
    )
    say(f"created the pipeline {these.pipeline}")


def wait(sagemaker: SageMakerClient, execution: str) -> dict[str, Any]:
    """The steps of the execution once it has succeeded, by name; says what happens meanwhile."""
    reported: dict[str, str] = {}  # the last status of each step
    pause = 0.05
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        listed = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution, SortOrder="Ascending"
        )
        steps = [step for page in listed for step in page["PipelineExecutionSteps"]]
        for step in steps:
            if reported.get(step["StepName"]) != step["StepStatus"]:
                reported[step["StepName"]] = step["StepStatus"]
                say(f"{step['StepName']}: {step['StepStatus']} {step.get('FailureReason', '')}".rstrip())
        if status == "Succeeded":
            return {step["StepName"]: step for step in steps}
        if status not in {"Executing", "Stopping"}:
            raise UserError(f"the pipeline execution {execution} ended as {status}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def outcome(
    sagemaker: SageMakerClient, these: Names, execution: str, steps: dict[str, Any], metrics: Iterable[str]
) -> dict[str, Any]:
    """What came of it: the version and its metrics."""
    package = sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"],
    )
    return {
        "pipeline": these.pipeline,
        "execution": execution,
        "model_package_arn": package["ModelPackageArn"],
        "version": package["ModelPackageVersion"],
        "status": package["ModelApprovalStatus"],
        "metrics": {name: float(package["CustomerMetadataProperties"][name]) for name in metrics},
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--role", help="ARN of the role that trains (default: the caller's own role)")
    arguments.add_argument("--instances", type=int, default=1, help="how many instances train (default 1)")
    arguments.add_argument("--commit", help="kept with the version (default: the commit that git has checked out)")
    arguments.add_argument("--author", help="kept with the version (default: the commit's author)")
    arguments.add_argument("--on-push", action="store_true", help="as the build on a push: a pipeline of its own")
    arguments.add_argument("--check", action="store_true", help="check the model, its data and its steps, then end")
    arguments.add_argument("--wait", action="store_true", help="wait until the version is registered")
    args = arguments.parse_args(argv)
    made, project = session(args), read()
    sagemaker = made.client("sagemaker")
    table = check(project, made.region_name, instances(sagemaker))
    if project.framework == "container":
        try:
            check_image(made.client("ecr"), image_of(account_of(made), made.region_name, project))
        except NoCredentialsError:
            if not args.check:
                raise
            say(f"the image {project.image} was not looked for: without credentials of AWS, Amazon ECR cannot be asked")
    say(f"{project.name}: {len(table.rows)} rows of {project.data}, {len(project.features)} features: nothing is wrong")
    if args.check:
        return 0
    account = account_of(made)
    data, code = data_files(project, table), code_files(project)
    data_hash = hash_of(data)
    these = names(
        project=args.project,
        project_id=project_id(sagemaker, args.project),
        account=account,
        region=made.region_name,
        role=args.role or caller_role(made),
        data_hash=data_hash[:12],
        code_hash=hash_of(code)[:12] if code else "none",
        on_push=args.on_push,
    )
    upload(made.client("s3"), these, these.data, data)
    if code:
        upload(made.client("s3"), these, these.code, code)
    put_pipeline(sagemaker, these, project)
    commit = args.commit or commit_of()
    values = {
        "TrainingInstanceCount": str(args.instances),
        "DataUrl": these.data,
        "DataHash": f"sha256:{data_hash}",
        "Commit": plain(commit),
        "Author": plain(args.author or author_of(made, commit)),
    }
    execution = sagemaker.start_pipeline_execution(  # type: ignore[call-arg]  # botocore adds the ClientRequestToken
        PipelineName=these.pipeline,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
    )["PipelineExecutionArn"]
    say(f"started execution {execution.rsplit('/', 1)[1]} of the pipeline {these.pipeline}")
    if not args.wait:
        show({"pipeline": these.pipeline, "execution": execution}, args.json)
        return 0
    show(outcome(sagemaker, these, execution, wait(sagemaker, execution), project.metrics), args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
