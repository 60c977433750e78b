"""Everything that the gate before production looks at, as plain data that a test changes: production serves version 1,
and version 2 was built, shown on a card, and approved."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import shadow
from pipeline.build import build
from pipeline.gate import decide, make_card
from pipeline.gating import Gate
from pipeline.payloads import GOLDEN, read_golden
from pipeline.report import Result, write_results
from pipeline.settings import read_settings
from pipeline.shadow_gate import admit, let_go, ran
from tests.support.deploy_repository import ENVIRONMENT
from tests.support.fake_services import (
    MODEL,
    REGION,
    Fake,
    account,
    approval,
    deployed,
    error,
    organization,
    package,
    price_list,
    registry,
)

BUCKET = "sagemaker-project-p-1"
ANN = {"UserProfileName": "ann", "IamIdentity": {"Arn": "arn:aws:sts::111111111111:assumed-role/Studio/SageMaker"}}
BOB = "arn:aws:sts::111111111111:assumed-role/Approver/bob"
TEMPLATE = """\
Parameters:
  ModelPackageName:
    Type: String
  InstanceType:
    Type: String
    AllowedValues: [x, y]
  InitialInstanceCount:
    Type: Number
    Default: 1

Resources:
  Endpoints: {}
"""
STARTED = datetime(2026, 11, 30, 9, tzinfo=UTC)


class Bucket:
    """The project's bucket and that of the models: what S3's client does with them."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.models: Any = MODEL

    def client(self) -> Any:
        return Fake(put_object=self.put, get_object=self.get, list_objects_v2=self.listed)

    def put(self, Key: str, Body: bytes, IfNoneMatch: str = "", **_: Any) -> Any:  # noqa: N803  # the API's names
        if IfNoneMatch and Key in self.held:
            return error("PutObject", "PreconditionFailed")
        self.held[Key] = Body
        return {}

    def get(self, Key: str, **_: Any) -> Any:  # noqa: N803  # the API's name
        if Key not in self.held:
            return error("GetObject", "NoSuchKey")
        return {"Body": io.BytesIO(self.held[Key]), "ContentLength": len(self.held[Key])}

    def listed(self, Bucket: str, Prefix: str, MaxKeys: int = 0, **_: Any) -> Any:  # noqa: N803  # the API's names
        if not Bucket.startswith("sagemaker-project-"):
            return self.models if MaxKeys else [self.models]
        return [{"Contents": [{"Key": key, "LastModified": STARTED}]} for key in self.held if key.startswith(Prefix)]

    def documents(self, prefix: str) -> list[dict[str, Any]]:
        return [json.loads(body) for key, body in self.held.items() if key.startswith(prefix)]

    def note(self, key: str, document: dict[str, Any]) -> None:
        self.held[key] = json.dumps(document).encode()


