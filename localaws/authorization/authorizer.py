"""Decides every request to the embedded AWS, and refuses in AWS's words.

IAM User Guide, "Troubleshoot access denied error messages" (the wording), "Policy evaluation logic";
STS API Reference, "AssumeRole"; IAM User Guide, "Grant a user permissions to pass a role to an AWS
service". It adds what AWS's message leaves out: the statement that denied, or what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from awslang.errors import AwsError
from awslang.policy.document import Policy, parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from awslang.policy.saving import RESOURCE_CONTROLLED
from awslang.principals import Principal, service_principal
from localaws import moto_bridge, registry
from localaws.authorization import context as keys_of
from localaws.authorization import documents, state
from localaws.authorization.requests import derive, passed_roles
from localaws.authorization.tags import tags_of
from localaws.calls import Call
from localaws.cloud import Cloud, Session
from localaws.service import Need

CODES = {"sns": ("AuthorizationError", 403), "sagemaker-runtime": ("AccessDeniedException", 403)}
CODES["ec2"] = ("UnauthorizedOperation", 403)
CODES |= dict.fromkeys(("iam", "sts", "s3", "cloudformation", "cloudwatch"), ("AccessDenied", 403))
# What a service answers when it cannot act as a role that was passed to it.
CANNOT_ASSUME: dict[str, tuple[str, str]] = {
    "sagemaker": (
        "ValidationException",
        "Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role.",
    ),
    "codebuild": (
        "InvalidInputException",
        "CodeBuild is not authorized to perform: sts:AssumeRole on service role. Please verify that: 1) The provided "
        "service role exists, 2) The role name is case-sensitive and matches exactly, and 3) The role has the "
        "necessary trust policy configured.",
    ),
    "codepipeline": (
        "InvalidStructureException",
        "CodePipeline is not authorized to perform AssumeRole on role {role}",
    ),
    "cloudformation": ("ValidationError", "Role {role} is invalid or cannot be assumed"),
    "events": (
        "ValidationException",
        "Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'.",
    ),
    "stepfunctions": (
        "AccessDeniedException",
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
        "the provided role.",
    ),
    "lambda": ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
}
# Where a service names the key that it may not use for its caller (API References, SendMessage and Publish).
OF_KEYS = {"sqs": "KmsAccessDenied", "sns": "KMSAccessDenied"}
# A caller that may not use a queue does not learn whether it exists (SQS API Reference, QueueDoesNotExist).
ASK_A_QUEUE = {"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"}


class Asker:
    """Who makes a request, with what is known of it for all that the request needs: looked up once."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.identity = state.identity_of(principal)
        self.organization_of: keys_of.Belongs = cache(state.organization_of)
        self.keys = keys_of.of_principal(principal, self.identity, self.organization_of)

    def policies(self, need: Need, resource: Policy | None, kind: Any) -> Policies:
        """Every policy that applies to the need; resource, kind: the resource's own."""
        principal = self.principal
        organization = self.organization_of(principal.account) if principal.account else None
        owner = self.organization_of(need.account) if need.account else None
        session = tuple(
            parse(document, f"session policy {number}", principal.account)
            for number, document in enumerate(principal.session_policies, 1)
        )
        service = need.action.split(":")[0]
        controlled = need.resource != "*" and service in RESOURCE_CONTROLLED
        if controlled and owner and (uncontrolled := registry.access(service).uncontrolled):
            controlled = not uncontrolled(need.resource)
        return Policies(
            identity=self.identity.policies,
            boundary=self.identity.boundary,
            session=session or None,
            resource=resource,
            resource_kind=kind,
            endpoint=state.endpoint_policy(principal) if service == "s3" else None,
            service_control=organization.levels(principal.account, "SERVICE_CONTROL_POLICY") if organization else (),
            resource_control=owner.levels(need.account, "RESOURCE_CONTROL_POLICY") if owner and controlled else (),
            management_account=organization.management if organization else (owner.management if owner else ""),
        )


