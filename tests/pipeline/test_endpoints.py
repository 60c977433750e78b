# ruff: noqa: PT009, PT027  # unittest's own way
from __future__ import annotations

import io
import tempfile
import time
import unittest
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipeline.answers import difference, read_answer
from pipeline.clients import AccountClients
from pipeline.comparison import kept
from pipeline.console import UserError
from pipeline.endpoints import check_stage, reasons, results_of, summary
from pipeline.payloads import GOLDEN, Golden, Latency, Payload, read_golden
from pipeline.report import Result, at_most, junit
from tests.support import ROOT
from tests.support.fake_services import Fake, error

MODEL = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/3"
SETOSA = Payload("setosa", "text/csv", "5.1,3.5,1.4,0.2", 0.0, "", 0, 10_000)


def manifest(**parameters: str) -> dict[str, Any]:
    stage = {
        "accounts": [{"id": "333333333333", "name": "a"}, {"id": "444444444444", "name": "b"}],
        "regions": ["us-east-1"],
        "endpoint_name": "iris-p-1-staging",
        "tester_role_name": "sagemaker-role-staging-tester",
        "config": {"Parameters": parameters},
    }
    package = {"arn": MODEL, "regions": {"us-east-1": MODEL}}
    return {"project": {"id": "p-1"}, "model_package": package, "stages": {"staging": stage}}


def clients(
    answer: str = "0.0",
    status: str = "InService",
    model: str = MODEL,
    delays: Iterator[float] | None = None,
    content_type: str = "text/csv; charset=utf-8",
) -> AccountClients:
    """delays: how long each answer takes, in seconds"""

    def answered(**_: Any) -> Any:
        time.sleep(next(delays) if delays else 0)
        return {"ContentType": content_type, "Body": io.BytesIO(answer.encode())}

    sagemaker: Any = Fake(
        describe_endpoint={"EndpointStatus": status, "EndpointConfigName": "c"},
        describe_endpoint_config={"ProductionVariants": [{"ModelName": "m"}]},
        describe_model={"PrimaryContainer": {"ModelPackageName": model}},
    )
    runtime: Any = Fake(invoke_endpoint=answered)
    return lambda service: sagemaker if service == "sagemaker" else runtime


def through_s3(answer: str, folder: str = "answers/", bucket: Any = None, put: Any = None) -> Any:
    """Clients of an account whose endpoint puts an answer into this folder. bucket, put: what these requests answer"""
    places = {"OutputLocation": "s3://data/answers/1", "FailureLocation": "s3://data/failures/1"}

    def listed(Prefix: str, **_: Any) -> Any:  # noqa: N803  # the API's name
        if isinstance(bucket, Exception):
            raise bucket
        return {"Contents": [{"Key": Prefix}]} if Prefix.startswith(folder) else {}

    got = {"ContentType": "text/csv", "Body": io.BytesIO(answer.encode())}
    s3: Any = Fake(list_objects_v2=listed, put_object=put or {}, get_object=got)
    runtime: Any = Fake(
        invoke_endpoint_async=places,
        invoke_endpoint=lambda **_: {"ContentType": "text/csv", "Body": io.BytesIO(answer.encode())},
    )
    by_name = {"s3": s3, "sagemaker-runtime": runtime}
    return lambda service: by_name.get(service) or clients(answer)(service)


