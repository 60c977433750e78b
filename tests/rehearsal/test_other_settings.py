"""The shipped settings changed before the first deployment: another Region, both stages serverless.

The Region has no Lambda compute, so that every build runs on EC2. Then a setting that fits the kind is pushed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.kit.bundle import pack
from scripts.rehearsal import afterwards, chapters
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT

REGION = "eu-north-1"
SERVERLESS = {"EndpointKind": "serverless", "ServerlessMemorySizeInMB": "2048"}


def test_both_stages_are_serverless_in_a_region_without_lambda_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for name in ("templates", "seed-code", "pipeline"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    monkeypatch.setattr(pack, "ROOT", tree)
    for stage in ("staging", "prod"):
        (tree / f"seed-code/model-deploy/{stage}-config.json").write_text(json.dumps({"Parameters": SERVERLESS}))
    with embedded_aws(tmp_path / "aws") as cloud:
        story = Story(cloud, tmp_path, region=REGION, root=tree)
        chapters.play(story, "predictions")
        for stage, account in story.setting.targets.items():
            sagemaker = cloud.root(account, REGION).client("sagemaker")
            shown = sagemaker.describe_endpoint(EndpointName=f"{story.project_name}-{story.project_id}-{stage}")
            assert shown["ProductionVariants"][0]["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
        codebuild = cloud.root(story.setting.data_science, REGION).client("codebuild")
        made = codebuild.batch_get_projects(names=codebuild.list_projects()["projects"])["projects"]
        assert {one["environment"]["type"] for one in made} == {"LINUX_CONTAINER"}
        limits = {one["name"].rpartition("-")[2]: one["timeoutInMinutes"] for one in made}
        assert (limits["build"], limits["gate"]) == (30, 30)
        afterwards.push(story)
        shown = [one["ServerlessConfig"]["MaxConcurrency"] for one in afterwards.variants(story).values()]
        assert shown == [3, 5]
        assert len(story.executions()) == 3, "the project's, the approval's and the push's"
