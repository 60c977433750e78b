"""Probes of Step Functions: names of errors, and what CreateStateMachine refuses."""

from __future__ import annotations

import json

from scripts.kit.probes.lab import Json, Lab, statement
from scripts.kit.probes.probe import Answers, Cost, Probe

JSONATA: dict[str, Json] = {  # what is wrong with a state of the query language JSONata
    "Parameters in it": {"Type": "Pass", "Parameters": {"a": 1}, "End": True},
    "$states.result in a Pass state": {"Type": "Pass", "Output": "{% $states.result %}", "End": True},
    "a bare name": {"Type": "Pass", "Output": "{% name %}", "End": True},
    "a key that ends with .$": {"Type": "Pass", "Output": {"a.$": "$.b"}, "End": True},
    "$eval": {"Type": "Pass", "Output": "{% $eval('1') %}", "End": True},
    "nothing": {"Type": "Pass", "Output": "{% $states.input %}", "End": True},
}
ASKED = {
    "an error that the model lacks (DescribeProject)": ("sagemaker:describeProject", {"ProjectName": "kit-probe-none"}),
    "an error that the model has (GetPipeline)": ("codepipeline:getPipeline", {"Name": "kit-probe-none"}),
}


def error_names(lab: Lab) -> Answers:
    allowed = statement("Allow", ["sagemaker:DescribeProject", "codepipeline:GetPipeline"])
    role, answers = lab.service_role("states", "states", allowed), {}
    for number, (what, (operation, given)) in enumerate(ASKED.items()):
        resource = f"arn:{lab.here.partition}:states:::aws-sdk:{operation}"
        states = {"Ask": {"Type": "Task", "Resource": resource, "Parameters": given, "End": True}}
        machine = lab.machine(str(number), role, states)
        done = lab.execution(machine, ready=lambda it: "not authorized" not in it.get("cause", ""))
        lab.words[what] = done.get("cause", "")
        answers[what] = done.get("error", done["status"])
    return answers


def jsonata_refusals(lab: Lab) -> Answers:
    role, answers = lab.service_role("states", "states"), {}
    make = lab.client("stepfunctions").create_state_machine
    lab.machine("ready", role, {"Only": {"Type": "Succeed"}})
    for number, (what, state) in enumerate(JSONATA.items()):
        text = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Only", "States": {"Only": state}})
        given = {"name": f"{lab.name}-{number}", "definition": text, "roleArn": role}
        answers[what] = lab.said(what, make, **given)
    return answers


PROBES = (
    Probe(
        "error-names",
        "Which name does a state machine's SDK integration give to an error that the service's model lacks?",
        ("states:DescribeExecution",),
        ("role", "state machine"),
        error_names,
        Cost(0.001, "AWS Step Functions pricing: $0.025 for 1,000 state transitions, after 4,000 free ones a month"),
    ),
    Probe(
        "jsonata-refusals",
        "What of a JSONata state does CreateStateMachine refuse, and in which words?",
        ("states:CreateStateMachine",),
        ("role", "state machine"),
        jsonata_refusals,
    ),
)
