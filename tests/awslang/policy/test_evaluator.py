"""The evaluator against tables of cases (iam_cases beside it) and against a second, naive way of deciding."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from awslang.policy.conditions import Test as ConditionTest
from awslang.policy.conditions import operator_parts
from awslang.policy.document import MalformedPolicy, Policy, parse
from awslang.policy.evaluator import AuthorizationRequest, Policies, decide
from awslang.policy.saving import READ_AS, check_saved
from awslang.principals import Principal

FOLDER = Path(__file__).parent / "iam_cases"
HOME = "111111111111"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


# -- how a case is written (tests/awslang/policy/iam_cases/README.md) ------------------------------------------


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if "${" not in text else [text.strip()]


def statement(written: Any) -> dict[str, Any]:
    say, condition = (written["say"], written.get("if")) if isinstance(written, dict) else (written, None)
    sign, rest = say[0], say[1:]
    actions, resources, principals = (*(part.strip() for part in rest.split("|")), "", "")[:3]
    out: dict[str, Any] = {"Effect": {"+": "Allow", "-": "Deny"}[sign]}
    out["NotAction" if actions[0] == "!" else "Action"] = listed(actions.removeprefix("!"))
    if resources:
        out["NotResource" if resources[0] == "!" else "Resource"] = listed(resources.removeprefix("!"))
    if principals:
        named: Any = {}
        for one in listed(principals.removeprefix("!")):
            kind, _, value = one.partition(":") if one.startswith(("aws:", "service:")) else ("aws", "", one)
            named.setdefault({"aws": "AWS", "service": "Service"}[kind], []).append(value)
        out["NotPrincipal" if principals[0] == "!" else "Principal"] = named
    if condition:
        out["Condition"] = condition
    return out


def policy(case: dict[str, Any], layer: str, kind: Any) -> Policy | None:
    if layer not in case:
        return None
    written = case[layer] if isinstance(case[layer], list) else [case[layer]]
    return made(written, layer, kind, case)


def made(written: list[Any], name: str, kind: Any, case: dict[str, Any]) -> Policy:
    if not written:
        return Policy(name, HOME, ())
    document = {"Version": case.get("version", "2012-10-17"), "Statement": [statement(w) for w in written]}
    return parse(document, name, HOME, kind)


def who(text: str) -> Principal:
    spoken, _, account = (part.strip() for part in text.partition("@"))
    account = account or HOME
    kind, _, name = spoken.partition(" ")
    if kind == "role":
        session = f"arn:aws:sts::{account}:assumed-role/{name.rsplit('/', 1)[-1]}/me"
        return Principal("role", account, session, role_arn=f"arn:aws:iam::{account}:role/{name}", session_name="me")
    if kind == "user":
        return Principal("user", account, f"arn:aws:iam::{account}:user/{name}")
    if kind == "service":
        return Principal("service", "", name)
    return (
        Principal("anonymous", "", "*")
        if kind == "anonymous"
        else Principal("root", account, f"arn:aws:iam::{account}:root")
    )


def levels(case: dict[str, Any], key: str, kind: Any) -> tuple[tuple[Policy, ...], ...]:
    return tuple(tuple(made([one], key, kind, case) for one in level) for level in case.get(key, []))


def outcome(case: dict[str, Any]) -> str:
    action, _, resource = case.get("ask", "s3:GetObject arn:aws:s3:::b/k").partition(" ")
    context = {
        key.lower(): tuple(value) if isinstance(value, list) else (value,)
        for key, value in case.get("context", {}).items()
    }
    kind: Any = next((k for k in ("trust", "key") if k in case), "resource")
    identity, session = policy(case, "identity", "identity"), policy(case, "session", "identity")
    decision = decide(
        AuthorizationRequest(who(case.get("as", "role worker")), action, resource, case.get("owner", HOME), context),
        Policies(
            identity=(identity,) if identity else (),
            boundary=policy(case, "boundary", "identity"),
            session=(session,) if session else None,
            resource=policy(case, kind, "trust" if kind == "trust" else "resource"),
            resource_kind=kind,
            service_control=levels(case, "scp", "control"),
            resource_control=levels(case, "rcp", "resource"),
            management_account=case.get("management", "999999999999"),
        ),
    )
    word = {"allowed": "allowed", "explicit deny": "denied", "implicit deny": "not allowed"}[decision.reason]
    assert decision.allowed == (word == "allowed")
    assert decision.allowed or decision.missing or decision.statements
    return f"{word} by {decision.layer}"


def tables() -> list[Any]:
    out = []
    for path in sorted(FOLDER.glob("*.yaml")):
        table = read(path.name)
        assert table["page"], f"{path.name} names no AWS page"
        for case in table.get("cases", []):
            out.append(pytest.param({**table.get("defaults", {}), **case}, id=f"{path.stem}: {case['name']}"))
    return out


@pytest.mark.parametrize("case", tables())
def test_the_evaluator_decides_as_the_page_says(case: dict[str, Any]) -> None:
    found = outcome(case)
    assert found == case["expect"] or found.startswith(case["expect"] + " by ")


def rows() -> list[Any]:
    load = yaml.safe_load
    out = []
    for row in read("conditions.yaml")["rows"].strip().splitlines():
        operator, values, asked, holds = (part.strip() for part in row.split(" | "))
        out.append(pytest.param(operator, load(values), None if asked == "-" else load(asked), holds == "y", id=row))
    return out


@pytest.mark.parametrize(("operator", "values", "asked", "holds"), rows())
def test_a_condition_holds_as_the_page_says(operator: str, values: Any, asked: Any, holds: bool) -> None:
    context: dict[str, Any] = {} if asked is None else {"aws:k": [asked] if not isinstance(asked, list) else asked}
    context["aws:username"] = "ann"
    case = {
        "identity": {"say": "+ s3:* | *", "if": {operator: {"aws:k": values}}},
        "context": context,
    }
    assert outcome(case).startswith("allowed") is holds


@pytest.mark.parametrize("row", read("documents.yaml")["documents"], ids=lambda row: f"{row['kind']} {row['text']}")
def test_a_document_is_taken_or_refused_as_iam_does(row: dict[str, str]) -> None:
    if not row["says"]:
        parse(row["text"], "p", HOME, row["kind"])  # type: ignore[arg-type]
        return
    with pytest.raises(MalformedPolicy) as caught:
        parse(row["text"], "p", HOME, row["kind"])  # type: ignore[arg-type]
    assert row["says"] in str(caught.value)


@pytest.mark.parametrize("row", read("documents.yaml")["saved"], ids=lambda row: f"{row['kind']} {row['text']}")
def test_a_policy_is_saved_or_refused_as_its_service_does(row: dict[str, str]) -> None:
    kind: Any = row["kind"]
    policy = parse(row["text"], "p", HOME, READ_AS[kind])
    if not row["says"]:
        check_saved(policy, kind)
        return
    with pytest.raises(MalformedPolicy) as caught:
        check_saved(policy, kind)
    assert row["says"] in str(caught.value)


def test_the_files_hold_495_cases() -> None:
    documents = read("documents.yaml")
    counts = (len(tables()), len(rows()), len(documents["documents"]), len(documents["saved"]))
    assert counts == (267, 157, 48, 23)


def test_every_aws_managed_policy_is_understood() -> None:
    import json

    from moto.iam.aws_managed_policies import aws_managed_policies_data

    for name, found in json.loads(aws_managed_policies_data).items():
        policy = parse(found["Document"], name, "")
        assert policy.statements
        check_saved(policy, "identity")


# -- a second way of deciding ----------------------------------------------------------------------------------
#
# Written from the flow charts of "Policy evaluation logic", on plain tuples: every policy is first turned
# into the set of things that it allows or denies in a tiny world, and the layers are then set operations.

ACTIONS = ["s3:GetObject", "s3:PutObject", "ec2:RunInstances"]
RESOURCES = ["arn:aws:s3:::b/k", "arn:aws:s3:::b/m", "arn:aws:s3:::c/k"]
WHO = ["role worker", "user ann", "root", "role w @ 222222222222", "service x.amazonaws.com", "anonymous"]
NAMES = ["*", HOME, "222222222222", f"aws:arn:aws:iam::{HOME}:role/worker", f"aws:arn:aws:iam::{HOME}:user/ann",
         f"aws:arn:aws:sts::{HOME}:assumed-role/worker/me", "aws:arn:aws:iam::222222222222:role/w",
         "service:x.amazonaws.com"]  # fmt: skip
# for each asker: names that are itself, names that are its role, names that are its account
SELF = {
    "role worker": ({"*", NAMES[5]}, {NAMES[3]}, {HOME}),
    "user ann": ({"*", NAMES[4]}, set(), {HOME}),
    "root": ({"*", HOME}, set(), set()),
    "role w @ 222222222222": ({"*"}, {NAMES[6]}, {"222222222222"}),
    "service x.amazonaws.com": ({"*", NAMES[7]}, set(), set()),
    "anonymous": ({"*"}, set(), set()),
}  # fmt: skip
Say = tuple[str, str, str, str]  # sign, action, resource, principal
WORLD = frozenset((a, r) for a in ACTIONS for r in RESOURCES)


def reach(say: Say) -> frozenset[tuple[str, str]]:
    return frozenset((a, r) for a, r in WORLD if fnmatch.fnmatchcase(a, say[1]) and fnmatch.fnmatchcase(r, say[2]))


def union(policy_says: list[Say], sign: str, names: set[str] | None = None) -> frozenset[tuple[str, str]]:
    chosen = [s for s in policy_says if s[0] == sign and (names is None or s[3] in names)]
    return frozenset().union(*(reach(s) for s in chosen))


def naive(asker: str, layers: dict[str, Any], kind: str) -> frozenset[tuple[str, str]]:
    """Everything that the asker may do in the world."""
    itself, role, account = SELF[asker]
    anyhow = itself | role | account
    has_identity = asker.startswith(("role", "user"))
    resource = layers["resource"]
    denied = union(resource, "-", anyhow)
    limits = WORLD
    if has_identity:
        for layer in ("identity", "boundary", "session"):
            denied |= union(layers[layer] or [], "-")
        for layer in ("boundary", "session"):
            limits &= WORLD if layers[layer] is None else union(layers[layer], "+")
    gate = WORLD
    if (has_identity or asker == "root") and layers["scp"]:
        for level in layers["scp"]:
            denied |= union(level, "-")
            gate &= union(level, "+")
    identity = union(layers["identity"], "+") if has_identity else (WORLD if asker == "root" else frozenset())
    direct, by_role = union(resource, "+", itself), union(resource, "+", role)
    by_account = union(resource, "+", account)
    if "@" in asker:
        allowed = (direct | by_role | by_account) & identity & limits
    elif kind == "resource":
        allowed = direct | (by_role & limits) | (identity & limits)
    else:
        allowed = direct | (by_role & limits) | (by_account & identity & limits)
    return (allowed & gate) - denied


signs = st.sampled_from(["+", "+", "-"])
actions = st.sampled_from(["*", "s3:*", "s3:Get*", "s3:PutObject", "ec2:*", "s3:?utObject"])
where = st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::?/k", "arn:aws:s3:::c*"])
says = st.lists(st.tuples(signs, actions, where, st.just("")), min_size=1, max_size=3)
named = st.lists(st.tuples(signs, actions, where, st.sampled_from(NAMES)), min_size=1, max_size=4)
worlds = st.fixed_dictionaries(
    {
        "identity": says,
        "boundary": st.none() | says,
        "session": st.none() | says,
        "resource": st.just([]) | named,
        "scp": st.lists(says, max_size=2),
    }
)


@settings(max_examples=300, deadline=None)
@given(asker=st.sampled_from(WHO), layers=worlds, kind=st.sampled_from(["resource", "key"]))
def test_a_second_way_of_deciding_agrees(asker: str, layers: dict[str, Any], kind: str) -> None:
    case: dict[str, Any] = {"as": asker}
    for layer in ("identity", "boundary", "session", "resource"):
        if layers[layer]:
            key = kind if layer == "resource" else layer
            case[key] = [f"{sign} {a} | {r} | {p}" for sign, a, r, p in layers[layer]]
    case.setdefault(kind, [])
    case["scp"] = [[f"{sign} {a} | {r}" for sign, a, r, _ in level] for level in layers["scp"]]
    may = naive(asker, layers, kind)
    for action, resource in sorted(WORLD):
        found = outcome({**case, "ask": f"{action} {resource}"})
        assert found.startswith("allowed") == ((action, resource) in may), (action, resource, found)


@given(written=st.sampled_from(["StringEquals", "StringNotLike", "ArnLike", "NumericLessThan"]), absent=st.booleans())
def test_if_exists_never_fails_on_an_absent_key(written: str, absent: bool) -> None:
    parts = operator_parts(f"{written}IfExists")
    assert parts is not None
    found = ConditionTest(written, parts[1], parts[0], parts[2], "aws:k", ("1",))
    assert found.holds({}, True)
    plain = ConditionTest(written, parts[1], parts[0], False, "aws:k", ("1",))
    assert found.holds({"aws:k": ("1",)}, absent) == plain.holds({"aws:k": ("1",)}, absent)
