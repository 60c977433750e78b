"""Each client: what it does, and what must come of it. A play returns what it saw; ClientFailed: what went wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.notebooks import run as notebooks
from tests.clients.world import HERE, ClientFailed, World, npm_program, program, require

STACK = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "client-cli"}}}}


def aws_cli(world: World) -> str:
    """Reads and writes of seven services, with pages, filters, files and a stack."""
    by, place, story = world.engineer, world.place("cli"), world.story
    account = json.loads(world.aws(by, place, "sts get-caller-identity"))["Account"]
    require(account == story.setting.data_science, f"get-caller-identity says {account}")
    (place / "template.json").write_text(json.dumps(STACK))
    deploy = "cloudformation deploy --template-file template.json --stack-name client-cli"
    world.aws(by, place, deploy)
    again = world.aws(by, place, f"{deploy} --no-fail-on-empty-changeset")
    require("No changes to deploy" in again, again)
    for line in (
        "s3 mb s3://client-cli-files", "s3 cp template.json s3://client-cli-files/a/b.json",
        "s3 sync s3://client-cli-files copy", "s3 rb --force s3://client-cli-files",
    ):  # fmt: skip
        world.aws(by, place, line)
    require((place / "copy/a/b.json").read_text() == json.dumps(STACK), "s3 sync copied another file")
    project = f"Filters=[{{Name=ProjectName,Operator=Equals,Value={story.project_name}}}]"
    found = json.loads(world.aws(by, place, f"sagemaker search --resource Project --search-expression {project}"))
    require(found["TotalHits"]["Value"] == 1, f"sagemaker search finds {found['TotalHits']}")
    key = "Key=sagemaker:project-name"
    tagged = json.loads(world.aws(by, place, f"resourcegroupstaggingapi get-resources --tag-filters {key}"))
    require(len(tagged["ResourceTagMappingList"]) > 1, "get-resources finds nothing of the project")
    history = "servicecatalog list-record-history --access-level-filter Key=Account,Value=self"
    require(json.loads(world.aws(by, place, history))["RecordDetails"], "list-record-history is empty")
    state = world.aws(by, place, f"codepipeline get-pipeline-state --name {story.pipeline_name}")
    require('"stageName": "DeployProd"' in state, "get-pipeline-state lacks DeployProd")
    world.aws(by, place, "cloudformation delete-stack --stack-name client-cli")
    world.aws(by, place, "cloudformation wait stack-delete-complete --stack-name client-cli")
    return f"a stack, files, the project, {len(tagged['ResourceTagMappingList'])} tagged resources"


def git(world: World) -> str:
    """Clone the project's deploy repository with the CLI's credential helper, and push a branch."""
    by, place, story = world.story.scientist, world.place("git"), world.story
    name = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    helper = f"!{program('cli', 'aws')} codecommit credential-helper --ignore-host-check $@"
    setting = ["-c", f"credential.helper={helper}", "-c", "credential.UseHttpPath=true", "-c", "user.name=Ada"]
    setting += ["-c", "user.email=ada@example.com"]
    more = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    url = f"{story.cloud.endpoint}/v1/repos/{name}"
    world.run(by, place, "git", *setting, "clone", "--quiet", url, "work", more=more)
    work = place / "work"
    files = sorted(path.name for path in work.iterdir() if path.name != ".git")
    require("README.md" in files, f"the clone holds {files}")
    (work / "NOTES.md").write_text("A note.\n")
    for words in (["checkout", "--quiet", "-b", "notes"], ["add", "."], ["commit", "--quiet", "-m", "Add a note"],
                  ["push", "--quiet", "origin", "notes"]):  # fmt: skip
        world.run(by, work, "git", *setting, *words, more=more)
    branches = by.client("codecommit").list_branches(repositoryName=name)["branches"]
    require("notes" in branches, f"the branches are {branches}")
    return f"{len(files)} files and folders cloned, a branch pushed"


def sdk2(world: World) -> str:
    """Estimator.fit, TrainingJobAnalytics, deploy and predict, and a pipeline of TrainingStep and ModelStep."""
    place = world.place("sdk2")
    more = {"PROJECT": world.story.project_name, "IRIS": str(ROOT / "seed-code/model-build/data/iris.csv")}
    said = world.run(world.story.scientist, place, program("sdk2", "python"), HERE / "sdk2.py", more=more)
    line = said.strip().splitlines()[-1]
    require("Train Succeeded" in line and "Register-RegisterModel Succeeded" in line, line)
    return line


def sdk3(world: World) -> str:
    """The kit's notebook: train, register, approve, and follow the deployment to staging."""
    notebook = next(iter(sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))))
    try:
        done = notebooks.execute(notebook, world.server, world.story, world.place("sdk3"))
    except notebooks.NotebookFailed as error:
        raise ClientFailed(str(error)) from error
    return f"{len(done.seconds)} cells ran"


