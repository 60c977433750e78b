"""Sessions with AWS: signed in as the caller, or through a role in another account, always with the caller's profile.

A profile says more than who signs in: endpoint_url, ca_bundle, use_fips_endpoint, use_dualstack_endpoint, retry_mode,
max_attempts, proxies (AWS SDKs and Tools Reference Guide, "Settings reference"). botocore takes them from the session
that makes a client, so the session of an entered account is made from the same profile, with other credentials.

What AWS throttles is asked again up to seven times, with growing pauses (mode "standard"), unless the profile or the
environment says otherwise. Organizations has the lowest rates, for a whole account: 5 requests a second of ListParents,
ListAccountsForParent and ListOrganizationalUnitsForParent, 8 of ListAccounts, 2 of MoveAccount and
DescribeOrganizationalUnit, 3 invitations, one CreateAccount in 10 seconds (AWS Organizations User Guide, "Quotas and
service limits for AWS Organizations", Throttling limits). So its clients have the mode "adaptive", which also slows
down what is asked for the first time: it is meant for one resource whose rate is known to be met (AWS SDKs and Tools
Reference Guide, "Retry behavior").
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from scripts.kit.regions import botocore_session

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from botocore.credentials import RefreshableCredentials
    from botocore.hooks import HierarchicalEmitter

MOST_ATTEMPTS = 8  # of one request, the first included
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60  # seconds; no profile can set them
ADAPTIVE = "organizations"  # the service with the lowest rates


@dataclass(frozen=True)
class RoleCredentials:
    """Where a session finds its credentials: those of a role, asked for again before they end.

    An hour is the longest that a role entered from another role lasts (STS API Reference, AssumeRole), and a stage
    of a thousand accounts takes longer.
    """

    ask: Callable[[], dict[str, str]]

    def load_credentials(self) -> RefreshableCredentials:
        from botocore.credentials import RefreshableCredentials  # a fifth of a second, which no --help needs

        return RefreshableCredentials.create_from_metadata(self.ask(), self.ask, "sts-assume-role")


@cache
def models() -> Any:
    """What reads the APIs' models, for every session: one of them takes 9 MB and a tenth of a second."""
    return botocore_session().get_component("data_loader")


@cache
def handlers() -> HierarchicalEmitter:
    """botocore's handlers of events, for all entered accounts: to register them is most of what a session takes."""
    import botocore.session  # a fifth of a second, which no --help needs
    from botocore.hooks import HierarchicalEmitter  # the same

    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks


def sign_in(profile: str | None, region: str | None) -> boto3.Session:
    """A session of the caller, as the AWS CLI signs in; the profile's settings hold for each of its clients.

    region: None for the one of the profile
    """
    import boto3  # a fifth of a second, which no --help needs
    import botocore.session  # a fifth of a second, which no --help needs

    session = botocore.session.Session(profile=profile)
    if not session.get_config_variable("data_path"):
        session.register_component("data_loader", models())
    return boto3.Session(botocore_session=session, region_name=region)


def through_role(caller: boto3.Session, credentials: RoleCredentials) -> boto3.Session:
    """A session with other credentials and every other setting of the caller's profile.

    Its credentials are asked for at once, so that a role that cannot be assumed is an error now.
    """
    import boto3  # a fifth of a second, which no --help needs
    import botocore.session  # a fifth of a second, which no --help needs

    named = caller.profile_name if caller.profile_name in caller.available_profiles else None
    session = botocore.session.Session(profile=named, event_hooks=copy(handlers()), include_builtin_handlers=False)
    session.register_component("data_loader", models())
    session.register_component("credential_provider", credentials)
    session.get_credentials()
    return boto3.Session(botocore_session=session)


def client_config(session: boto3.Session, service: str) -> Config:
    """The clients' configuration, where neither the profile nor the environment sets it."""
    from botocore.config import Config  # a fifth of a second, which no --help needs

    core = session._session  # boto3 has no other way to what the profile says
    attempts = core.get_config_variable("max_attempts") or MOST_ATTEMPTS
    chosen = "AWS_RETRY_MODE" in os.environ or "retry_mode" in core.get_scoped_config()
    timeouts = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT)
    if service == ADAPTIVE and not chosen:
        return timeouts.merge(Config(retries={"total_max_attempts": attempts, "mode": "adaptive"}))
    return timeouts.merge(Config(retries={"total_max_attempts": attempts}))
