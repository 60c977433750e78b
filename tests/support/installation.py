"""An installation of the kit in the embedded AWS, from a copy of the sources that a test may change."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localaws import places
from localaws.cloud import Cloud, Session
from localaws.services.codeconnections import service as provider
from scripts import package
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.names import S3_LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import hosting
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.story import Story, signed_in
from tests.support import ROOT

TESTS = "seed-code/model-build/tests"
PIPELINE_VARIABLE = "          - {Name: BUNDLE_VERSION, Value: !Ref BundleVersion}\n"


class Installation:
    """The organization, its roles, and the bundle's first version; more versions and projects as a test asks.

    to: where versions are published; owner: of the repositories at a git provider, "" for CodeCommit. The ML
    engineer sees the portfolio, as who upgrades projects must.
    training: tests of the training repository in place of the seed code's, where a push to it trains
    """

    def __init__(
        self,
        cloud: Cloud,
        folder: Path,
        patch: pytest.MonkeyPatch,
        to: str = "both",
        owner: str = "",
        training: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud, self.folder, self.to = cloud, folder, to
        self.tree = folder / "tree"
        for name in ("templates", "seed-code", "pipeline"):
            shutil.copytree(ROOT / name, self.tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.tree)
        patch.setattr(pack, "ROOT", self.tree)
        if training is not None:
            shutil.rmtree(self.tree / TESTS)
            for name, text in training.items():
                places.write(self.tree / TESTS, name, text.encode())
        self.story = Story(cloud, folder, root=self.tree, build_on_push=training is not None)
        chapters.organization(self.story)
        engineer = f"arn:aws:iam::{self.account}:role/{people.ENGINEER}"
        text = self.story.environment_path.read_text()
        text = text.replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
        source = f"source: {self.connect(owner)}\n" if owner else ""
        self.story.environment_path.write_text(f"{text}publishing: {{to: {to}}}\n{source}")
        chapters.permissions(self.story)
        self.first = self.publish()

    @property
    def account(self) -> str:
        return self.story.setting.data_science

    @property
    def engineer(self) -> Session:
        return self.story.engineer

    def connect(self, owner: str) -> str:
        """A connection to the rehearsal's git provider, as environment.yaml has it."""
        client = self.cloud.root(self.account, self.story.region).client("codeconnections")
        arn = client.create_connection(ProviderType="GitHub", ConnectionName="kit")["ConnectionArn"]
        provider.complete_handshake(self.cloud, arn)
        return json.dumps({"provider": "connection", "connection_arn": arn, "repository_owner": owner})

    def line(self, *arguments: str) -> list[str]:
        return ["--environment", str(self.story.environment_path), *arguments]

    def command(self, name: str, *arguments: str, code: int = 0, who: Session | None = None) -> tuple[str, str]:
        """What `python -m scripts.NAME` prints to stdout and stderr, typed by the ML engineer."""
        out, err = io.StringIO(), io.StringIO()
        main = importlib.import_module(f"scripts.{name}").main
        with signed_in(who or self.engineer), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = console.run(lambda: int(main(self.line(*arguments))))
        assert status == code, err.getvalue() + out.getvalue()
        assert "Traceback" not in err.getvalue()
        return out.getvalue(), err.getvalue()

    def publish(self) -> str:
        """Package and publish the tree as it is; the version's name."""
        build = self.tree / "build"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            package.main(["--root", str(self.tree)])
        out, _ = self.command("publish", "--bundle", str(build), "--json")
        return str(json.loads(out)["bundle"])

    @property
    def settings(self) -> Any:
        return importlib.import_module("scripts.kit.settings.reading").load(self.story.environment_path)

    def change(self, path: str, old: str, new: str) -> None:
        file = self.tree / path
        text = file.read_text()
        assert old in text, f"{path} does not hold {old}"
        file.write_text(text.replace(old, new, 1))

    def newer_version(self) -> str:
        """A version with another environment variable of the build, another rule and a changed seed file; its name."""
        self.change(pack.PRODUCT, PIPELINE_VARIABLE, PIPELINE_VARIABLE + "          - {Name: NEWER, Value: 'yes'}\n")
        self.change("seed-code/model-deploy/README.md", "\n", "\nRead this first.\n")
        return self.publish()

    # -- projects ------------------------------------------------------------------------------

    def project(self, name: str, **parameters: str) -> str:
        """A project from the product, made by the data scientist, with its first execution ended; its id."""
        self.story.project_name = name
        self.story.project_id = chapters.create_project(self.story, name, **parameters)
        self.first_execution()
        return self.story.project_id

    def first_execution(self) -> None:
        first = self.story.until("the first execution", lambda: next(iter(self.story.executions()), None))
        assert self.story.wait_for_execution(first["pipelineExecutionId"]) == "Succeeded"

    def hosted_project(self, name: str, version: str, **provider: Any) -> dict[str, Any]:
        """A project from the template in S3, made by the data scientist: what DescribeProject says in the end."""
        sagemaker = self.story.scientist.client("sagemaker")
        bucket = bundle_bucket(self.account, self.story.region)
        wanted = {
            "TemplateName": hosting.TEMPLATE_NAME,
            "TemplateURL": f"https://{bucket}.s3.{self.story.region}.amazonaws.com/{hosting.template_key(version)}",
            "RoleARN": f"arn:aws:iam::{self.account}:role/{S3_LAUNCH_ROLE}",
            **provider,
        }
        sagemaker.create_project(
            ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": {k: v for k, v in wanted.items() if v}}]
        )
        return self.settled(name)

    def settled(self, name: str) -> dict[str, Any]:
        """DescribeProject, once nothing goes on in the project."""
        sagemaker = self.story.scientist.client("sagemaker")

        def ended() -> dict[str, Any] | None:
            shown: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
            return None if shown["ProjectStatus"].endswith(("Pending", "InProgress")) else shown

        found: dict[str, Any] = self.story.until(f"project {name}", ended)
        return found
