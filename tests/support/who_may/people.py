"""Who asks: the kit's roles as they run, people, AWS's services, and strangers of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from awslang.policy.patterns import Context
from awslang.principals import Principal
from tests.support.who_may.policies import (
    CLERK,
    DATA_SCIENCE,
    FOREIGN,
    GITHUB,
    MANAGEMENT,
    ORGANIZATION,
    OUTSIDE,
    PATHS,
    PRODUCTION,
    PROJECT,
    PROJECT_ID,
    PUBLISHER,
    REGION,
    SERVICE_ROLE,
    SHOP,
    STAGING,
)

CAPITAL_TAGS = {"sagemaker:project-name": "Iris", "sagemaker:project-id": "p-3"}
STUDIO = {"sagemaker:DomainId": "d-1", "sagemaker:UserProfileName": "ann"}  # of a request from a profile in Studio
PROJECT_TAGS = {"sagemaker:project-name": PROJECT, "sagemaker:project-id": PROJECT_ID}
UNITS = {
    STAGING: PATHS["staging"][:-1],
    PRODUCTION: PATHS["prod"][:-1],
    OUTSIDE: f"{ORGANIZATION}/r-ab12/ou-ab12-other333/",
}
UNITS |= {DATA_SCIENCE: f"{ORGANIZATION}/r-ab12/ou-ab12-data4444/", MANAGEMENT: f"{ORGANIZATION}/r-ab12/"}


@dataclass(frozen=True)
class Person:
    """One that asks.

    policies: the names of its roles and managed policies (Document.holder)
    everything: whether another policy allows it everything, so that only what is denied counts
    keys: condition keys of its requests
    """

    name: str
    principal: Principal
    policies: tuple[str, ...] = ()
    everything: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)

    def context(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that are the caller's own."""
        principal = self.principal
        found: dict[str, tuple[str, ...]] = {key.lower(): (value,) for key, value in self.keys.items()}
        found["aws:principalisawsservice"] = ("true" if principal.kind == "service" else "false",)
        if principal.account:
            found["aws:principalarn"] = (principal.role_arn or principal.arn,)
            found["aws:principalaccount"] = (principal.account,)
            found["kms:calleraccount"] = (principal.account,)
        if unit := UNITS.get(principal.account):
            found["aws:principalorgid"] = (ORGANIZATION,)
            found["aws:principalorgpaths"] = (unit,)
        found |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in principal.session_tags.items()}
        return found


def role(name: str, arn: str, *policies: str, tags: Mapping[str, str] | None = None, **more: object) -> Person:
    """A session of a role; its inline policies are found by its name."""
    account, short = arn.split(":")[4], arn.rsplit("/", 1)[1]
    session = f"arn:aws:sts::{account}:assumed-role/{short}/session"
    principal = Principal("role", account, session, role_arn=arn, session_name="session", session_tags=tags or {})
    return Person(name, principal, policies or (short,), **more)  # type: ignore[arg-type]


def kit_role(
    name: str, short: str, build: str = "", project: str = f"{PROJECT}-{PROJECT_ID}", region: str = REGION
) -> Person:
    """A role of the data science account; build: the kind of the CodeBuild project whose build it is."""
    arn = f"arn:aws:codebuild:{region}:{DATA_SCIENCE}:project/sagemaker-{project}-{build}"
    return role(name, f"{SERVICE_ROLE}{short}", keys={"codebuild:projectArn": arn} if build else {})


def administrator(name: str, account: str) -> Person:
    return role(name, f"arn:aws:iam::{account}:role/Administrator", everything=True)


def service(name: str, principal: str, account: str = DATA_SCIENCE, source: str = "") -> Person:
    """A service that asks on behalf of an account, and of one of its resources."""
    keys = {
        "aws:SourceAccount": account,
        "aws:SourceArn": source or f"arn:aws:{principal.split('.')[0]}:{REGION}:{account}:any/thing",
    }
    return Person(name, Principal("service", "", principal), keys=keys)


def github(name: str, subject: str, audience: str = "sts.amazonaws.com", provider: str = GITHUB) -> Person:
    host = provider.split("/", 1)[1]
    return Person(name, Principal("federated", "", provider), keys={f"{host}:sub": subject, f"{host}:aud": audience})


