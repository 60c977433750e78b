"""All questions to an installation's policies, and the answers: who may do what, on what, in which way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from awslang.policy.action_table import table
from awslang.policy.document import Policy, Statement, parse
from awslang.policy.evaluator import AuthorizationRequest, Policies, decide
from scripts.rehearsal.permissions import actions_of
from tests.support.who_may.covering import covers_by_name, says, things_of
from tests.support.who_may.people import ADMINISTRATORS, OTHERS, PEOPLE, Person, context_of
from tests.support.who_may.policies import DATA_SCIENCE, GROUP, Document, documents, model_group, set_ups
from tests.support.who_may.thing import Thing
from tests.support.who_may.things import things
from tests.support.who_may.ways import ways

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ALL = parse(EVERYTHING, "everything else", "")
OPEN = parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]},
    "open to everyone",
    "",
    "resource",
)
# What the kit grants no one, and a policy that became too wide would.
SENSITIVE = frozenset(
    {
        "cloudformation:CancelUpdateStack",
        "cloudformation:DeleteStackSet",
        "cloudformation:SetStackPolicy",
        "cloudwatch:DeleteDashboards",
        "cloudwatch:SetAlarmState",
        "codebuild:CreateProject",
        "codebuild:DeleteReport",
        "codebuild:UpdateProject",
        "codecommit:DeleteRepository",
        "codeconnections:DeleteConnection",
        "codestar-connections:DeleteConnection",
        "codepipeline:DeletePipeline",
        "codepipeline:PutApprovalResult",
        "codepipeline:UpdatePipeline",
        "ecr:DeleteRepository",
        "ecr:PutImage",
        "events:DeleteEventBus",
        "events:RemoveTargets",
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeleteRole",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteLogGroup",
        "logs:GetLogEvents",
        "organizations:LeaveOrganization",
        "pricing:ListPriceLists",
        "s3:DeleteObject",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
        "sagemaker:DeleteModelPackage",
        "sagemaker:UpdateModelPackage",
        "sagemaker:CreateNotebookInstance",
        "sagemaker:StopNotebookInstance",
        "servicecatalog:DeletePortfolio",
        "servicecatalog:DeleteProduct",
        "sns:SetTopicAttributes",
        "sns:Subscribe",
        "ssm:PutParameter",
        "states:StartExecution",
        "states:UpdateStateMachine",
        "sts:AssumeRole",
        "sts:SetSourceIdentity",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "application-autoscaling:PutScheduledAction",
        "ec2:TerminateInstances",
    }
)
# Whose tries to take on a role stand for everyone's: nothing else of a caller is looked at there.
TAKE_ON_ROLES = {
    "an administrator of the data science account",
    "an administrator of a staging account",
    "an administrator of another organization's account",
    "anyone without credentials",
    "the tests",
    "own tests",
    "a build",
    "stack sets' administration role",
    "the shop, a consumer",
    "the clerk, a consumer of another project",
}
WITHOUT_RESOURCE = {
    "cloudformation:GetTemplateSummary"
}  # with a template's URL; what has another stack's name has none
Mode = Literal["both", "own", "resource"]
Change = tuple[Document, Policy]
VERB = re.compile(r"[A-Z]+[a-z]*")


@dataclass(frozen=True, eq=False)
class Question:
    """One request, but for who makes it. There is one object for each."""

    action: str
    thing: Thing
    way: str

    def __str__(self) -> str:
        return f"{self.action} on {self.thing.name}" + (f", {self.way}" if self.way else "")


Asked = tuple[Thing, list[Question]]  # a resource, and the questions about it with one action


@dataclass
class World:
    """One set-up: its policies, and what was asked of it so far."""

    name: str
    documents: list[Document]
    answers: dict[tuple[str, Question, str], bool] = field(default_factory=dict)
    parsed: dict[int, Policy] = field(default_factory=dict)
    requests: dict[tuple[str, Question, bool], AuthorizationRequest] = field(default_factory=dict)
    _questions: dict[int, dict[str, list[Asked]]] = field(default_factory=dict)
    _said: dict[tuple[str, Question], int] = field(default_factory=dict)
    _said_by: Statement | None = None

    def __post_init__(self) -> None:
        self.parsed = {id(one): parse(one.text(), one.place, one.account, one.kind) for one in self.documents}
        self.by_holder: dict[str, list[Document]] = {}
        for document in self.documents:
            self.by_holder.setdefault(document.holder, []).append(document)
        self.people = [one for one in [*PEOPLE, *OTHERS] if self._exists(one)]
        self.actions = sorted(universe(self.documents))

    def _exists(self, person: Person) -> bool:
        """Everyone but roles of the kit that this set-up does not have; where models alone are looked at, strangers."""
        if "BundleBucketPolicy" not in " ".join(one.place for one in self.documents):
            return person in ADMINISTRATORS[1:5] or person.principal.kind == "anonymous"
        if person.everything or person.principal.kind != "role" or person.name.startswith("a stranger"):
            return True
        return bool(set(person.policies) & set(self.by_holder))

    def questions(self, actions: Iterable[str]) -> Iterator[Question]:
        """Every question with these actions, on what they act on."""
        for action in actions:
            yield from questions_of(action)

    def document_of(self, thing: Thing, action: str) -> Document | None:
        """The kit's policy of a resource."""
        if thing.open:
            return None
        holder = thing.arn.split("/")[0] if thing.service == "s3" else thing.arn
        if thing.kinds[0] in ("model-package", "model-package-group"):
            holder = GROUP
        if thing.kinds[0] == "role" and not action.startswith("sts:"):
            return None
        return next(iter(self.by_holder.get(holder, [])), None)

    def may(self, person: Person, question: Question, mode: Mode = "both", changed: Change | None = None) -> bool:
        """Whether the person may; changed: a document, with the policy that takes its place.

        mode: "both", as AWS decides; "own", as if every resource admitted everyone; "resource", as if every
        caller's own policies allowed everything. So a policy is judged by itself
        where another one may refuse the same.
        """
        if changed:
            return self._decide(person, question, mode, changed)
        key = (person.name, question, mode)
        if key not in self.answers:
            self.answers[key] = self._decide(person, question, mode, None)
        return self.answers[key]

    def alike(self, person: Person, question: Question, before: Statement | None, after: Statement | None) -> bool:
        """Whether two statements, one in place of the other, say the same of a request.

        What the one before says is kept: it is compared with many, one after the other.
        """
        request, key = self.request(person, question), (person.name, question)
        if before is not self._said_by:
            self._said, self._said_by = {}, before
        if key not in self._said:
            self._said[key] = says(before, request)
        return self._said[key] == says(after, request)

    def policy(self, document: Document, changed: Change | None) -> Policy:
        return changed[1] if changed and changed[0] is document else self.parsed[id(document)]

    def _decide(self, person: Person, question: Question, mode: Mode, changed: Change | None) -> bool:
        thing, action = question.thing, question.action
        own = [d for name in person.policies for d in self.by_holder.get(name, []) if d.kind == "identity"]
        identity = [self.policy(one, changed) for one in own if mode != "resource"]
        if person.everything or mode == "resource":
            identity.append(ALL)
        document = self.document_of(thing, action)
        resource = self.policy(document, changed) if document else default_policy(thing)
        if mode == "own" or thing.open:
            resource = OPEN
        kind: Literal["resource", "trust", "key"] = "resource"
        if thing.kinds[0] == "key":
            kind = "key"
        elif thing.kinds[0] == "role" and action.startswith("sts:"):
            kind = "trust"
        elsewhere = resource is OPEN and bool(person.principal.account)  # another account's resource
        request = self.request(person, question, elsewhere)
        return decide(request, Policies(tuple(identity), resource=resource, resource_kind=kind)).allowed

    def request(self, person: Person, question: Question, elsewhere: bool = False) -> AuthorizationRequest:
        """What the person asks; elsewhere: as if the resource were another account's."""
        key = (person.name, question, elsewhere)
        if elsewhere and key not in self.requests:
            self.requests[key] = replace(self.request(person, question), resource_account="elsewhere")
        elif key not in self.requests:
            thing, way = question.thing, ways(question.action)[question.way]
            keys = {"aws:SecureTransport": "true", "aws:ResourceAccount": thing.account, **thing.keys, **way}
            context = context_of(person, keys)
            self.requests[key] = AuthorizationRequest(
                person.principal, question.action, thing.arn, thing.account, context
            )
        return self.requests[key]

    # -- who may what --------------------------------------------------------------------------

    def own_answers(self, person: Person) -> list[Question]:
        """What the person's own policies allow wherever the resource admits it, or deny one that may everything."""
        own = [d for name in person.policies for d in self.by_holder.get(name, []) if d.kind == "identity"]
        effect = "Deny" if person.everything else "Allow"
        statements = [s for d in own for s in self.parsed[id(d)].statements if s.effect == effect]
        wanted, found = effect == "Allow", []
        for action in self.actions:
            named_it = [one for one in statements if covers_by_name(one, action)]
            for thing, questions in by_thing(action) if named_it else ():
                if any(things_of(one)[thing.arn] is not False for one in named_it):
                    found += [q for q in questions if asks(person, q) and self.may(person, q, "own") == wanted]
        return found

    def resource_answers(self, document: Document, person: Person) -> list[Question]:
        """What the policy of a resource allows someone whose own policies allow everything."""
        return [q for q in self.about(document) if asks(person, q) and self.may(person, q, "resource")]

    def asked(self, person: Person) -> Iterator[Question]:
        """What the kit's policies decide for this person; all else is refused, or not theirs to refuse."""
        found = [] if person.everything else self.own_answers(person)
        for document in self.documents:
            if document.kind != "identity" and person in self.concerned(document):
                found += self.about(document)
        if person.name.startswith(("a data scientist", "a role of another template")):
            found += self.questions(self.actions)
        return (question for question in dict.fromkeys(found) if asks(person, question))

    def concerned(self, document: Document) -> list[Person]:
        """Who may get another answer when this document changes."""
        if document.kind == "identity":
            return [person for person in self.people if document.holder in person.policies]
        if document.kind == "trust":
            return [
                one
                for one in self.people
                if one.principal.kind in ("service", "federated") or one.name in TAKE_ON_ROLES
            ]
        own = [one for one in self.people if one.principal.kind == "role" and one.principal.account == DATA_SCIENCE]
        others = [one for one in self.people if one.everything or one.principal.kind == "anonymous"]
        return list({one.name: one for one in [*others, *own]}.values())

    def affected(self, document: Document, before: Statement | None, after: Statement | None) -> list[Question]:
        """The questions to which the two statements, one in place of the other, may have different answers."""
        conditions = (
            before is None
            or after is None
            or ((before.conditions, before.principals) != (after.conditions, after.principals))
        )
        there = things_of(before), things_of(after)
        found = []
        for action, asked in self._about(document).items():
            by_name = [one is not None and covers_by_name(one, action) for one in (before, after)]
            for thing, questions in asked if any(by_name) else ():
                was, now = there[0][thing.arn], there[1][thing.arn]
                covered, covers = by_name[0] and was is not False, by_name[1] and now is not False
                if (covered or covers) and (conditions or covered != covers or was is None or now is None):
                    found += questions
        return found

    def about(self, document: Document) -> list[Question]:
        """The questions that a document has an answer to."""
        return [q for asked in self._about(document).values() for _, questions in asked for q in questions]

    def _about(self, document: Document) -> dict[str, list[Asked]]:
        """The questions that a document has an answer to, by action."""
        key = 0 if document.kind == "identity" else id(document)
        if key not in self._questions:
            self._questions[key] = {
                action: [one for one in by_thing(action) if not key or self.document_of(one[0], action) is document]
                for action in self.actions
            }
        return self._questions[key]


