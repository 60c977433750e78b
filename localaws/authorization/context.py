"""The condition keys of a request (IAM User Guide, "AWS global condition context keys")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from awslang.principals import Principal
from localaws.authorization.state import Identity, Organization
from localaws.service import Need

Belongs = Callable[[str], Organization | None]  # the organization of an account
GLOBAL_SERVICES = {"iam", "organizations"}  # their requests are of us-east-1
TAG_PREFIXES = ("aws:resourcetag/", "iam:resourcetag/", "sagemaker:resourcetag/", "s3:existingobjecttag/",
                "ecr:resourcetag/", "ssm:resourcetag/", "secretsmanager:resourcetag/")  # fmt: skip


class RequestContext(Mapping[str, tuple[str, ...]]):
    """The keys of one request; those of the resource's tags are read when a policy first asks for one.

    A request that makes a resource brings its tags among its keys.
    """

    def __init__(self, keys: Mapping[str, tuple[str, ...]], tags: Callable[[], Mapping[str, str]], own: str) -> None:
        self._keys = keys
        self._read = tags
        self._own = own
        self._tags: dict[str, tuple[str, ...]] | None = None

    def _of_tags(self) -> dict[str, tuple[str, ...]]:
        if self._tags is None:
            prefixes = [p for p in TAG_PREFIXES if p.startswith(("aws:", f"{self._own}:"))]
            if self._own == "s3":
                prefixes = ["s3:existingobjecttag/"]
            self._tags = {f"{prefix}{k.lower()}": (v,) for k, v in self._read().items() for prefix in prefixes}
            self._tags |= {key: value for key, value in self._keys.items() if key.startswith(TAG_PREFIXES)}
        return self._tags

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._of_tags()[key] if key.startswith(TAG_PREFIXES) else self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._keys, **self._of_tags()})

    def __len__(self) -> int:
        return len(self._keys) + len(self._of_tags())


def of_organization(prefix: str, account: str, organization: Organization | None) -> dict[str, tuple[str, ...]]:
    """aws:PrincipalOrgID and aws:PrincipalOrgPaths, or the same for Resource and Source."""
    if organization is None or not account:
        return {}
    return {f"aws:{prefix}orgid": (organization.id,), f"aws:{prefix}orgpaths": organization.paths(account)}


def of_principal(principal: Principal, identity: Identity, organization_of: Belongs) -> dict[str, tuple[str, ...]]:
    """Who asks: aws:PrincipalArn is the role's ARN, not the session's."""
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalisawsservice": ("true" if principal.kind == "service" else "false",),
    }
    if principal.kind == "service":
        keys["aws:principalservicename"] = (principal.arn,)
        keys["aws:principalservicenameslist"] = (principal.arn,)
        return keys | _source(principal, organization_of)
    if principal.kind == "anonymous":
        return keys | {"aws:principaltype": ("Anonymous",), "aws:userid": ("anonymous",)}
    keys["aws:principalarn"] = (principal.role_arn or principal.arn,)
    keys["aws:principalaccount"] = (principal.account,)
    kind = {"root": "Account", "user": "User", "role": "AssumedRole"}[principal.kind]
    keys["aws:principaltype"] = (kind,)
    if principal.kind == "role":
        keys["aws:userid"] = (f"{identity.unique_id}:{principal.session_name}",)
        keys["aws:multifactorauthpresent"] = ("false",)
    elif principal.kind == "user":
        keys["aws:userid"] = (identity.unique_id,)
        keys["aws:username"] = (principal.arn.rsplit("/", 1)[-1],)
    else:
        keys["aws:userid"] = (principal.account,)
    tags = {**identity.tags, **principal.session_tags}
    keys |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in tags.items()}
    keys |= {key: (value,) for key, value in principal.session_keys.items()}
    keys |= of_organization("principal", principal.account, organization_of(principal.account))
    return keys | _source(principal, organization_of)


def _source(principal: Principal, organization_of: Belongs) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {f"aws:{name.lower()}": (value,) for name, value in principal.source.items()}
    if account := principal.source.get("SourceAccount"):
        keys |= of_organization("source", account, organization_of(account))
    return keys


def of_request(principal: Principal, region: str, service: str, through: str = "") -> dict[str, tuple[str, ...]]:
    """How and when it came; through: a service that asks on the caller's behalf for this need only."""
    vpc, endpoint = principal.vpc if service == "s3" else ("", "")
    now = datetime.now(UTC)
    via = (*principal.called_via, through) if through else principal.called_via
    keys: dict[str, tuple[str, ...]] = {
        "aws:securetransport": ("true",),  # the loopback endpoint stands for AWS's, which is always TLS
        "aws:requestedregion": ("us-east-1" if service in GLOBAL_SERVICES else region,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:viaawsservice": ("true" if via else "false",),
    }
    if via:
        keys |= {"aws:calledvia": via, "aws:calledviafirst": via[:1], "aws:calledvialast": via[-1:]}
    elif endpoint:  # in place of the address (AWS PrivateLink Guide, "Gateway endpoints for Amazon S3")
        keys |= {"aws:sourcevpc": (vpc,), "aws:sourcevpce": (endpoint,)}
    elif principal.kind != "service":
        keys["aws:sourceip"] = ("127.0.0.1",)
    return keys


def of_need(need: Need, principal: Principal, region: str, organization_of: Belongs) -> dict[str, tuple[str, ...]]:
    """The resource's account and organization, and the key's caller for KMS."""
    keys = dict(need.keys)
    if need.account:
        keys["aws:resourceaccount"] = (need.account,)
        keys |= of_organization("resource", need.account, organization_of(need.account))
    if need.action.startswith("kms:"):
        if principal.account and principal.kind != "service":  # a service's own principal has none
            keys["kms:calleraccount"] = (principal.account,)
        via = need.through or (principal.called_via[-1] if principal.called_via else "")
        if via:
            keys["kms:viaservice"] = (via.replace(".amazonaws.com", f".{region}.amazonaws.com"),)
    return keys
