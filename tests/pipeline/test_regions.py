# ruff: noqa: PT009, PT027  # unittest's own way
from __future__ import annotations

import unittest
from typing import Any

from pipeline.console import UserError
from pipeline.regions import check_regions, copies, copy_parameters, image_in
from pipeline.registry import Version, read_version
from pipeline.settings import Settings, Stage
from tests.support.fake_services import ACCOUNT, IMAGE, REGION, Fake, error, package, registry

IRELAND = "eu-west-1"
IMAGE_THERE = f"141502667606.dkr.ecr.{IRELAND}.amazonaws.com/sagemaker-xgboost:3.0-5"
BUCKET_THERE = f"sagemaker-multi-account-models-{ACCOUNT}-{IRELAND}"
OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/iris:1"


def settings() -> Settings:
    stage = Stage("prod", "ou-p", (), "role", (REGION, IRELAND), {})
    return Settings(
        "Iris", "p-1", "Iris", 1, "SELF", "bucket", "bundle", "key", "0.2.0-1a2b3c4d", "c", "e", REGION, (stage,)
    )


def version(image: str = "", **more: Any) -> Version:
    found = package(1, **more)
    if image:
        found["InferenceSpecification"]["Containers"][0]["Image"] = image
    return read_version(found, "2026-02-01T00:00:00Z", None)


def copy_of(number: int, status: str = "Approved", artifact: str = "model.tar.gz") -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:{IRELAND}:{ACCOUNT}:model-package/Iris/{number}"
    # as SageMaker shows it, with what it finds out itself
    container = {
        "Image": IMAGE_THERE,
        "ModelDataUrl": f"s3://{BUCKET_THERE}/iris/{artifact}",
        "ImageDigest": "sha256:0",
    }
    return package(
        number,
        status,
        ModelPackageArn=arn,
        ModelPackageDescription=f"Copy of {package(1)['ModelPackageArn']}",
        InferenceSpecification={"Containers": [container], "SupportedContentTypes": []},
    )


def source(url: str, **more: str) -> dict[str, Any]:
    return {"S3Uri": url, "S3DataType": "S3Prefix", "CompressionType": "None", **more}


KEYS = (
    "iris/adapter/w",
    "iris/constraints.json",
    "iris/model.tar.gz",
    "iris/second/a",
    "iris/second/b/c",
    "iris/second-other",
    "iris/statistics.json",
)


def beneath(**asked: Any) -> Any:
    """ListObjectsV2 of the bucket; pages of it where no number is asked for."""
    found = [{"Key": key, "ETag": '"e"'} for key in sorted(KEYS) if key.startswith(asked["Prefix"])]
    return {"Contents": found[:1]} if "MaxKeys" in asked else [{"Contents": found}]


def always(client: Fake) -> Any:
    """Clients that are all this one."""
    return lambda service, region: client


