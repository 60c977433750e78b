"""Buckets and their objects: those of the kit, those of target accounts, and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.support.who_may.policies import DATA_SCIENCE, FURTHER, MODELS, PRODUCTION, REGION, STAGING
from tests.support.who_may.thing import ARTIFACTS, BUNDLE, NAME, OTHER_NAME, SHARED, Thing


def objects() -> Iterator[Thing]:
    names = {
        "the models' bucket": f"{MODELS}-{REGION}",
        "the models' bucket in a further Region": f"{MODELS}-{FURTHER}",
        "the bundles' bucket": BUNDLE.split(":::")[1],
        "the project's bucket": ARTIFACTS.split(":::")[1],
        "another bucket of the account": "company-data",
        "another team's bucket with sagemaker in its name": "sagemaker-other-team",
        "a bucket of taskcat": "tcat-1234",
    }
    for name, bucket in names.items():
        yield Thing(name, f"arn:aws:s3:::{bucket}", DATA_SCIENCE, ("bucket",))
    objects: dict[str, tuple[str, Mapping[str, str]]] = {
        "a model": (f"{MODELS}-{REGION}/{NAME}/models/1/model.tar.gz", {}),
        "a model shared with staging": (f"{MODELS}-{REGION}/{NAME}/models/1/model.tar.gz", SHARED["staging"]),
        "a model shared with production": (f"{MODELS}-{REGION}/{NAME}/models/1/model.tar.gz", SHARED["prod"]),
        "training data": (f"{MODELS}-{REGION}/{NAME}/data/train.csv", {}),
        "data of a build on a push": (f"{MODELS}-{REGION}/{NAME}/data/on-push/train.csv", {}),
        "what a build on a push trained": (f"{MODELS}-{REGION}/{NAME}/models/on-push/1/model.tar.gz", {}),
        "a file beside the models": (f"{MODELS}-{REGION}/{NAME}/notes.txt", {}),
        "a copy of a model": (f"{MODELS}-{FURTHER}/{NAME}/models/1/model.tar.gz", {}),
        "a copy shared with staging": (f"{MODELS}-{FURTHER}/{NAME}/models/1/model.tar.gz", SHARED["staging"]),
        "a copy shared with production": (f"{MODELS}-{FURTHER}/{NAME}/models/1/model.tar.gz", SHARED["prod"]),
        "a baseline shared with staging": (f"{MODELS}-{REGION}/{NAME}/models/baselines/1/a.json", SHARED["staging"]),
        "a baseline shared with production": (f"{MODELS}-{REGION}/{NAME}/models/baselines/1/a.json", SHARED["prod"]),
        "a copy of a baseline shared with staging": (
            f"{MODELS}-{FURTHER}/{NAME}/models/baselines/1/a.json",
            SHARED["staging"],
        ),
        "the pipelines' code": (f"{BUNDLE[13:]}/bundle/1a2b/pipeline.zip", {}),
        "the endpoint template": (f"{BUNDLE[13:]}/bundle/1a2b/templates/50-endpoint.yaml", {}),
        "another published template": (f"{BUNDLE[13:]}/bundle/1a2b/templates/40-stage.yaml", {}),
        "a shown project template": (
            f"{BUNDLE[13:]}/project-templates/kit.yaml",
            {"s3:ExistingObjectTag/sagemaker:studio-visibility": "true"},
        ),
        "a withdrawn project template": (f"{BUNDLE[13:]}/project-templates/old.yaml", {}),
        "what the build hands on": (f"{ARTIFACTS[13:]}/sagemaker-iris-p-1-d/BuildOut/1", {}),
        "the commit that is deployed": (f"{ARTIFACTS[13:]}/sagemaker-iris-p-1-d/SourceOu/1", {}),
        "the kit's code in the pipeline": (f"{ARTIFACTS[13:]}/sagemaker-iris-p-1-d/KitOutpu/1", {}),
        "results of tests": (f"{ARTIFACTS[13:]}/sagemaker-iris-p-1-d/StagingTe/1", {}),
        "the input of a build on a push": (f"{ARTIFACTS[13:]}/sagemaker-iris-p-1-t/TrainingOu/1", {}),
        "the evidence": (f"{ARTIFACTS[13:]}/evidence/1.html", {}),
        "the record of approvals": (f"{ARTIFACTS[13:]}/record/approvals/1.json", {}),
        "the record of decisions": (f"{ARTIFACTS[13:]}/record/decisions/1.json", {}),
        "the record of outcomes": (f"{ARTIFACTS[13:]}/record/outcomes/1.json", {}),
        "a file of another bucket": ("company-data/salaries.csv", {}),
        "a file of another team's bucket": ("sagemaker-other-team/evidence/models/bundle/record/1", {}),
        "a file of taskcat": ("tcat-1234/template.yaml", {}),
    }
    keys_of_the_kit = (
        "sagemaker-x/BuildOut/1",
        "sagemaker-x/KitOutpu/1",
        "sagemaker-x/SourceOu/1",
        "sagemaker-x/StagingTe/1",
        "sagemaker-x/TrainingOu/1",
        "evidence/1",
        "record/approvals/1",
        "record/decisions/1",
        "record/outcomes/1",
        "bundle/1/pipeline.zip",
        "bundle/1/templates/50-endpoint.yaml",
        "project-templates/1",
        "x/data/on-push/1",
        "x/models/1",
        "x/models/baselines/1",
        "x/models/on-push/1",
    )
    objects |= {f"{key} in another bucket": (f"company-data/{key}", {}) for key in keys_of_the_kit}
    for name, (key, keys) in objects.items():
        yield Thing(name, f"arn:aws:s3:::{key}", DATA_SCIENCE, ("object",), keys)


def folder_of(kind: str) -> str:
    """Beneath the endpoint's: captured data are in a folder of each variant, those of a shadow in another."""
    return {"capture": "AllTraffic", "copies": "Shadow"}.get(kind, kind)