def invoke(world: World, name: str) -> str:
    answer = world.engineer.client("lambda").invoke(FunctionName=name, Payload=b'{"name": "client"}')
    said = answer["Payload"].read().decode()
    require(json.loads(said) == {"hello": "client"}, f"the function answers {said}")
    return str(said)


def cdk(world: World) -> str:
    """`cdk bootstrap`, `cdk deploy` of a bucket and a function, the same again, and `cdk destroy`."""
    by, place = world.engineer, world.place("cdk", "cdk")
    (place / "node_modules").symlink_to(ROOT / ".venv-cdk" / "node_modules")
    more = {"NODE_EXTRA_CA_CERTS": world.detour.environment()["AWS_CA_BUNDLE"], "CI": "1"}
    words: list[str | Path] = [npm_program("cdk"), "--ci"]
    world.run(by, place, *words, "bootstrap", f"aws://{by.account}/{by.region}", more=more)
    said = world.run(by, place, *words, "deploy", "--require-approval", "never", more=more)
    name = re.search(r"Client\.Name = (\S+)", said)
    require(name, said[-500:])
    assert name is not None
    said = invoke(world, name[1])
    again = world.run(by, place, *words, "deploy", "--require-approval", "never", more=more)
    require("no changes" in again, again[-500:])
    world.run(by, place, *words, "destroy", "--force", more=more)
    return f"12 resources bootstrapped, the function answers {said}, destroyed"


def sam(world: World) -> str:
    """`sam deploy` of a function's folder, and `sam delete`."""
    by, place = world.engineer, world.place("sam", "sam")
    shutil.copytree(HERE / "cdk" / "function", place / "function")
    by.client("s3").create_bucket(Bucket="client-sam-files")
    more = {"SAM_CLI_TELEMETRY": "0"}
    stack = ["--stack-name", "client-sam", "--region", by.region]
    world.run(by, place, program("sam", "sam"), "deploy", *stack, "--s3-bucket", "client-sam-files", "--capabilities",
              "CAPABILITY_IAM", "--no-progressbar", more=more)  # fmt: skip
    outputs = by.client("cloudformation").describe_stacks(StackName="client-sam")["Stacks"][0]["Outputs"]
    said = invoke(world, outputs[0]["OutputValue"])
    world.run(by, place, program("sam", "sam"), "delete", *stack, "--no-prompts", more=more)
    return f"the function answers {said}, deleted"


def taskcat(world: World) -> str:
    """taskcat's test of template 20: it is deployed and deleted.

    In a bucket that takes ACLs: taskcat uploads with the ACL private (docs/explanation/open-questions.md). At the end
    it wants a style sheet for its report from GitHub, which no client reaches here.
    """
    by, place = world.engineer, world.place("taskcat")
    s3 = by.client("s3")
    s3.create_bucket(Bucket="client-taskcat-files", ObjectOwnership="ObjectWriter")
    setting = (ROOT / ".taskcat.yml").read_text(encoding="utf-8")
    (place / ".taskcat.yml").write_text(
        setting.replace("project:\n", "project:\n  s3_bucket: client-taskcat-files\n", 1)
    )
    shutil.copytree(ROOT / "templates", place / "templates")
    more = {"PYTHONWARNINGS": "ignore"}
    words = ["test", "run", "--lint-disable", "--test-names", "target-account", "--output-directory", "report"]
    said = world.run(by, place, program("taskcat", "taskcat"), *words, more=more, forgiven="taskcat_reporting.css")
    require("CREATE_COMPLETE" in said and "DELETE_COMPLETE" in said, said[-800:])
    left = [stack["StackName"] for stack in by.client("cloudformation").describe_stacks()["Stacks"]]
    require(not [name for name in left if name.startswith("tCaT")], f"taskcat left {left}")
    return "CREATE_COMPLETE, deleted"
