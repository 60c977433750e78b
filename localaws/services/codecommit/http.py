"""Clone, fetch and push over HTTPS, as the credential helper of the AWS CLI signs in (CodeCommit User Guide, "Setup
steps for HTTPS connections to AWS CodeCommit repositories on Linux, macOS, or Unix with the AWS CLI credential
helper").

The helper's user name is the access key, with % and the session token behind it; its password is a time and a signature
of the method GIT over path and host, without the port. git's own http-backend answers what is allowed:
codecommit:GitPull, or codecommit:GitPush with codecommit:References for every branch (CodeCommit User Guide, "Limit
pushes and merges to branches in AWS CodeCommit").
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import hmac
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from awslang.errors import AwsError
from awslang.principals import Credentials
from localaws import intake
from localaws.calls import Call, HttpRequest
from localaws.cloud import Cloud, arn, new_id
from localaws.services.codecommit.state import CodeCommitState, Repo, tell
from localaws.signatures import SKEW, Signatures, now, same, signing_key, time_of

PATH = re.compile(
    r"(?P<start>/v1/repos/(?P<name>[a-zA-Z0-9_.-]{1,100}))(?P<rest>/info/refs|/git-(?:upload|receive)-pack)"
)
PASSWORD = re.compile(r"(?P<moment>[0-9]{8}T[0-9]{6})Z(?P<signature>[0-9a-f]{64})")
HOST = re.compile(r"git-codecommit(?:-fips)?\.([a-z0-9-]+)\.")
ZERO = "0" * 40
UNPACKED = 1_000_000  # objects of a push, which stay single files: git.py reads no packs
REALM = {"WWW-Authenticate": 'Basic realm=""', "Content-Type": "text/plain"}


@dataclass(frozen=True)
class Asked:
    """A request of git's, by a caller that is known: start is the part of the path that was signed."""

    credentials: Credentials
    region: str
    name: str
    rest: str
    pushes: bool
    request: HttpRequest


def is_git(path: str) -> bool:
    return PATH.fullmatch(path) is not None


def answer(cloud: Cloud, signatures: Signatures, request: HttpRequest) -> intake.Answer:
    """Status, headers and body: 401 without credentials, so that git asks its helper, and 403 with wrong ones."""
    user, password = given(request)
    if not user:
        return 401, REALM, b""
    asked = signed_in(cloud, signatures, request, user, password)
    if asked is None:
        cloud.record(
            {"service": "codecommit", "operation": "?", "path": request.path, "error": "SignatureDoesNotMatch"}
        )
        return 403, {"Content-Type": "text/plain"}, b"The credentials are not valid.\n"
    try:
        return serve(cloud, asked)
    except (ValueError, OSError, EOFError, zlib.error):  # what git never sends
        return 400, {"Content-Type": "text/plain"}, b"The request cannot be read.\n"
    except AwsError as error:
        return error.status if error.status != 400 else 403, {"Content-Type": "text/plain"}, f"{error}\n".encode()


def given(request: HttpRequest) -> tuple[str, str]:
    """User name and password; empty without them."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if kind.lower() == "basic" else ("", "")


def known_caller(signatures: Signatures, request: HttpRequest) -> bool:
    """Whether the request names a key that is known here, with its token."""
    key, _, token = given(request)[0].partition("%")
    found = signatures.credentials(key) if key else None
    return found is not None and same(found.session_token or "", token)


def signed_in(cloud: Cloud, signatures: Signatures, request: HttpRequest, user: str, password: str) -> Asked | None:
    """The request with its caller, where the signature holds for a Region that the repository may be in."""
    path, stated = PATH.fullmatch(request.path), PASSWORD.fullmatch(password)
    found = signatures.credentials(user.partition("%")[0])
    if path is None or stated is None or found is None or not known_caller(signatures, request) or found.expired:
        return None
    if abs(now() - time_of(f"{stated['moment']}Z")) > SKEW:
        return None
    host = request.headers.get("host", "").partition(":")[0]
    for region in regions(cloud, found.principal.account, host):
        if same(signature(found.secret_access_key, region, stated["moment"], path["start"], host), stated["signature"]):
            service = parse_qs(request.query).get("service", [""])[0]
            pushes = "git-receive-pack" in (service, path["rest"].lstrip("/"))
            return Asked(found, region, path["name"], path["rest"], pushes, request)
    return None


def regions(cloud: Cloud, account: str, host: str) -> Iterator[str]:
    """That of the host; for the embedded AWS's own, which has none, those in which the account has repositories."""
    if found := HOST.match(host):
        yield found[1]
    else:
        yield from (region for owner, region in cloud.states(CodeCommitState) if owner == account)


