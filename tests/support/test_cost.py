"""docs/explanation/cost.md is what the templates cost today, and no type of resource is without a word on its cost."""

from __future__ import annotations

import re

import pytest

from scripts.kit.teardown import retained
from tests.judges import kit
from tests.support import ROOT, cost, cost_prices

README = (ROOT / "README.md").read_text(encoding="utf-8")
GATEWAY = "\n  Way:\n    Type: AWS::EC2::NatGateway\n    Properties: {SubnetId: subnet-1}\n"


def test_the_page_is_what_is_computed_today() -> None:
    text = cost.PAGE.read_text(encoding="utf-8")
    assert cost.page(text) == text, "read the difference, then: python -m tests.support.cost --write"
    other = text.replace("| key | 1 |", "| key | 2 |")
    assert other != text
    assert cost.page(other) == text


def test_every_type_of_the_templates_is_priced_or_free() -> None:
    assert cost.types(cost.templates()) == set(cost_prices.table()["types"])
    text = (ROOT / kit.ELEVEN).read_text(encoding="utf-8").replace("\nResources:", f"\nResources:{GATEWAY}", 1)
    assert cost.types([text]) - set(cost_prices.table()["types"]) == {"AWS::EC2::NatGateway"}


def test_a_resource_without_a_row_is_an_error() -> None:
    with pytest.raises(KeyError, match="NatGateway"):
        cost.charged([kit.Resource(kit.ELEVEN, "Way", "AWS::EC2::NatGateway", {})])


def test_every_row_names_prices_of_the_list_or_why_it_is_free() -> None:
    prices = {*cost_prices.table()["prices"], "instances"}
    for type, row in cost_prices.table()["types"].items():
        named = {*row.get("use", []), *([row["idle"]] if "idle" in row else [])}
        assert named <= prices, type
        assert bool(named) != bool(row.get("free")), type
        assert set(row) <= {"idle", "use", "free", "of", "times"}, type


def test_every_price_has_a_page_and_one_that_was_not_found_is_in_no_sum() -> None:
    for name, one in cost_prices.table()["prices"].items():
        assert one["of"].startswith("https://aws.amazon.com/"), name
        assert (one["dollars"] is None) == ("says" not in one), name
    with pytest.raises(KeyError, match="lambda-build"):
        cost_prices.price("lambda-build")


def test_each_alarm_is_charged_and_a_target_tracking_policy_makes_two() -> None:
    policy = "AWS::ApplicationAutoScaling::ScalingPolicy"
    found = [
        kit.Resource(kit.FIFTY, "One", "AWS::CloudWatch::Alarm", {}),
        kit.Resource(kit.FIFTY, "Two", policy, {"PolicyType": "TargetTrackingScaling"}),
        kit.Resource(kit.FIFTY, "Three", policy, {"PolicyType": "StepScaling"}),
        kit.Resource(kit.FIFTY, "Four", "AWS::SageMaker::Model", {}),
    ]
    assert cost.charged(found) == {"alarm": 3}


def test_teardown_counts_with_the_same_prices() -> None:
    teardown = (retained.KEY_MONTH, retained.S3_GB_MONTH, retained.LOGS_GB_MONTH)
    assert teardown == (cost_prices.price("key"), cost_prices.price("object-storage"), cost_prices.price("log-storage"))


def test_what_other_documents_say_of_cost_is_in_step() -> None:
    section = README.split("## Cost\n")[1].split("\n## ")[0]
    month = re.search(r"\$(\d+) a month as the seed code has it", " ".join(section.split()))
    assert month
    page = cost.PAGE.read_text(encoding="utf-8")
    computed = re.search(r"one endpoint in each stage, as the seed code has them \| \$(\d+\.\d\d)", page)
    assert computed
    assert int(month[1]) == round(float(computed[1]))
    assert f"(${cost_prices.price('key'):.0f} a month" in " ".join(section.split())
    assert f"(${cost_prices.price('action-minute')} each" in " ".join(section.split())
    performance = (ROOT / "docs/explanation/performance.md").read_text(encoding="utf-8")
    assert f"billed by the minute, ${cost_prices.price('ec2-build')} (general1.small)" in performance