def asks(person: Person, question: Question) -> bool:
    """Services and GitHub take on roles, and bring nothing with them; the rest is asked everything."""
    if person.principal.kind not in ("service", "federated"):
        return question.action != "sts:AssumeRoleWithWebIdentity"
    return question.action.startswith("sts:") and question.way in ("", "without tags")


def default_policy(thing: Thing) -> Policy | None:
    """What AWS makes where no policy is given: a key's lets its account decide."""
    if thing.kinds[0] != "key":
        return None
    root = {"Effect": "Allow", "Principal": {"AWS": thing.account}, "Action": "kms:*", "Resource": "*"}
    return parse({"Version": "2012-10-17", "Statement": [root]}, "default key policy", thing.account, "resource")


@cache
def _things() -> tuple[Thing, ...]:
    return tuple(things())


@cache
def acted_on(action: str) -> tuple[Thing, ...]:
    """The resources that an action acts on, by AWS's table; no resource where none is known here."""
    prefix, name = action.split(":")
    known = table(prefix)
    if action in WITHOUT_RESOURCE:
        return tuple(one for one in _things() if one.arn == "*")
    kinds = {kind.rstrip("*") for kind in known.actions.get(name, [""])} if known else {""}
    found = tuple(one for one in _things() if one.service in services(prefix) and set(one.kinds) & (kinds - {""}))
    return found or tuple(one for one in _things() if one.arn == "*")


