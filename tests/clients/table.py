"""The clients: which program in which version, what is run, and how the page shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scripts.kit.bundle.pack import ROOT
from tests.clients import plays
from tests.clients.world import World

PAGE = ROOT / "docs/developing/clients.md"
HEAD = "| client | version | what is run | outcome |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Client:
    """One client. package: what is pinned; lock: in which file; its play's docstring says what is run."""

    name: str
    package: str
    lock: str
    play: Callable[[World], str]

    @property
    def version(self) -> str:
        """The version that is pinned; "" for a program of the machine."""
        if not self.lock:
            return ""
        text = (ROOT / "requirements" / self.lock).read_text(encoding="utf-8")
        if self.lock.endswith(".json"):
            return str(json.loads(text)["packages"][f"node_modules/{self.package}"]["version"])
        found = re.search(rf"^{re.escape(self.package)}==(\S+)", text, re.MULTILINE)
        assert found is not None, f"{self.package} is not pinned in {self.lock}"
        return found[1]

    @property
    def what(self) -> str:
        return " ".join(str(self.play.__doc__).split("\n\n")[0].split())


CLIENTS = (
    Client("AWS CLI", "awscli", "cli.txt", plays.aws_cli),
    Client("git, with the AWS CLI's credential helper", "awscli", "cli.txt", plays.git),
    Client("SageMaker Python SDK 2", "sagemaker", "sdk2.txt", plays.sdk2),
    Client("AWS CDK", "aws-cdk", "cdk/package-lock.json", plays.cdk),
    Client("AWS SAM CLI", "aws-sam-cli", "sam.txt", plays.sam),
    Client("taskcat", "taskcat", "taskcat.txt", plays.taskcat),
    Client("SageMaker Python SDK 3", "sagemaker", "notebooks.txt", plays.sdk3),
)


def shown(page: str) -> dict[str, str]:
    """What came of each client, as the page has it."""
    lines = page.partition(HEAD)[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[3] for row in cells}


def rows(outcomes: Mapping[str, str]) -> str:
    """The table of the page. outcomes: what came of each client, by its name."""
    return HEAD + "".join(f"| {c.name} | {c.version} | {c.what} | {outcomes[c.name]} |\n" for c in CLIENTS)
