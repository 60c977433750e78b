# ruff: noqa: PT009, PT027  # unittest's own way
from __future__ import annotations

import hashlib
import json
import unittest
from typing import Any

from pipeline.accounts import Account, accounts_of
from pipeline.console import SUMMARY_LIMIT, UserError, export, shorten
from pipeline.manifest import account_parameters, digest
from pipeline.specification import sha256
from tests.support.deploy_repository import BuiltRepository, Repository
from tests.support.fake_services import (
    GROUP_ARN,
    IMAGE,
    REGION,
    STAGE_ROLE,
    Fake,
    account,
    approval,
    error,
    nothing_deployed,
    organization,
    package,
    price_list,
    registry,
    storage,
)


class TheSettings(Repository):
    def test_every_missing_variable_is_named(self) -> None:
        message = self.refused(ARTIFACT_BUCKET="", COMMIT_ID="")
        self.assertIn("ARTIFACT_BUCKET", message)
        self.assertIn("COMMIT_ID", message)

    def test_every_mistake_in_the_files_is_named(self) -> None:
        (self.folder / "staging-config.json").write_text(
            '{"Parameters": {"InstanceTyp": "x", "InitialInstanceCount": 1, "SageMakerProjectName": "y"}, "Region": []}'
        )
        (self.folder / "prod-config.json").write_text('{"Regions": ["nowhere"]')
        message = self.refused()
        self.assertIn('staging-config.json: Parameters.InstanceTyp is "', message)
        self.assertIn('Parameters.InitialInstanceCount is 1: write text, such as "1"', message)
        self.assertIn('Parameters.SageMakerProjectName is "y": the pipeline writes it itself', message)
        self.assertIn("staging-config.json: Region is a list: no such key is known", message)
        self.assertIn("prod-config.json is not JSON", message)

    def test_regions_come_from_the_file_or_else_from_the_project(self) -> None:
        (self.folder / "prod-config.json").write_text('{"Regions": ["eu-west-1", "eu-west-1"]}')
        staging, prod = self.settings().stages
        self.assertEqual(staging.regions, (REGION,))
        self.assertEqual(prod.regions, ("eu-west-1",))
        (self.folder / "prod-config.json").write_text('{"Regions": "eu-west-1"}')
        self.assertIn("write a list of Regions", self.refused())

    def test_a_stage_between_is_there_with_its_role_and_is_set_as_staging_is_without_a_file(self) -> None:
        qa = {"EXECUTION_ROLE_QA_NAME": "sagemaker-role-qa", "ORGANIZATIONAL_UNIT_QA_ID": "ou-q", "QA_REGIONS": REGION}
        (self.folder / "staging-config.json").write_text('{"Parameters": {"InstanceType": "y"}}')
        _, found, _ = self.settings(**qa).stages
        self.assertEqual((found.name, found.unit, found.file), ("qa", "ou-q", "staging-config.json"))
        self.assertEqual(found.parameters, {"InstanceType": "y"})
        (self.folder / "qa-config.json").write_text('{"Parameters": {"InstanceType": "x"}}')
        found = self.settings(**qa).stages[1]
        self.assertEqual((found.parameters, found.file), ({"InstanceType": "x"}, "qa-config.json"))
        (self.folder / "qa-config.json").write_text('{"Parameters": {"InstanceType": "z"}}')
        self.assertIn('qa-config.json: Parameters.InstanceType is "z"', self.refused(**qa))
        self.assertIn("ORGANIZATIONAL_UNIT_QA_ID", self.refused(**{**qa, "ORGANIZATIONAL_UNIT_QA_ID": ""}))

    def test_a_stage_takes_three_regions_besides_the_projects_own(self) -> None:
        four = "eu-west-1,eu-west-2,eu-north-1,us-east-1"
        self.assertEqual(len(self.settings(PROD_REGIONS=four).regions), 4)
        self.assertIn("write at most 3 Regions besides us-east-1", self.refused(PROD_REGIONS=f"{four},us-west-2"))

    def test_a_version_is_a_number(self) -> None:
        self.assertEqual(self.settings(MODEL_PACKAGE_VERSION="12").version, 12)
        self.assertIsNone(self.settings().version)
        self.assertIn("ModelPackageVersion is newest", self.refused(MODEL_PACKAGE_VERSION="newest"))

    def test_a_missing_template_is_named(self) -> None:
        (self.kit / "40-stage.yaml").unlink()
        self.assertIn("40-stage.yaml is missing", self.refused())


