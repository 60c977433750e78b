"""A team's folders before a rehearsal of them: what is wrong is said with its place, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import rehearse
from scripts.kit.console import UsageError
from scripts.rehearsal.teams.repositories import DEPLOY, SEED, TRAINING, Repositories, files_of, read

Edit = Callable[[Path], object]


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEED[DEPLOY], tmp_path / "deploy"))


@pytest.fixture
def training(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEED[TRAINING], tmp_path / "training"))


def read_one(option: str, folder: Path) -> Repositories:
    return read({option: folder}, [], "us-east-1", ())


def set_config(folder: Path, stage: str, regions: list[str] | None = None, **parameters: object) -> None:
    file = folder / f"{stage}-config.json"
    config = json.loads(file.read_text())
    config["Parameters"] |= parameters
    file.write_text(json.dumps({**config, **({"Regions": regions} if regions else {})}))


def replace(file: str, old: str, new: str) -> Edit:
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new))


def test_the_seed_code_has_nothing_wrong_and_is_read_as_it_is(deploy: Path, training: Path) -> None:
    found = read({DEPLOY: deploy, TRAINING: training}, [SEED[DEPLOY]], "us-east-1", ())
    assert found.stages["staging"].parameters["InstanceType"] == "ml.t2.medium"
    assert found.model == "iris"
    assert found.base == {DEPLOY: SEED[DEPLOY], TRAINING: SEED[TRAINING]}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda f: (f / "staging-config.json").unlink(), "staging-config.json is missing: name the folder that holds"),
        (lambda f: (f / "prod-config.json").unlink(), "prod-config.json is missing from the repository"),
        (
            lambda f: set_config(f, "prod", InitialInstanceCount=2),
            "prod-config.json: Parameters.InitialInstanceCount is 2: write text",
        ),
        (
            lambda f: set_config(f, "prod", ["eu-west-1"]),
            "not prepared for eu-west-1: add --regions eu-west-1,us-east-1",
        ),
        (
            lambda f: set_config(f, "staging", DataCaptureS3Uri="s3://ours/capture"),
            'DataCaptureS3Uri: the rehearsal has what "account"',
        ),
        (
            lambda f: set_config(f, "prod", EndpointKind="batch", BatchBucket="account"),
            "prod-config.json: Parameters.EndpointKind: the rehearsal of a repository asks endpoints",
        ),
        (replace("tests/golden-payloads.json", "text/csv", ""), "tests/golden-payloads.json: payloads[0].content_type"),
        (
            lambda f: (f / "model.bin").write_bytes(bytes(6 * 1024 * 1024 + 1)),
            "model.bin has more than 6,291,456 bytes",
        ),
        (shutil.rmtree, "there is no such folder"),
    ],
)
def test_what_is_wrong_with_a_deploy_repository_is_said_with_its_place(deploy: Path, edit: Edit, said: str) -> None:
    edit(deploy)
    with pytest.raises(UsageError) as raised:
        read_one(DEPLOY, deploy)
    assert str(raised.value).startswith(f"{DEPLOY} {deploy}: ")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda f: (f / "approve.py").unlink(), "approve.py is missing"),
        (replace("project.toml", 'model = "iris"', 'model = "ours"'), "model is 'ours', and there is no such table"),
        (replace("project.toml", "[iris]", "[iris"), "project.toml cannot be read: "),
        (lambda f: (f / "data/iris.csv").unlink(), "[iris]: data is 'data/iris.csv', and there is no such file"),
    ],
)
def test_what_is_wrong_with_a_training_repository_is_said_with_its_place(training: Path, edit: Edit, said: str) -> None:
    edit(training)
    with pytest.raises(UsageError) as raised:
        read_one(TRAINING, training)
    assert said in str(raised.value)


def test_a_model_of_ones_own_needs_payloads_of_ones_own(deploy: Path, training: Path) -> None:
    replace("project.toml", '"iris"  #', '"ours"  #')(training)
    replace("project.toml", "[iris", "[ours")(training)
    with pytest.raises(UsageError, match="trains ours, and the seed's golden payloads are for iris and penguins"):
        read_one(TRAINING, training)
    with pytest.raises(
        UsageError, match=r"golden-payloads\.json holds the payloads of the model iris, and version 1 is one"
    ):
        read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ())
    replace("tests/golden-payloads.json", '"iris"', '"ours"')(deploy)
    assert read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ()).model == "ours"


def test_requests_of_another_shape_than_the_data_are_refused(deploy: Path, training: Path) -> None:
    """XGBoost would answer a row that lacks values: with the answer to another row."""
    replace("tests/golden-payloads.json", "5.1,3.5,1.4,0.2", "5.1,3.5")(deploy)
    with pytest.raises(
        UsageError, match=r"setosa: a row of the body has 2 values, and the model learns from 4 columns: write one"
    ):
        read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ())
    replace("project.toml", 'framework = "xgboost"', 'framework = "container"')(training)
    read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ())


def test_a_team_that_answers_with_code_of_its_own_decides_the_shape_of_a_request(deploy: Path, training: Path) -> None:
    replace("project.toml", 'model = "iris"', 'model = "penguins"')(training)
    replace("tests/golden-payloads.json", '"iris"', '"penguins"')(deploy)
    with pytest.raises(UsageError, match=r"a row of the body has 4 values, and the model learns from 6 columns"):
        read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ())
    replace("steps/inference.py", "DIGITS = 4", "DIGITS = 3")(training)
    read({DEPLOY: deploy, TRAINING: training}, [], "us-east-1", ())


def test_only_files_of_the_checkout_go_in(deploy: Path, tmp_path: Path) -> None:
    before = files_of(deploy)
    (tmp_path / "secret").write_text("elsewhere")
    (deploy / "link").symlink_to(tmp_path / "secret")
    (deploy / "folder").symlink_to(tmp_path)
    for name in (".git", ".venv", "tests/__pycache__"):
        (deploy / name).mkdir()
        (deploy / name / "file").write_text("x")
    assert files_of(deploy) == before
    read_one(DEPLOY, deploy)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "."], "--base compares what"),
        (["--training-repository", ".", "--example", "sklearn"], "--example: project.toml of the training repository"),
        (["--deploy-repository", ".", "--until", "push"], "a team's story ends with production"),
        (["--deploy-repository", ".", "--template", "t.yaml"], "--template plays no story"),
        (["--deploy-repository", str(SEED[DEPLOY]), "--base", "tests"], "name one checkout, with staging-config.json"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_starts(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        rehearse.main(["--folder", str(tmp_path / "out"), *arguments])
    assert not (tmp_path / "out").exists()