class World:
    """actions: of the execution, as ListActionExecutions shows them; shown: the execution; now: production's stack."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bucket = folder, Bucket()
        self.repository, self.kit = folder / "repository", folder / "kit"
        self.first, self.version = package(1), package(2)
        self.live = "1"
        self.places: list[str] = ["222222222222"]
        self.status, self.parameters = "UPDATE_COMPLETE", {"InstanceType": "x"}
        self.actions: list[dict[str, Any]] = []
        self.shown: dict[str, Any] = {"variables": [{"name": "ModelPackageVersion", "resolvedValue": "2"}]}
        self.busy: list[str] = []  # the executions that are in DeployProd, one after the other
        self.shadow_of = ""  # the execution that is in DeployShadow
        self.four_eyes = False
        self.production_alone = False  # as the template says of the project
        self.shared: list[dict[str, Any]] = []  # the group's policies that the last decision put
        self.built: dict[str, str] = {}
        self.builds = 0
        self.codecommit = Fake()
        self.approved(approval(1, day=1, by=ANN), approval(2, day=2, by=ANN))

    def approved(self, *documents: dict[str, Any]) -> None:
        for one in documents:
            key = f"record/approvals/{one['at'].replace(':', '-')}-{one['version']}-{one['status']}.json"
            self.bucket.note(key, one)

    def clients(self, service: str, region: str) -> Any:
        versions = [self.first, self.version] if self.version else [self.first]
        there = deployed({"staging": self.live, "prod": self.live}, **self.parameters)
        found = {
            "s3": self.bucket.client(),
            "sagemaker": registry(*versions),
            "cloudformation": there,
            "pricing": price_list(),
            "codecommit": self.codecommit,
            "organizations": organization({}, {"ou-s": [account("333333333333")], "ou-p": [account("222222222222")]}),
            "codepipeline": Fake(
                get_pipeline_execution=lambda **_: {"pipelineExecution": self.shown},
                list_action_executions=lambda **_: [{"actionExecutionDetails": self.actions}],
                get_pipeline_state=lambda **_: {"stageStates": [self.stage_state(), self.shadow_state()]},
            ),
        }[service]
        if service == "cloudformation":
            self.arrange(found)
        elif service == "sagemaker":
            found.operations["put_model_package_group_policy"] = self.put_policy
        return found

    def put_policy(self, **asked: Any) -> dict[str, Any]:
        self.shared.append(asked)
        return {}

    def arrange(self, there: Fake) -> None:
        """The stack's state, and production's places."""
        stack, instances = there.operations["describe_stacks"], there.operations["list_stack_instances"]

        def described(StackName: str) -> Any:  # noqa: N803  # the API's name
            answer = stack(StackName)
            if not isinstance(answer, Exception) and StackName.endswith("-prod"):
                answer["Stacks"][0]["StackStatus"] = self.status
            return answer

        def listed(StackSetName: str, **_: Any) -> Any:  # noqa: N803  # the API's name
            if StackSetName.endswith("-prod"):
                return [{"Summaries": [{"Account": one, "Region": REGION} for one in self.places]}]
            return instances(StackSetName)

        there.operations |= {"describe_stacks": described, "list_stack_instances": listed}

    def stage_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"stageName": "DeployProd"}
        if self.busy:
            state["latestExecution"] = {"pipelineExecutionId": self.busy.pop(0), "status": "InProgress"}
        return state

    def shadow_state(self) -> dict[str, Any]:
        latest = {"pipelineExecutionId": self.shadow_of, "status": "InProgress"}
        return {"stageName": "DeployShadow", **({"latestExecution": latest} if self.shadow_of else {})}

    # -- the steps -----------------------------------------------------------------------------

    def build(self, **environment: str) -> dict[str, str]:
        """The Build step; what it exports."""
        (self.repository / "tests").mkdir(parents=True, exist_ok=True)
        self.kit.mkdir(exist_ok=True)
        names = ("StageName", "SageMakerProjectName")
        written = "".join(f"  {name}:\n    Type: String\n" for name in names)
        (self.kit / "40-stage.yaml").write_text(TEMPLATE.replace("Parameters:\n", f"Parameters:\n{written}"))
        (self.kit / "50-endpoint.yaml").write_text("Resources: {}\n")
        (self.repository / "tests/golden-payloads.json").write_text(
            '{"payloads": [{"name": "n", "content_type": "text/csv", "body": "1", "expected": 0}]}'
        )
        for stage in ("staging", "prod"):
            file = self.repository / f"{stage}-config.json"
            if not file.exists():
                file.write_text('{"Parameters": {"InstanceType": "x"}}')
        given = {**ENVIRONMENT, "MODEL_PACKAGE_VERSION": "2", **environment}
        if self.production_alone:
            given = {name: value for name, value in given.items() if "STAGING" not in name}
            given |= {"PRODUCTION_ALONE": "true"}
        settings = read_settings(given, self.kit, self.repository)
        self.built = build(settings, read_golden(self.repository / GOLDEN), self.kit, self.repository, self.clients)
        return self.built

    @property
    def gate(self) -> Gate:
        self.builds += 1
        return Gate(
            manifest_sha256=self.built["MANIFEST_SHA256"], execution="run-1", project="Iris", project_id="p-1",
            bucket=BUCKET, four_eyes=self.four_eyes, number=str(self.builds), region=REGION,
            given=self.kit / "out", kit=self.kit, clients=self.clients, production_alone=self.production_alone,
        )  # fmt: skip

    def card(self) -> dict[str, str]:
        """The action Card; what it exports."""
        tests = self.folder / "tests.json"
        write_results(tests, [Result("333333333333/us-east-1", "setosa")])
        exported = make_card(self.gate, None if self.production_alone else tests)
        self.acted("Card", output={"outputVariables": exported})
        return exported

    def approve(self, by: str = BOB, status: str = "Succeeded") -> None:
        result = {"executionResult": {"externalExecutionSummary": "looks right"}}
        self.acted("ApproveDeployment", status, updatedBy=by, output=result)

    def acted(self, name: str, status: str = "Succeeded", stage: str = "ApproveDeployment", **more: Any) -> None:
        when = STARTED + timedelta(minutes=len(self.actions))
        run = {"stageName": stage, "actionName": name, "status": status}
        self.actions.append({**run, "startTime": when, "lastUpdateTime": when, **more})

    def with_shadow(self) -> World:
        """Production has what a shadow needs, and the product asks for one."""
        self.parameters |= {
            "AccountIds": "222222222222", "Regions": REGION, "DataCaptureS3Uri": "account", **shadow.NONE,
            "EndpointTemplateUrl": (
                f"https://sagemaker-multi-account-bundle-111111111111-{REGION}.s3.{REGION}.amazonaws.com/"
                "bundle/1a2b/templates/50-endpoint.yaml"
            ),
        }  # fmt: skip
        self.build(SHADOW_MINUTES="30", SHADOW_REQUESTS="100")
        return self

    def let_in(self, by: str = BOB, status: str = "Succeeded") -> None:
        result = {"executionResult": {"externalExecutionSummary": "may look"}}
        self.acted("ApproveShadow", status, "ApproveShadow", updatedBy=by, output=result)

    def admit(self, **changes: Any) -> dict[str, str]:
        """The step GateShadow; what it exports."""
        gate = replace(self.gate, **changes)
        self.shared.clear()
        return admit(gate)

    def let_go(self) -> dict[str, str]:
        """The step GateRemoval; what it exports."""
        return let_go(self.gate)

    def check(self) -> dict[str, str]:
        """The step CheckShadow; what it exports."""
        return ran(self.gate)

    def ready(self) -> World:
        """Built, shown and approved: the gate admits it unless something changes."""
        self.build()
        self.card()
        self.approve()
        return self

    def decide(self, **changes: Any) -> dict[str, str]:
        gate = replace(self.gate, **changes)
        self.shared.clear()
        return decide(gate)

    @property
    def decision(self) -> dict[str, Any]:
        """The last entry of the record."""
        return self.bucket.documents("record/decisions/")[-1]
