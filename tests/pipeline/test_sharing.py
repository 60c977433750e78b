"""Who may use a version, by stage: the model group's policy, the tags of the artifact, and whose artifact it is."""

# ruff: noqa: PT009, PT027  # unittest's own way
from __future__ import annotations

import json
import unittest
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from pipeline import sharing
from pipeline.console import UserError
from pipeline.registry import read_version
from pipeline.settings import Settings, Stage
from tests.support.fake_services import ACCOUNT, GROUP_ARN, REGION, VERSIONS, Fake, deployed, package, registry

IRELAND = "eu-west-1"
BUCKET = f"sagemaker-multi-account-models-{ACCOUNT}-{REGION}"
ARTIFACT = f"s3://{BUCKET}/Iris-p-1/models/t/output/model.tar.gz"
LARGE = f"s3://{BUCKET}/Iris-p-1/models/large"  # a prefix: a model that is not packed
MINE = {"Sid": "Mine", "Effect": "Allow", "Principal": {"AWS": "x"}, "Action": "y", "Resource": "z"}
FORMER = {
    "Sid": "TargetAccountsReadGroup",
    "Effect": "Allow",
    "Principal": {"AWS": "x"},
    "Action": "y",
    "Resource": "z",
}


def policy_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def written(sagemaker: Fake) -> dict[str, dict[str, Any]]:
    """The statements of the policy that was put last, by Sid."""
    text = sagemaker.called("put_model_package_group_policy")[-1]["ResourcePolicy"]
    return {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}


class TheGroup(unittest.TestCase):
    def put(self, stage: str, *numbers: int, policy: str = "", accounts: int = 1) -> Fake:
        sagemaker: Any = registry(policy=policy)
        ids = [f"{number:012}" for number in range(accounts)]
        sharing.share_group(sagemaker, "Iris", stage, ids, [f"{VERSIONS}/{number}" for number in numbers])
        return sagemaker  # type: ignore[no-any-return]

    def numbers(self, sagemaker: Fake, sid: str) -> list[int]:
        arns = [arn for arn in written(sagemaker)[sid]["Resource"] if "/Iris/" in arn]
        return [int(arn.rpartition("/")[2]) for arn in arns]

    def test_a_stages_accounts_may_use_this_version_and_see_its_group(self) -> None:
        found = written(self.put("staging", 3))
        self.assertEqual(set(found), {"StagingReadsGroup", "StagingUsesVersions"})
        self.assertEqual(found["StagingReadsGroup"]["Resource"], [GROUP_ARN])
        self.assertEqual(found["StagingUsesVersions"]["Principal"]["AWS"], ["arn:aws:iam::000000000000:root"])
        # the ARN of a version may carry the group's name in lower case
        self.assertEqual(
            found["StagingUsesVersions"]["Resource"], [f"{VERSIONS.replace('Iris', 'iris')}/3", f"{VERSIONS}/3"]
        )

    def test_what_others_and_the_other_stage_wrote_stays(self) -> None:
        before = written(self.put("prod", 2))
        after = written(self.put("staging", 3, policy=policy_of(MINE, *before.values())))
        self.assertEqual(after["Mine"], MINE)
        self.assertEqual(after["ProdUsesVersions"], before["ProdUsesVersions"])

    def test_a_policy_that_says_so_already_is_not_written(self) -> None:
        for accounts in (2, 1000):
            first = written(self.put("staging", 3, accounts=accounts))
            self.assertEqual(
                self.put("staging", 3, policy=policy_of(*first.values()), accounts=accounts).called(
                    "put_model_package_group_policy"
                ),
                [],
            )
        # SageMaker may show the accounts' ids as ARNs: the policy still says the same
        (statement,) = first.values()
        statement["Principal"]["AWS"] = [f"arn:aws:iam::{n}:root" for n in statement["Principal"]["AWS"]]
        again = self.put("staging", 3, policy=policy_of(statement), accounts=1000)
        self.assertEqual(again.called("put_model_package_group_policy"), [])

    def test_the_last_five_versions_stay_usable_for_a_rollback(self) -> None:
        policy = ""
        for number in (1, 2, 3, 4, 5, 6):
            sagemaker = self.put("staging", number, policy=policy)
            policy = sagemaker.called("put_model_package_group_policy")[-1]["ResourcePolicy"]
        self.assertEqual(self.numbers(sagemaker, "StagingUsesVersions"), [2, 3, 4, 5, 6])
        live_and_new = self.put("staging", 2, 7, policy=policy)
        self.assertEqual(self.numbers(live_and_new, "StagingUsesVersions"), [4, 5, 6, 2, 7])

    def test_the_statement_for_all_stages_of_before_goes_once_production_is_shared_by_itself(self) -> None:
        staging = written(self.put("staging", 3, policy=policy_of(FORMER, MINE)))
        self.assertEqual(set(staging), {"TargetAccountsReadGroup", "Mine", "StagingReadsGroup", "StagingUsesVersions"})
        prod = written(self.put("prod", 3, policy=policy_of(*staging.values())))
        self.assertEqual(
            set(prod), {"Mine", "StagingReadsGroup", "StagingUsesVersions", "ProdReadsGroup", "ProdUsesVersions"}
        )

    def test_it_goes_at_once_where_there_is_no_room_for_both(self) -> None:
        full = {**FORMER, "Principal": {"AWS": [f"{number:012}" for number in range(800)]}}
        found = written(self.put("staging", 3, policy=policy_of(full), accounts=800))
        self.assertEqual(set(found), {"StagingUsesVersions"})

    def test_a_policy_without_room_is_refused_with_its_size(self) -> None:
        with self.assertRaisesRegex(
            UserError, "would have 2[0-9]{4} characters for 1400 accounts, SageMaker takes 20480"
        ):
            self.put("staging", 3, accounts=1400)


