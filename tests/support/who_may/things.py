"""What is asked for: resources of the kit and of others.

Each resource also exists in another Region and in another account, where its own policy allows everything: what a
caller's policies reach there is what they do not keep to the installation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.support.who_may.batch import of_batch
from tests.support.who_may.policies import (
    BUS,
    DATA_SCIENCE,
    FOREIGN,
    FURTHER,
    GIT,
    GROUP,
    MODEL_KEY,
    PRODUCTION,
    PROJECT,
    REGION,
    SERVICE_ROLE,
    STAGING,
)
from tests.support.who_may.stacks import stacks
from tests.support.who_may.storage import in_targets, objects
from tests.support.who_may.thing import (
    BETWEEN,
    CAPITALS,
    HERE,
    NAME,
    OF_GROUP,
    OF_REPOSITORY,
    OTHER_NAME,
    OURS,
    ROLES_HERE,
    SERVICE_LINKED,
    THEIRS,
    Thing,
)

ALIASES = {  # of keys, by the beginning of their names here
    "the models' key": "alias/sagemaker-multi-account-models",
    "the key of captured data": "alias/captured-data",
}


def _sagemaker() -> Iterator[Thing]:
    group, package = GROUP.rpartition("/")[0], GROUP.replace("-group", "")
    kinds: tuple[str, ...] = ("model-package-group",)
    yield Thing("the project's model group", GROUP, DATA_SCIENCE, kinds, OURS | OF_GROUP)
    yield Thing("another project's model group", f"{group}/churn", DATA_SCIENCE, kinds, THEIRS | OF_GROUP)
    yield Thing("a model group of no project", f"{group}/credit", DATA_SCIENCE, kinds)
    kinds = ("model-package",)
    yield Thing("the version in staging", f"{package}/1", DATA_SCIENCE, kinds, OF_GROUP)
    yield Thing("the version in production", f"{package}/2", DATA_SCIENCE, kinds, OF_GROUP)
    yield Thing("a version that is deployed nowhere", f"{package}/3", DATA_SCIENCE, kinds, OF_GROUP)
    yield Thing("a version of no project", package.rpartition("/")[0] + "/credit/1", DATA_SCIENCE, kinds)
    pushed = f"arn:aws:sagemaker:{HERE}:pipeline/{NAME}-on-push"
    yield Thing("the build's SageMaker pipeline", pushed, DATA_SCIENCE, ("pipeline",))
    for whose, profile in (("your own", "ann"), ("another person's", "bob")):
        arn = f"arn:aws:sagemaker:{HERE}:user-profile/d-1/{profile}"
        yield Thing(f"{whose} profile in Studio", arn, DATA_SCIENCE, ("user-profile",))
    for kind in ("notebook-instance", "notebook-instance-lifecycle-config"):
        yield Thing(f"an ML engineer's {kind}", f"arn:aws:sagemaker:{HERE}:{kind}/mine", DATA_SCIENCE, (kind,))
    yield Thing("the project itself", f"arn:aws:sagemaker:{HERE}:project/{PROJECT}", DATA_SCIENCE, ("project",))
    yield from _training()
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        there = f"arn:aws:sagemaker:{REGION}:{account}"
        yield Thing(f"the endpoint in {stage}", f"{there}:endpoint/{NAME}-{stage}", account, ("endpoint",), OURS)
        for whose, name, keys in (("the", NAME, OURS), ("another project's", OTHER_NAME, THEIRS)):
            arn = f"{there}:endpoint/{name}-qa"
            yield Thing(f"{whose} endpoint of QA in {stage}", arn, account, ("endpoint",), keys)
        yield Thing(
            f"another project's endpoint in {stage}",
            f"{there}:endpoint/{OTHER_NAME}-{stage}",
            account,
            ("endpoint",),
            THEIRS,
        )
        yield Thing(
            f"the endpoint in {stage} of a project with capitals",
            f"{there}:endpoint/iris-p-3-{stage}",
            account,
            ("endpoint",),
            CAPITALS,
        )
        yield Thing(
            f"an endpoint of {NAME} beside the stage's in {stage}",
            f"{there}:endpoint/{NAME}-trial",
            account,
            ("endpoint",),
        )
        yield Thing(
            f"a namesake in small letters in {stage}",
            f"{there}:endpoint/mine",
            account,
            ("endpoint",),
            CAPITALS | {"aws:ResourceTag/sagemaker:project-id": "p-4"},
        )
        yield Thing(
            f"another endpoint with the project's tags in {stage}",
            f"{there}:endpoint/mine",
            account,
            ("endpoint",),
            OURS,
        )
        yield Thing(
            f"another name's endpoint with the project's id in {stage}",
            f"{there}:endpoint/mine",
            account,
            ("endpoint",),
            CAPITALS | {"aws:ResourceTag/sagemaker:project-name": "churn"},
        )
        for kind in ("endpoint-config", "model"):
            yield Thing(f"the {kind} in {stage}", f"{there}:{kind}/mine", account, (kind,), OURS)
            yield Thing(f"another project's {kind} in {stage}", f"{there}:{kind}/mine", account, (kind,), THEIRS)
            yield Thing(
                f"a {kind} with the project's name and another id in {stage}",
                f"{there}:{kind}/mine",
                account,
                (kind,),
                OURS | {"aws:ResourceTag/sagemaker:project-id": "p-2"},
            )
            yield Thing(
                f"a {kind} with the project's id and another name in {stage}",
                f"{there}:{kind}/mine",
                account,
                (kind,),
                OURS | {"aws:ResourceTag/sagemaker:project-name": "churn"},
            )
            yield Thing(f"a {kind} without tags in {stage}", f"{there}:{kind}/mine", account, (kind,))
        yield Thing(
            f"a notebook instance in {stage}", f"{there}:notebook-instance/mine", account, ("notebook-instance",)
        )


def _training() -> Iterator[Thing]:
    for name, pipeline, keys in (
        ("the SageMaker pipeline of a push", f"{NAME}-on-push", OURS),
        ("another project's SageMaker pipeline of a push", f"{OTHER_NAME}-on-push", THEIRS),
        ("a data scientist's SageMaker pipeline", f"{NAME}-train", OURS),
    ):
        arn = f"arn:aws:sagemaker:{HERE}:pipeline/{pipeline}"
        yield Thing(name, arn, DATA_SCIENCE, ("pipeline",), keys)
        yield Thing(f"an execution of {name}", f"{arn}/execution/1", DATA_SCIENCE, ("pipeline-execution",), keys)
    for kind in ("training-job", "processing-job"):
        yield Thing(f"a {kind}", f"arn:aws:sagemaker:{HERE}:{kind}/mine", DATA_SCIENCE, (kind,))


def _pipelines() -> Iterator[Thing]:
    for name, pipeline, keys in (
        ("the project's pipeline", f"sagemaker-{NAME}-deploy", OURS),
        ("another project's pipeline", f"sagemaker-{OTHER_NAME}-deploy", THEIRS),
        ("the project's training pipeline", f"sagemaker-{NAME}-train", {}),
        ("another pipeline with the project's tags", "iris-experiments", OURS),
        ("another deployment with the project's tags", "iris-deploy", OURS),
        ("another template's deployment with the project's tags", "sagemaker-iris-trial", OURS),
        ("a pipeline of another template", "sagemaker-churn-p-2-modelbuild", {}),
        ("another team's pipeline", "billing", {}),
        ("another team's deployment", "billing-deploy", {}),
        ("another team's training", "billing-train", {}),
    ):
        arn = f"arn:aws:codepipeline:{HERE}:{pipeline}"
        yield Thing(name, arn, DATA_SCIENCE, ("pipeline",), keys)
        yield Thing(f"a stage of {name}", f"{arn}/DeployProd", DATA_SCIENCE, ("stage",), keys)
        yield Thing(
            f"the approval of {name}", f"{arn}/ApproveDeployment/ApproveDeployment", DATA_SCIENCE, ("action",), keys
        )
        for stage, named in BETWEEN.items():
            action = f"Approve{named.capitalize()}"
            one = f"{arn}/{action}/{action}"
            yield Thing(f"the approval before {stage} of {name}", one, DATA_SCIENCE, ("action",), keys)
        shadow = f"{arn}/ApproveShadow/ApproveShadow"
        yield Thing(f"the approval of a shadow of {name}", shadow, DATA_SCIENCE, ("action",), keys)
        yield Thing(f"another action of {name}", f"{arn}/DeployProd/ApproveDeployment", DATA_SCIENCE, ("action",), keys)
    for kind in ("build", "gate", "own-tests", "test", "train", "modelbuild"):
        arn = f"arn:aws:codebuild:{HERE}:project/sagemaker-{NAME}-{kind}"
        yield Thing(f"the CodeBuild project {kind}", arn, DATA_SCIENCE, ("project",))
    yield Thing(
        "another team's CodeBuild project",
        f"arn:aws:codebuild:{HERE}:project/billing-build",
        DATA_SCIENCE,
        ("project",),
    )
    for kind in ("gate", "own-tests", "test"):
        arn = f"arn:aws:codebuild:{HERE}:project/billing-{kind}"
        yield Thing(f"another team's CodeBuild project {kind}", arn, DATA_SCIENCE, ("project",))
    for name, group in (
        ("the project's test reports", f"sagemaker-{NAME}-test-r"),
        ("another team's test reports", "billing-r"),
    ):
        yield Thing(name, f"arn:aws:codebuild:{HERE}:report-group/{group}", DATA_SCIENCE, ("report-group",))
    for name, repository in (
        ("the deploy repository", f"sagemaker-{NAME}-modeldeploy"),
        ("the training repository", f"sagemaker-{NAME}-modelbuild"),
        ("another team's repository", "billing"),
        ("another team's repository to train from", "billing-modelbuild"),
        ("another team's repository to deploy from", "billing-modeldeploy"),
        ("another repository with the project's tags", "iris-modelbuild"),
        ("another repository of sagemaker", "sagemaker-notebooks"),
        ("a repository of another template", f"sagemaker-{OTHER_NAME}-modelbuild"),
    ):
        keys = {**OF_REPOSITORY, **OURS} if NAME in repository else OURS if "tags" in name else {}
        yield Thing(name, f"arn:aws:codecommit:{HERE}:{repository}", DATA_SCIENCE, ("repository",), keys)
    for prefix in ("codeconnections", "codestar-connections"):
        for name, arn in (("the connection", GIT), ("another connection", f"{GIT}5")):
            yield Thing(name, arn.replace("codeconnections", prefix), DATA_SCIENCE, ("connection", "Connection"))


def _roles() -> Iterator[Thing]:
    short = (
        "Build",
        "Events",
        "Gate",
        "Launch",
        "Notifier",
        "OwnTests",
        "Pipeline",
        "Stage",
        "Starter",
        "Test",
        "Training",
    )
    arns = {f"{one}Role": f"{SERVICE_ROLE}{one}Role" for one in short}
    at = {"here": DATA_SCIENCE, "staging": STAGING, "production": PRODUCTION}
    arns |= {
        "AWS's role of CodeBuild for projects": SERVICE_ROLE.replace("MultiAccount", "CodeBuildRole"),
        "AWS's role of executions for projects": SERVICE_ROLE.replace("MultiAccount", "ExecutionRole"),
        "AWS's role of Glue for projects": SERVICE_ROLE.replace("MultiAccount", "GlueRole"),
        "AWS's role of projects": SERVICE_ROLE.replace("MultiAccount", "UseRole"),
        "AWS's launch role": SERVICE_ROLE.replace("MultiAccount", "LaunchRole"),
        "stack sets' administration role": f"{ROLES_HERE}/AWSCloudFormationStackSetAdministrationRole",
        "stack sets' role in staging": f"arn:aws:iam::{STAGING}:role/AWSCloudFormationStackSetExecutionRole",
        "the role of CI that publishes": f"arn:aws:iam::{DATA_SCIENCE}:role/sagemaker-multi-account-publisher",
        "the role of CI that tests templates": f"arn:aws:iam::{DATA_SCIENCE}:role/sagemaker-multi-account-taskcat",
        "a Studio role": f"arn:aws:iam::{DATA_SCIENCE}:role/service-role/AmazonSageMaker-ExecutionRole-MultiAccount",
        "a role of taskcat's stacks": f"arn:aws:iam::{DATA_SCIENCE}:role/sagemaker-role-taskcat1",
        "autoscaling's own role": (
            f"arn:aws:iam::{STAGING}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleFor"
        ),
        "another service's own role": f"{SERVICE_LINKED}/ecs.amazonaws.com/AWSServiceRoleFor",
    }
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        arns[f"the model's role in {stage}"] = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}"
        arns[f"the monitors' role in {stage}"] = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-monitor"
        arns[f"another team's tester in {stage}"] = f"arn:aws:iam::{account}:role/billing-tester"
        arns[f"the consumers' role in {stage}"] = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-consumer"
        arns[f"the tester's role in {stage}"] = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-tester"
        if stage == "prod":
            arns["the role of production's alarms"] = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-alarms"
    arns |= {
        f"an administrator's role {where}": f"arn:aws:iam::{account}:role/Administrator"
        for where, account in at.items()
    }
    for name, arn in arns.items():
        yield Thing(name, arn, arn.split(":")[4], ("role",))
    policy = f"arn:aws:iam::{DATA_SCIENCE}:policy/sagemaker-multi-account-other-templates"
    yield Thing("a policy of the kit", policy, DATA_SCIENCE, ("policy",))
    yield Thing(
        "a role elsewhere that trusts everyone", f"arn:aws:iam::{STAGING}:role/Open", STAGING, ("role",), open=True
    )


def _more() -> Iterator[Thing]:
    topic = "sagemaker-multi-account-approvals"
    arns = {
        "the models' key": (MODEL_KEY, ("key",)),
        "the models' key in a further Region": (MODEL_KEY.replace(REGION, FURTHER), ("key",)),
        "another key of the account": (f"arn:aws:kms:{HERE}:key/Other", ("key",)),
        "a key of a staging account": (f"arn:aws:kms:{REGION}:{STAGING}:key/Other", ("key",)),
        "the approvers' topic": (f"arn:aws:sns:{HERE}:{topic}", ("topic",)),
        "the topic of notices": (f"arn:aws:sns:{HERE}:sagemaker-multi-account-notices", ("topic",)),
        "the default event bus": (BUS, ("event-bus",)),
        "another event bus": (f"arn:aws:events:{HERE}:event-bus/billing", ("event-bus",)),
        "the notifier's state machine": (
            f"arn:aws:states:{HERE}:stateMachine:sagemaker-multi-account-notifier",
            ("statemachine",),
        ),
        "another topic": (f"arn:aws:sns:{HERE}:alarms", ("topic",)),
        "the external id": (f"arn:aws:ssm:{HERE}:parameter/sagemaker-multi-account/tester-external-id", ("parameter",)),
        "a network of endpoints in staging": (
            f"arn:aws:ssm:{REGION}:{STAGING}:parameter/sagemaker-multi-account/endpoints/subnets",
            ("parameter",),
        ),
        "another parameter of staging": (f"arn:aws:ssm:{REGION}:{STAGING}:parameter/database/password", ("parameter",)),
        "another parameter": (f"arn:aws:ssm:{HERE}:parameter/database/password", ("parameter",)),
        "the starter's state machine": (
            f"arn:aws:states:{HERE}:stateMachine:sagemaker-multi-account-starter",
            ("statemachine",),
        ),
        "another state machine": (f"arn:aws:states:{HERE}:stateMachine:billing", ("statemachine",)),
        "an execution of the starter": (
            f"arn:aws:states:{HERE}:execution:sagemaker-multi-account-starter:1",
            ("execution",),
        ),
        "an event rule of the kit": (
            f"arn:aws:events:{HERE}:rule/sagemaker-multi-account-approved",
            ("rule", "rule-on-default-event-bus"),
        ),
        "another team's event rule": (f"arn:aws:events:{HERE}:rule/billing", ("rule", "rule-on-default-event-bus")),
        "a replicated image": (f"arn:aws:ecr:{FURTHER}:{DATA_SCIENCE}:repository/team/iris", ("repository",)),
        "another image of the account": (f"arn:aws:ecr:{HERE}:repository/billing", ("repository",)),
        "a portfolio": (f"arn:aws:catalog:{HERE}:portfolio/port-1", ("Portfolio",)),
        "a product": (f"arn:aws:catalog:{HERE}:product/prod-1", ("Product",)),
        "no resource": ("*", ("",)),
    }
    logs = {
        "a build's log": f"/aws/codebuild/sagemaker-{NAME}-build",
        "the gate's log": f"/aws/codebuild/sagemaker-{NAME}-gate",
        "own tests' log": f"/aws/codebuild/sagemaker-{NAME}-own-tests",
        "the tests' log": f"/aws/codebuild/sagemaker-{NAME}-test",
        "the log of a build on a push": f"/aws/codebuild/sagemaker-{NAME}-train",
        "a training job's log": "/aws/sagemaker/TrainingJobs",
        "a processing job's log": "/aws/sagemaker/ProcessingJobs",
        "another team's log": "/aws/lambda/billing",
        **{
            f"another team's log of {kind}": f"/aws/codebuild/billing-{kind}"
            for kind in ("build", "gate", "own-tests", "test", "train")
        },
    }
    for kind in ("build", "gate", "own-tests", "test", "train"):  # a star in a group's name matches these too
        arns[f"a stream of a log of none of them, named as -{kind}"] = (
            f"arn:aws:logs:{HERE}:log-group:/aws/codebuild/sagemaker-{NAME}-mine:log-stream:x-{kind}",
            ("log-group", "log-stream"),
        )
    arns |= {
        name: (f"arn:aws:logs:{HERE}:log-group:{group}:log-stream:1", ("log-group", "log-stream"))
        for name, group in logs.items()
    }
    for stage, account in (("staging", STAGING), ("production", PRODUCTION)):
        for name, group in (
            ("an endpoint's log in", "/aws/sagemaker/Endpoints/iris"),
            ("a processing job's log in", "/aws/sagemaker/ProcessingJobs"),
            ("another log of", "/aws/lambda/billing"),
        ):
            arns[f"{name} {stage}"] = (
                f"arn:aws:logs:{REGION}:{account}:log-group:{group}:log-stream:1",
                ("log-group", "log-stream"),
            )
    for stage, account in (("staging", STAGING), ("production", PRODUCTION)):
        arns[f"a monitor in {stage}"] = (
            f"arn:aws:sagemaker:{REGION}:{account}:monitoring-schedule/{NAME}-{stage}-m",
            ("monitoring-schedule",),
        )
        arns[f"a definition of a monitor in {stage}"] = (
            f"arn:aws:sagemaker:{REGION}:{account}:model-quality-job-definition/{NAME}-{stage}-1a2b",
            ("model-quality-job-definition",),
        )
    for name, board in (
        ("an endpoint's dashboard", f"{NAME}-staging-{REGION}"),
        ("an endpoint's dashboard in production", f"{NAME}-prod-{REGION}"),
        *((f"an endpoint's dashboard in {stage}", f"{NAME}-{named}-{REGION}") for stage, named in BETWEEN.items()),
        ("another dashboard of staging", "billing"),
    ):
        arns[name] = (f"arn:aws:cloudwatch::{STAGING}:dashboard/{board}", ("dashboard",))
    arns["an alarm of production"] = (f"arn:aws:cloudwatch:{REGION}:{PRODUCTION}:alarm:latency", ("alarm",))
    for name, alarm in (
        ("an endpoint's alarm", f"{NAME}-staging-latency"),
        ("an endpoint's alarm in production", f"{NAME}-prod-latency"),
        *((f"an endpoint's alarm in {stage}", f"{NAME}-{named}-latency") for stage, named in BETWEEN.items()),
        ("an alarm of autoscaling", "TargetTracking-1"),
        ("another alarm of staging", "billing"),
    ):
        arns[name] = (f"arn:aws:cloudwatch:{REGION}:{STAGING}:alarm:{alarm}", ("alarm",))
    for stage, account in (("staging", STAGING), ("production", PRODUCTION)):
        arns[f"a key of another purpose in {stage}"] = (f"arn:aws:kms:{REGION}:{account}:key/mail", ("key",))
        arns[f"the key of captured data in {stage}"] = (f"arn:aws:kms:{REGION}:{account}:key/captured", ("key",))
    for name, (arn, kinds) in arns.items():
        account = arn.split(":")[4] if ":" in arn else DATA_SCIENCE
        alias = next((one for named, one in ALIASES.items() if name.startswith(named)), "")
        yield Thing(name, arn, account or DATA_SCIENCE, kinds, {"kms:ResourceAliases": alias} if alias else {})


def things() -> list[Thing]:
    """Every resource, and its twins in another Region and in another account."""
    found = [*objects(), *in_targets(), *_sagemaker(), *_pipelines(), *stacks(), *_roles(), *_more(), *of_batch()]
    twins = []
    for thing in found:
        parts = thing.arn.split(":")
        if thing.service == "s3":
            twins.append(replace(thing, name=f"{thing.name}, in another account", account=FOREIGN, open=True))
        if len(parts) > 4 and parts[4]:
            foreign = thing.arn.replace(f":{parts[4]}:", f":{FOREIGN}:", 1)
            twins.append(
                replace(thing, name=f"{thing.name}, in another account", arn=foreign, account=FOREIGN, open=True)
            )
        if len(parts) > 4 and parts[3] and "further" not in thing.name:
            elsewhere = thing.arn.replace(f":{parts[3]}:", ":ap-south-1:", 1)
            twins.append(replace(thing, name=f"{thing.name}, in another Region", arn=elsewhere))
    return found + twins