class TheCopies(unittest.TestCase):
    def copy(
        self, *there: dict[str, Any], s3: Fake | None = None, whole: Version | None = None
    ) -> tuple[dict[str, str], Fake, Fake]:
        sagemaker, bucket = registry(*there), s3 or Fake(copy=None)
        sagemaker.operations["create_model_package"] = {"ModelPackageArn": copy_of(7)["ModelPackageArn"]}
        described = sagemaker.operations["describe_model_package"]
        new = {"ModelPackageStatus": "Completed"}
        sagemaker.operations["describe_model_package"] = lambda ModelPackageName: (  # noqa: N803  # the API's name
            new if ModelPackageName.endswith("/7") else described(ModelPackageName)
        )
        clients: dict[tuple[str, str], Any] = {
            ("sagemaker", IRELAND): sagemaker,
            ("s3", IRELAND): bucket,
            ("s3", REGION): Fake(list_objects_v2=lambda **asked: beneath(**asked)),
        }
        arns = copies(lambda service, region: clients[service, region], settings(), whole or version())
        return arns, sagemaker, bucket

    def test_a_further_region_gets_artifact_image_and_package_of_its_own(self) -> None:
        arns, sagemaker, bucket = self.copy()
        self.assertEqual(arns, {REGION: package(1)["ModelPackageArn"], IRELAND: copy_of(7)["ModelPackageArn"]})
        copied = bucket.called("copy")[0]
        target = BUCKET_THERE
        self.assertEqual((copied["Bucket"], copied["Key"]), (target, "iris/model.tar.gz"))
        self.assertEqual(copied["CopySource"], {"Bucket": "models", "Key": "iris/model.tar.gz"})
        made = sagemaker.called("create_model_package")[0]
        container = made["InferenceSpecification"]["Containers"][0]
        self.assertEqual(container["ModelDataUrl"], f"s3://{target}/iris/model.tar.gz")
        self.assertEqual(container["Image"], IMAGE_THERE)
        self.assertEqual(made["ModelApprovalStatus"], "Approved")
        self.assertEqual(made["CustomerMetadataProperties"], {"source-model-package": package(1)["ModelPackageArn"]})
        self.assertEqual(sagemaker.called("put_model_package_group_policy"), [])  # sharing.py does, by stage

    def test_every_artifact_of_every_container_is_copied(self) -> None:
        adapter = {"ChannelName": "lora", "S3DataSource": source("s3://models/iris/adapter/", ETag="e")}
        second = {
            "Image": IMAGE,
            "ModelDataSource": {"S3DataSource": source("s3://models/iris/second")},
            "AdditionalModelDataSources": [adapter],
            "Environment": {"S3Uri": "s3://models/elsewhere"},
        }
        whole = version()
        whole.specification["Containers"].append(second)
        _, sagemaker, bucket = self.copy(whole=whole)
        self.assertEqual([copied["Key"] for copied in bucket.called("copy")], [
            "iris/model.tar.gz", "iris/second/a", "iris/second/b/c", "iris/adapter/w",
        ])  # fmt: skip
        made = sagemaker.called("create_model_package")[0]["InferenceSpecification"]["Containers"][1]
        self.assertEqual(made["ModelDataSource"]["S3DataSource"]["S3Uri"], f"s3://{BUCKET_THERE}/iris/second")
        self.assertEqual(
            made["AdditionalModelDataSources"][0]["S3DataSource"],
            {**source(f"s3://{BUCKET_THERE}/iris/adapter/")},
        )
        self.assertEqual(made["Environment"], {"S3Uri": "s3://models/elsewhere"})
        self.assertEqual((made["Image"], second["Image"]), (IMAGE_THERE, IMAGE))

    def test_a_baseline_is_copied_with_the_artifacts_and_the_copy_registered_with_its_own(self) -> None:
        home = f"sagemaker-multi-account-models-{ACCOUNT}-{REGION}"
        files = {
            name: {"ContentType": "application/json", "S3Uri": f"s3://{home}/iris/{name.lower()}.json"}
            for name in ("Constraints", "Statistics")
        }
        _, sagemaker, bucket = self.copy(whole=version(DriftCheckBaselines={"ModelDataQuality": files}))
        self.assertEqual(
            [(copied["CopySource"]["Bucket"], copied["Key"]) for copied in bucket.called("copy")],
            [("models", "iris/model.tar.gz"), (home, "iris/constraints.json"), (home, "iris/statistics.json")],
        )
        made = sagemaker.called("create_model_package")[0]["DriftCheckBaselines"]
        there = {name: {**file, "S3Uri": file["S3Uri"].replace(home, BUCKET_THERE)} for name, file in files.items()}
        self.assertEqual(made, {"ModelDataQuality": there})

    def test_an_artifact_that_is_missing_or_a_manifest_is_reported_before_a_package_is_registered(self) -> None:
        for place, words in (
            ({"S3DataSource": source("s3://models/gone")}, r"the artifact s3://models/gone is missing"),
            (
                {"S3DataSource": source("s3://models/iris/second", ManifestS3Uri="s3://models/m")},
                r"s3://models/m is a mani",
            ),
        ):
            whole = version()
            whole.specification["Containers"].append({"Image": IMAGE, "ModelDataSource": place})
            with self.assertRaisesRegex(UserError, words):
                self.copy(whole=whole)

    def test_a_copy_that_is_there_is_used_again(self) -> None:
        arns, sagemaker, bucket = self.copy(copy_of(4))
        self.assertEqual(arns[IRELAND], copy_of(4)["ModelPackageArn"])
        self.assertEqual(sagemaker.called("create_model_package") + bucket.called("copy"), [])

    def test_a_copy_of_what_the_version_was_before_its_specification_was_replaced_is_left_alone(self) -> None:
        arns, sagemaker, bucket = self.copy(copy_of(4, artifact="before.tar.gz"))
        self.assertEqual(arns[IRELAND], copy_of(7)["ModelPackageArn"])
        self.assertEqual(len(sagemaker.called("create_model_package") + bucket.called("copy")), 2)
        arns, *_ = self.copy(copy_of(5), copy_of(6, "Rejected", "before.tar.gz"))
        self.assertEqual(arns[IRELAND], copy_of(5)["ModelPackageArn"])

    def test_a_copy_that_somebody_rejected_is_not_deployed(self) -> None:
        with self.assertRaisesRegex(UserError, r"Iris/4, the copy of .*Iris/1, is Rejected"):
            self.copy(copy_of(4, "Rejected"))

    def test_a_bucket_that_is_missing_is_named(self) -> None:
        with self.assertRaisesRegex(
            UserError, r"cannot be copied to s3://\S+-eu-west-1 \(NoSuchBucket\).*make accounts"
        ):
            self.copy(s3=Fake(copy=error("CopyObject", "NoSuchBucket")))

    def test_a_region_that_is_not_prepared_is_named_before_anything_is_made(self) -> None:
        for answer in ("NoSuchBucket", "AccessDenied"):
            s3 = Fake(list_objects_v2=error("ListObjectsV2", answer))
            with self.assertRaisesRegex(
                UserError, rf"prod: eu-west-1 is not prepared \(\S+: {answer}\)\. Name it .* run make accounts"
            ):
                check_regions(always(s3), settings(), version())
        check_regions(always(Fake(list_objects_v2={})), settings(), version())