def _services() -> list[Person]:
    found = []
    for short in ("cloudformation", "codebuild", "codepipeline", "events", "lambda", "sagemaker", "states"):
        principal = f"{short}.amazonaws.com"
        for whose, account in (
            ("here", DATA_SCIENCE),
            ("staging", STAGING),
            ("production", PRODUCTION),
            ("elsewhere", FOREIGN),
        ):
            found.append(service(f"{short} ({whose})", principal, account))
        found.append(Person(f"{short} (for no account)", Principal("service", "", principal)))
    for whose, account in (("here", DATA_SCIENCE), ("elsewhere", FOREIGN)):
        of_set = f"arn:aws:cloudformation:{REGION}:{account}:stackset/sagemaker-iris:1"
        found.append(service(f"a stack set ({whose})", "cloudformation.amazonaws.com", account, of_set))
    return [
        *found,
        service(
            "a stack set that another account's request names",
            "cloudformation.amazonaws.com",
            FOREIGN,
            f"arn:aws:cloudformation:{REGION}:{DATA_SCIENCE}:stackset/sagemaker-iris:1",
        ),
    ]


def _github() -> list[Person]:
    named, with_ids = "repo:my-company/kit", "repo:my-company@1/kit@2"
    return [
        *(
            github(f"GitHub, {name}", f"{repository}:environment:{name.split(' ')[0]}")
            for repository, name in (
                (named, "publish"),
                (named, "taskcat"),
                (with_ids, "publish by id"),
                (with_ids, "taskcat by id"),
            )
        ),
        github("GitHub, a branch without the environment", f"{named}:ref:refs/heads/main"),
        github("GitHub, a branch without the environment, by id", f"{with_ids}:ref:refs/heads/main"),
        github("GitHub, another repository", "repo:a-stranger/kit:environment:publish"),
        github("GitHub, another repository's taskcat", "repo:a-stranger/kit:environment:taskcat"),
        github("GitHub, a token for another audience", f"{named}:environment:publish", "https://github.com/a-stranger"),
        github(
            "GitHub, a token of taskcat for another audience",
            f"{with_ids}:environment:taskcat",
            "https://github.com/a-stranger",
        ),
        github(
            "another identity provider",
            f"{named}:environment:publish",
            provider=GITHUB.replace("token.actions", "other.actions"),
        ),
    ]


