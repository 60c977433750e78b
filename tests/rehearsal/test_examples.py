"""make rehearse ARGS="--example sklearn": from preprocess to production with scikit-learn, as a team does it."""

from __future__ import annotations

from pathlib import Path

from scripts.rehearsal import examples
from scripts.rehearsal.chapters import play, training_repository
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT

SEED = ROOT / "seed-code/model-build"


def test_the_penguins_reach_production_with_one_line_and_their_payloads(tmp_path: Path) -> None:
    with embedded_aws(tmp_path) as cloud:
        story = Story(cloud, tmp_path, example="sklearn")
        play(story, until="predictions")
        version = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=story.model_package_arn)
        assert {endpoint["stage"] for endpoint in story.endpoints} == {"staging", "prod"}
        assert [endpoint["predictions"] for endpoint in story.endpoints] == [
            [payload["expected"] for payload in examples.payloads(ROOT, "sklearn")]
        ] * 2
        container = version["InferenceSpecification"]["Containers"][0]
        assert container["Image"].split("/")[1] == "sagemaker-scikit-learn:1.9-0-cpu-py3"
        assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
        assert float(version["CustomerMetadataProperties"]["auc"]) > 0.85
        before, after = ((at / "project.toml").read_text().splitlines() for at in (SEED, training_repository(story)))
        changed = [line for line in after if line not in before]
        assert len(after) == len(before)
        assert [line.split("#")[0].strip() for line in changed] == ['model = "penguins"']
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)