class TheImages(unittest.TestCase):
    def image(self, image: str, ecr: Any) -> str:
        return image_in(lambda *_: ecr, version(image), image, ACCOUNT, IRELAND)

    def test_an_image_of_the_account_is_looked_for_in_the_same_repository(self) -> None:
        ecr = Fake(describe_images={"imageDetails": [{"imageDigest": "sha256:" + "0" * 64}]})
        self.assertEqual(self.image(OWN, ecr), OWN.replace(REGION, IRELAND))
        self.assertEqual(
            ecr.called("describe_images"), [{"repositoryName": "team/iris", "imageIds": [{"imageTag": "1"}]}]
        )
        self.image(OWN.replace(":1", "@sha256:" + "0" * 64), ecr)
        self.assertEqual(ecr.called("describe_images")[1]["imageIds"], [{"imageDigest": "sha256:" + "0" * 64}])

    def test_an_image_that_is_not_replicated_is_named_with_what_to_do(self) -> None:
        advice = "what is pushed to team/iris is replicated to eu-west-1 once images.repository_prefix"
        for code in ("RepositoryNotFoundException", "ImageNotFoundException"):
            with self.assertRaisesRegex(UserError, advice):
                self.image(OWN, Fake(describe_images=error("DescribeImages", code)))

    def test_an_image_of_somebody_else_is_not_guessed(self) -> None:
        with self.assertRaisesRegex(UserError, "what it is called in eu-west-1 is not known"):
            self.image(OWN.replace(ACCOUNT, "999999999999"), Fake())


class TheParameters(unittest.TestCase):
    def test_there_are_always_three_copies_or_none_in_their_place(self) -> None:
        stage, arns = settings().stages[0], {REGION: "arn:here", IRELAND: "arn:there"}
        self.assertEqual(
            copy_parameters(stage, REGION, arns),
            {"CopyRegions": f"{IRELAND},none,none", "CopyModelPackageNames": "arn:there,none,none"},
        )


if __name__ == "__main__":
    unittest.main()
