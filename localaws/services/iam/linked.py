"""Service-linked roles, and who asks for a user without naming one: moto's answers are of another name.

IAM API Reference, CreateServiceLinkedRole, GetUser.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.iam.details import common, document
from localaws.services.iam.service import iam

# Names that moto does not make as AWS (Application Auto Scaling User Guide, "Amazon SageMaker AI").
NAMES = {
    "sagemaker.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
}


@iam.operation("CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> dict[str, Any]:
    """InvalidInput for one that the account has (moto: EntityAlreadyExists, which the API does not know)."""
    backend, service = moto_bridge.backend("iam", call.account, "aws"), call.params["AWSServiceName"]
    suffix, path = call.params.get("CustomSuffix", ""), f"/aws-service-role/{service}/"
    for role in list(backend.roles.values()):
        if role.path == path and role.name.endswith(f"_{suffix}" if suffix else ""):
            what = f"Service role name {role.name} has been taken in this account, please try a different suffix."
            raise AwsError("InvalidInput", what)
    role = backend.create_service_linked_role(service, call.params.get("Description", ""), suffix)
    role.name = NAMES.get(service, role.name)
    return {"Role": {**common(role, "Role"), "AssumeRolePolicyDocument": document(role.assume_role_policy_document)}}


@iam.before("GetUser")
def user_of_the_request(call: Call) -> None:
    """Without a name, the user whose credentials sign; a role has none, and moto would make one up."""
    if not call.params.get("UserName") and call.principal.kind not in ("user", "root"):
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
