"""The judges of the pipeline's order, and of resources that rest on others: every mistake of their kind is found."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from tests.support.judges import sequence
from tests.support.judges.edits import (
    PRODUCT,
    STAGES,
    TEMPLATES,
    changed,
    drop,
    of_production_alone,
    put,
    sequence_findings,
    stages_of,
    with_stages,
    without_staging,
)


def test_no_order_of_the_stages_gets_past_the_approver() -> None:
    """Of all orders of the post's stages, those in which everything stands where it must are the kit's own."""
    *stages, last = stages_of(TEMPLATES[PRODUCT].resources, optional=False)
    orders = itertools.permutations(range(5))
    passed = [order for order in orders if not sequence_findings(with_stages([*(stages[n] for n in order), last]))]
    assert (len(stages), passed) == (5, [tuple(range(5))])


def test_without_staging_no_order_of_the_stages_gets_past_the_approver_either() -> None:
    """And the pipeline is one without staging only where both builds say so that decide on a deployment."""
    stages = stages_of(without_staging(TEMPLATES[PRODUCT].resources), optional=False)
    both = partial(of_production_alone, builds=("Build", "Gate"))
    orders = list(itertools.permutations(range(4)))
    assert [one["Name"] for one in stages] == ["Source", "Build", "ApproveDeployment", "DeployProd"]
    passed = [one for one in orders if not sequence_findings(with_stages([stages[n] for n in one], both))]
    assert passed == [tuple(range(4))]
    too_few: tuple[tuple[str, ...], ...] = ((), ("Build",), ("Gate",))
    for builds in too_few:
        found = sequence_findings(with_stages(stages, partial(of_production_alone, builds=builds)))
        assert any("before staging is tested" in said for said in found), builds
    for builds in (*too_few[1:], ("Build", "Gate")):
        staged = stages_of(TEMPLATES[PRODUCT].resources)
        found = sequence_findings(with_stages(staged, partial(of_production_alone, builds=builds)))
        assert any("says that production is alone, and it is not" in said for said in found), builds


def test_no_stage_with_the_optional_ones_may_stand_elsewhere() -> None:
    """Each stage at every other place."""
    stages = stages_of(TEMPLATES[PRODUCT].resources)
    assert sequence_findings(with_stages(stages)) == []
    missed = set()
    for number, place in itertools.permutations(range(len(stages)), 2):
        moved = [*stages]
        moved.insert(place, moved.pop(number))
        if not sequence_findings(with_stages(moved)):
            missed.add((stages[number]["Name"], stages[place]["Name"]))
    assert missed == set()


def test_a_pipeline_that_deploys_to_production_by_itself_is_found() -> None:
    """Whatever stage goes back by itself, and where executions overtake each other."""
    kept = TEMPLATES[PRODUCT]
    stages = stages_of(kept.resources)
    for number in range(len(stages)):
        for outcome in (
            {"OnFailure": {"Result": "ROLLBACK"}},
            {"OnSuccess": {"Conditions": [{"Result": "ROLLBACK", "Rules": []}]}},
        ):
            stage = {**stages[number], **outcome}
            edited = with_stages(stages, partial(put, path=(*STAGES, number), value=stage))
            found = list(sequence.production(PRODUCT, edited))
            assert any(f"{stage['Name']} goes back by itself" in said for said in found)
    parallel = partial(put, path=("Pipeline", "Properties", "ExecutionMode"), value="PARALLEL")
    assert any("ExecutionMode is PARALLEL" in said for said in sequence.production(PRODUCT, changed(PRODUCT, parallel)))


def test_an_approval_that_one_case_of_a_condition_lacks_is_found() -> None:
    """Whichever condition it is, and whichever of its cases."""
    for condition in ("HasConnection", "UsesCodeCommit", "BuildsOnPush", "HasStagingRegions"):
        for branches in ([True, False], [False, True]):
            stages = stages_of(TEMPLATES[PRODUCT].resources)
            number = [stage["Name"] for stage in stages].index("ApproveDeployment")
            approval = stages[number]
            cases = [approval if there else {"Ref": "AWS::NoValue"} for there in branches]
            maybe = with_stages(stages, partial(put, path=(*STAGES, number), value={"Fn::If": [condition, *cases]}))
            assert any("before an approver decides" in said for said in sequence.production(PRODUCT, maybe))


def test_an_action_that_is_gone_or_runs_with_the_first_is_found() -> None:
    missed, stages = set(), stages_of(TEMPLATES[PRODUCT].resources)
    places = [(n, place, action["Name"]) for n, one in enumerate(stages) for place, action in enumerate(one["Actions"])]
    for number, place, name in places:
        lost = with_stages(stages, partial(drop, path=(*STAGES, number, "Actions", place)))
        if not sequence_findings(lost):
            missed.add(f"{name} gone")
        early = with_stages(stages, partial(put, path=(*STAGES, number, "Actions", place, "RunOrder"), value=1))
        if not sequence_findings(early):
            missed.add(f"{name} first")
    # What is first anyway; and nothing in the pipeline but the Build step itself rests on the commit and on the kit's
    # code.
    first = ["Source", "Kit", "Build", "Card", "Gate", "Removal", "ApproveShadow", "PrepareShadow"]
    first += [f"DeployResources{name}" for name in ("Staging", "Qa", "Uat", "Preprod")]
    optional = ("ApproveQa", "ApproveUat", "ApprovePreprod")  # and alone in its stage, so first too
    gone = {f"Remove{name} gone" for name in ("Staging", "Qa", "Uat", "Preprod")} | {f"{one} gone" for one in optional}
    assert missed == {f"{name} first" for name in (*first, *optional)} | gone


def test_an_approval_that_the_repository_could_skip_is_found() -> None:
    def skip(resources: Any) -> None:
        (approval,) = (one for one in stages_of(resources) if one["Name"] == "ApproveDeployment")
        rule = approval["BeforeEntry"]["Conditions"][0]["Rules"][0]
        rule["Configuration"]["Variable"] = "#{TestStaging.DEPLOY}"

    assert any(
        "ApproveDeployment is skipped unless" in said for said in sequence.production(PRODUCT, changed(PRODUCT, skip))
    )


def test_every_dependency_that_is_only_stated_is_missed() -> None:
    missed = []
    for name, template in TEMPLATES.items():
        for logical_id, resource in template.resources.items():
            if "DependsOn" in resource and not list(
                sequence.resources(name, changed(name, partial(drop, path=(logical_id, "DependsOn"))))
            ):
                missed.append((name, logical_id))
    assert missed == []


def test_a_role_whose_policy_may_come_later_is_found() -> None:
    def apart(resources: Any) -> None:
        policies = resources["StarterRole"]["Properties"].pop("Policies")
        properties = {"RoleName": {"Ref": "StarterRole"}, **policies[0]}
        resources["StarterPolicy"] = {"Type": "AWS::IAM::RolePolicy", "Properties": properties}

    name = "11-shared-resources.yaml"
    assert (
        "Starter runs as StarterRole, and may be made before its policy StarterPolicy: add DependsOn: StarterPolicy"
        in (" ".join(sequence.resources(name, changed(name, apart))))
    )