def signature(secret: str, region: str, moment: str, path: str, host: str) -> str:
    request = hashlib.sha256(f"GIT\n{path}\n\nhost:{host}\n\nhost\n".encode()).hexdigest()
    scope = f"{moment[:8]}/{region}/codecommit/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{request}"
    return hmac.digest(signing_key(secret, scope), text.encode(), "sha256").hex()


def serve(cloud: Cloud, asked: Asked) -> intake.Answer:
    principal = asked.credentials.principal
    session = cloud.session_for(principal, asked.region)
    resource = arn("codecommit", asked.region, principal.account, asked.name)
    body = unpacked(asked.request)
    if asked.pushes:
        names = references(body) if asked.rest == "/git-receive-pack" else [""]
        for name in names:
            session.permit("codecommit:GitPush", resource, {"codecommit:references": (name,)} if name else {})
    else:
        session.permit("codecommit:GitPull", resource)
    known = cloud.state(CodeCommitState, principal.account, asked.region)
    repo = known.repositories.get(asked.name)
    if repo is None:
        return 404, {"Content-Type": "text/plain"}, f"repository {asked.name} not found\n".encode()
    with known.lock:
        before = repo.git.branches()
        answered = by_git(repo, asked, body)
        if asked.pushes:
            announce(cloud, asked, repo, before)
    return answered


def unpacked(request: HttpRequest) -> bytes:
    return gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body


def references(body: bytes) -> list[str]:
    """The references that a push changes (gitprotocol-pack): lines of old id, new id and name, up to a flush."""
    found, place = [], 0
    while (size := int(body[place : place + 4] or b"0", 16)) >= 4:
        line = body[place + 4 : place + size].partition(b"\0")[0].split()
        found += [line[2].decode()] if len(line) == 3 and len(line[0]) == len(ZERO) else []
        place += size
    return found


def by_git(repo: Repo, asked: Asked, body: bytes) -> intake.Answer:
    """The answer of git's own server program, a CGI."""
    settings = {
        "http.receivepack": "true",
        "receive.unpackLimit": str(UNPACKED),
        "receive.autogc": "false",
        "gc.auto": "0",
        "core.logAllRefUpdates": "false",
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": str(repo.git.folder),
        "PATH_INFO": asked.rest,
        "QUERY_STRING": asked.request.query,
        "REQUEST_METHOD": asked.request.method,
        "CONTENT_TYPE": asked.request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": asked.request.headers.get("git-protocol", ""),
        "REMOTE_USER": asked.credentials.access_key_id,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", *words, "http-backend"], input=body, env=variables, stdout=subprocess.PIPE, check=True
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return int(headers.pop("Status", "200").split()[0]), headers, content


def announce(cloud: Cloud, asked: Asked, repo: Repo, before: dict[str, str]) -> None:
    """The events of the branches that a push made, moved or deleted; the first branch becomes the default one."""
    after, principal = repo.git.branches(), asked.credentials.principal
    call = Call(cloud, principal, "codecommit", "GitPush", {}, principal.account, asked.region, new_id(), asked.request)
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if new is not None and "defaultBranch" not in repo.metadata:
            repo.metadata["defaultBranch"] = name
            repo.git.point_head(name)
        if old is None and new is not None:
            tell(call, repo, "referenceCreated", name, commitId=new)
        elif new is None and old is not None:
            tell(call, repo, "referenceDeleted", name, oldCommitId=old)
        elif old != new:
            tell(call, repo, "referenceUpdated", name, commitId=str(new), oldCommitId=str(old))
    if before != after:
        repo.metadata["lastModifiedDate"] = now()
