"""The user profiles of Studio domains: who works in a domain, and with which role.

CreateUserProfile, DescribeUserProfile, UpdateUserProfile, ListUserProfiles and DeleteUserProfile (SageMaker API
Reference, the page of each operation). A profile is in service at once, and its name is not case-sensitive.
Domains of IAM Identity Center (AuthMode SSO) have none here.
"""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker import base, domains
from localaws.services.sagemaker.service import sagemaker

SUMMARY = ("DomainId", "UserProfileName", "Status", "CreationTime", "LastModifiedTime")
FIRST_UID = 200001  # of the home directory on the domain's file system, as AWS's examples show it


def key(call: Call) -> tuple[str, str]:
    return call.params["DomainId"], call.params["UserProfileName"].lower()


def find(call: Call) -> dict[str, Any]:
    found = domains.known(call).profiles.get(key(call))
    if found is None:
        raise base.missing(f"UserProfile [{call.params['UserProfileName']}] does not exist.")
    return found


@sagemaker.operation("CreateUserProfile")
def create_user_profile(call: Call) -> dict[str, Any]:
    base.only(call.params, "CreateUserProfile", "DomainId", "UserProfileName", "UserSettings", "Tags")
    domain, known, name = domains.find(call), domains.known(call), call.params["UserProfileName"]
    if domain["AuthMode"] != "IAM":
        raise NotSupported("CreateUserProfile in a domain of IAM Identity Center")
    if key(call) in known.profiles:
        raise AwsError("ResourceInUse", f"UserProfile {name} already exists in Domain {domain['DomainId']}.")
    whole = arn("sagemaker", call.region, call.account, f"user-profile/{domain['DomainId']}/{name}")
    taken = {profile["HomeEfsFileSystemUid"] for profile in known.profiles.values()}
    known.profiles[key(call)] = {
        "DomainId": domain["DomainId"],
        "UserProfileArn": whole,
        "UserProfileName": name,
        "HomeEfsFileSystemUid": next(uid for uid in map(str, itertools.count(FIRST_UID)) if uid not in taken),
        "Status": "InService",
        "CreationTime": base.now(),
        "LastModifiedTime": base.now(),
        **({"UserSettings": call.params["UserSettings"]} if "UserSettings" in call.params else {}),
    }
    base.put_tags(call.cloud, whole, call.params.get("Tags", []))
    return {"UserProfileArn": whole}


@sagemaker.operation("DescribeUserProfile")
def describe_user_profile(call: Call) -> dict[str, Any]:
    return dict(find(call))


@sagemaker.operation("UpdateUserProfile")
def update_user_profile(call: Call) -> dict[str, Any]:
    base.only(call.params, "UpdateUserProfile", "DomainId", "UserProfileName", "UserSettings")
    found = find(call)
    found |= {"UserSettings": call.params.get("UserSettings", {}), "LastModifiedTime": base.now()}
    return {"UserProfileArn": found["UserProfileArn"]}


@sagemaker.operation("ListUserProfiles")
def list_user_profiles(call: Call) -> dict[str, Any]:
    """In the order of their creation, which is the default (API Reference, "ListUserProfiles")."""
    base.only(
        call.params, "ListUserProfiles", "DomainIdEquals", "UserProfileNameContains", "NextToken", "MaxResults",
        "SortBy", "SortOrder",
    )  # fmt: skip
    wanted, part = call.params.get("DomainIdEquals"), call.params.get("UserProfileNameContains", "").lower()
    items = [
        {name: profile[name] for name in SUMMARY}
        for (domain, profile_name), profile in domains.known(call).profiles.items()
        if wanted in (None, domain) and part in profile_name
    ]
    items.sort(key=itemgetter(call.params.get("SortBy", "CreationTime")))
    if call.params.get("SortOrder") == "Descending":
        items.reverse()
    return base.page(items, call.params, "UserProfiles")


@sagemaker.operation("DeleteUserProfile")
def delete_user_profile(call: Call) -> dict[str, Any]:
    base.drop_tags(call.cloud, find(call)["UserProfileArn"])
    del domains.known(call).profiles[key(call)]
    return {}
