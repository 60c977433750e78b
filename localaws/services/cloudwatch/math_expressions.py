"""Metric math: arithmetic on series and numbers; ABS, AVG, CEIL, FILL, FLOOR, MAX, METRICS, MIN and SUM.

CloudWatch User Guide, "Using math expressions with CloudWatch metrics" (its tables of data types and of functions).
Every other function, SEARCH and Metrics Insights queries are not supported.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from awslang.errors import AwsError, NotSupported

Series = dict[datetime, float]
Value = float | Series | list[Series]
LONGEST = 2_048  # characters of an expression
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: math.pow,
}  # fmt: skip
EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
TOGETHER: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values), "MAX": max, "MIN": min, "SUM": sum,
}  # fmt: skip


def invalid(name: str, problem: str) -> AwsError:
    return AwsError("ValidationError", f"Error in expression '{name}': {problem}")


def computed(expressions: Mapping[str, str], metrics: Mapping[str, Series]) -> dict[str, Series]:
    """The time series of each expression; it may name metrics and other expressions by their ids."""
    return {name: Expression(name, expressions, metrics, ()).series() for name in expressions}


class Expression:
    """One expression; above: the ids of those that it is asked for by."""

    def __init__(
        self, name: str, expressions: Mapping[str, str], metrics: Mapping[str, Series], above: tuple[str, ...]
    ) -> None:
        self.name, self.expressions, self.metrics, self.above = name, expressions, metrics, (*above, name)
        text = expressions[name].strip()
        if text.upper().startswith(("SELECT", "SEARCH")):
            raise NotSupported(f"the metric expression {text}")
        if len(text) > LONGEST:
            raise invalid(name, "it is too long")
        try:
            self.tree = ast.parse(text.replace("^", "**"), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise invalid(name, "syntax error") from error

    def series(self) -> Series:
        try:
            value = self.value(self.tree)
        except RecursionError as error:
            raise invalid(self.name, "it is too deep") from error
        if not isinstance(value, dict):
            raise invalid(self.name, "its result is no time series")
        return value

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return float(node.value)  # type: ignore[arg-type]  # the line above says which
        if isinstance(node, ast.Name):
            return self.named(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.both(operator.mul, -1.0, self.value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return self.both(OPERATORS[type(node.op)], self.value(node.left), self.value(node.right))
        if isinstance(node, ast.List):
            return [self.one(item) for item in node.elts]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.called(node.func.id, node.args)
        raise NotSupported(f"the metric expression {self.expressions[self.name]}")

    def named(self, name: str) -> Series:
        if name in self.metrics:
            return self.metrics[name]
        if name not in self.expressions or name in self.above:
            raise invalid(self.name, f"the id {name} is unknown")
        return Expression(name, self.expressions, self.metrics, self.above).series()

    def one(self, node: ast.expr) -> Series:
        value = self.value(node)
        if not isinstance(value, dict):
            raise invalid(self.name, "an array holds time series")
        return value

    def both(self, act: Callable[[float, float], float], left: Value, right: Value) -> Value:
        """Numbers, or each point of a series with a number or with the other's of the same time."""
        if isinstance(left, list):
            return [self.pair(act, item, right) for item in left]
        if isinstance(right, list):
            return [self.pair(act, left, item) for item in right]
        if isinstance(left, float) and isinstance(right, float):
            return act(left, right)
        return self.pair(act, left, right)

    def pair(self, act: Callable[[float, float], float], left: Value, right: Value) -> Series:
        if isinstance(left, list) or isinstance(right, list):
            raise invalid(self.name, "two arrays do not go together")
        moments = {*(left if isinstance(left, dict) else ()), *(right if isinstance(right, dict) else ())}
        found: Series = {}
        for moment in sorted(moments):
            one = left.get(moment) if isinstance(left, dict) else left
            other = right.get(moment) if isinstance(right, dict) else right
            if one is not None and other is not None:
                try:
                    found[moment] = act(one, other)
                except (ArithmeticError, ValueError):
                    continue  # a division by zero leaves no data point
        return found

    def called(self, function: str, arguments: list[ast.expr]) -> Value:
        if function == "METRICS" and not arguments:
            return list(self.metrics.values())
        if function in EACH and len(arguments) == 1:
            return {moment: float(EACH[function](value)) for moment, value in self.one(arguments[0]).items()}
        if function == "FILL" and len(arguments) == 2:
            return self.filled(*arguments)
        if function in TOGETHER and len(arguments) == 1:
            value = self.value(arguments[0])
            if isinstance(value, dict):
                return float(TOGETHER[function](list(value.values()))) if value else 0.0
            if isinstance(value, list):
                moments = sorted({moment for one in value for moment in one})
                return {at: float(TOGETHER[function]([one[at] for one in value if at in one])) for at in moments}
        raise NotSupported(f"the metric expression {self.expressions[self.name]}")

    def filled(self, metric: ast.expr, filler: ast.expr) -> Series:
        """The series with a number at the times where other metrics of the request have a value and it has none."""
        series, number = self.one(metric), self.value(filler)
        if not isinstance(number, float):
            raise NotSupported(f"the metric expression {self.expressions[self.name]}")
        moments = {moment for one in self.metrics.values() for moment in one}
        return {moment: series.get(moment, number) for moment in sorted(moments)}
