"""Probes of AWS CodeBuild."""

from __future__ import annotations

import json

from scripts.kit.probes.lab import Json, Lab, policy, statement
from scripts.kit.probes.probe import Answers, Cost, Probe

# Reads an object of each folder, and hands on what came of it. boto3 is in AWS's images, for each of their Pythons.
READ = """
import boto3, botocore.exceptions, os
for name in ('own', 'other'):
    try:
        boto3.client('s3').get_object(Bucket=os.environ['BUCKET'], Key=f'{name}/probe')
        found = 'read'
    except botocore.exceptions.ClientError as error:
        found = error.response['Error']['Code']
    print(f'export {name.upper()}={found}')
"""
# Asks for what the role allows to this project's builds alone.
ASK = """
import boto3, botocore.exceptions
try:
    boto3.client('s3').list_buckets()
    found = 'yes'
except botocore.exceptions.ClientError as error:
    found = error.response['Error']['Code']
print(f'export OWN={found}')
"""
ON_LAMBDA = {
    "type": "LINUX_LAMBDA_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-lambda-standard:python3.13",
    "computeType": "BUILD_LAMBDA_2GB",
}  # fmt: skip
LARGE = 4_095  # characters of one variable, as the kit's projects have them


def project(lab: Lab, role: str, **more: object) -> Json:
    """The declaration of a build project without a source."""
    environment = {
        "type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "computeType": "BUILD_GENERAL1_SMALL",
    }  # fmt: skip
    source = {
        "type": "NO_SOURCE",
        "buildspec": json.dumps({"version": 0.2, "phases": {"build": {"commands": ["true"]}}}),
    }
    given = {"environment": environment, "source": source, "artifacts": {"type": "NO_ARTIFACTS"}, **more}
    return {"name": lab.name, "serviceRole": role, **given}


def buildspec(code: str) -> str:
    """Runs Python code, and exports the variables that it prints; OWN and OTHER are handed on."""
    commands = [f"cat > probe.py <<'END'\n{code}\nEND", "python3 probe.py > found.sh", ". ./found.sh"]
    return json.dumps(
        {
            "version": 0.2,
            "env": {"exported-variables": ["OWN", "OTHER"]},
            "phases": {"build": {"commands": commands}},
            "artifacts": {"files": ["found.sh"]},
        }
    )


