"""docs/guides/bring-your-own-model.md: each way that can be rehearsed, from the page's own lines.

One embedded AWS with one organization; each model has a project of its own in it.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from pipeline.payloads import check_fits, read_golden
from scripts.rehearsal import afterwards, chapters, deploying, examples, images_file
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams import prepare
from scripts.rehearsal.teams.repositories import DEPLOY, SEED, TRAINING, Repositories, read
from tests.support import ROOT
from tests.support.played import check_played, holders_of
from tests.support.story_steps import follow, push, set_status

PAGE = (ROOT / "docs/guides/bring-your-own-model.md").read_text(encoding="utf-8")
C6I = "ml.c6i.large"
VPC = dict.fromkeys(
    ("VpcSubnetIds", "VpcSecurityGroupIds"), "account"
)  # without internet: scripts/rehearsal/network.py
BUILT_IN, SCRIPT, OWN = "A built-in algorithm", "Script mode", "A container of your own"


def blocks(heading: str, language: str) -> list[str]:
    """What the page shows in a language below a heading."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        text for kind, text in re.findall(r"^```(\w*)\n(.*?)^```$", part, re.DOTALL | re.MULTILINE) if kind == language
    ]


def write_diabetes(file: Path) -> None:
    """The data set of scikit-learn, which no example uses."""
    package = importlib.util.find_spec("sklearn")  # its import alone takes seconds
    assert package
    assert package.origin
    found = [
        gzip.decompress((Path(package.origin).parent / f"datasets/data/diabetes_{name}.csv.gz").read_bytes()).decode()
        for name in ("data_raw", "target")
    ]
    values, labels = ([line.split() for line in text.splitlines()] for text in found)
    rows = [",".join([*row, *label]) for row, label in zip(values, labels, strict=True)]
    file.write_text("\n".join(["age,sex,bmi,bp,s1,s2,s3,s4,s5,s6,progression", *rows]) + "\n")


def training(folder: Path, heading: str) -> Path:
    """A checkout of the training repository with the page's project.toml."""
    made = Path(shutil.copytree(SEED[TRAINING], folder, ignore=shutil.ignore_patterns("__pycache__", "build")))
    write_diabetes(made / "data/diabetes.csv")
    (made / "project.toml").write_text(blocks(heading, "toml")[0])
    return made


def edited(folder: Path, option: str) -> list[str]:
    """The files of a repository that are not as the project began with them, by their paths."""
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = [path.relative_to(folder).as_posix() for path in files]
    seed = SEED[option]
    return sorted(n for n in names if not (seed / n).is_file() or (seed / n).read_bytes() != (folder / n).read_bytes())


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("models")) as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