class Authorizer:
    """cloud.authorizer = Authorizer(cloud): from then on every request is decided."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    # -- requests ------------------------------------------------------------------------------

    def authorize(self, call: Call) -> dict[str, Any]:
        """What requests.jsonl notes of the decision; AwsError, carrying the same as `decision`, when refused."""
        check_session(call)
        if call.service == "sts" and call.operation == "AssumeRole":
            return self._assume(call)
        needs = derive(call)
        by, decided = Asker(call.principal), []
        for need in needs:
            decision = self.decide(by, need, call.region)
            decided.append((need, decision))
            if not decision.allowed:
                raise self._refused(call, need, decision, noted(call.principal, decided))
        note = noted(call.principal, decided)
        self._may_act_as(call, note)
        documents.check(call)
        return note

    def decide(self, by: Asker, need: Need, region: str) -> Decision:
        """The evaluator's answer, with every policy that applies."""
        service = need.action.split(":")[0]
        keys = {
            **keys_of.of_request(by.principal, region, service, need.through),
            **by.keys,
            **keys_of.of_need(need, by.principal, region, by.organization_of),
        }
        context = keys_of.RequestContext(keys, lambda: tags_of(self.cloud, need.resource, region), service)
        resource = state.resource_policy(self.cloud, need.resource)
        kind = "key" if service == "kms" and resource is not None else "resource"
        request = AuthorizationRequest(by.principal, need.action, need.resource, need.account, context)
        return decide(request, by.policies(need, resource, kind))

    def _may_act_as(self, call: Call, note: dict[str, Any]) -> None:
        """The service must be able to assume the role that was passed to it."""
        for role_arn, service in passed_roles(call).items():
            code, message = CANNOT_ASSUME.get(call.service, ("", ""))
            if not code:
                continue
            by = service_principal(service, SourceAccount=call.account)
            decision = self.trust(by, role_arn, state.role_named(role_arn), {}, trusting_source=True)
            if not decision.allowed:
                error = AwsError(code, f"{message.format(role=role_arn)}\n{decision.missing or because(decision, '')}")
                error.decision = note | {"passed_role": role_arn, "why": explained(decision)}  # type: ignore[attr-defined]
                raise error

    # -- roles ---------------------------------------------------------------------------------

    def assume_role(
        self,
        principal: Principal,
        role_arn: str,
        *,
        external_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """The role's unique id; AwsError AccessDenied unless it exists and this principal may assume it."""
        role = state.role_named(role_arn)
        decided = self._decide_assume(principal, role_arn, role, external_id, tags or {}, "")
        if principal.kind == "service":  # nothing else of it is written down: no request came in
            note = noted(principal, decided)
            denied = not decided[-1][1].allowed
            self.cloud.record(
                {"service": "sts", "operation": "AssumeRole", "principal": principal.arn,
                 "account": role_arn.split(":")[4], "error": "AccessDenied" if denied else "", **note}
            )  # fmt: skip
        self._refuse_assume(principal, role, decided)
        return str(role.id)

    def _assume(self, call: Call) -> dict[str, Any]:
        params = call.params
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        role = state.role_named(params["RoleArn"]) if params["RoleArn"].count(":") == 5 else None
        decided = self._decide_assume(
            call.principal, params["RoleArn"], role, params.get("ExternalId"), tags, params["RoleSessionName"]
        )
        if call.principal.kind == "root":  # STS API Reference, AssumeRole: not with the root user's credentials
            error = AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
            error.decision = noted(call.principal, decided) | {"decision": "denied"}  # type: ignore[attr-defined]
            raise error
        self._refuse_assume(call.principal, role, decided)
        documents.check(call)
        return noted(call.principal, decided)

    def _decide_assume(
        self,
        principal: Principal,
        role_arn: str,
        role: Any,
        external_id: str | None,
        tags: Mapping[str, str],
        session_name: str,
    ) -> list[tuple[Need, Decision]]:
        keys: dict[str, tuple[str, ...]] = {f"aws:requesttag/{k.lower()}": (v,) for k, v in tags.items()}
        if tags:
            keys["aws:tagkeys"] = tuple(tags)
        if external_id is not None:
            keys["sts:externalid"] = (external_id,)
        if session_name:
            keys["sts:rolesessionname"] = (session_name,)
        decided = []
        for action in ("sts:AssumeRole", "sts:TagSession") if tags else ("sts:AssumeRole",):
            need = Need(action, role_arn, role_arn.split(":")[4], keys)
            decided.append((need, self.trust(principal, role_arn, role, keys, action)))
            if not decided[-1][1].allowed:
                break
        return decided

    def trust(
        self,
        principal: Principal,
        role_arn: str,
        role: Any,
        keys: Mapping[str, tuple[str, ...]],
        action: str = "sts:AssumeRole",
        trusting_source: bool = False,
    ) -> Decision:
        """Whether the role's trust policy, and the caller's own policies, let it assume the role.

        trusting_source: leave conditions on aws:SourceArn aside, for a resource that does not exist yet
        """
        account = role_arn.split(":")[4]
        policy = None
        if role is not None:
            policy = parse(role.assume_role_policy_document, f"trust policy of role {role.name}", account, "trust")
            policy = without_source(policy) if trusting_source else policy
        need = Need(action, role_arn, account, keys)
        by = Asker(principal)
        whole = {
            **keys_of.of_request(principal, "us-east-1", "sts"),
            **by.keys,
            **keys_of.of_need(need, principal, "us-east-1", by.organization_of),
        }
        context = keys_of.RequestContext(whole, lambda: tags_of(self.cloud, role_arn, ""), "iam")
        request = AuthorizationRequest(principal, action, role_arn, account, context)
        return decide(request, by.policies(need, policy, "trust"))

    def _refuse_assume(self, principal: Principal, role: Any, decided: list[tuple[Need, Decision]]) -> None:
        need, decision = decided[-1]
        note = noted(principal, decided)
        if decision.allowed and role is not None:
            return
        if role is None:
            message = f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {need.resource}"
            error = AwsError("AccessDenied", f"{message}\n{need.resource} does not exist", 403)
            error.decision = note | {"decision": "denied"}  # type: ignore[attr-defined]
            raise error
        raise self.refusal("sts", principal, need, decision, note)

    # -- permissions without an API ------------------------------------------------------------

    def permit(
        self, session: Session, action: str, resource: str, keys: Mapping[str, tuple[str, ...]], owner: str
    ) -> None:
        """See Session.permit."""
        service, operation = action.split(":")
        need = Need(action, resource, owner or session.account, keys)
        decision = self.decide(Asker(session.principal), need, session.region)
        note = noted(session.principal, [(need, decision)])
        self.cloud.record(
            {
                "service": service,
                "operation": operation,
                "principal": session.principal.arn,
                "account": session.account,
                "region": session.region,
                "status": 200 if decision.allowed else 400,
                "error": "" if decision.allowed else "AccessDeniedException",
                **note,
            }
        )
        if not decision.allowed:
            raise self.refusal(service, session.principal, need, decision, note)

    # -- words ---------------------------------------------------------------------------------

    def _refused(self, call: Call, need: Need, decision: Decision, note: dict[str, Any]) -> AwsError:
        """The error for a refused request, where AWS has words of its own for it."""
        if need.action == "iam:PassRole" and need.account != call.account:
            code, status = CODES.get(call.service, ("AccessDeniedException", 400))
            error = AwsError(code, "Cross-account pass role is not allowed.", status)
        elif call.operation in ASK_A_QUEUE and need.action.startswith("sqs:") and not queue_exists(need.resource):
            error = AwsError("QueueDoesNotExist", "The specified queue does not exist or you do not have access to it.")
        else:
            return self.refusal(call.service, call.principal, need, decision, note)
        error.decision = note  # type: ignore[attr-defined]
        return error

    def refusal(
        self, service: str, principal: Principal, need: Need, decision: Decision, note: dict[str, Any]
    ) -> AwsError:
        """AWS's error for a refused request, with a second line that explains it."""
        code, status = CODES.get(service, ("AccessDeniedException", 400))
        code = OF_KEYS.get(service, code) if need.action.startswith("kms:") else code
        resource = f'"{need.resource}"' if service == "s3" else need.resource
        message = f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {resource} "
        message += because(decision, need.action)
        if service == "s3" and is_stranger(principal, need.account):
            message = "Access Denied"
        message += f"\n{explained(decision)}"
        error = AwsError(code, message, status)
        error.decision = note  # type: ignore[attr-defined]
        return error


def check_session(call: Call) -> None:
    """What credentials of GetSessionToken without MFA may not do: IAM, and STS but for two operations.

    STS API Reference, GetSessionToken; the words of IAM: IAM User Guide, "Troubleshoot IAM".
    """
    if call.principal.kind not in ("user", "root") or not call.principal.session_keys:
        return
    if call.service == "iam":
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid", 403)
    if call.service == "sts" and call.operation not in ("AssumeRole", "GetCallerIdentity", "GetSessionToken"):
        raise AwsError("AccessDenied", f"Cannot call {call.operation} with session credentials", 403)


def is_stranger(principal: Principal, owner: str) -> bool:
    """Whether S3 keeps its reasons to itself: for a caller of no account, or of another outside the organization.

    S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors in Amazon S3".
    """
    if principal.kind == "anonymous" or principal.account == owner or not owner:
        return principal.kind == "anonymous"
    here, there = state.organization_of(principal.account), state.organization_of(owner)
    return here is None or there is None or here.id != there.id


def queue_exists(arn: str) -> bool:
    _, _, _, region, account, name = arn.split(":", 5)
    return name in moto_bridge.backend("sqs", account, region).queues


def because(decision: Decision, action: str) -> str:
    """AWS's own reason."""
    layer = decision.layer
    if decision.reason == "explicit deny":
        policy = decision.statements[0].policy.name
        article = "the" if layer == "role trust policy" else ("an" if layer[0] in "aeiou" else "a")
        return f"with an explicit deny in {article} {layer}" + (f": {policy}" if policy.startswith("arn:") else "")
    return f"because no {layer} allows the {action} action"


def explained(decision: Decision) -> str:
    """What AWS leaves out."""
    if decision.reason == "explicit deny":
        return f"Denied by {decision.statements[0]}."
    return f"Missing: {decision.missing}." if decision.missing else ""


def noted(principal: Principal, decided: list[tuple[Need, Decision]]) -> dict[str, Any]:
    """The entry for requests.jsonl: the deciding need in short, and every need with its statements."""
    if not decided:
        return {"action": "", "resource": "", "decision": "free", "statement": ""}
    need, decision = decided[-1] if not decided[-1][1].allowed else decided[0]
    return {
        "role": principal.role_arn,
        "action": need.action,
        "resource": need.resource,
        "decision": "allowed" if decision.allowed else "denied",
        "statement": str(decision.statements[0]) if decision.statements else decision.missing or decision.layer,
        "needs": [
            {
                "action": one.action,
                "resource": one.resource,
                "decision": answer.reason,
                "statements": [
                    [d.layer, d.policy.account, d.policy.name, d.statement.label] for d in answer.statements
                ],
            }
            for one, answer in decided
        ],
    }


def without_source(policy: Policy) -> Policy:
    """The policy without conditions on aws:SourceArn."""

    def kept(statement: Any) -> Any:
        tests = tuple(test for test in statement.conditions if test.key.lower() != "aws:sourcearn")
        return replace(statement, conditions=tests)

    return replace(policy, statements=tuple(kept(statement) for statement in policy.statements))
