# ruff: noqa: PT009  # unittest's own way
from __future__ import annotations

import hashlib
import json
import unittest
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline import card, gate, page, payloads_page
from pipeline.console import SUMMARY_LIMIT
from pipeline.live import look
from pipeline.prices import TABLE, Prices, hourly_prices
from pipeline.registry import numbers
from pipeline.report import Result
from tests.support import ROOT
from tests.support.deploy_repository import Repository
from tests.support.fake_services import (
    REGION,
    Fake,
    account,
    approval,
    deployed,
    nothing_deployed,
    organization,
    package,
    price_list,
    registry,
    storage,
)

TEMPLATE = (ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8")
UNITS = {"ou-s": [account("333333333333")], "ou-p": [account("222222222222"), account("444444444444")]}


class TheCard(Repository):
    prices = price_list()  # which may not be read
    results = ()
    busy, approver = "", ""
    more: Mapping[str, Any] = {}  # of prod-config.json
    admitted: Mapping[str, Any] = {}

    def gather(self, cloudformation: Any, **config: str) -> dict[str, Any]:
        (self.kit / "40-stage.yaml").write_text(TEMPLATE)
        (self.folder / "staging-config.json").write_text("{}")
        sized = {} if "EndpointKind" in config else {"InstanceType": "ml.m5.large", "InitialInstanceCount": "2"}
        document = {"Parameters": {**sized, **config}, **self.more}
        (self.folder / "prod-config.json").write_text(json.dumps(document))
        new = package(
            2, CustomerMetadataProperties={"validation:merror": "0.02"}, ApprovalDescription="<b>1</b> of 30 wrong"
        )
        clients: dict[str, Any] = {
            "cloudformation": cloudformation,
            "sagemaker": registry(package(1), new),
            "pricing": self.prices,
            "s3": storage(approval(1, day=1), approval(2, day=1)),
            "organizations": organization({}, UNITS),
        }
        self.build(self.settings(MODEL_PACKAGE_VERSION="2"), clients)
        out = self.kit / "out"
        manifest = json.loads((out / "deployment.json").read_text())
        stages = manifest["stages"]
        wanted = {name: json.loads((out / f"{name}-parameters.json").read_text())["Parameters"] for name in stages}
        now = {name: look(cloudformation, part["stack_set_name"], "SELF") for name, part in stages.items()}
        asked = card.Asked(
            manifest, "5a5a", "run-1", wanted, TEMPLATE, now, self.busy, self.approver, admitted=self.admitted
        )
        gathered = card.gather(asked, self.results, lambda service, _: clients[service])
        return dict(json.loads(json.dumps(gathered)))

    def test_what_changes_is_counted_against_what_is_there(self) -> None:
        there = deployed({"staging": "1", "prod": "1"}, InstanceType="ml.m5.large", InitialInstanceCount="1")
        prod = self.gather(there)["stages"]["prod"]
        self.assertEqual((prod["from"], prod["to"], prod["same"]), ("1", "2", 1))
        self.assertEqual((prod["joined"], prod["left"]), ([["444444444444", REGION]], []))
        self.assertEqual(
            prod["cost"], {"before": 83.95, "after": 335.8, "unknown": []}
        )  # 0.115 x 730, then two in two accounts

    def test_the_first_deployment_begins_with_nothing(self) -> None:
        gathered = self.gather(nothing_deployed())
        self.assertEqual(gathered["live"], "")
        self.assertEqual(gathered["stages"]["prod"]["cost"]["before"], 0)
        shown = f"production: first deployment (version 2), 2 accounts in {REGION}; monthly cost: $0.00 → $335.80."
        self.assertIn(shown, card.summary(gathered))

    def test_the_approver_reads_why_the_version_was_approved(self) -> None:
        """approve.py --description, Studio and the notebook write it; it is a text, whatever it holds."""
        shown = page.document(self.gather(nothing_deployed()), [])
        self.assertRegex(shown, "In their words</th><td>&lt;b&gt;1&lt;/b&gt; of 30 wrong</td>")

    def test_the_text_says_which_version_comes_instead_of_which(self) -> None:
        stage = {"joined": [], "left": [["222222222222", REGION]], "accounts": 1, "regions": [REGION]}
        for live, new, shown in (
            ("1", "2", "version 1 → 2"),
            ("10", "9", "version 10 → 9 (an earlier version)"),
            ("2", "2", "version 2 (unchanged)"),
            ("", "2", "first deployment (version 2)"),
        ):
            text = card.change_text(stage | {"from": live, "to": new})
            moved = ", 1 endpoint removed" if live else ""
            self.assertEqual(text, f"{shown}, 1 account in {REGION}{moved}")

    def test_what_is_not_in_the_table_of_prices_is_unknown(self) -> None:
        for config, why in (
            ({"InstanceType": "ml.trn2.48xlarge"}, f"no price of ml.trn2.48xlarge in {REGION}"),
            ({"EndpointKind": "serverless"}, "a serverless endpoint costs by its requests"),
            (
                {"EndpointKind": "serverless", "ServerlessProvisionedConcurrency": "2"},
                "a serverless endpoint costs by its requests, and by the time for the 2 that it is always ready for, "
                "of which no price is known",
            ),
        ):
            gathered = self.gather(nothing_deployed(), **config)
            self.assertIsNone(gathered["stages"]["prod"]["cost"]["after"])
            self.assertIn("monthly cost: $0.00 → unknown", card.summary(gathered))
            self.assertIn(f"Unknown: {why}.", page.document(gathered, []))

    def test_what_office_hours_keep_is_in_the_cost(self) -> None:
        self.prices = price_list({(REGION, "ml.m5.large"): 0.2})
        hours = {"OfficeHoursStart": "cron(0 0 ? * * *)", "OfficeHoursEnd": "cron(0 12 ? * * *)"}
        scaled = {"InitialInstanceCount": "1", "MaximumInstanceCount": "3", "OfficeHoursInstanceCount": "3"}
        gathered = self.gather(nothing_deployed(), InstanceType="ml.m5.large", **hours, **scaled)
        one = self.gather(nothing_deployed(), InstanceType="ml.m5.large", InitialInstanceCount="1")
        costs = [found["stages"]["prod"]["cost"]["after"] for found in (gathered, one)]
        self.assertAlmostEqual(costs[0], 2 * costs[1])  # twice as many on average: three for half of the day

    def test_prices_come_from_awss_list_and_each_is_asked_for_once(self) -> None:
        self.prices = price_list({(REGION, "ml.m5.large"): 0.2})
        gathered = self.gather(deployed({"staging": "1", "prod": "1"}, InstanceType="ml.m5.large"))
        self.assertEqual(gathered["stages"]["prod"]["cost"], {"before": 146.0, "after": 584.0, "unknown": []})
        self.assertEqual(len(self.prices.called("get_products")), 1)
        self.assertIn("by AWS's price list of 2027-01-02. Savings plans", gathered["prices"])

    def test_what_the_list_lacks_comes_from_the_table_and_both_are_named(self) -> None:
        listed: Any = price_list({("eu-west-1", "ml.m5.large"): 0.3})
        prices = Prices(lambda service, region: listed, "eu-west-1")
        self.assertEqual(prices.region, "us-east-1")  # no price list in eu-west-1, which has the prices of all
        self.assertEqual(prices.hourly("eu-west-1", "ml.m5.large"), 0.3)
        self.assertEqual(prices.hourly(REGION, "ml.m5.large"), 0.115)
        self.assertIsNone(prices.hourly(REGION, "ml.x9.huge"))
        named = prices.sources()
        self.assertRegex(named, r"price list of 2027-01-02 and the kit's table of 20\d\d-")

    def test_a_list_that_cannot_be_read_is_asked_once_and_the_card_says_why(self) -> None:
        asked: Any = price_list()
        prices = Prices(lambda service, region: asked, REGION)
        self.assertEqual((prices.hourly(REGION, "ml.m5.large"), prices.hourly(REGION, "ml.t2.medium")), (0.115, 0.056))
        self.assertEqual(len(asked.called("get_products")), 1)
        self.assertIn("AWS's price list could not be read: An error occurred (AccessDeniedException)", prices.sources())

    def test_only_prices_for_an_hour_on_demand_count(self) -> None:
        def product(unit: str, price: str) -> dict[str, Any]:
            dimensions = {"d": {"unit": unit, "pricePerUnit": {"USD": price}}}
            return {"terms": {"OnDemand": {"t": {"priceDimensions": dimensions}}, "Reserved": {"t": {}}}}

        self.assertEqual(hourly_prices(product("Hrs", "0.1150000000")), {0.115})
        self.assertEqual(hourly_prices(product("Hrs", "0.0000000000")), set())
        self.assertEqual(hourly_prices(product("GB-Mo", "0.1")), set())
        self.assertEqual(hourly_prices({}), set())

    def test_the_table_of_prices_states_its_date_and_source_and_holds_prices(self) -> None:
        prices = json.loads(TABLE.read_text())
        self.assertTrue(prices["as_of"] and prices["source"] and prices["unit"])
        for region in prices["regions"].values():
            for instance, price in region.items():
                self.assertRegex(instance, r"^ml\.[a-z0-9]+\.[a-z0-9]+$")
                self.assertGreater(price, 0)

    def test_the_text_of_the_approval_fits_whatever_the_metrics(self) -> None:
        gathered = self.gather(deployed({"staging": "1", "prod": "1"}))
        self.assertIn("validation:merror 0.02 (live 0.033)", card.summary(gathered))
        gathered["metrics"] *= 40
        self.assertLessEqual(len(card.summary(gathered)), SUMMARY_LIMIT)

    def test_the_page_holds_tests_and_changes_and_no_markup_of_others(self) -> None:
        results = [
            Result("333333333333/x", "setosa"),
            Result("333333333333/x", "virginica", failure="expected 2, got 1"),
        ]
        gathered = self.gather(deployed({"staging": "1", "prod": "1"}))
        gathered |= {"reason": "<script>", "tests": [asdict(result) for result in results]}
        s3: Any = Fake(put_object={})
        key, sha256 = card.publish(s3, "sagemaker-project-p-1", "7", gathered)
        self.assertEqual((key, card.json_key(key)), ("evidence/run-1/7.html", "evidence/run-1/7.json"))
        put, said = s3.called("put_object")
        self.assertEqual(sha256, hashlib.sha256(said["Body"]).hexdigest())
        self.assertEqual(json.loads(said["Body"])["page_sha256"], hashlib.sha256(put["Body"]).hexdigest())
        shown = put["Body"].decode()
        self.assertEqual((put["Bucket"], put["ContentType"]), ("sagemaker-project-p-1", "text/html; charset=utf-8"))
        for text in (
            "Staging failed: 1 of 2 checks, on 1 of 1 endpoint",
            "expected 2, got 1",
            "Production: version 1 → 2",
            "<li>Added: 444444444444",
            "<li>Updated: 1 endpoint</li>",
            "&lt;script&gt;",
            "-39.4%",
            "$335.80",
            "by ann, 01 February 2026, 00:00 UTC",
        ):
            self.assertIn(text, shown)
        self.assertNotIn("<script>", shown)
        self.assertNotIn("Removed:", shown)

    def test_every_setting_that_changes_is_on_the_page_with_what_is_live(self) -> None:
        there = deployed({"staging": "1", "prod": "1"}, InstanceType="ml.t2.medium", InitialInstanceCount="2")
        gathered = self.gather(there)
        changed = {"name": "InstanceType", "live": "ml.t2.medium", "new": "ml.m5.large"}
        self.assertIn(changed, gathered["stages"]["prod"]["settings"])
        self.assertNotIn("InitialInstanceCount", [one["name"] for one in gathered["stages"]["prod"]["settings"]])
        shown = page.document(gathered, [])
        self.assertIn("InstanceType</th><td>ml.t2.medium → ml.m5.large</td>", shown)

    def test_the_page_says_when_another_execution_is_changing_production_and_who_may_not_approve(self) -> None:
        self.assertNotIn("was deploying to production", page.document(self.gather(nothing_deployed()), []))
        self.busy, self.approver = "run-0", "another person than the author of the version (ann)"
        shown = page.document(self.gather(nothing_deployed()), [])
        self.assertIn("Execution run-0 was deploying to production", shown)
        self.assertIn("another person than the author of the version (ann)", shown)

    def test_failures_come_before_everything_else_and_production_before_staging(self) -> None:
        gathered = self.gather(deployed({"staging": "1", "prod": "1"}))
        results = [Result("333333333333/x", "setosa", failure="expected 2, got 1")]
        shown = page.document(gathered, results)
        parts = ["Staging failed", "What failed", "expected 2, got 1", "What changes", "Production:", "Staging:"]
        self.assertEqual(sorted(parts, key=shown.index), parts)

    def test_staging_has_passed_only_where_a_check_ran(self) -> None:
        for results, shown in (
            ([], 'bad">Staging was not tested: no check ran'),
            ([Result("1/x", "setosa", skipped="no payload")], 'bad">Staging was not tested: no check ran; 1 skipped'),
            ([Result("1/x", "setosa")], 'good">Staging passed: 1 check on 1 endpoint<'),
            (
                [Result("1/x", "a"), Result("2/x", "a"), Result("2/x", "b", skipped="no payload")],
                'good">Staging passed: 2 checks on 2 endpoints; 1 skipped<',
            ),
        ):
            self.assertIn(shown, page.verdict(results))

    def test_of_many_accounts_the_page_shows_what_matters_and_folds_the_rest(self) -> None:
        gathered = self.gather(deployed({"staging": "1", "prod": "1"}))
        gathered["stages"]["staging"]["joined"] = [[f"{n:012}", r] for n in range(500) for r in ("x", "y")]
        gathered["names"] = {"000000000007": "team seven"}
        results = [Result(f"{n:012}/{r}", check) for n in range(500) for r in ("x", "y") for check in "abcdefghi"]
        shown = page.document(gathered, results)
        self.assertIn("Staging passed: 9,000 checks on 1,000 endpoints", shown)
        self.assertIn("Added: 1,000 endpoints in 500 accounts</summary>", shown)
        self.assertIn("<details><summary>1,000 endpoints without a failure", shown)
        self.assertIn('<th scope="row">000000000007 team seven, x</th><td>9 passed</td>', shown)
        self.assertLess(len(shown), 120_000)
        for n in range(0, 1_800, 9):  # the first check of 200 places
            results[n] = Result(results[n].place, "a", failure=f"account {n}, Region x, a: AccessDenied: no")
        shown = page.document(gathered, results)
        self.assertIn("Staging failed: 200 of 9,000 checks, on 200 of 1,000 endpoints", shown)
        self.assertEqual(shown.count("<td>AccessDenied: no</td>"), 100)
        self.assertIn("and 100 more: the log of TestStaging has them all", shown)
        self.assertIn("800 endpoints without a failure", shown)


def test_the_card_ends_its_wait_before_its_build_ends() -> None:
    # CodeBuild User Guide, "Run builds on AWS Lambda compute": 15 minutes, of which two are for the card itself.
    assert gate.POLL_LIMIT <= (15 - 2) * 60


TESTED = {
    "payloads": 6, "sha256": "a", "without_expected": 0, "own_tests": 1,
    "loosest": {"tolerance": 0, "relative_tolerance": 0, "max_latency_ms": 2000},
}  # fmt: skip


class WhatItSaysOfTheTests(unittest.TestCase):
    def said(self, before: Any, **now: Any) -> str:
        ((_, text),) = payloads_page.rows_of({"now": {**TESTED, **now}, "before": before}, alone=False)
        return text

    def test_tests_that_became_weaker_are_named(self) -> None:
        loose = {"tolerance": 1e300, "relative_tolerance": 0, "max_latency_ms": 60000}
        self.assertEqual(
            self.said(TESTED, sha256="b", payloads=1, own_tests=0, loosest=loose),
            "1 golden payload, no own tests; other than what was approved last: payloads 6 → 1; tolerance 0 → 1e+300; "
            "max latency ms 2000 → 60000; files of own tests 1 → 0",
        )

    def test_tests_that_are_the_same_are_called_so(self) -> None:
        same = "6 golden payloads, 1 file of own tests; the same payloads as what was approved last"
        self.assertEqual(self.said(TESTED), same)
        self.assertIn("edited payloads", self.said(TESTED, sha256="b"))
        self.assertEqual(self.said(None), "6 golden payloads, 1 file of own tests")

    def test_a_name_that_looks_empty_is_no_gap_in_the_summary(self) -> None:
        found = card.metric_text({"name": "good\u3164\u202e x", "new": 1.0, "live": None})
        self.assertEqual(found, "good??_x 1")


class WhatCountsAsAMetric(unittest.TestCase):
    def test_numbers_alone_and_none_of_the_seeds_own_keys(self) -> None:
        given = {"auc": "0.9", "a": "nan", "b": "inf", "c": "12e34567", "commit": "1234567", "model": "7", "d": "x"}
        self.assertEqual(numbers(given), {"auc": 0.9})