def in_targets() -> Iterator[Thing]:
    """The bucket of captured data and of asynchronous requests, which is each target account's own."""
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        yield Thing(f"the endpoints' bucket in {stage}", "arn:aws:s3:::captured-data", account, ("bucket",))
        for name, owner in (("the project's", NAME), ("another project's", OTHER_NAME)):
            for kind in ("requests", "answers", "failures", "capture", "copies"):
                arn = f"arn:aws:s3:::captured-data/{owner}-{stage}/{folder_of(kind)}/1"
                yield Thing(f"{kind} of {name} endpoint in {stage}", arn, account, ("object",))
        for folder in ("", "captured/"):
            arn = f"arn:aws:s3:::captured-data/{folder}reports/1"
            yield Thing(f"a monitor's report beneath {folder or 'the root'} in {stage}", arn, account, ("object",))
        for folder in ("", "captured/"):
            name = f"a report beneath {folder or 'the root'} of another bucket in {stage}"
            yield Thing(name, f"arn:aws:s3:::salaries/{folder}reports/1", account, ("object",))
        yield Thing(f"another bucket in {stage}", "arn:aws:s3:::salaries", account, ("bucket",))
        for kind in ("requests", "answers", "failures", "capture", "copies"):
            for where, key in (("", ""), (" in a folder", "asynchronous/")):
                name, arn = (
                    f"{kind}{where} in another bucket in {stage}",
                    f"arn:aws:s3:::salaries/{key}{NAME}-{stage}/{folder_of(kind)}/1",
                )
                yield Thing(name, arn, account, ("object",))
                arn = f"arn:aws:s3:::captured-data/{key}my-{NAME}-{stage}/{folder_of(kind)}/1"
                yield Thing(f"a namesake's {kind}{where} in {stage}", arn, account, ("object",))
            arn = f"arn:aws:s3:::captured-data/asynchronous/{NAME}-{stage}/{folder_of(kind)}/1"
            yield Thing(f"{kind} of the project's endpoint in a folder in {stage}", arn, account, ("object",))
