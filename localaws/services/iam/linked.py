"""Service-linked roles, and who asks for a user without naming one: moto's answers are of another name.

IAM API Reference, CreateServiceLinkedRole, GetUser, CreateOpenIDConnectProvider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.iam.details import boundary, common, document, tags
from localaws.services.iam.service import iam


@dataclass
class Root:
    """An account's root user: since when it is known here."""

    since: datetime = field(default_factory=lambda: datetime.now(UTC))


# Names that moto does not make as AWS (Application Auto Scaling User Guide, "Amazon SageMaker AI").
NAMES = {
    "sagemaker.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
}


@iam.operation("CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> dict[str, Any]:
    """InvalidInput for one that the account has (moto: EntityAlreadyExists, which the API does not know)."""
    backend, service = moto_bridge.backend("iam", call.account, "aws"), call.params["AWSServiceName"]
    if service.count(".") < 2:  # API Reference, CreateServiceLinkedRole: "a domain name", such as lex.amazonaws.com
        raise AwsError("InvalidInput", f"Service-linked roles cannot be created for {service}")
    suffix, path = call.params.get("CustomSuffix", ""), f"/aws-service-role/{service}/"
    for role in list(backend.roles.values()):
        if role.path == path and role.name.endswith(f"_{suffix}" if suffix else ""):
            what = f"Service role name {role.name} has been taken in this account, please try a different suffix."
            raise AwsError("InvalidInput", what)
    role = backend.create_service_linked_role(service, call.params.get("Description", ""), suffix)
    role.name = NAMES.get(service, role.name)
    return {"Role": {**common(role, "Role"), "AssumeRolePolicyDocument": document(role.assume_role_policy_document)}}


@iam.operation("GetUser")
def get_user(call: Call) -> dict[str, Any]:
    """Without a name, the user whose credentials sign, or the account's root user; a role has none.

    The root user has no name and no path (IAM User Guide, "IAM identifiers": its unique id is the account's). moto
    would make up a user for both.
    """
    principal, name = call.principal, call.params.get("UserName")
    if not name and principal.kind == "root":
        since = call.cloud.state(Root, call.account, "aws").since
        return {"User": {"UserId": call.account, "Arn": principal.arn, "CreateDate": since}}
    if not name and principal.kind != "user":
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    name = name or principal.arn.rsplit("/", 1)[1]
    user = moto_bridge.backend("iam", call.account, "aws").users.get(name)
    if user is None:
        raise AwsError("NoSuchEntity", f"The user with name {name} cannot be found.", 404)
    held = tags(user)
    return {"User": common(user, "User") | boundary(user) | ({"Tags": held} if held else {})}


@iam.before("CreateOpenIDConnectProvider")
def new_provider(call: Call) -> None:
    """Over https, and none of this address yet; moto's message is "Unknown" (API Reference: InvalidInput,
    EntityAlreadyExists).
    """
    url = call.params["Url"]
    if not url.startswith("https://"):
        raise AwsError("InvalidInput", f"The URL of an OpenID Connect provider begins with https://: {url}")
    known = moto_bridge.backend("iam", call.account, "aws").open_id_providers
    if any(arn.endswith(f":oidc-provider/{url.removeprefix('https://')}") for arn in list(known)):
        raise AwsError("EntityAlreadyExists", f"Provider with url {url} already exists.", 409)
