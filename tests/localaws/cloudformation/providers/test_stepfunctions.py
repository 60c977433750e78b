"""State machines."""

from __future__ import annotations

import json

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from tests.support.providers import client_of, create_resource, delete_resource, make_role_resource, update_resource


def test_a_state_machine_takes_its_definition_with_substitutions(cloud: Cloud) -> None:
    role_arn = make_role_resource(cloud, "starter", "states.amazonaws.com")
    definition = {
        "StartAt": "Start",
        "States": {
            "Start": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:codepipeline:startPipelineExecution",
                "Parameters": {"Name": "${Pipeline}"},
                "End": True,
            }
        },
    }
    old = {
        "StateMachineName": "sagemaker-starter",
        "RoleArn": role_arn,
        "Definition": definition,
        "DefinitionSubstitutions": {"Pipeline": 'with "quotes"'},
    }
    made = create_resource(cloud, "AWS::StepFunctions::StateMachine", old)
    states = client_of(cloud, "stepfunctions")
    seen = json.loads(states.describe_state_machine(stateMachineArn=made.physical_id)["definition"])
    assert seen["States"]["Start"]["Parameters"]["Name"] == 'with "quotes"'
    new = {**old, "DefinitionSubstitutions": {"Pipeline": "p"}}
    update_resource(cloud, "AWS::StepFunctions::StateMachine", made.physical_id, old, new)
    seen = json.loads(states.describe_state_machine(stateMachineArn=made.physical_id)["definition"])
    assert seen["States"]["Start"]["Parameters"]["Name"] == "p"
    delete_resource(cloud, "AWS::StepFunctions::StateMachine", made.physical_id, new)
    assert states.list_state_machines()["stateMachines"] == []
    with pytest.raises(ResourceFailed, match="Exactly one of"):
        create_resource(cloud, "AWS::StepFunctions::StateMachine", {"RoleArn": role_arn})