def project_arn(lab: Lab) -> Answers:
    """A bucket's policy closes one folder to other projects, and another folder to this one, by the same condition."""
    bucket, s3 = lab.bucket(), lab.client("s3")
    inside = f"arn:{lab.here.partition}:s3:::{bucket}"
    mine, theirs = lab.arn("codebuild", f"project/{lab.name}"), lab.arn("codebuild", "project/another")
    denied = [
        statement(
            "Deny",
            ["s3:GetObject", "s3:PutObject"],
            [f"{inside}/{folder}/*" for folder in folders],
            Principal="*",
            Condition={"ArnNotEquals": {"codebuild:ProjectArn": arn}, "Null": {"codebuild:ProjectArn": "false"}},
        )
        for folders, arn in ((("own",), mine), (("other", "artifacts"), theirs))
    ]
    for name in ("own", "other"):
        s3.put_object(Bucket=bucket, Key=f"{name}/probe", Body=b"probe")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(*denied))
    allowed = [
        statement("Allow", ["s3:GetObject", "s3:PutObject"], f"{inside}/*"),
        statement("Allow", ["s3:ListBucket", "s3:GetBucketAcl", "s3:GetBucketLocation"], inside),
        statement("Allow", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
    ]
    role = lab.service_role("build", "codebuild", *allowed)
    declared = project(
        lab,
        role,
        source={"type": "NO_SOURCE", "buildspec": buildspec(READ)},
        artifacts={"type": "S3", "location": bucket, "path": "artifacts", "name": "found", "packaging": "NONE"},
    )
    declared["environment"] |= {"environmentVariables": [{"name": "BUCKET", "value": bucket}]}
    lab.once_ready("the build's role", lambda: lab.client("codebuild").create_project(**declared))
    done = build(lab)
    found = {one["name"]: one["value"] for one in done.get("exportedEnvironmentVariables", [])}
    upload: Json = next((p for p in done["phases"] if p["phaseType"] == "UPLOAD_ARTIFACTS"), {})
    lab.words["UPLOAD_ARTIFACTS"] = json.dumps(upload.get("contexts", []))
    return {
        "reads what is closed to others": found.get("OWN", "not reached"),
        "reads what is closed to it": found.get("OTHER", "not reached"),
        "CodeBuild moves an artifact to where it is closed to it": upload.get("phaseStatus", "not reached"),
    }


def lambda_compute(lab: Lab) -> Answers:
    """A project on EC2 goes over to Lambda compute, as an upgrade of a kit's project does; builds on both."""
    codebuild, mine = lab.client("codebuild"), lab.arn("codebuild", f"project/{lab.name}")
    role = lab.service_role(
        "build", "codebuild", statement("Allow", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
        statement("Allow", ["s3:ListAllMyBuckets"], Condition={"ArnEquals": {"codebuild:ProjectArn": mine}}),
    )  # fmt: skip
    source = {"type": "NO_SOURCE", "buildspec": buildspec(ASK)}
    declared = project(lab, role, source=source, timeoutInMinutes=30)
    lab.once_ready("the build's role", lambda: codebuild.create_project(**declared))
    lab.words["seconds until the commands ran on EC2"] = str(started_after(build(lab)))
    moved = {"name": lab.name, "environment": ON_LAMBDA}
    update = codebuild.update_project
    answers = {
        "UpdateProject with a time limit": lab.said("a time limit", update, **moved, timeoutInMinutes=15),
        "UpdateProject without": lab.said("none", update, **moved),
    }
    shown = codebuild.batch_get_projects(names=[lab.name])["projects"][0]
    done = build(lab)
    lab.words["seconds until the commands ran on Lambda compute"] = str(started_after(done))
    found = {one["name"]: one["value"] for one in done.get("exportedEnvironmentVariables", [])}
    for name, phases in (
        ("on-failure", {"build": {"on-failure": "ABORT", "commands": ["true"]}}),
        ("runtime-versions", {"install": {"runtime-versions": {"python": 3.13}}}),
    ):
        ended = build(lab, "SUBMITTED", buildspecOverride=json.dumps({"version": 0.2, "phases": phases}))
        answers[f"a build with {name}"] = ended["buildStatus"]
        lab.words[name] = json.dumps([phase.get("contexts", []) for phase in ended["phases"]])
    return {
        **answers,
        "the time limit then": shown["timeoutInMinutes"],
        "its requests carry codebuild:ProjectArn": found.get("OWN", "not reached"),
    }


def started_after(done: Json) -> int:
    """Seconds from a build's start to its first command."""
    installing = next(phase for phase in done["phases"] if phase["phaseType"] == "INSTALL")
    waited: float = (installing["startTime"] - done["startTime"]).total_seconds()
    return round(waited)


def build(lab: Lab, reaches: str = "BUILD", **overrides: str) -> Json:
    """A build that has ended; begun again where AWS does not know its role yet. reaches: what shows that it does"""
    codebuild = lab.client("codebuild")

    def play() -> Json | None:
        begun = codebuild.start_build(projectName=lab.name, **overrides)["build"]["id"]

        def look() -> Json | None:
            described: Json = codebuild.batch_get_builds(ids=[begun])["builds"][0]
            return described if described["buildComplete"] else None

        done = lab.ended(f"build {begun}", look)
        reached = {phase["phaseType"] for phase in done["phases"]}
        return done if reaches in reached else None

    return lab.ended("a build", play, 600)


def variables_length(lab: Lab) -> Answers:
    role, answers, codebuild = lab.service_role("build", "codebuild"), {}, lab.client("codebuild")
    lab.once_ready("the build's role", lambda: codebuild.create_project(**project(lab, role)))
    for count in (1, 2, 4, 8, 16):
        declared = project(lab, role)
        held = [{"name": f"LONG_{number}", "value": "x" * LARGE} for number in range(count)]
        declared["environment"] |= {"environmentVariables": held}
        answers[f"{count * LARGE:,} characters"] = lab.said(f"{count}", codebuild.update_project, **declared)
    return answers


PROBES = (
    Probe(
        "lambda-compute",
        "How does a project go over to Lambda compute, how soon does a build start there, and what has it?",
        ("codebuild:UpdateProject", "codebuild:StartBuild", "codebuild:BatchGetBuilds"),
        ("build project", "log group", "role"),
        lambda_compute,
        Cost(0.02, "AWS CodeBuild pricing: $0.005 for each minute of general1.small; on Lambda compute by the second"),
    ),
    Probe(
        "project-arn",
        "Do codebuild:ProjectArn and codebuild:BuildArn reach the policies of buckets too?",
        ("codebuild:StartBuild", "codebuild:BatchGetBuilds"),
        ("build project", "log group", "bucket", "role"),
        project_arn,
        Cost(0.02, "AWS CodeBuild pricing: $0.005 for each minute of general1.small, after 100 free ones a month"),
    ),
    Probe(
        "variables-length",
        "How long may all environment variables of a CodeBuild project be together?",
        ("codebuild:UpdateProject",),
        ("build project", "role"),
        variables_length,
    ),
)
