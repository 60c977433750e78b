"""What a change would change, against the seed code and against another checkout, as data and as a comment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from awslang.template.reader import read_yaml
from scripts import rehearse
from scripts.rehearsal.teams.changes import compare, page
from scripts.rehearsal.teams.repositories import DEPLOY, SEED, TRAINING, read
from tests.support import ROOT
from tests.support.documents import options_of

GUIDE = (ROOT / "docs/guides/rehearse-a-change.md").read_text(encoding="utf-8")
VPC = ["VpcSecurityGroupIds", "VpcSubnetIds"]
PROBE = {"name": "a new one | @team", "content_type": "text/csv", "body": "5.1,3.5,1.4,0.2", "expected": 0}


@pytest.fixture
def change(tmp_path: Path) -> Path:
    """A deploy repository with one changed setting and one more payload."""
    folder = Path(shutil.copytree(SEED[DEPLOY], tmp_path / "deploy"))
    config: dict[str, Any] = {
        "Parameters": {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": "2"},
        "Regions": ["us-east-1"],
    }
    config["gates"] = {"metrics": {"auc": {"goal": "maximize"}}}
    (folder / "prod-config.json").write_text(json.dumps(config))
    staging = json.loads((folder / "staging-config.json").read_text())
    (folder / "staging-config.json").write_text(json.dumps({**staging, "remove_after_production": True}))
    golden = folder / "tests/golden-payloads.json"
    document = json.loads(golden.read_text())
    document["payloads"][0] = PROBE
    golden.write_text(json.dumps(document))
    return folder


def test_settings_regions_cost_payloads_and_the_training_are_compared(change: Path, tmp_path: Path) -> None:
    training = Path(shutil.copytree(SEED[TRAINING], tmp_path / "training"))
    toml = training / "project.toml"
    toml.write_text(toml.read_text().replace("num_round = 20", "num_round = 30"))
    (training / "steps/ours.py").write_text("")
    regions = ("us-east-1", "eu-west-1")
    found = compare(read({DEPLOY: change, TRAINING: training}, [], "us-east-1", regions), "us-east-1", regions)
    production, staging = (found["deploy"]["stages"][name] for name in ("prod", "staging"))
    assert production["settings"] == [
        {"name": "InitialInstanceCount", "old": "1", "new": "2"},
        {"name": "InstanceType", "old": "ml.m5.large", "new": "ml.m5.xlarge"},
        {"name": "gates.metrics.auc.goal", "old": None, "new": "maximize"},
    ]
    assert production["regions"] == {"before": ["us-east-1", "eu-west-1"], "after": ["us-east-1"]}
    hourly = json.loads((ROOT / "pipeline/prices.json").read_text())["regions"]["us-east-1"]["ml.m5.xlarge"]
    cost = {"before": None, "after": round(hourly * 2 * 730, 2), "unknown": ["no price of ml.m5.large in eu-west-1"]}
    assert production["cost"] == cost
    assert staging["settings"] == [{"name": "remove_after_production", "old": None, "new": "true"}]
    assert staging["cost"]["before"] == staging["cost"]["after"]
    assert found["deploy"]["payloads"] == {"added": [PROBE["name"]], "removed": ["setosa"], "changed": []}
    assert found["training"]["settings"] == [{"name": "hyperparameters.num_round", "old": 20, "new": 30}]
    assert found["training"]["files"] == {"added": ["steps/ours.py"], "removed": [], "changed": []}


def test_the_page_is_a_comment_in_which_nothing_of_the_repository_is_markup(change: Path) -> None:
    found = compare(read({DEPLOY: change}, [], "us-east-1", ("us-east-1",)), "us-east-1", ("us-east-1",))
    text = page(found, "failed", 12.3, "DeployStaging ended Failed\n[Container] noise\n```\n@everyone")
    assert "The rehearsal **failed** after 12 s" in text
    assert "```text\nDeployStaging ended Failed\n@everyone\n```\n" in text
    assert "| `prod` | `InstanceType` | `ml.m5.large` | `ml.m5.xlarge` |" in text
    assert "new: `a new one   @team`" in text


def test_a_long_page_is_cut_so_that_it_stays_a_comment(change: Path) -> None:
    for number in range(30):
        (change / f"tests/test_{number}.py").write_text("x")
    found = compare(read({DEPLOY: change}, [], "us-east-1", ()), "us-east-1", ())
    text = page(found, "succeeded", 1, "\n".join(["x" * 500] * 100))
    assert "`tests/test_0.py`" in text
    assert " and 5 more." in text
    assert len(text) < 8_000


def test_against_itself_nothing_changes(change: Path) -> None:
    found = compare(read({DEPLOY: change}, [change], "us-east-1", ("us-east-1",)), "us-east-1", ("us-east-1",))
    text = page(found, "succeeded", 1)
    assert "No setting changes." in text
    assert "Golden payloads" not in text


def test_a_short_story_with_a_changed_setting_and_a_changed_payload(
    change: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (change / "prod-config.json").write_bytes((SEED[DEPLOY] / "prod-config.json").read_bytes())
    config: dict[str, Any] = {
        "Parameters": {"InstanceType": "ml.m5.large", "InitialInstanceCount": "1", "BakeSeconds": "240"}
    }
    config["Parameters"] |= {"DataCaptureS3Uri": "account", "VpcSubnetIds": "account", "VpcSecurityGroupIds": "account"}
    config["Parameters"] |= {"DataKmsKeyId": "alias/endpoint-data", "VolumeKmsKeyId": "alias/volumes"}
    (change / "staging-config.json").write_text(json.dumps(config))
    before = {path: path.stat().st_mtime_ns for path in change.rglob("*")}
    out = tmp_path / "out"
    line = ["--folder", str(out), "--deploy-repository", str(change), "--until", "staging", "--json"]
    assert rehearse.main(line) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["outcome"] == "stopped early"
    assert [c["name"] for c in summary["chapters"]][-1] == "production"
    changed = summary["changes"]["deploy"]["stages"]["staging"]["settings"]
    keys = ["DataKmsKeyId", "InstanceType", "VolumeKmsKeyId"]
    assert [one["name"] for one in changed] == sorted(["BakeSeconds", "DataCaptureS3Uri", *keys, *VPC])
    assert "| `staging` | `BakeSeconds` |" in (out / "changes.md").read_text()
    logs = [path.read_text() for path in (out / "builds").rglob("*.log")]
    assert any(f"ok  333333333333/us-east-1  {PROBE['name']}" in log for log in logs), "TestStaging sent the payload"
    assert {path: path.stat().st_mtime_ns for path in change.rglob("*")} == before


# -- the guide -----------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return [part.split("\n```")[0] for part in GUIDE.split(f"```{language}\n")[1:]]


def test_the_guides_workflow_and_buildspec_are_yaml_and_rehearse() -> None:
    workflow, buildspec = (read_yaml(block)[0] for block in blocks("yaml"))
    assert workflow["jobs"]["rehearse"]["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["rehearse"]["steps"]
    commands = [step["run"] for step in steps if "run" in step] + buildspec["phases"]["build"]["commands"]
    lines = [line for line in commands if "rehearse" in line]
    assert len(lines) == 2
    for line in lines:
        used = {word.strip('"').removeprefix('ARGS="') for word in line.split() if "--" in word}
        assert used <= set(options_of("scripts.rehearse")), line
    assert all("@" in step["uses"] and len(step["uses"].split("@")[1]) == 40 for step in steps if "uses" in step)
