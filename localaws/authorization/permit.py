"""Permissions without an API of their own, which a service asks for while it works as a role.

Service Authorization Reference: "permission only" actions, such as codebuild:CreateReport and
codecommit:UploadArchive. A request carries every other permission; these are asked for here.
"""

from __future__ import annotations

from collections.abc import Mapping

from localaws.cloud import Session


def permit(
    session: Session, action: str, resource: str, keys: Mapping[str, tuple[str, ...]] | None = None, owner: str = ""
) -> None:
    """AwsError as the service would answer, unless the session may do the action on the resource (an ARN).

    keys: the condition keys of this request, in lower case
    owner: the resource's account, where its policy must let in another account; else the session's own
    """
    authorizer = session.cloud.authorizer
    from localaws.authorization.authorizer import Asker, noted
    from localaws.authorization.requests import Need

    service, operation = action.split(":")
    need = Need(action, resource, owner or session.account, keys or {})
    decision = authorizer.decide(Asker(session.principal), need, session.region)
    note = noted(session.principal, [(need, decision)])
    session.cloud.record(
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
        raise authorizer.refusal(service, session.principal, need, decision, note)
