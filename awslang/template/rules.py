"""The Rules section: assertions about parameters, checked before anything is created.

AWS pages: "CloudFormation template Rules syntax", "Rule-specific intrinsic functions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from awslang.errors import NotSupported
from awslang.template import functions, nodes
from awslang.template.parameters import Parameters
from awslang.template.template import Template, TemplateError
from awslang.template.values import texts

Evaluate = Callable[[Any], Any]


def check(template: Template, parameters: Parameters, evaluate: Evaluate) -> None:
    """TemplateError, with the assertion's description, for the first rule that fails."""
    for name, rule in template.rules.items():
        judge = Judge(parameters, evaluate, f"rule {name}, line {template.line('Rules', name)}")
        if "RuleCondition" in rule and not judge.truth(rule["RuleCondition"]):
            continue
        for index, assertion in enumerate(rule["Assertions"]):
            if not judge.truth(assertion["Assert"]):
                described = assertion.get("AssertDescription", f"Assertion {index + 1} of rule {name} failed")
                raise template.error(described, "Rules", name, "Assertions", index)


class Judge:
    """Evaluates the functions of one rule. where names the rule, for messages."""

    def __init__(self, parameters: Parameters, evaluate: Evaluate, where: str) -> None:
        self.parameters = parameters
        self.evaluate = evaluate
        self.where = where
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Fn::And": lambda a: all(self.truth(part) for part in a),
            "Fn::Or": lambda a: any(self.truth(part) for part in a),
            "Fn::Not": lambda a: not self.truth(a[0]),
            "Fn::Equals": lambda a: functions.equals(self.value(a[0]), self.value(a[1])),
            "Fn::Contains": lambda a: texts(self.value(a[1])) in self.items(a[0]),
            "Fn::EachMemberEquals": lambda a: all(item == texts(self.value(a[1])) for item in self.items(a[0])),
            "Fn::EachMemberIn": lambda a: all(item in self.items(a[1]) for item in self.items(a[0])),
            "Fn::RefAll": self.ref_all,
            "Fn::ValueOf": self.unsupported,
            "Fn::ValueOfAll": self.unsupported,
        }

    def value(self, node: Any) -> Any:
        found = nodes.call(node)
        if found and found[0] in self.functions:
            return self.functions[found[0]](found[1])
        if isinstance(node, list):
            return [self.value(part) for part in node]
        return self.evaluate(node)

    def truth(self, node: Any) -> bool:
        value = self.value(node)
        if texts(value) not in ("true", "false"):
            raise TemplateError(f"Template error: a condition or assertion of {self.where} is neither true nor false")
        return bool(texts(value) == "true")

    def items(self, node: Any) -> list[Any]:
        value = texts(self.value(node))
        return value if isinstance(value, list) else [value]

    def ref_all(self, kind: Any) -> list[Any]:
        """The values of all parameters of a type."""
        found: list[Any] = []
        for name, declared in self.parameters.types.items():
            if declared == kind:
                value = self.parameters.values[name]
                found += value if isinstance(value, list) else [value]
        return found

    def unsupported(self, argument: Any) -> Any:
        raise NotSupported(f"Fn::ValueOf and Fn::ValueOfAll, which look up what a parameter names ({self.where})")
