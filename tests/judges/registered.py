"""What a deploy repository asks of the version that is deployed, beside what the training repository registers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support import ROOT

BUILD, DEPLOY = ROOT / "seed-code/model-build", "seed-code/model-deploy"
SETTINGS = ("staging-config.json", "prod-config.json")
PAYLOADS = {"iris": "tests/golden-payloads.json", "penguins": "examples/sklearn/golden-payloads.json"}


def specification(model: str) -> dict[str, Any]:
    """What the training pipeline of an example registers."""
    sys.path.insert(0, str(BUILD))
    try:
        import definition  # the seed code, which is no package
        import project

        names = definition.names("p", "p-1", "1" * 12, "us-east-1", "arn:aws:iam::111111111111:role/r", "0" * 8)
        step: dict[str, Any] = definition.register_step(names, project.read(model=model))
    finally:
        sys.path.remove(str(BUILD))
        for name in {"definition", "project"} & set(sys.modules):
            del sys.modules[name]
    found: dict[str, Any] = step["Arguments"]["InferenceSpecification"]
    return found


def findings(edited: Mapping[str, str], model: str = "iris") -> list[str]:
    """What of the seeds an example's version is not registered for. edited: texts of files, in place of their own"""
    supported = specification(model)
    return [
        f"{file}: {value} is not among {name}"
        for file, name, value in asked(edited, model)
        if value not in supported[name]
    ]


def asked(edited: Mapping[str, str], model: str) -> Iterator[tuple[str, str, str]]:
    for file in SETTINGS:
        yield file, "SupportedRealtimeInferenceInstanceTypes", read(edited, file)["Parameters"]["InstanceType"]
    for one in read(edited, PAYLOADS[model])["payloads"]:
        yield PAYLOADS[model], "SupportedContentTypes", one["content_type"]
        yield PAYLOADS[model], "SupportedResponseMIMETypes", one.get("accept", "text/csv")


def read(edited: Mapping[str, str], name: str) -> Any:
    file = f"{DEPLOY}/{name}"
    return json.loads(edited.get(file) or (ROOT / file).read_text(encoding="utf-8"))