class TheAccounts(unittest.TestCase):
    def test_units_beneath_count_and_suspended_and_management_accounts_do_not(self) -> None:
        found = accounts_of(
            organization(
                {"ou-s": ["ou-a", "ou-b"], "ou-a": ["ou-c"]},
                {
                    "ou-s": [account("333333333333")],
                    "ou-b": [account("444444444444", "SUSPENDED"), account("999999999999")],
                    "ou-c": [account("222222222222"), account("555555555555", "PENDING_CLOSURE")],
                },
            ),
            "ou-s",
        )
        self.assertEqual([item.id for item in found], ["222222222222", "333333333333"])

    def test_an_empty_unit_is_an_error(self) -> None:
        with self.assertRaisesRegex(UserError, r"unit ou-s has no account .*1 suspended"):
            accounts_of(organization({}, {"ou-s": [account("444444444444", "SUSPENDED")]}), "ou-s")


class TheBuild(BuiltRepository):
    def test_the_version_approved_last_is_deployed_not_the_newest(self) -> None:
        known = registry(package(1), package(2), package(3, "PendingManualApproval"))
        exports = self.run_build(known, storage(approval(2, day=3), approval(1, day=9)))
        self.assertEqual(exports["DEPLOY"], "true")
        self.assertEqual(exports["MODEL_PACKAGE_VERSION"], "1")
        manifest = self.written("deployment.json")
        self.assertEqual(manifest["model_package"]["arn"], package(1)["ModelPackageArn"])
        self.assertEqual(manifest["model_package"]["approved_by"], "ann")
        self.assertEqual(manifest["model_package"]["metrics"], {"validation:merror": 0.033})
        self.assertEqual(manifest["project"], {"name": "Iris", "id": "p-1"})
        self.assertEqual(manifest["pipeline_execution_id"], "run-1")
        prod = manifest["stages"]["prod"]
        self.assertEqual([a["id"] for a in prod["accounts"]], ["222222222222", "444444444444"])
        self.assertEqual(prod["tester_role_name"], "sagemaker-role-prod-tester")
        self.assertEqual(prod["endpoint_name"], "Iris-p-1-prod")
        self.assertEqual(prod["stack_set_name"], "sagemaker-Iris-p-1-deploy-prod")

    def test_the_version_of_the_event_is_deployed_not_the_one_approved_last(self) -> None:
        recorded = storage(approval(1, day=1), approval(2, day=9))
        exports = self.run_build(registry(package(1), package(2)), recorded, MODEL_PACKAGE_VERSION="1")
        self.assertEqual(exports["MODEL_PACKAGE_VERSION"], "1")

    def test_an_unapproved_version_is_never_deployed(self) -> None:
        for status in ("PendingManualApproval", "Rejected"):
            with self.assertRaisesRegex(UserError, f"version 2 of Iris is {status}: only an approved"):
                self.run_build(registry(package(1), package(2, status)), MODEL_PACKAGE_VERSION="2")
            self.assertFalse((self.kit / "out/deployment.json").exists())

    def test_a_version_that_does_not_exist_is_named(self) -> None:
        with self.assertRaisesRegex(UserError, "Iris has no version 7"):
            self.run_build(registry(package(1)), MODEL_PACKAGE_VERSION="7")

    def test_without_an_approved_version_nothing_is_deployed_and_nothing_fails(self) -> None:
        exports = self.run_build(registry(package(1, "PendingManualApproval")))
        self.assertEqual(exports["DEPLOY"], "false")
        self.assertIn("no version of the model group Iris is approved yet", exports["REASON"])
        self.assertIsNone(self.written("deployment.json")["model_package"])
        self.assertFalse((self.kit / "out/prod-parameters.json").exists())

    def test_the_parameters_are_texts(self) -> None:
        self.run_build(registry(package(1)))
        document = self.written("prod-parameters.json")
        self.assertEqual(set(document), {"Parameters", "Tags"})
        self.assertEqual(document["Parameters"]["AccountIds"], "222222222222,444444444444")
        self.assertEqual(document["Parameters"]["InstanceType"], "x")
        self.assertEqual(document["Parameters"]["StackSetAdministrator"], "DELEGATED_ADMIN")
        self.assertTrue(all(isinstance(value, str) for value in document["Parameters"].values()))
        self.assertEqual(document["Tags"]["sagemaker:project-id"], "p-1")

    def test_what_is_handed_on_is_data_that_the_step_wrote_and_the_golden_payloads(self) -> None:
        for name in ("40-stage.yaml", "50-endpoint.yaml", "pipeline/build.py", "boto3.py", "buildspec.yml"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text("a commit's own")
        self.run_build(registry(package(1)))
        self.assertEqual(
            sorted(path.relative_to(self.kit / "out").as_posix() for path in (self.kit / "out").rglob("*")),
            [
                "before.json",
                "deployment.json",
                "golden-payloads.json",
                "live-answers.json",
                "prod-parameters.json",
                "staging-parameters.json",
            ],
        )

    def test_the_endpoint_template_is_the_published_one(self) -> None:
        (self.folder / "50-endpoint.yaml").write_text("Resources: {Administrator: {}}\n")
        self.run_build(registry(package(1)))
        template = self.written("deployment.json")["endpoint_template"]
        self.assertEqual(
            template["url"],
            f"https://sagemaker-multi-account-bundle-111111111111-us-east-1.s3.{REGION}.amazonaws.com/"
            "bundle/1a2b/templates/50-endpoint.yaml",
        )
        published = (self.kit / "50-endpoint.yaml").read_bytes()
        self.assertEqual(template["sha256"], hashlib.sha256(published).hexdigest())
        self.assertEqual(self.written("prod-parameters.json")["Parameters"]["EndpointTemplateUrl"], template["url"])

    def test_a_missing_artifact_is_named(self) -> None:
        absent = storage(approval(1, day=1), models={"KeyCount": 0})
        with self.assertRaisesRegex(
            UserError, r"version 1 of Iris: the artifact s3://models/iris/model.tar.gz is missing"
        ):
            self.run_build(registry(package(1)), absent)

    def test_a_bucket_that_may_not_be_listed_is_named(self) -> None:
        hidden = storage(approval(1, day=1), models=error("ListObjectsV2", "AccessDenied"))
        with self.assertRaisesRegex(UserError, r"let the build role and the gate role list the bucket models"):
            self.run_build(registry(package(1)), hidden)

    def test_an_image_must_be_pinned_and_in_the_region_of_the_endpoint(self) -> None:
        def recorded(specification: dict[str, Any]) -> Fake:
            return storage(approval(1, 1, specification=specification, announced=specification))

        bare = {"Containers": [{"Image": IMAGE.rsplit(":", 1)[0], "ModelDataUrl": "s3://b/k"}]}
        with self.assertRaisesRegex(UserError, "no image of Amazon ECR with a tag"):
            self.run_build(registry(package(1, InferenceSpecification=bare)), recorded(bare))
        elsewhere = {"Containers": [{"Image": IMAGE.replace(REGION, "eu-west-1"), "ModelDataUrl": "s3://b/k"}]}
        with self.assertRaisesRegex(UserError, "image is in eu-west-1, the version itself in us-east-1"):
            self.run_build(registry(package(1, InferenceSpecification=elsewhere)), recorded(elsewhere))

    def test_the_group_is_made_where_it_is_missing(self) -> None:
        sagemaker = registry()
        sagemaker.operations["describe_model_package_group"] = error("D", "ValidationException", "does not exist")
        self.run_build(sagemaker)
        tags = sagemaker.called("create_model_package_group")[0]["Tags"]
        self.assertEqual(tags[1], {"Key": "sagemaker:project-id", "Value": "p-1"})
        self.assertEqual(sagemaker.called("add_tags"), [])

    def test_the_accounts_of_staging_alone_may_use_the_version_and_no_other(self) -> None:
        sagemaker = registry(package(1), package(2))
        self.run_build(sagemaker)
        written = [json.loads(call["ResourcePolicy"]) for call in sagemaker.called("put_model_package_group_policy")]
        by_sid = {s["Sid"]: s for policy in written for s in policy["Statement"]}
        self.assertEqual(set(by_sid), {"StagingReadsGroup", "StagingUsesVersions"})  # production's with the gate
        used = by_sid["StagingUsesVersions"]["Resource"]
        self.assertEqual(
            {arn.rpartition("/")[2] for arn in used}, {self.written("deployment.json")["model_package"]["arn"][-1]}
        )
        self.assertNotIn("sagemaker:UpdateModelPackage", json.dumps(written))

    def test_a_project_without_an_approved_version_is_shared_with_nobody(self) -> None:
        sagemaker = registry(package(1, "PendingManualApproval"))
        self.run_build(sagemaker)
        self.assertEqual(sagemaker.called("put_model_package_group_policy"), [])

    def test_a_stage_whose_stack_would_be_deleted_with_its_endpoints_is_not_deployed(self) -> None:
        there = [{"Summaries": [{"Account": "333333333333", "Region": REGION}]}]
        for status, instances, way in (
            ("UPDATE_ROLLBACK_FAILED", there, "continue-update-rollback"),
            ("DELETE_FAILED", there, "delete-stack"),
            ("ROLLBACK_FAILED", there, "delete-stack"),
            ("CREATE_FAILED", there, "delete-stack"),
            ("DELETE_FAILED", [{"Summaries": []}], ""),
            ("ROLLBACK_COMPLETE", error("L", "StackSetNotFoundException"), ""),
            ("UPDATE_ROLLBACK_COMPLETE", there, ""),
        ):
            stack = {"StackStatus": status, "RoleARN": STAGE_ROLE}
            self.stacks = Fake(describe_stacks={"Stacks": [stack]}, list_stack_instances=instances)
            if not way:
                self.assertEqual(self.run_build(registry(package(1)))["DEPLOY"], "true")
                continue
            with self.assertRaisesRegex(UserError, rf"deploy-staging is {status}.* with 1 endpoint.*{way}"):
                self.run_build(registry(package(1)))
            self.assertFalse((self.kit / "out/deployment.json").exists())

    def test_what_was_found_is_written_down_and_hashed(self) -> None:
        exports = self.run_build(registry(package(1)))
        found = self.written("deployment.json")
        self.assertEqual(exports["MANIFEST_SHA256"], digest(self.kit / "out"))
        self.assertEqual(found["model_package"]["artifacts"], [{"url": "s3://models/iris/model.tar.gz", "etag": "e1"}])
        self.assertEqual(
            found["model_package"]["specification_sha256"],
            sha256(package(1)["InferenceSpecification"]),
        )
        self.assertTrue(found["approval"]["needed"])
        for name in ("prod-parameters.json", "golden-payloads.json"):
            before = digest(self.kit / "out")
            (self.kit / "out" / name).write_text("{}")
            self.assertNotEqual(digest(self.kit / "out"), before)

    def run_with(self, sagemaker: Fake, staging: int) -> dict[str, str]:
        """The build with so many accounts in the staging unit."""
        units = {"ou-s": [account(f"{n:012}") for n in range(1, staging + 1)], "ou-p": [account("222222222222")]}
        clients: dict[str, Any] = {
            "sagemaker": sagemaker,
            "s3": storage(approval(1, day=1)),
            "organizations": organization({}, units),
            "cloudformation": nothing_deployed(),
            "pricing": price_list(),
        }
        return self.build(self.settings(), clients)

    def test_a_thousand_accounts_fit_into_the_parameters_and_the_policy(self) -> None:
        sagemaker = registry(package(1))
        self.run_with(sagemaker, 1000)
        parameters = self.written("staging-parameters.json")["Parameters"]
        ids = [value for name, value in parameters.items() if "AccountIds" in name]
        self.assertEqual("".join(ids).split(","), [f"{n:012}" for n in range(1, 1001)])
        self.assertTrue(all(len(part) <= 4096 for part in ids))
        text = sagemaker.called("put_model_package_group_policy")[0]["ResourcePolicy"]
        self.assertLessEqual(len(text), 20480)
        (statement,) = json.loads(text)["Statement"]
        self.assertEqual(len(statement["Principal"]["AWS"]), 1000)
        self.assertIn("sagemaker:DescribeModelPackageGroup", statement["Action"])
        self.assertIn("sagemaker:CreateModel", statement["Action"])
        self.assertIn(GROUP_ARN, statement["Resource"])

    def test_too_many_accounts_are_refused_before_anything_is_sent(self) -> None:
        sagemaker = registry(package(1))
        with self.assertRaisesRegex(UserError, "SageMaker takes 20480"):
            self.run_with(sagemaker, 1400)
        self.assertEqual(sagemaker.called("put_model_package_group_policy"), [])

    def test_a_stage_takes_as_many_accounts_as_its_parameters_hold(self) -> None:
        stage = self.settings().stages[0]
        most = tuple(Account(f"{n:012}") for n in range(2520))
        self.assertEqual(len(account_parameters(stage, most)), 8)
        with self.assertRaisesRegex(UserError, "staging has 2521 accounts, 40-stage.yaml takes 2520"):
            account_parameters(stage, (*most, Account("999999999999")))

    def test_without_an_organization_the_listed_accounts_are_the_targets(self) -> None:
        changes = {
            "STACK_SET_ADMINISTRATOR": "SELF_MANAGED", "ORGANIZATIONAL_UNIT_STAGING_ID": "",
            "ORGANIZATIONAL_UNIT_PROD_ID": "", "STAGING_ACCOUNT_IDS": "333333333333",
            "PROD_ACCOUNT_IDS": "444444444444,222222222222",
        }  # fmt: skip
        sagemaker = registry(package(1))
        clients: dict[str, Any] = {
            "sagemaker": sagemaker,
            "s3": storage(approval(1, day=1)),
            "organizations": Fake(),  # nothing may be asked of it
            "cloudformation": nothing_deployed(),
            "pricing": price_list(),
        }
        self.build(self.settings(**changes), clients)
        parameters = self.written("prod-parameters.json")["Parameters"]
        self.assertEqual(parameters["AccountIds"], "222222222222,444444444444")
        self.assertEqual(parameters["OrganizationalUnitId"], "")
        self.assertEqual(parameters["StackSetAdministrator"], "SELF_MANAGED")
        self.assertIn("STAGING_ACCOUNT_IDS is not set", self.refused(**{**changes, "STAGING_ACCOUNT_IDS": ""}))

    def test_values_are_handed_on_as_one_line(self) -> None:
        place = self.kit / "exports.sh"
        export({"SUMMARY": "it's\n$HOME"}, place)
        self.assertEqual(place.read_text(), "export SUMMARY='it'\"'\"'s $HOME'\n")
        self.assertEqual(len(shorten("x" * 2000)), SUMMARY_LIMIT)


if __name__ == "__main__":
    unittest.main()