# The callers that a resource's policy must stop by itself: whatever their own account allows them.
ADMINISTRATORS = [
    administrator("an administrator of the data science account", DATA_SCIENCE),
    administrator("an administrator of a staging account", STAGING),
    administrator("an administrator of a production account", PRODUCTION),
    administrator("an administrator of an account outside the units", OUTSIDE),
    administrator("an administrator of another organization's account", FOREIGN),
    role("an ML engineer", PUBLISHER, everything=True),
    role(
        "a data scientist with every right",
        f"arn:aws:iam::{DATA_SCIENCE}:role/Studio",
        "sagemaker-multi-account-data-scientist",
        everything=True,
        keys=STUDIO,
    ),
]
PEOPLE = [
    *ADMINISTRATORS,
    role(
        "a role of another template with every right",
        f"arn:aws:iam::{DATA_SCIENCE}:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole",
        "sagemaker-multi-account-other-templates",
        everything=True,
    ),
    role("a stranger of the data science account", f"arn:aws:iam::{DATA_SCIENCE}:role/Stranger"),
    Person("anyone without credentials", Principal("anonymous", "", "*")),
    role("a data scientist", f"arn:aws:iam::{DATA_SCIENCE}:role/Studio", "sagemaker-multi-account-data-scientist"),
    role(
        "a creator of projects", f"arn:aws:iam::{DATA_SCIENCE}:role/Studio", "sagemaker-multi-account-project-creator"
    ),
    role("an approver", f"arn:aws:iam::{DATA_SCIENCE}:role/Approver", "sagemaker-multi-account-approver"),
    kit_role("the event rules", "EventsRole"),
    kit_role("the starter", "StarterRole"),
    kit_role("the notifier", "NotifierRole"),
    role("the alarms' rule of production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-alarms"),
    role(
        "a role named as that of the alarms in staging",
        f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-alarms",
        everything=True,
    ),
    role(
        "a role named as that of the alarms, with every right, in production",
        f"arn:aws:iam::{PRODUCTION}:role/another/sagemaker-role-prod-alarms",
        everything=True,
    ),
    role(
        "a role named as that of the alarms outside",
        f"arn:aws:iam::{FOREIGN}:role/sagemaker-role-prod-alarms",
        everything=True,
    ),
    kit_role("a pipeline", "PipelineRole"),
    kit_role("a build", "BuildRole", "build"),
    kit_role("another project's build", "BuildRole", "build", "churn-p-2"),
    kit_role("the tests", "TestRole", "test"),
    kit_role("another project's tests", "TestRole", "test", "churn-p-2"),
    kit_role("a build on a push", "TrainingRole", "train"),
    kit_role("another project's build on a push", "TrainingRole", "train", "churn-p-2"),
    kit_role("own tests", "OwnTestsRole", "own-tests"),
    kit_role("another project's own tests", "OwnTestsRole", "own-tests", "churn-p-2"),
    *(
        person
        for short, build in (
            ("BuildRole", "build"),
            ("TestRole", "test"),
            ("OwnTestsRole", "own-tests"),
            ("GateRole", "gate"),
            ("TrainingRole", "train"),
        )
        for person in (
            kit_role(f"{short} outside a build", short),
            kit_role(f"{short} in a namesake's build in another Region", short, build, region="eu-west-1"),
        )
    ),
    kit_role("a stage", "StageRole"),
    kit_role("the gate", "GateRole", "gate"),
    kit_role("another project's gate", "GateRole", "gate", "churn-p-2"),
    role("the model in staging", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging"),
    role("the model in production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod"),
    role("the monitor in staging", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-monitor"),
    role("the monitor in production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-monitor"),
    role("the tester in staging", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-tester", tags=PROJECT_TAGS),
    role(
        "own tests as the tester in staging",
        f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-tester",
        tags=PROJECT_TAGS,
        keys={"aws:userid": "AROATESTER:own-tests-p-1-staging"},
    ),
    role("the tester in staging without a project", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-tester"),
    role(
        "the tester in staging of a project with capitals",
        f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-tester",
        tags=CAPITAL_TAGS,
    ),
    role("the tester in production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-tester", tags=PROJECT_TAGS),
    role("the tester in production without a project", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-tester"),
    role(
        "the tester in production of a project with capitals",
        f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-tester",
        tags=CAPITAL_TAGS,
    ),
    role("a batch machine in staging", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-batch"),
    role("a batch machine in production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-batch"),
    role("the rules of batch in staging", f"arn:aws:iam::{STAGING}:role/sagemaker-role-staging-starter"),
    role("the rules of batch in production", f"arn:aws:iam::{PRODUCTION}:role/sagemaker-role-prod-starter"),
    role("the shop, a consumer", SHOP, everything=True),
    role("the clerk, a consumer of another project", CLERK, everything=True),
    *(
        person
        for stage, account, suffix in (("staging", STAGING, "staging"), ("production", PRODUCTION, "prod"))
        for arn in (f"arn:aws:iam::{account}:role/sagemaker-role-{suffix}-consumer",)
        for person in (
            role(f"the consumer in {stage}", arn, tags={"sagemaker:project-name": PROJECT}),
            role(f"the consumer in {stage} without a project", arn),
        )
    ),
    role(
        "stack sets' administration role",
        f"arn:aws:iam::{DATA_SCIENCE}:role/AWSCloudFormationStackSetAdministrationRole",
    ),
    role("stack sets in a staging account", f"arn:aws:iam::{STAGING}:role/AWSCloudFormationStackSetExecutionRole"),
    role("CI that publishes", f"arn:aws:iam::{DATA_SCIENCE}:role/sagemaker-multi-account-publisher"),
    role("CI that tests templates", f"arn:aws:iam::{DATA_SCIENCE}:role/sagemaker-multi-account-taskcat"),
]
OTHERS = [*_services(), *_github()]  # they take on roles, and do nothing else


def context_of(person: Person, more: Mapping[str, str | tuple[str, ...]]) -> Context:
    return person.context() | {
        key.lower(): (value,) if isinstance(value, str) else value for key, value in more.items()
    }
