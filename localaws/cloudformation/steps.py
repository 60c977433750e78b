"""What a stack does to one resource: create, update, delete, with AWS's events and status reasons.

Who makes the requests is the session: the stack's role, or the caller through CloudFormation
(CloudFormation User Guide, "CloudFormation service role", "Resource type … handler error codes").
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from awslang.errors import AwsError, NotSupported
from awslang.template import schemas
from awslang.template.template import TemplateError
from localaws.cloud import Cloud, Fault, Session, new_id
from localaws.cloudformation.provider import CUSTOM_RESOURCE, Context, Made, Provider, ResourceFailed, provider_for
from localaws.cloudformation.stacks import Resource, Stack, stacks_of

# By the end of the service's error code (CloudFormation CLI User Guide, "Handler error codes").
HANDLER_ERROR_CODES = (
    ("AccessDenied", ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")),
    ("AlreadyExists", ("AlreadyExists", "AlreadyExistsException", "EntityAlreadyExists", "AlreadyOwnedByYou")),
    ("NotFound", ("NotFound", "NotFoundException", "NoSuchEntity", "NoSuchBucket", "DoesNotExistException")),
    ("Throttling", ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")),
    ("ServiceLimitExceeded", ("LimitExceeded", "LimitExceededException", "QuotaExceededException")),
    ("ResourceConflict", ("Conflict", "ConflictException", "ResourceInUse", "DeleteConflict", "BucketNotEmpty")),
    ("NotUpdatable", ("NotUpdatable",)),
)


class StepFailed(Exception):  # reads as what it says: raise StepFailed(...)
    """A resource did not become what it should; the message is the status reason."""


def handler_error_code(code: str) -> str:
    for handler_code, ends in HANDLER_ERROR_CODES:
        if code.endswith(ends):
            return handler_code
    return "InvalidRequest" if "Valid" in code or "Invalid" in code else "GeneralServiceException"


def reason_of(error: Exception, service: str, token: str) -> str:
    """The status reason that a failure leaves, as AWS words it."""
    if isinstance(error, ClientError):
        cause, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        text = (
            f"{cause.get('Message', '') or cause.get('Code', '')} (Service: {service}, "
            f"Status Code: {meta.get('HTTPStatusCode', 400)}, Request ID: {meta.get('RequestId', '')})"
        )
        code = handler_error_code(str(cause.get("Code", "")))
        return f'Resource handler returned message: "{text}" (RequestToken: {token}, HandlerErrorCode: {code})'
    if isinstance(error, AwsError):
        return error.message
    return str(error)


EXPECTED = (ClientError, BotoCoreError, AwsError, ResourceFailed, TemplateError, StepFailed, TimeoutError)


@dataclass
class Steps:
    """Works on the resources of one stack, as one identity, within one operation."""

    cloud: Cloud
    session: Session
    stack: Stack
    tags: Mapping[str, str]
    operation: str

    def context(self, resource: Resource, token: str, former_tags: dict[str, str] | None = None) -> Context:
        return Context(
            session=self.session,
            cloud=self.cloud,
            account=self.stack.account,
            region=self.stack.region,
            stack_id=self.stack.id,
            stack_name=self.stack.name,
            logical_id=resource.logical_id,
            tags=dict(self.tags),
            token=token,
            former_tags=former_tags,
            type=resource.type,
            creation_policy=resource.creation_policy,
        )

    def attempt(self, resource: Resource, failed_status: str, act: Callable[[str], Made | None]) -> Made | None:
        """Do one thing to a resource; a failure is noted on it and raised as StepFailed."""
        token = f"{self.operation}-{resource.logical_id}"
        try:
            return act(token)
        except Exception as error:
            if not isinstance(error, EXPECTED):  # a defect of ours, never the template's
                where = f"cloudformation {resource.type} {resource.logical_id}"
                self.cloud.faults.append(Fault(where, traceback.format_exc()))
                error = ResourceFailed(f"Internal Failure: {error!r}")
            resource.physical_id = resource.physical_id or getattr(error, "physical_id", "")
            reason = reason_of(error, resource.type.split("::")[1], new_id())
            self.stack.note(resource, failed_status, reason)
            raise StepFailed(reason) from error

    def provider(self, type_name: str) -> Provider:
        found = provider_for(type_name)
        if found is None:
            raise NotSupported(f"the resource type {type_name}")
        return found

    def create(self, resource: Resource, *, replaces: bool = False) -> None:
        """Make the resource; replaces: it takes the place of one that an update replaces."""
        status = "UPDATE" if replaces else "CREATE"
        resource.new = True

        def act(token: str) -> Made:
            self.refuse_double(resource, given_name(resource, self.stack.region))
            made = self.provider(resource.type).create(self.context(resource, token), resource.properties)
            self.refuse_double(resource, made.physical_id)
            return made

        made = self.attempt(resource, f"{status}_FAILED", act)
        assert made is not None
        self.adopt(resource, made)
        if not replaces:
            self.stack.note(resource, "CREATE_IN_PROGRESS", "Resource creation Initiated")
        self.stack.note(resource, f"{status}_COMPLETE")

    def adopt(self, resource: Resource, made: Made) -> None:
        resource.physical_id, resource.attributes, resource.tags = made.physical_id, made.attributes, dict(self.tags)
        self.stack.secrets |= made.secrets

    def refuse_double(self, resource: Resource, physical_id: str) -> None:
        """Two stacks never own one physical resource; what a custom resource stands for is its provider's business."""
        if schemas.registered(resource.type) == CUSTOM_RESOURCE:
            return
        state = stacks_of(self.cloud, self.stack.account, self.stack.region)
        holder = state.holder(resource.type, physical_id, resource) if physical_id else None
        if holder is not None:
            raise StepFailed(f"{physical_id} already exists in stack {holder.id}")

    def update(self, old: Resource, new: Resource) -> str:
        """Change the resource in place; the physical id that it had where the update gave it another."""

        def act(token: str) -> Made:
            context = self.context(new, token, former_tags=old.tags)
            return self.provider(new.type).update(context, old.physical_id, old.properties, new.properties)

        made = self.attempt(new, "UPDATE_FAILED", act)
        assert made is not None
        self.adopt(new, made)
        self.stack.note(new, "UPDATE_COMPLETE")
        return old.physical_id if made.physical_id != old.physical_id else ""

    def delete(self, resource: Resource) -> None:
        """Take the resource away, missing already is fine."""
        self.stack.note(resource, "DELETE_IN_PROGRESS")

        def act(token: str) -> None:
            provider = self.provider(resource.type)
            provider.delete(self.context(resource, token), resource.physical_id, resource.properties)

        self.attempt(resource, "DELETE_FAILED", act)
        self.stack.note(resource, "DELETE_COMPLETE")