class TheArtifact(unittest.TestCase):
    def test_every_kind_of_artifact_is_looked_at(self) -> None:
        sources = {
            "ModelDataUrl": ARTIFACT,
            "ModelDataSource": {"S3DataSource": {"S3Uri": LARGE}},
            "AdditionalS3DataSource": {"S3Uri": f"s3://{BUCKET}/Other-p-2/models/m"},
        }
        image = package(1)["InferenceSpecification"]["Containers"][0]["Image"]
        specification = {"Containers": [{"Image": image, **sources}]}
        found = read_version(package(1, InferenceSpecification=specification), "", None)
        self.assertEqual(found.artifacts, [ARTIFACT, LARGE, f"s3://{BUCKET}/Other-p-2/models/m"])

    def place(self, url: str) -> None:
        specification = {
            "Containers": [
                {"Image": package(1)["InferenceSpecification"]["Containers"][0]["Image"], "ModelDataUrl": url}
            ]
        }
        stage = Stage("prod", "ou-p", (), "role", (REGION,), {})
        settings = Settings(
            "Iris", "p-1", "Iris", 1, "SELF", "bucket", "bundle", "key", "0.2.0-1a2b3c4d", "c", "e", REGION, (stage,)
        )
        sharing.check_place(settings, read_version(package(1, InferenceSpecification=specification), "", None))

    def test_the_projects_models_may_be_shared_and_nothing_else_of_the_bucket(self) -> None:
        for url in (
            ARTIFACT,
            f"s3://{BUCKET}/Iris-p-1/notebook/models/x/model.tar.gz",
            "s3://elsewhere/other/model.tar.gz",
        ):
            self.place(url)
        for key in (
            "Iris-p-2/models/m",
            "Iris-p-1/data/1/train/train.csv",
            "Iris-p-1/notebook/data/models/x",
            "models/m",
            "",
        ):
            with self.assertRaisesRegex(
                UserError, rf"is not among the project's models. Copy it to s3://{BUCKET}/Iris-p-1/models/"
            ):
                self.place(f"s3://{BUCKET}/{key}")

    def of_source(self, url: str, kind: str, **settings: str) -> None:
        source = {"S3DataSource": {"S3Uri": url, "S3DataType": kind, "CompressionType": "None"}}
        image = package(1)["InferenceSpecification"]["Containers"][0]["Image"]
        specification = {"Containers": [{"Image": image, "ModelDataSource": source}]}
        version = read_version(package(1, InferenceSpecification=specification), "", None)
        sharing.check_form(version, BUCKET)
        sharing.check_kinds(self.stages(settings), version)

    def stages(self, settings: dict[str, str]) -> Any:
        return SimpleNamespace(stages=(Stage("prod", "ou-p", (), "role", (REGION,), settings),))

    def test_an_inference_pipeline_runs_in_real_time_and_batch_stages_alone(self) -> None:
        one = package(1)["InferenceSpecification"]["Containers"]
        version = read_version(package(1, InferenceSpecification={"Containers": [*one, *one]}), "", None)
        for kind in ("real-time", "batch"):
            sharing.check_kinds(self.stages({"EndpointKind": kind}), version)
        for kind in ("serverless", "asynchronous"):
            wrong = f"several containers, which {kind} endpoints do not take, and prod-config.json asks for one"
            with self.assertRaisesRegex(UserError, wrong):
                sharing.check_kinds(self.stages({"EndpointKind": kind}), version)

    def test_an_artifact_without_compression_is_one_object_of_the_bucket_for_endpoints_with_instances(self) -> None:
        folder = f"s3://{BUCKET}/Iris-p-1/models/large/"
        self.of_source(f"{folder}weights.bin", "S3Object")
        self.of_source("s3://elsewhere/large/", "S3Prefix")
        with self.assertRaisesRegex(UserError, rf"{folder} is a prefix, and target accounts may not list the model bu"):
            self.of_source(folder, "S3Prefix")
        with self.assertRaisesRegex(UserError, "prod-config.json asks for one. Register it with ModelDataUrl, or"):
            self.of_source(f"{folder}weights.bin", "S3Object", EndpointKind="serverless")

    def test_a_tag_is_added_once_to_the_version_that_build_found_and_the_others_stay(self) -> None:
        other = {"Key": "cost", "Value": "team"}
        there = {"list_objects_v2": {"Contents": [{"Key": "k", "ETag": '"e"'}]}}
        s3: Any = Fake(get_object_tagging={"TagSet": [other], "VersionId": "v"}, put_object_tagging={}, **there)
        sharing.tag_object(s3, BUCKET, "k", "e", sharing.TAGS["staging"])
        (put,) = s3.called("put_object_tagging")
        tag = {"Key": "sagemaker-multi-account-staging", "Value": "true"}
        self.assertEqual(put, {"Bucket": BUCKET, "Key": "k", "VersionId": "v", "Tagging": {"TagSet": [other, tag]}})
        tagged: Any = Fake(get_object_tagging={"TagSet": [tag, other], "VersionId": "v"}, **there)
        sharing.tag_object(tagged, BUCKET, "k", "e", sharing.TAGS["staging"])

    def test_an_object_that_was_written_again_or_deleted_is_not_shared(self) -> None:
        there = {"list_objects_v2": {"Contents": [{"Key": "k", "ETag": '"another"'}]}}
        s3: Any = Fake(get_object_tagging={"TagSet": [], "VersionId": "v"}, **there)
        with self.assertRaisesRegex(UserError, "it was written again since Build found it"):
            sharing.tag_object(s3, BUCKET, "k", "e", sharing.TAGS["prod"])
        gone: Any = Fake(get_object_tagging=ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObjectTagging"))
        with self.assertRaisesRegex(UserError, r"cannot be shared \(NoSuchKey\)"):
            sharing.tag_object(gone, BUCKET, "k", "e", sharing.TAGS["prod"])


class TheStage(unittest.TestCase):
    def test_it_is_shared_in_its_own_regions_with_its_own_accounts_and_with_what_is_live(self) -> None:
        copy, there = VERSIONS.replace(REGION, IRELAND), BUCKET.replace(REGION, IRELAND)
        keys = [ARTIFACT.partition(f"{BUCKET}/")[2], "Iris-p-1/models/large.bin"]
        copied = [{"url": f"s3://{there}/{key}", "etag": "copied"} for key in keys]

        def listed(Bucket: str, Prefix: str, **_: Any) -> Any:  # noqa: N803  # the API's names
            return {"Contents": [{"Key": Prefix, "ETag": '"copied"' if Bucket == there else '"first"'}]}

        manifest = {
            "model_package": {
                "arn": f"{VERSIONS}/3", "group": "Iris", "regions": {REGION: f"{VERSIONS}/3", IRELAND: f"{copy}/9"},
                "artifacts": [
                    *({"url": f"s3://{BUCKET}/{key}", "etag": "first"} for key in keys),
                    {"url": "s3://elsewhere/second.tar.gz", "etag": "unasked"},
                ],
                "copies": {IRELAND: {"artifacts": copied}},
            },
            "stages": {
                "staging": {"accounts": [{"id": "333333333333"}], "regions": [REGION], "stack_set_name": "s-staging"},
                "prod": {"accounts": [{"id": "222222222222"}], "regions": [IRELAND], "stack_set_name": "s-prod"},
            },
        }  # fmt: skip
        lives = deployed({"prod": "2"}, CopyRegions=f"{IRELAND},none,none", CopyModelPackageNames=f"{copy}/8,none,none")
        clients: dict[tuple[str, str], Any] = {("cloudformation", REGION): lives}
        for region in (REGION, IRELAND):
            clients["sagemaker", region] = registry()
            clients["s3", region] = Fake(
                get_object_tagging={"TagSet": [], "VersionId": "v"}, put_object_tagging={}, list_objects_v2=listed
            )
        sharing.share(lambda service, region: clients[service, region], manifest, "prod")
        self.assertEqual(clients["sagemaker", REGION].calls + clients["s3", REGION].calls, [])
        found = written(clients["sagemaker", IRELAND])["ProdUsesVersions"]
        self.assertEqual(found["Principal"]["AWS"], ["arn:aws:iam::222222222222:root"])
        self.assertEqual([arn for arn in found["Resource"] if "/Iris/" in arn], [f"{copy}/8", f"{copy}/9"])
        tagged = clients["s3", IRELAND].called("put_object_tagging")
        self.assertEqual({call["Bucket"] for call in tagged}, {there})  # the copies, of both
        sharing.share(lambda service, region: clients[service, region], manifest, "staging")
        calls = clients["s3", REGION].called("put_object_tagging")  # another bucket decides for itself
        self.assertEqual([(call["Bucket"], call["Key"]) for call in calls], [(BUCKET, key) for key in keys])
        for call in calls:
            self.assertEqual(call["Tagging"]["TagSet"], [{"Key": "sagemaker-multi-account-staging", "Value": "true"}])

    def test_the_stages_before_production_share_as_staging_whatever_each_serves(self) -> None:
        place = {"regions": [REGION], "stack_set_name": "s"}
        manifest = {
            "model_package": {
                "arn": f"{VERSIONS}/3",
                "group": "Iris",
                "regions": {REGION: f"{VERSIONS}/3"},
                "artifacts": [],
            },
            "stages": {
                stage: {**place, "accounts": [{"id": id}], "stack_set_name": f"s-{stage}"}
                for stage, id in (("staging", "333333333333"), ("qa", "666666666666"), ("prod", "222222222222"))
            },
        }
        clients: dict[str, Any] = {"cloudformation": deployed({"staging": "2", "qa": "1"}), "sagemaker": registry()}
        sharing.share(lambda service, _: clients[service], manifest, "staging")
        found = written(clients["sagemaker"])
        self.assertEqual(found.keys(), {"StagingReadsGroup", "StagingUsesVersions"})
        roots = [f"arn:aws:iam::{id}:root" for id in ("333333333333", "666666666666")]
        self.assertEqual(found["StagingUsesVersions"]["Principal"]["AWS"], roots)
        shared = [arn.rsplit("/", 1)[1] for arn in found["StagingUsesVersions"]["Resource"] if "/Iris/" in arn]
        self.assertEqual(shared, ["2", "1", "3"])


if __name__ == "__main__":
    unittest.main()
