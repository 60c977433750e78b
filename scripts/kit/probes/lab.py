"""What a probe works with: the accounts' clients, names with a prefix, roles, buckets, and patience.

Whatever it makes bears its prefix and is of a kind that leftovers.py finds; nothing is removed here.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.patience import code, patiently, until

PREFIX = "kit-probe"
PATIENCE = 300.0  # seconds: for AWS to know a new role everywhere, or to end what was begun
ACCEPTED = "accepted"
# What services answer while a new role or its policy has not reached them (IAM User Guide, "Troubleshoot IAM": changes
# are not always immediately visible).
NOT_YET = {
    "AccessDenied", "AccessDeniedException", "InvalidInputException", "InvalidStructureException", "ValidationError",
    "ValidationException",
}  # fmt: skip
Answer = TypeVar("Answer")
Json = dict[str, Any]


def statement(effect: str, actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> Json:
    """A statement of a policy; more: Principal, Condition."""
    return {"Effect": effect, "Action": actions, "Resource": resources, **more}


def policy(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})


def paths(value: object, above: str = "") -> Iterator[str]:
    """The members of a document, as A.B.C, without what is inside of lists of texts."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{above}{key}"
            yield from paths(inner, f"{above}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, above)


CONTROL = statement("Allow", "iam:GetRole")  # in the policy of a new role: once this counts, so does the rest


@dataclass(frozen=True)
class Lab:
    """here: the account of --profile; other: that of --second-profile; words: AWS's own words, by what was asked."""

    probe: str
    here: Connection
    other: Connection | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(3))
    words: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of whatever this run makes: kit-probe-PROBE-TOKEN."""
        return f"{PREFIX}-{self.probe}-{self.token}"

    def client(self, service: str, at: Connection | None = None) -> Any:
        return (at or self.here).named_client(service)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.here.partition}:{service}:{self.here.region}:{self.here.account}:{resource}"

    def root(self, at: Connection | None = None) -> str:
        return f"arn:{self.here.partition}:iam::{(at or self.here).account}:root"

    # -- answers -------------------------------------------------------------------------------

    def said(self, what: str, ask: Callable[..., object], **request: Any) -> str:
        """What AWS says to a request: "accepted", or the code of the refusal, whose text is kept among the words."""
        try:
            ask(**request)
        except ClientError as error:
            self.words[what] = str(error)
            return code(error)
        return ACCEPTED

    def once_ready(self, what: str, ask: Callable[[], Answer], codes: Collection[str] = frozenset(NOT_YET)) -> Answer:
        """What ask() answers once AWS knows a role that was just made."""
        return patiently(what, ask, lambda error: code(error) in codes, PATIENCE)

    def ended(self, what: str, look: Callable[[], Answer | None], seconds: float = PATIENCE) -> Answer:
        """What look() answers once it is not None."""
        return until(what, look, seconds)

    def perhaps(self, what: str, look: Callable[[], Answer | None], seconds: float) -> Answer | None:
        """What look() answers once it is not None; None where it does not happen in time."""
        try:
            return self.ended(what, look, seconds)
        except UserError:
            return None

    # -- what many probes make -----------------------------------------------------------------

    def role(self, purpose: str, principal: Json, *statements: Json, condition: Json | None = None) -> str:
        """The ARN of a new role. principal: that it trusts; condition: of its trust policy."""
        trusting = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        trusting |= {"Condition": condition} if condition else {}
        name, iam = f"{self.name}-{purpose}", self.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusting))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="probe", PolicyDocument=policy(*statements))
        return str(made)

    def service_role(self, purpose: str, service: str, *statements: Json) -> str:
        """The ARN of a new role of a service, once AWS knows it and its policy; this account may enter it too."""
        trusted = {"Service": f"{service}.amazonaws.com", "AWS": self.root()}
        arn = self.role(purpose, trusted, CONTROL, *statements)
        self.entered(arn)
        return arn

    def person(self, purpose: str, *statements: Json) -> Connection:
        """A session of a new role with these rights, once AWS knows it and its policy."""
        return self.entered(self.role(purpose, {"AWS": self.root()}, CONTROL, *statements))

    def entered(self, arn: str) -> Connection:
        """A session of a new role, once CONTROL counts: a refusal before would be of its youth, not of its policy."""
        name = arn.rpartition("/")[2]
        session = self.once_ready(f"role {name}", lambda: self.here.assume(self.here.account, name, PREFIX))
        self.once_ready(f"the policy of {name}", lambda: self.client("iam", session).get_role(RoleName=name))
        return session

    def bucket(self, versioned: bool = False) -> str:
        """The name of a new bucket, which no one else may read."""
        name, s3 = f"{self.name}-{self.here.account}", self.client("s3")
        place = {"CreateBucketConfiguration": {"LocationConstraint": self.here.region}}
        s3.create_bucket(Bucket=name, **(place if self.here.region != "us-east-1" else {}))
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed)
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def zipped(self, bucket: str, key: str, files: Mapping[str, str]) -> None:
        """Put a .zip with these files into a bucket."""
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=held.getvalue())

    def machine(self, purpose: str, role: str, states: Json, **more: Any) -> str:
        """The ARN of a new state machine, which begins with the first state."""
        definition = json.dumps({"StartAt": next(iter(states)), "States": states, **more})
        make = self.client("stepfunctions").create_state_machine
        name = f"{self.name}-{purpose}"
        made = self.once_ready(name, lambda: make(name=name, definition=definition, roleArn=role))
        return str(made["stateMachineArn"])

    def execution(self, machine: str, given: object = None, ready: Callable[[Json], bool] = lambda _: True) -> Json:
        """An execution that has ended; begun again until ready(), as long as the role's policy may be on its way."""
        states = self.client("stepfunctions")

        def play() -> Json | None:
            started = states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]

            def look() -> Json | None:
                described: Json = states.describe_execution(executionArn=started)
                return described if described["status"] != "RUNNING" else None

            done = self.ended(f"execution {started}", look)
            return done if ready(done) else None

        return self.ended(f"an execution of {machine}", play)

    def stack(self, purpose: str, template: Json, **more: Any) -> Json:
        """A stack that has ended, however it did; created again as long as AWS does not know its role."""
        name, cloudformation = f"{self.name}-{purpose}", self.client("cloudformation")
        make = cloudformation.create_stack
        self.once_ready(name, lambda: make(StackName=name, TemplateBody=json.dumps(template), **more))

        def look() -> Json | None:
            described: Json = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            return None if described["StackStatus"].endswith("_IN_PROGRESS") else described

        return self.ended(f"stack {name}", look)

    def failures(self, stack: str) -> str:
        """Why a stack's resources failed, in CloudFormation's words."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return "\n".join(event.get("ResourceStatusReason", "") for event in failed)
