"""A policy as it stands for a caller that can bring about what is not known of its requests.

Which statements hold for a request depends on condition keys (IAM User Guide, "IAM JSON policy elements: Condition"),
and not all are known where policies alone are read: the caller's address, whether it signed in with a device, a tag of
the resource. The question "could it?" is answered for the best case of the caller: a condition on such a key holds in a
statement that allows, and fails in one that denies; a variable that has no known value stands for any text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from awslang.policy.conditions import Test
from awslang.policy.document import Policy, Statement
from awslang.policy.patterns import LITERALS, VARIABLE, variable_too_early

Known = Callable[[str], bool]  # whether the value of a condition key, in lower case, is known, or that it is absent


def favourable(policy: Policy, known: Known) -> Policy:
    """The policy without the conditions whose keys are not known, read in the caller's favour."""
    read = tuple(found for one in policy.statements if (found := _statement(one, known)) is not None)
    return policy if read == policy.statements else replace(policy, statements=read)


def _statement(statement: Statement, known: Known) -> Statement | None:
    """None for a statement that denies under a condition which the caller can keep from holding."""
    open_tests = [test for test in statement.conditions if not _decided(test, known, statement.variables)]
    if open_tests and statement.effect == "Deny":
        return None
    conditions = tuple(test for test in statement.conditions if test not in open_tests)
    resources = statement.resources
    if resources is not None and statement.variables:
        # What the caller wants to be covered is widened, what it does not want is left out.
        wanted = (statement.effect == "Allow") != statement.not_resources
        filled = [_any_text(one, known) if wanted and not variable_too_early(one) else one for one in resources]
        resources = tuple(one for one in filled if wanted or not _unknown(one, known))
    return replace(statement, conditions=conditions, resources=resources)


def _decided(test: Test, known: Known, variables: bool) -> bool:
    values = test.values if variables and test.operator != "Null" else ()
    return known(test.key.lower()) and not any(_unknown(value, known) for value in values)


def _names(text: str) -> list[str]:
    """The condition keys among the variables of a text, in lower case."""
    found = [name.partition(",")[0].strip() for name in VARIABLE.findall(text)]
    return [name.lower() for name in found if name not in LITERALS]


def _unknown(text: str, known: Known) -> bool:
    return any(not known(name) for name in _names(text))


def _any_text(text: str, known: Known) -> str:
    return VARIABLE.sub(lambda found: "*" if _unknown(found[0], known) else found[0], text)
