"""Environment variables that a build reads from Parameter Store and Secrets Manager, as its role.

AWS CodeBuild User Guide, "Build specification reference for CodeBuild" (env/parameter-store, env/secrets-manager).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.codebuild.log import said


class PhaseFailed(Exception):  # what happened, as CodeBuild says it: status code and message
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def read_parameters(session: Session, wanted: Mapping[str, str]) -> dict[str, str]:
    names = sorted(set(wanted.values()))
    found: dict[str, str] = {}
    for start in range(0, len(names), 10):  # the most that GetParameters takes
        try:
            answer = session.client("ssm").get_parameters(Names=names[start : start + 10], WithDecryption=True)
        except ClientError as error:
            raise PhaseFailed("Decrypted Variables Error", said(error)) from error
        found |= {item["Name"]: item["Value"] for item in answer["Parameters"]}
        for missing in answer["InvalidParameters"]:
            raise PhaseFailed("Decrypted Variables Error", f"parameter does not exist: {missing}")
    return {name: found[parameter] for name, parameter in wanted.items()}


def read_secrets(session: Session, wanted: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, reference in wanted.items():
        prefix, parts = "", reference.split(":")
        if reference.startswith("arn:"):  # an ARN has seven parts itself
            prefix, parts = ":".join(parts[:6]) + ":", parts[6:]
        secret, key, stage, version = (*parts, "", "", "", "")[:4]
        chosen = {"VersionStage": stage} if stage else {}
        chosen |= {"VersionId": version} if version else {}
        try:
            answer = session.client("secretsmanager").get_secret_value(SecretId=prefix + secret, **chosen)
        except ClientError as error:
            raise PhaseFailed("Secrets Manager Error", said(error)) from error
        try:
            found[name] = str(json.loads(answer["SecretString"])[key]) if key else answer["SecretString"]
        except (ValueError, KeyError) as error:
            raise PhaseFailed("Secrets Manager Error", f"the secret {secret} has no key {key}") from error
    return found
