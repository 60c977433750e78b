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


KEYS = {  # as 50-endpoint.yaml names the folders of a stage; captured data have one for each variant
    "requests": "asynchronous/{}/requests/1",
    "answers": "asynchronous/{}/answers/1",
    "failures": "asynchronous/{}/failures/1",
    "capture": "capture/{}/AllTraffic/1",
    "copies": "capture/{}/Shadow/1",
    "labels": "ground-truth/{}/1",
}


AMONG = {  # what starts jobs, or waits for one
    "requests": "asynchronous/{}/requests",
    "objects that arrive": "batch/{}/requests",
    "objects of the schedule": "batch/{}/scheduled",
    "payloads of the tests": "batch/{}/tests/1",
}


def data_bucket(account: str) -> str:
    return f"arn:aws:s3:::endpoint-data-{account}-{REGION}"


def in_targets() -> Iterator[Thing]:
    """The bucket of captured data and of asynchronous requests, which is each target account's own.

    A star in a policy stands for slashes too: what is within another project's folder has keys that end as ours do.
    """
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        bucket, ours = data_bucket(account), f"{NAME}-{stage}"
        yield Thing(f"the endpoints' bucket in {stage}", bucket, account, ("bucket",))
        within = f"{bucket}/batch/{OTHER_NAME}-{stage}/requests"
        yield Thing(f"another bucket in {stage}", "arn:aws:s3:::salaries", account, ("bucket",))
        objects = {
            f"a monitor's report in {stage}": f"{bucket}/reports/1",
            f"a report in a folder in {stage}": f"{bucket}/other/reports/1",
            f"a report of another bucket in {stage}": "arn:aws:s3:::salaries/reports/1",
        }
        for kind, key in KEYS.items():
            objects |= {
                f"{kind} of the project's endpoint in {stage}": f"{bucket}/{key.format(ours)}",
                f"{kind} of another project's endpoint in {stage}": f"{bucket}/{key.format(f'{OTHER_NAME}-{stage}')}",
                f"a namesake's {kind} in {stage}": f"{bucket}/{key.format(f'my-{NAME}-{stage}')}",
                f"a longer id's {kind} in {stage}": f"{bucket}/{key.format(f'{NAME}-2-{stage}')}",
                f"{kind} of the project's endpoint of QA in {stage}": f"{bucket}/{key.format(f'{NAME}-qa')}",
                f"{kind} of QA in another bucket in {stage}": f"arn:aws:s3:::salaries/{key.format(f'{NAME}-qa')}",
                f"{kind} of another stage of the project in {stage}": f"{bucket}/{key.format(f'{NAME}-trial')}",
                f"{kind} in another bucket in {stage}": f"arn:aws:s3:::salaries/{key.format(ours)}",
            }
        objects |= {
            f"{kind} within another project's folder in {stage}": f"{within}/{key.format(ours)}"
            for kind, key in KEYS.items()
            if kind != "labels"  # which are requests there
        }
        captured = f"{bucket}/capture/{OTHER_NAME}-{stage}/AllTraffic/reports/1"
        objects[f"captured data in a folder of its own in {stage}"] = captured
        objects |= {
            f"what looks like an answer, among {name}{whose} in {stage}": f"{bucket}/{key.format(theirs)}/answers/1"
            for whose, theirs in (("", f"{OTHER_NAME}-{stage}"), (" of QA", f"{OTHER_NAME}-qa"))
            for name, key in AMONG.items()
        }
        for name, arn in objects.items():
            yield Thing(name, arn, account, ("object",))
