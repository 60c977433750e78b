from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline import metric_gates
from pipeline.console import UserError
from pipeline.metric_gates import judge, problems_of, read
from scripts.kit.bundle.settings_schema import settings_schema
from tests.support import ROOT
from tests.support.deploy_repository import BuiltRepository
from tests.support.fake_services import approval, deployed, package, registry, storage

ERROR = {"validation:merror": {"goal": "minimize", "bound": 0.1, "worse_by": 0.02}}


def said(metrics: dict[str, Any], new: dict[str, float], live: dict[str, float], **more: Any) -> Any:
    given = {"metrics": metrics, **more.pop("given", {})}
    judged, back = more.get("judged", True), more.get("back", "")
    return judge(read({"gates": given}), 7, new, live, "6" if live else "", judged, back)


@pytest.mark.parametrize(
    ("metrics", "new", "live", "problem"),
    [
        (ERROR, {"validation:merror": 0.1}, {"validation:merror": 0.08}, ""),
        (ERROR, {"validation:merror": 0.11}, {}, "validation:merror is 0.11, and at most 0.1 is asked for"),
        (
            ERROR,
            {"validation:merror": 0.09},
            {"validation:merror": 0.06},
            "at most 0.08 beside the live version's 0.06",
        ),
        (ERROR, {"auc": 0.9}, {}, "the version does not state validation:merror"),
        ({"auc": {"goal": "maximize", "bound": 0.9}}, {"auc": 0.89}, {}, "auc is 0.89, and at least 0.9 is asked for"),
        ({"auc": {"goal": "maximize", "worse_by": 0.0}}, {"auc": 0.9}, {"auc": 0.9}, ""),
        ({"auc": {"goal": "maximize", "worse_by": 0.0}}, {"auc": 0.89}, {"auc": 0.9}, "at least 0.9 beside the live"),
        ({"auc": {"goal": "maximize", "worse_by": 0.1}}, {"auc": 0.1}, {}, ""),  # the live version states none
        ({"auc": {"goal": "maximize"}}, {}, {"auc": 0.9}, ""),  # a goal alone refuses nothing
    ],
)
def test_a_version_is_as_good_as_its_bounds_and_as_the_live_version(
    metrics: dict[str, Any], new: dict[str, float], live: dict[str, float], problem: str
) -> None:
    if not problem:
        assert said(metrics, new, live) == {"rules": metrics, "judged": True, "override": ""}
        return
    with pytest.raises(UserError) as refused:
        said(metrics, new, live)
    assert problem in str(refused.value)
    assert '"override": {"version": 7, "reason": ' in str(refused.value)
    assert ("(version 6 is live)" in str(refused.value)) is bool(live)


def test_an_override_lets_its_version_alone_through_and_keeps_what_was_refused() -> None:
    override = {"override": {"version": 7, "reason": "a harder data set"}}
    found = said(ERROR, {"validation:merror": 0.5}, {}, given=override)
    assert found["override"] == "a harder data set"
    assert said(ERROR, {"validation:merror": 0.05}, {}, given=override)["override"] == ""
    other = {"override": {"version": 8, "reason": "a harder data set"}}
    with pytest.raises(UserError, match="version 7 does not pass"):
        said(ERROR, {"validation:merror": 0.5}, {}, given=other)


def test_a_version_that_was_let_through_before_is_not_judged_again() -> None:
    found = said(ERROR, {"validation:merror": 0.5}, {"validation:merror": 0.1}, judged=False)
    assert (found["judged"], found["override"]) == (False, "")


def test_a_gate_on_answers_is_handed_on_with_what_excuses_from_it() -> None:
    given = {"agreement": 0.9}
    assert said({}, {}, {}, given=given) == {
        "rules": {}, "judged": True, "override": "", "agreement": 0.9, "excuse": "",
    }  # fmt: skip
    assert said({}, {}, {}, given=given, judged=False)["excuse"] == "it was in production before"
    assert said({}, {}, {}, given=given, back="version 8 was rejected")["excuse"] == "version 8 was rejected"


def test_what_comes_back_after_a_rejection_is_not_stopped_and_says_why() -> None:
    found = said(ERROR, {"validation:merror": 0.5}, {"validation:merror": 0.1}, back="version 8 was rejected")
    assert found["override"] == "version 8 was rejected"
    assert said(ERROR, {"validation:merror": 0.0}, {}, back="version 8 was rejected")["override"] == ""


GOAL = {"goal": "minimize"}


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (None, "gates is null: write an object"),
        ([], "gates is a list: write an object"),
        ({"metric": {}}, "gates.metric is an object: no such key is known"),
        ({"metrics": []}, "gates.metrics is a list: write an object with the names of metrics"),
        ({"metrics": {"auc": 0.9}}, "gates.metrics.auc is 0.9: write an object with goal"),
        ({"metrics": {"auc": {}}}, "gates.metrics.auc.goal is missing: write minimize or maximize"),
        ({"metrics": {"auc": {"goal": "up"}}}, 'gates.metrics.auc.goal is "up": write minimize or maximize'),
        ({"metrics": {"auc": {**GOAL, "bound": "0.9"}}}, 'gates.metrics.auc.bound is "0.9": write a number'),
        ({"metrics": {"auc": {**GOAL, "bound": True}}}, "gates.metrics.auc.bound is true: write a number"),
        ({"metrics": {"auc": {**GOAL, "worse_by": -1}}}, "gates.metrics.auc.worse_by is -1: write a number from 0"),
        ({"metrics": {"auc": {**GOAL, "limit": 1}}}, "gates.metrics.auc.limit is 1: no such key is known"),
        ({"metrics": {"": GOAL}}, 'gates.metrics."" is an object: write the name of a metric'),
        (
            {"metrics": {str(n): GOAL for n in range(51)}},
            "gates.metrics is an object with 51 metrics: write at most 50",
        ),
        ({"override": {"version": 7}}, "gates.override.reason is missing"),
        ({"override": {"version": "7", "reason": "x"}}, 'gates.override.version is "7": write the number of a version'),
        ({"override": {"version": 7, "reason": "a\u200bb"}}, "gates.override.reason is "),
        ({"metrics": {"au\u200bc": GOAL}}, 'gates.metrics."au\\u200bc" is an object'),
        ({"override": {"version": 7, "reason": "a\nb"}}, "gates.override.reason is "),
        ({"override": {"version": 7, "reason": "x", "by": "ann"}}, 'gates.override.by is "ann": no such key is known'),
    ],
)
def test_a_wrong_gate_is_refused_with_its_place(gates: Any, message: str) -> None:
    found = list(problems_of("prod-config.json", {"gates": gates}))
    assert any(f"prod-config.json: {message}" in one for one in found), found