@pytest.fixture(scope="module")
def own_container(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story of `make rehearse` with the page's image and both repositories, up to production, in VPCs."""
    folder = tmp_path_factory.mktemp("container")
    deploy = Path(shutil.copytree(SEED[DEPLOY], folder / "deploy"))
    (deploy / "tests/golden-payloads.json").write_text(blocks(OWN, "json")[0])
    train = training(folder / "training", OWN)
    assert edited(train, TRAINING) == ["data/diabetes.csv", "project.toml"]
    assert edited(deploy, DEPLOY) == ["tests/golden-payloads.json"]
    for stage in ("staging", "prod"):  # no chapter asserts the shipped settings
        (deploy / f"{stage}-config.json").write_text(json.dumps({"Parameters": {"InstanceType": C6I, **VPC}}))
    (folder / "container").mkdir()
    (folder / "container/main.py").write_text(blocks(OWN, "python")[0])
    (folder / "rehearsal-images.yaml").write_text(blocks(OWN, "yaml")[0])
    cloud.stand_ins = images_file.read(folder / "rehearsal-images.yaml")
    story = Story(cloud, folder)
    story.repositories = read({DEPLOY: deploy, TRAINING: train}, [], story.region, ())
    chapters.play(story, until="production")
    return story


def version_of(story: Story) -> Any:
    return story.scientist.client("sagemaker").describe_model_package(ModelPackageName=story.model_package_arn)


def test_an_own_container_with_an_own_server_goes_from_its_data_to_production(
    own_container: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, version = own_container, version_of(own_container)
    (container,) = version["InferenceSpecification"]["Containers"]
    assert container["Image"] == f"{story.setting.data_science}.dkr.ecr.us-east-1.amazonaws.com/team/neighbours:1"
    assert container["Environment"] == {"DIGITS": "2"}
    assert 40 < float(version["CustomerMetadataProperties"]["validation:rmse"]) < 80
    (payload,) = json.loads(blocks(OWN, "json")[0])["payloads"]
    account = story.setting.targets["prod"]
    asked = deploying.ask_endpoint(story, "prod", account, [payload])
    assert (asked["status"], asked["model_package_arn"]) == ("InService", story.model_package_arn)
    assert float(asked["predictions"][0]) == payload["expected"]
    assert {variant["InstanceType"] for variant in afterwards.variants(story).values()} == {C6I}
    monkeypatch.setattr(examples, "payloads", lambda root, example: [payload])  # the chapter, with the team's payloads
    deploying.predictions(story)
    assert {one["stage"]: one["status"] for one in story.endpoints} == {"staging": "InService", "prod": "InService"}


def test_an_image_of_a_shared_accounts_registry_is_pulled_by_its_digest_into_vpcs(own_container: Story) -> None:
    """By a version that names it so, in both stages, whose models reach no other host than Amazon S3."""
    story, shared = own_container, own_container.setting.management
    ecr = story.cloud.root(shared, story.region).client("ecr")
    digest = prepare.put_image(ecr, "team/neighbours", "shared", prepare.pull_policy(story))
    image = f"{shared}.dkr.ecr.us-east-1.amazonaws.com/team/neighbours@{digest}"
    first = version_of(story)
    specification = first["InferenceSpecification"]
    [container] = specification["Containers"]
    container = {name: container[name] for name in ("Environment", "ModelDataUrl")}
    made = story.scientist.client("sagemaker").create_model_package(
        ModelPackageGroupName=story.project_name,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties=first["CustomerMetadataProperties"],
        InferenceSpecification={**specification, "Containers": [{**container, "Image": image}]},
    )["ModelPackageArn"]
    assert follow(story, set_status(story, 2, "Approved")) == "Succeeded", story.diagnosis()
    for stage, account in story.setting.targets.items():
        sagemaker = story.cloud.root(account, story.region).client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=f"{story.project_name}-{story.project_id}-{stage}")
        [variant] = endpoint["ProductionVariants"]
        assert [one["ResolvedImage"] for one in variant["DeployedImages"]] == [image]
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        assert (model["PrimaryContainer"]["ModelPackageName"], len(model["VpcConfig"]["Subnets"])) == (made, 2)


def test_the_policy_of_the_page_is_the_one_that_the_rehearsals_registry_has(own_container: Story) -> None:
    ecr = own_container.cloud.root(own_container.setting.data_science, "us-east-1").client("ecr")
    there = json.loads(ecr.get_repository_policy(repositoryName="team/neighbours")["policyText"])["Statement"]
    shown = json.loads(blocks(OWN, "json")[1])["Statement"]
    for one in (*there, *shown):
        one["Principal"]["AWS"] = sorted(one["Principal"]["AWS"])
    assert shown == there


def test_a_regression_on_other_data_goes_to_production_with_three_edited_files(
    own_container: Story, tmp_path: Path
) -> None:
    """project.toml, the data and the payloads that the training recorded; no line of code."""
    story = Story(own_container.cloud, tmp_path, project_name="diabetes")
    story.setting = own_container.setting
    folder = training(tmp_path / "training", BUILT_IN)
    story.repositories = Repositories(folders={TRAINING: folder}, model="diabetes")
    chapters.play(story, until="training", names=["project", "training"])
    version = version_of(story)
    kept = version["CustomerMetadataProperties"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", kept["data-hash"])
    assert kept["training-job"].startswith("pipelines-")
    place = version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].removeprefix("s3://")
    bucket, _, key = place.partition("/")
    s3 = story.cloud.root(story.setting.data_science, story.region).client("s3")

    def written(name: str) -> str:
        body: bytes = s3.get_object(Bucket=bucket, Key=key.replace("evaluation.json", name))["Body"].read()
        return body.decode()

    assert json.loads(written("evaluation.json"))["regression_metrics"]["rmse"]["value"] == float(kept["rmse"])
    assert "<svg" in written("report.html")
    recorded = written("golden-payloads.json")
    (tmp_path / "golden.json").write_text(recorded)
    written_for = read_golden(tmp_path / "golden.json")
    check_fits(written_for, 1, kept["model"])
    assert [isinstance(one.expected, float) for one in written_for.payloads] == [True] * 6
    assert story.wait_for_execution(str(push(story, str(examples.GOLDEN), recorded))) == "Succeeded"
    assert edited(folder, TRAINING) == ["data/diabetes.csv", "project.toml"]
    assert follow(story, set_status(story, 1, "Approved")) == "Succeeded", story.diagnosis()
    asked = deploying.ask_endpoint(story, "prod", story.setting.targets["prod"], json.loads(recorded)["payloads"])
    assert [float(one) for one in asked["predictions"]] == pytest.approx(
        [payload["expected"] for payload in json.loads(recorded)["payloads"]], rel=0.001
    )


def test_the_penguins_reach_production_with_one_line_and_their_payloads(own_container: Story, tmp_path: Path) -> None:
    """What `make rehearse ARGS="--example sklearn"` plays, from preprocess to production with scikit-learn."""
    story = Story(own_container.cloud, tmp_path, project_name="penguins", example="sklearn")
    story.setting = own_container.setting
    chapters.play(story, until="predictions", names=list(chapters.OF_A_PROJECT)[:7])
    version = version_of(story)
    assert {endpoint["stage"] for endpoint in story.endpoints} == {"staging", "prod"}
    assert [endpoint["predictions"] for endpoint in story.endpoints] == [
        [payload["expected"] for payload in examples.payloads(ROOT, "sklearn")]
    ] * 2
    container = version["InferenceSpecification"]["Containers"][0]
    assert container["Image"].split("/")[1] == "sagemaker-scikit-learn:1.9-0-cpu-py3"
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert float(version["CustomerMetadataProperties"]["auc"]) > 0.85
    checkouts = SEED[TRAINING], chapters.training_repository(story)
    before, after = ((at / "project.toml").read_text().splitlines() for at in checkouts)
    changed = [line for line in after if line not in before]
    assert len(after) == len(before)
    assert [line.split("#")[0].strip() for line in changed] == ['model = "penguins"']


IN_TURN = """
import runpy, sys
names, sys.argv[1:] = sys.argv[1:], ["--local"]
for name in names:
    try:
        runpy.run_module(name, run_name="__main__")
    except SystemExit as end:
        assert not end.code, name
"""
MISTAKES = [  # in the order of the page's table: a file of the repository, what it holds, what it is to hold instead
    ("project.toml", 'label = "progression"', 'label = "progresion"'),
    ("project.toml", "data/diabetes.csv", "data/diabets.csv"),
    ("data/diabetes.csv", ",32.1,", ",32.1 kg,"),
    ("data/diabetes.csv", "\n59,2,", "\n59,"),
    ("data/diabetes.csv", ",1.510000000000000000e+02\n", ",\n"),
    ("data/diabetes.csv", ",1.510000000000000000e+02\n", ",high\n"),
    ("project.toml", "rmse =", "accuracy ="),
    ("project.toml", "n_estimators", "n_trees"),
    ("project.toml", "n_estimators = 50", "n_estimators = 0"),
    ("project.toml", "minimize", "maximize"),
    ("project.toml", "bound = 70", "bound = -70"),
    ("project.toml", "[forest.hyper", 'training_instance = "ml.m5.tiny"\n[forest.hyper'),
    ("project.toml", "[forest.hyper", 'training_instance = "ml.g5.xlarge"\n[forest.hyper'),
    ("project.toml", "[forest.hyper", "serving_instances = []\n[forest.hyper"),
    ("project.toml", "[forest.hyper", 'positive = "high"\n[forest.hyper'),
    ("project.toml", "data/diabetes.csv", "../diabetes.csv"),
    ("project.toml", "categories", "categorys"),
    ("steps/train.py", "def labels(", "match 1:\n    case 1:\n        pass\n\n\ndef labels("),
    ("project.toml", '"sklearn"', '"container"\npipeline = "short"\nimage = "team/forest"'),
]


def test_each_mistake_of_the_page_is_refused_with_its_place_and_cure(tmp_path: Path) -> None:
    folder = training(tmp_path / "training", SCRIPT)
    sys.path.insert(0, str(SEED[TRAINING]))  # it is no package
    try:
        checks, project, common = (importlib.import_module(name) for name in ("checks", "project", "steps.common"))
    finally:
        sys.path.remove(str(SEED[TRAINING]))
    rows = re.findall(
        r"^\| [^|`]+ \| `(.+)` \|$", PAGE.split("## Mistakes that cost nothing")[1].split("\n## ")[0], re.MULTILINE
    )
    assert len(rows) == len(MISTAKES)
    kinds = {kind: ["ml.m5.large", "ml.m5.xlarge", "ml.t3.medium"] for kind in ("training", "processing", "serving")}
    for (file, old, new), said in zip(MISTAKES, rows, strict=True):
        before = (folder / file).read_text()
        assert old in before
        (folder / file).write_text(before.replace(old, new, 1))
        with pytest.raises(common.UserError) as refused:
            checks.check(project.read(folder), "us-east-1", kinds)
        (folder / file).write_text(before)
        pattern = ".*".join(map(re.escape, said.split("…")))
        assert any(re.fullmatch(pattern, line) for line in str(refused.value).splitlines()), (said, str(refused.value))


def test_the_lines_of_script_mode_train_and_evaluate_on_this_machine(tmp_path: Path) -> None:
    folder = training(tmp_path / "training", SCRIPT)
    (line,) = blocks(SCRIPT, "")
    commands = [command.split() for command in line.split(" && ")]
    assert [(words[:2], words[3:]) for words in commands] == [(["python", "-m"], ["--local"])] * 3
    names = [words[2] for words in commands]
    done = subprocess.run(  # one Python for the three: importing scikit-learn takes longer than all else
        [sys.executable, "-c", IN_TURN, *names], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "build/local/evaluation/evaluation.json").read_text())["regression_metrics"]
    assert found["rmse"]["value"] < 70


def test_what_rests_on_this_story_is_used_in_it(own_container: Story) -> None:
    check_played(holders_of(own_container.cloud), __file__)