def given_name(resource: Resource, region: str) -> str:
    """The physical id that the template itself chooses; empty where the service does."""
    if schemas.registered(resource.type) == CUSTOM_RESOURCE:
        return ""  # whose property Id, if it has one, is its provider's
    identifier = schemas.schema(resource.type, region).primary_identifier
    parts = [str(resource.properties.get(name, "")) for name in identifier]
    return "|".join(parts) if all(parts) else ""


def walk(
    waits_for: Mapping[str, frozenset[str] | set[str]],
    work: Callable[[str], None],
    at_once: int,
    *,
    keep_going: bool = False,
) -> dict[str, Exception]:
    """Run work for every id, after those that it waits for; independent ones run at the same time, at_once of them.

    After a failure nothing new starts; with keep_going, only what waits for the failed one is left.
    Gives the failures by id.
    """
    left = {key: set(others) & set(waits_for) - {key} for key, others in waits_for.items()}
    failed: dict[str, Exception] = {}
    running: dict[Future[None], str] = {}

    def over(key: str, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            failed[key] = error
        else:
            for others in left.values():
                others.discard(key)

    with ThreadPoolExecutor(at_once) as pool:  # it starts a thread for what is submitted, not before
        while True:
            ready = [key for key, others in left.items() if not others] if keep_going or not failed else []
            if ready and not running and (at_once == 1 or len(ready) == 1):
                del left[ready[0]]
                over(ready[0], error_of(work, ready[0]))  # nothing goes on beside it: it needs no thread of its own
                continue
            for key in ready:
                del left[key]
                running[pool.submit(work, key)] = key
            if not running:
                return failed
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                over(running.pop(done), done.exception())


def error_of(work: Callable[[str], None], key: str) -> Exception | None:
    try:
        work(key)
    except Exception as error:
        return error
    return None


def reversed_graph(depends: Mapping[str, frozenset[str] | set[str]]) -> dict[str, set[str]]:
    """Who must be gone before each id may go."""
    after: dict[str, set[str]] = {key: set() for key in depends}
    for key, others in depends.items():
        for other in others:
            if other in after and other != key:
                after[other].add(key)
    return after
