"""Evaluates JSONata expressions, run as a process, so that a hostile one can be ended.

jsonata_worker.py FOLDER (unused). Each line of stdin is a request, each line of stdout its answer, both JSON.
{"expression"} answers what the expression refers to: {"states": fields of $states, "variables": names, those of
functions among them, "document": whether it needs an input document}. {"expression", "variables"} answers {"value"},
or {} where the expression is undefined. Either may answer {"error"}. An evaluation is bounded as in Step Functions: by
one second, its memory and its stack. AWS Step Functions Developer Guide, "Transforming data with JSONata in Step
Functions".
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import resource
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import jsonata
from jsonata.jexception import JException
from jsonata.utils import Utils

SECONDS = 1.0  # of processor time, so that a busy machine fails no expression
MEMORY = 512 * 1024 * 1024  # AWS names no number
DEPTH = 500  # AWS names no number
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
NESTED = {"predicate", "group", "stages", "terms", "pattern", "update", "delete"}  # where a name has a context


class Invalid(Exception):
    """What a function of Step Functions or a result cannot be."""


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        parsed = jsonata.Jsonata(request["expression"], stack=DEPTH)
        return value(parsed, request["variables"]) if "variables" in request else references(parsed.ast)
    except JException as error:
        message = "Stack overflow error" if error.error == "D1011" else f"{error.error}: {error}"
        return {"error": message}
    except (ZeroDivisionError, OverflowError):
        return {"error": "D1001: Number out of range"}
    except TimeoutError:
        return {"error": "Expression evaluation timeout"}
    except MemoryError:
        return {"error": "Expression evaluation memory limit exceeded"}
    except RecursionError:
        return {"error": "Stack overflow error"}
    except Exception as error:  # the library lets Python's own through
        return {"error": str(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


# -- evaluation ----------------------------------------------------------------------------------


def value(parsed: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    for name, function in FUNCTIONS.items():
        parsed.register_lambda(name, function)
    parsed.assign("eval", None)  # Step Functions lacks it
    parsed.set_output_convert_nulls(False)
    bound = {name: Utils.NULL_VALUE if item is None else item for name, item in variables.items()}
    found = parsed.evaluate(None, bound)
    return {} if found is None else {"value": plain(found)}


def plain(found: Any) -> Any:
    """A result as JSON: without the library's own kinds of lists and null."""
    if isinstance(found, dict):
        return {key: plain(item) for key, item in found.items()}
    if isinstance(found, list):
        return [plain(item) for item in found]
    if found is None or found is Utils.NULL_VALUE:
        return None
    if isinstance(found, float) and not math.isfinite(found):
        raise Invalid(f"Number out of range: {found}")
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if not isinstance(found, (str, int, float)):
        raise Invalid("The expression returned a function, which JSON cannot represent")
    return found


def _integer(given: Any, what: str) -> int:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise Invalid(f"{what} must be a number")
    return math.floor(given)


def partition(array: Any, size: Any) -> list[Any]:
    length = _integer(size, "The second argument of $partition")
    if not isinstance(array, list) or length < 1:
        raise Invalid("$partition takes an array and a positive number")
    return [array[start : start + length] for start in range(0, len(array), length)]


def spread(first: Any, last: Any, step: Any) -> list[int]:
    start, end, delta = (_integer(item, "An argument of $range") for item in (first, last, step))
    if delta == 0:
        raise Invalid("The third argument of $range must not be 0")
    return list(range(start, end + (1 if delta > 0 else -1), delta))


def hashed(text: Any, algorithm: Any) -> str:
    if not isinstance(text, str) or algorithm not in ALGORITHMS:
        raise Invalid(f"$hash takes a string and one of {', '.join(ALGORITHMS)}")
    return hashlib.new(ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def chance(seed: Any = None) -> float:
    if seed is None:
        return random.random()
    return random.Random(_integer(seed, "The argument of $random")).random()


def parse(text: Any) -> Any:
    if not isinstance(text, str):
        raise Invalid("$parse takes a string")
    found = json.loads(text)
    return Utils.NULL_VALUE if found is None else found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": partition,
    "range": spread,
    "hash": hashed,
    "random": chance,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": parse,
}


# -- references ----------------------------------------------------------------------------------


def references(tree: Any) -> dict[str, Any]:
    """What an expression refers to (Amazon States Language, "JSONata Restrictions")."""
    states, variables, document = set(), set(), False
    for node, nested in nodes(tree, False):
        if node.type == "path" and node.steps[0].type == "variable" and node.steps[0].value == "states":
            states |= {step.value for step in node.steps[1:2] if step.type == "name"}
        elif node.type == "variable":
            variables.add(node.value)
            document = document or node.value == "$" or (node.value == "" and not nested)
        elif node.type in ("name", "wildcard", "descendant"):
            document = document or not nested
    return {"states": sorted(states), "variables": sorted(variables - {""}), "document": document}


def nodes(node: Any, nested: bool) -> Iterator[tuple[Any, bool]]:
    """Every node of a syntax tree, and whether a name there is one of a value within the expression."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from nodes(item, nested)
    elif hasattr(node, "_outer_instance"):
        yield node, nested
        for key, item in vars(node).items():
            if key == "steps" and item:
                yield from nodes(item[:1], nested)
                yield from nodes(item[1:], True)
            elif key not in ("_outer_instance", "ancestor", "slot", "seeking_parent"):
                yield from nodes(item, nested or key in NESTED)


# -- the process ---------------------------------------------------------------------------------


def _late(number: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the library prints
    signal.signal(signal.SIGPROF, _late)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, whose end is this one's
    sys.setrecursionlimit(40 * DEPTH)
    with suppress(ValueError, OSError):  # not every system has the limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
