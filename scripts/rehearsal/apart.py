"""A rehearsal stands apart from what this user's environment says of AWS, of moto and of proxies.

A profile that is missing, a configuration file that is broken or a proxy that does not know this machine must not stop
it: it needs none of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from localaws.variables import take_away

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
NO_PROXY = ("NO_PROXY", "no_proxy")  # programs read one or the other
OF_AWS = ("AWS_", "BOTO_", "BOTOCORE_")  # of every client of AWS, and of boto3's own
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def past_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """What makes requests to this machine go straight there: the hosts that these variables name already, and ours."""
    named = [host.strip() for name in NO_PROXY for host in variables.get(name, "").split(",")]
    hosts = ",".join(dict.fromkeys(filter(None, [*named, *LOOPBACK])))
    return dict.fromkeys(NO_PROXY, hosts)


def exports() -> dict[str, str]:
    """What a person exports to reach a kept rehearsal past a proxy; nothing where there is no proxy."""
    proxied = any(value for name, value in os.environ.items() if name.lower() in PROXIES)
    return past_proxies(os.environ) if proxied else {}


def is_concerned(name: str) -> bool:
    return name.startswith(OF_AWS) or name in NO_PROXY


def replace(variables: Mapping[str, str]) -> None:
    """Give this process these variables of AWS and NO_PROXY, and no others of them."""
    for name in [name for name in os.environ if is_concerned(name) and name not in variables]:
        del os.environ[name]
    os.environ.update(variables)


@contextmanager
def apart() -> Iterator[None]:
    """This process, and what it starts, without this user's AWS settings and without a proxy for this machine.

    Within another such block nothing changes, except that moto's variables are taken away there too.
    """
    motos = take_away(os.environ)
    before = {name: value for name, value in os.environ.items() if is_concerned(name)}
    wanted = {**NOWHERE, **past_proxies(os.environ)}
    try:
        if before.items() >= wanted.items():
            yield
            return
        replace(wanted)
        try:
            yield
        finally:
            replace(before)
    finally:
        os.environ.update(motos)
