# ruff: noqa: PT009, PT027  # unittest's own way
"""What the Build step finds before anything is deployed: every artifact, and every change that SageMaker refuses."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from typing import Any

from pipeline.console import UserError
from tests.support import ROOT
from tests.support.deploy_repository import BuiltRepository
from tests.support.fake_services import (
    IMAGE,
    approval,
    deployed,
    error,
    package,
    registry,
    storage,
)


class TheRefusals(BuiltRepository):
    def test_every_artifact_and_image_of_every_container_is_looked_at_and_all_that_is_wrong_is_named(self) -> None:
        none = {"S3Uri": "s3://models/none/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        containers = [
            {"Image": IMAGE, "ModelDataUrl": "s3://models/iris/model.tar.gz"},
            {"Image": IMAGE, "ModelDataSource": {"S3DataSource": none}},
            {"Image": IMAGE.rsplit(":", 1)[0], "ModelDataUrl": "s3://models/none/model.tar.gz"},
            {"Image": IMAGE, "ModelDataUrl": "s3://elsewhere/x/model.tar.gz"},
        ]
        there = storage(approval(1, 1, specification={"Containers": containers}, announced={"Containers": containers}))
        listed = there.operations["list_objects_v2"]

        def in_buckets(Bucket: str, Prefix: str, **more: Any) -> Any:  # noqa: N803  # the API's names
            if Bucket == "elsewhere":
                return error("ListObjectsV2", "AccessDenied")
            if Prefix.startswith("none/"):
                return {} if "MaxKeys" in more else [{}]
            return listed(Bucket, Prefix, **more)

        there.operations["list_objects_v2"] = in_buckets
        with self.assertRaises(UserError) as caught:
            self.run_build(registry(package(1, InferenceSpecification={"Containers": containers})), there)
        said = str(caught.exception)
        for part in (
            "the artifact s3://models/none/ is missing",
            "the artifact s3://models/none/model.tar.gz is missing",
            "is no image of Amazon ECR with a tag or a digest",
            "s3://elsewhere/x/model.tar.gz cannot be looked for (AccessDenied): let the build role and the gate role",
        ):
            self.assertIn(part, said)
        self.assertNotIn("iris/model.tar.gz", said)

    def test_a_stack_of_a_stage_that_the_pipeline_did_not_make_is_refused(self) -> None:
        for role, named in (
            ("", "its role is none"),
            ("arn:aws:iam::1:role/Use", "its role is arn:aws:iam::1:role/Use"),
        ):
            self.stacks = deployed({"prod": "1"})
            stack = self.stacks.operations["describe_stacks"]("iris-prod")["Stacks"][0] | {"RoleARN": role}
            self.stacks.operations["describe_stacks"] = {"Stacks": [stack]}
            with self.assertRaisesRegex(UserError, f"is not the pipeline's: {named}.* delete-stack --stack-name sagem"):
                self.run_build(registry(package(1)))
            self.assertFalse((self.kit / "out/deployment.json").exists())

    def test_what_sagemaker_refuses_of_a_change_is_refused_for_both_stages_at_once(self) -> None:
        shutil.copy(ROOT / "templates/40-stage.yaml", self.kit)
        for stage in ("staging", "prod"):
            (self.folder / f"{stage}-config.json").write_text('{"Parameters": {"EndpointKind": "serverless"}}')
        self.stacks = deployed({"staging": "1", "prod": "1"}, InstanceType="ml.m5.large")
        with self.assertRaises(UserError) as caught:
            self.run_build(registry(package(1)))
        for stage in ("staging", "prod"):
            self.assertIn(f'{stage}-config.json: Parameters.EndpointKind is "serverless", and', str(caught.exception))
            self.assertIn(f"delete-stack --stack-name sagemaker-Iris-p-1-deploy-{stage}", str(caught.exception))
        for status in ("ROLLBACK_COMPLETE", "CREATE_FAILED"):  # of a stage that was never there
            self.stacks = deployed({"staging": "1", "prod": "1"}, InstanceType="ml.m5.large")
            stack = self.stacks.operations["describe_stacks"]
            self.stacks.operations["describe_stacks"] = lambda StackName, s=stack, was=status: {  # noqa: N803
                "Stacks": [{**s(StackName)["Stacks"][0], "StackStatus": was}]
            }
            self.stacks.operations["list_stack_instances"] = []
            self.assertEqual(self.run_build(registry(package(1)))["DEPLOY"], "true")

    def test_an_update_says_that_it_begins_with_the_number_that_is_pushed(self) -> None:
        shutil.copy(ROOT / "templates/40-stage.yaml", self.kit)
        scaled = {"InstanceType": "ml.m5.large", "InitialInstanceCount": "1", "MaximumInstanceCount": "4"}
        for stage in ("staging", "prod"):
            (self.folder / f"{stage}-config.json").write_text(json.dumps({"Parameters": scaled}))
        for count, kept in (("1", "true"), ("2", "false")):
            self.stacks = deployed({"staging": "2", "prod": "2"}, **{**scaled, "InitialInstanceCount": count})
            output = io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                self.run_build(registry(package(1)))
            self.assertEqual(self.written("prod-parameters.json")["Parameters"]["KeepInstanceCount"], kept)
            said = "prod: the update begins with InitialInstanceCount, 1, whatever autoscaling has come to"
            self.assertEqual(said in output.getvalue(), kept == "false")
