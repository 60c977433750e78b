"""Whatever is read is taken or refused in words: a few hundred inputs of each kind, always the same ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.properties.every import KINDS
from tests.properties.kinds import Kind
from tests.properties.runs import MEMORY, Hang, deadline, run


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KINDS))
def test_no_input_ends_in_a_traceback_or_a_hang_or_takes_memory_without_bound(name: str) -> None:
    kind = KINDS[name]
    counts = run(kind, kind.quick, fixed=True)
    assert counts.inputs >= kind.quick
    assert counts.memory < MEMORY


def test_an_input_that_ends_in_a_traceback_fails_and_is_counted() -> None:
    def fails(value: int, _: Path) -> None:
        if value >= 100:
            raise KeyError(value)

    kind = Kind("numbers", st.integers(0, 200), fails)
    with pytest.raises(KeyError, match="100"):  # the smallest one
        run(kind, 200, fixed=True)
    assert run(kind, 200, fixed=True, keep_on=True).tracebacks


def test_an_input_that_hangs_is_ended_at_its_deadline() -> None:
    with pytest.raises(Hang), deadline(0.05):
        time.sleep(5)
