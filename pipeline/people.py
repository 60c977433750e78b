"""Whether two people are the same: the one who approved the version, and the one who approves the deployment. Pure.

The author is SageMaker's UserContext of the approval (API Reference), the approver the ARN that CodePipeline names
(ListActionExecutions, updatedBy). AWS knows principals, not people: who may choose the name of their role session may
look like two (docs/guides/approver.md says how an account prevents it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STUDIO = "sagemaker"  # the session name of every user of Studio: it names no person


def author_names(context: Mapping[str, Any] | None) -> set[str]:
    """Every name under which the author of an approval is known; empty for an unknown one."""
    found, identity = dict(context or {}), dict((context or {}).get("IamIdentity") or {})
    named = [found.get("UserProfileName"), found.get("UserProfileArn"), identity.get("SourceIdentity")]
    return {plain(name) for name in named if name} | arn_names(str(identity.get("Arn") or ""), studio=False)


def arn_names(arn: str, *, studio: bool = True) -> set[str]:
    """The ARN and the name at its end: of a user, or of a role's session.

    studio: whether the session name of Studio, which all its users share, counts as one
    """
    if not arn:
        return set()
    last = plain(arn.rsplit("/", 1)[-1])
    return set() if last == STUDIO and not studio else {plain(arn), last}


def plain(name: Any) -> str:
    return str(name).strip().casefold()


def same_person(author: Mapping[str, Any] | None, approver: str) -> str:
    """Why the approver may not approve what the author approved, under FourEyes; "" where they are two people."""
    authors, approvers = author_names(author), arn_names(approver)
    if not authors:
        return "who approved the version is not known (no record of its approval names a person)"
    if not approvers:
        return "CodePipeline does not say who approved the deployment"
    if plain(approver.rsplit("/", 1)[-1]) == STUDIO:
        return f"{approver} is the session that all users of Studio share, so who approved the deployment is not known"
    if authors & approvers:
        return f"{approver} approved the version too"
    return ""