def test_gates_stand_in_productions_file_alone() -> None:
    assert list(problems_of("prod-config.json", {"gates": {"metrics": ERROR}})) == []
    (found,) = problems_of("staging-config.json", {"gates": {"metrics": ERROR}})
    assert found.startswith("staging-config.json: gates is an object: a version passes its gates before staging")


def test_the_schema_that_editors_complete_with_knows_the_same_keys() -> None:
    template = (ROOT / "templates/40-stage.yaml").read_bytes()
    schema = json.loads(settings_schema(template))["properties"][metric_gates.KEY]["properties"]
    metric, override = schema["metrics"]["additionalProperties"], schema["override"]
    assert set(metric["properties"]) == set(metric_gates.OF_METRIC)
    assert set(override["properties"]) == set(override["required"]) == set(metric_gates.OF_OVERRIDE)
    assert schema["metrics"]["maxProperties"] == metric_gates.MOST
    assert set(schema) == {"metrics", "agreement", "override"}
    assert metric_gates.SHARE.holds(schema["agreement"]["minimum"])
    assert metric_gates.SHARE.holds(schema["agreement"]["maximum"])
    for goal in metric["properties"]["goal"]["enum"]:
        assert metric_gates.OF_METRIC["goal"].holds(goal)


class TheBuild(BuiltRepository):
    """Version 2 is to be deployed, and production serves version 1, whose error is 0.033."""

    def built(self, gates: dict[str, Any], error: float = 0.05, decisions: tuple[dict[str, Any], ...] = ()) -> Any:
        config = {"Parameters": {"InstanceType": "x"}, "gates": gates}
        (self.folder / "prod-config.json").write_text(json.dumps(config))
        self.stacks = deployed({"staging": "1", "prod": "1"}, InstanceType="x")
        new = package(2, CustomerMetadataProperties={"validation:merror": f"{error}"})
        bucket = storage(approval(1, day=1), approval(2, day=2), decisions=decisions)
        self.run_build(registry(package(1), new), bucket)
        return self.written("deployment.json")["gates"]

    def test_the_metrics_of_the_live_version_are_asked_for_and_kept(self) -> None:
        assert self.built({"metrics": ERROR}) == {"rules": ERROR, "judged": True, "override": ""}

    def test_a_version_that_is_not_good_enough_is_not_deployed_to_staging(self) -> None:
        with pytest.raises(
            UserError, match=r"version 2 does not pass .*version 1 is live.*is 0\.06, and at most 0\.053"
        ):
            self.built({"metrics": ERROR}, error=0.06)
        assert not (self.kit / "out/deployment.json").exists()

    def test_what_was_approved_counts_and_neither_the_registry_since_nor_a_way_back(self) -> None:
        """An approver saw 0.5; a way back without one recorded 0.9, since the metadata were edited in between."""
        arn, rule = package(1)["ModelPackageArn"], {"validation:merror": {"goal": "minimize", "worse_by": 0}}
        seen, unseen = (
            {
                "passed": True,
                "arn": arn,
                "at": at,
                "manifest": {"model_package": {"metrics": {"validation:merror": figure}}},
            }
            for at, figure in (("2026-02-01", 0.5), ("2026-02-02", 0.9))
        )
        decisions = ({**seen, "approval": {"by": "bob"}}, unseen)
        assert self.built({"metrics": rule}, error=0.5, decisions=decisions)["judged"] is True
        with pytest.raises(UserError, match=r"is 0\.6, and at most 0\.5 beside"):
            self.built({"metrics": rule}, error=0.6, decisions=decisions)

    def test_a_version_that_was_in_production_before_passes_as_long_as_it_is_the_same(self) -> None:
        """And one that was exchanged under its number is judged."""
        self.built({"metrics": ERROR})
        same = {
            key: self.written("deployment.json")["model_package"][key]
            for key in ("arn", "specification_sha256", "artifacts")
        }
        for changes, judged in (({}, False), ({"specification_sha256": "another"}, True)):
            admitted = {"passed": True, "arn": same["arn"], "at": "2026-02-03", "model_package": same | changes}
            if judged:
                with pytest.raises(UserError, match="does not pass"):
                    self.built({"metrics": ERROR}, error=0.9, decisions=(admitted,))
            else:
                assert self.built({"metrics": ERROR}, error=0.9, decisions=(admitted,))["judged"] is False

    def test_without_gates_nothing_is_asked(self) -> None:
        assert self.built({}) == {}