@cache
def by_thing(action: str) -> list[Asked]:
    """The questions with an action, by what they act on."""
    return [(thing, [Question(action, thing, way) for way in ways(action)]) for thing in acted_on(action)]


def questions_of(action: str) -> list[Question]:
    return [question for _, questions in by_thing(action) for question in questions]


def services(prefix: str) -> tuple[str, ...]:
    """The services in whose ARNs the resources of a prefix are."""
    return {"sts": ("iam",), "servicecatalog": ("catalog",)}.get(prefix, (prefix,))


def universe(found: Iterable[Document]) -> set[str]:
    """The actions of all policies, what they leave out, and the next action of each verb that they use."""
    used = set()
    for document in found:
        for statement in parse(document.text(), document.place, document.account, document.kind).statements:
            if not statement.not_actions and not any(one.endswith(":*") for one in statement.actions):
                used |= set(actions_of(statement))
    asked = used | set(SENSITIVE)
    for action in sorted(used):
        prefix, name = action.split(":")
        known, verb = table(prefix), VERB.match(name)
        if known is None or verb is None:
            continue
        there = [one for one in known.actions if one.startswith(verb[0]) and f"{prefix}:{one}" not in asked]
        kinds = set(known.actions.get(name, ()))
        siblings = (f"{prefix}:{one}" for one in there if set(known.actions[one]) & ((kinds - {""}) or kinds))
        asked |= {next(siblings, action)}
    return asked


@cache
def worlds() -> dict[str, World]:
    """Every set-up."""
    return {
        name: World(name, [d for stack in stacks for d in documents(stack)] + model_group())
        for name, stacks in set_ups().items()
    }