class TheChecks(unittest.TestCase):
    def check(self, by_account: dict[str, Any], document: dict[str, Any] | None = None) -> list[Result]:
        def become(account: str, region: str) -> AccountClients:
            found = by_account.get(account, clients())
            if isinstance(found, Exception):
                raise found
            return found  # type: ignore[no-any-return]

        return results_of(check_stage(document or manifest(), "staging", Golden((SETOSA,)), become))

    def test_endpoints_that_answer_right_pass(self) -> None:
        results = self.check({})
        self.assertEqual([result.failure for result in results], [""] * 8)
        self.assertEqual(summary("staging", results), "staging: 8 checks passed on 2 endpoints.")

    def test_a_wrong_answer_names_account_region_payload_expected_and_got(self) -> None:
        results = self.check({"444444444444": clients(answer="2.0")})
        failures = [result.failure for result in results if result.failure]
        self.assertEqual(
            failures, ["account 444444444444, Region us-east-1, setosa: the answer: expected 0.0, got 2.0"]
        )
        self.assertIn("1 of 8 checks failed", summary("staging", results))

    def test_every_account_is_tried_although_the_first_fails(self) -> None:
        denied = error("AssumeRole", "AccessDenied", "no")
        results = self.check({"333333333333": denied})
        self.assertIn("AssumeRole: AccessDenied: no", results[0].failure)
        self.assertEqual([result.place for result in results[1:]], ["444444444444/us-east-1"] * 4)
        self.assertFalse(any(result.failure for result in results[1:]))

    def test_where_cloudformation_could_not_deploy_the_first_failure_says_why(self) -> None:
        part = {"stack_set_name": "sagemaker-iris-p-1-deploy-staging", "stack_set_call_as": "DELEGATED_ADMIN"}
        found = [
            {"Account": "333333333333", "Region": "us-east-1", "Status": "CURRENT", "StatusReason": "old"},
            {"Account": "444444444444", "Region": "us-east-1", "Status": "OUTDATED", "StatusReason": "Model: no role"},
        ]
        cloudformation: Any = Fake(list_stack_instances=[{"Summaries": found}])
        why = reasons(cloudformation, part)
        self.assertEqual(why, {"444444444444/us-east-1": "Model: no role"})
        gone = clients(status="Failed")
        results = results_of(
            check_stage(
                manifest(),
                "staging",
                Golden((SETOSA,)),
                lambda account, _: clients() if account[0] == "3" else gone,
                why=why,
            )
        )
        (failure,) = [result.failure for result in results if result.failure]
        self.assertTrue(failure.endswith("expected InService, got Failed. CloudFormation: Model: no role"), failure)

    def test_an_endpoint_that_serves_another_version_fails(self) -> None:
        results = self.check({"333333333333": clients(model=MODEL.replace("/3", "/2"))})
        self.assertIn(f"expected {MODEL}, got {MODEL.replace('/3', '/2')}", results[2].failure)

    def test_an_endpoint_that_is_not_in_service_fails(self) -> None:
        results = self.check({"333333333333": clients(status="Failed")})
        self.assertIn("expected InService, got Failed", results[1].failure)

    def test_a_slow_answer_fails(self) -> None:
        slow = Payload("setosa", "text/csv", "1", 0.0, "", 0, 0)
        results = results_of(check_stage(manifest(), "staging", Golden((slow,)), lambda account, region: clients()))
        self.assertIn("expected an answer within 0 ms", results[-1].failure)

    def test_the_percentile_of_the_latency_is_of_as_many_answers_as_asked_for(self) -> None:
        """Of four answers two take 60 ms: half of them are quick."""
        for allowed, failure in ((50, ""), (75, "expected 75 % of 4 answers within 50 ms, got ")):
            delays = iter([0, 0, 0.06, 0, 0.06] * 2)  # for both endpoints: a payload, then the four
            golden = Golden((SETOSA,), Latency(4, allowed, 50))
            there = clients(delays=delays)
            found = check_stage(manifest(), "staging", golden, lambda *_, there=there: there, at_once=1)
            (first, second) = [one for one in results_of(found) if one.name.startswith("latency")]
            self.assertEqual(first.name, f"latency, {allowed} %")
            for one in (first, second):
                self.assertIn(failure, one.failure)
                self.assertEqual(bool(failure), bool(one.failure))
            self.assertEqual([len(one.milliseconds) for one in found], [5, 5])

    def test_a_number_that_cannot_be_compared_is_a_failure_of_its_payload(self) -> None:
        there = clients(answer=f'{{"a": {10**400}}}', content_type="application/json")
        payload = replace(SETOSA, expected={"a": 0.5}, relative_tolerance=0.5)
        results = results_of(check_stage(manifest(), "staging", Golden((payload,)), lambda *_: there))
        self.assertIn("setosa: the answer cannot be compared: ", results[3].failure)

    def test_the_answers_are_kept_by_payload_for_who_writes_new_ones(self) -> None:
        found = check_stage(manifest(), "staging", Golden((SETOSA,)), lambda *_: clients(answer="2.0"))
        self.assertEqual([one.answers for one in found], [{"setosa": 2.0}] * 2)
        self.assertEqual([len(one.milliseconds) for one in found], [1, 1])

    def test_what_there_is_no_time_for_is_a_failure_that_says_so(self) -> None:
        results = results_of(
            check_stage(manifest(), "staging", Golden((SETOSA,)), lambda account, region: clients(), seconds=0)
        )
        self.assertEqual([result.place for result in results], ["333333333333/us-east-1", "444444444444/us-east-1"])
        for result in results:
            self.assertIn("the tester's role can be assumed: not asked any more after 22 minutes", result.failure)

    def test_an_asynchronous_endpoint_is_asked_through_s3_in_each_accounts_own_bucket(self) -> None:
        document = manifest(EndpointKind="asynchronous", AsyncOutputS3Uri="account")
        good, bad = through_s3("0.0"), through_s3("2.0")
        results = self.check({"333333333333": good, "444444444444": bad}, document)
        self.assertEqual(
            [result.failure for result in results if result.failure],
            ["account 444444444444, Region us-east-1, setosa: the answer: expected 0.0, got 2.0"],
        )
        (sent,) = good("s3").called("put_object")
        self.assertEqual(sent["Bucket"], "endpoint-data-333333333333-us-east-1")
        self.assertTrue(sent["Key"].startswith("asynchronous/iris-p-1-staging/requests/"), sent)
        (asked,) = good("sagemaker-runtime").called("invoke_endpoint_async")
        self.assertEqual(asked["InputLocation"], f"s3://{sent['Bucket']}/{sent['Key']}")

    def test_the_answers_of_an_asynchronous_endpoint_are_kept_and_no_latency(self) -> None:
        document = manifest(EndpointKind="asynchronous", AsyncOutputS3Uri="account")
        there = {"333333333333": through_s3("0.0"), "444444444444": through_s3("0.0")}
        found = check_stage(document, "staging", Golden((SETOSA,)), lambda account, _: there[account])
        self.assertEqual([one.answers for one in found], [{"setosa": 0.0}] * 2)
        self.assertEqual(kept(Golden((SETOSA,)), found)["payloads"]["setosa"]["answer"], 0.0)
        self.assertEqual([one.milliseconds for one in found], [(), ()])

    def test_a_failure_of_an_asynchronous_endpoint_ends_the_waiting(self) -> None:
        document = manifest(EndpointKind="asynchronous", AsyncOutputS3Uri="s3://data/asynchronous")
        failing = through_s3("no such column", "failures/")
        results = self.check({"333333333333": failing, "444444444444": through_s3("0.0")}, document)
        self.assertIn("the endpoint failed: no such column", results[4].failure)

    def test_where_the_key_is_refused_no_answer_is_waited_for(self) -> None:
        document = manifest(EndpointKind="asynchronous", AsyncOutputS3Uri="account", DataKmsKeyId="alias/data")
        refused = through_s3("0.0", put=error("PutObject", "AccessDenied"))
        results = self.check({"333333333333": refused, "444444444444": through_s3("0.0")}, document)
        [failure] = [result.failure for result in results if result.failure]
        self.assertIn("may not encrypt with the key alias/data (AccessDenied): name it in the environment", failure)
        self.assertEqual(refused("sagemaker-runtime").called("invoke_endpoint_async"), [])

    def test_the_key_is_tried_in_each_account_wherever_data_are_kept(self) -> None:
        places = {"AsyncOutputS3Uri": "account", "DataCaptureS3Uri": "account"}
        document = manifest(EndpointKind="asynchronous", **places, DataKmsKeyId="alias/data")
        there = {account: through_s3("0.0") for account in ("333333333333", "444444444444")}
        self.check(there, document)
        for found in there.values():
            sent = [(one["Key"].split("/")[0], one.get("SSEKMSKeyId")) for one in found("s3").called("put_object")]
            # Beside captured data the tester may write nothing.
            self.assertEqual(sent, [("asynchronous", "alias/data")] * 2 + [("asynchronous", None)])

    def test_a_bucket_that_the_accounts_roles_may_not_use_is_named_with_the_cure(self) -> None:
        document = manifest(DataCaptureS3Uri="account")
        refused = through_s3("0.0", bucket=error("ListObjectsV2", "AccessDenied"))
        results = self.check(
            {"333333333333": refused, "444444444444": through_s3("0.0", bucket=error("L", "NoSuchBucket"))}, document
        )
        self.assertIn("endpoints.data_bucket, and run make accounts", results[3].failure)
        self.assertIn("the bucket endpoint-data-444444444444-us-east-1 does not exist: create it", results[8].failure)

    def test_a_report_of_many_places_has_one_case_for_each(self) -> None:
        many = [Result(f"{n:012}/us-east-1", name, 1.0) for n in range(100) for name in "abcdef"]
        many[7] = Result(many[7].place, "b", 1.0, "account 1 fails")
        found = at_most(many)
        self.assertEqual(len(found), 100)
        self.assertEqual([result.failure for result in found if result.failure], ["account 1 fails"])
        self.assertEqual((found[0].name, found[0].seconds), ("6 checks", 6.0))
        self.assertEqual(at_most(many[:500]), many[:500])

    def test_the_report_is_junit(self) -> None:
        root = ElementTree.fromstring(junit("staging", self.check({"444444444444": clients(answer="x <&>")})))
        self.assertEqual([suite.get("failures") for suite in root], ["0", "1"])
        failure = root.find("./testsuite/testcase/failure")
        assert failure is not None
        self.assertIn("got 'x <&>'", failure.get("message", ""))


class ThePayloads(unittest.TestCase):
    def test_answers_are_compared_in_value_and_form(self) -> None:
        right: list[tuple[Any, Any, float]] = [
            (1.0, 1, 0), (0.5, 0.51, 0.02), ("a", "a", 0), ([1, 2], [1.0, 2.0], 0), ({"p": [0.1]}, {"p": [0.1]}, 0),
            (None, None, 0), (True, True, 0),
        ]  # fmt: skip
        wrong: list[tuple[Any, Any, float]] = [
            (1.0, 2.0, 0), (1.0, "1.0", 0), (1.0, float("nan"), 9), ([1], [1, 2], 0), ([1], 1, 0), (1, True, 0),
            ({"p": 1}, {"q": 1}, 0), ("a", 1, 0),
        ]  # fmt: skip
        for expected, got, tolerance in right:
            self.assertEqual(difference(expected, got, tolerance), "", (expected, got))
        for expected, got, tolerance in wrong:
            self.assertNotEqual(difference(expected, got, tolerance), "", (expected, got))

    def test_answers_are_read_by_their_type(self) -> None:
        self.assertEqual(read_answer("text/csv; charset=utf-8", b"0.0\n"), 0.0)
        self.assertEqual(read_answer("text/csv", b"0.1,0.9"), [0.1, 0.9])
        self.assertEqual(read_answer("text/csv", b"1.0\n2.0\n"), [1.0, 2.0])
        self.assertEqual(read_answer("text/csv", b'"urgent, very"\n'), "urgent, very")
        self.assertEqual(
            read_answer("text/csv", b'"5"" pipe",5" pipe\n"two\nlines"'), ['5" pipe', '5" pipe', "two\nlines"]
        )
        self.assertEqual(read_answer("text/csv", b" \n"), "")
        self.assertEqual(read_answer("text/csv", b'"' + b"x" * 200_000), '"' + "x" * 200_000)
        self.assertEqual(read_answer("application/json", b'{"p": [1]}'), {"p": [1]})
        self.assertEqual(read_answer("text/plain", b"error"), "error")

    def test_the_golden_payloads_of_this_repository_are_right(self) -> None:
        self.assertTrue(read_golden(ROOT / "seed-code/model-deploy" / GOLDEN))

    def test_a_wrong_file_is_refused(self) -> None:
        for text, said in (
            ("{", "not JSON"),
            ('{"payloads": []}', "no payloads"),
            ('{"payloads": [{"name": "a", "content_type": "b", "body": "c"}]}', "neither expected nor schema"),
            ('{"payloads": [{"nam": "a"}], "tolerence": 1}', "tolerence is 1: no such key is known"),
        ):
            with self.subTest(text), tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "golden.json"
                place.write_text(text)
                with self.assertRaisesRegex(UserError, said):
                    read_golden(place)


if __name__ == "__main__":
    unittest.main()
