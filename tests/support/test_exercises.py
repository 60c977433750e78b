"""Exercises: an edit fits at one place, and a block belongs to the file that the text before it names."""

from __future__ import annotations

import pytest

from tests.support.exercises import Block, blocks_of, edited, steps_of


def test_an_edit_that_fits_nowhere_or_at_two_places_is_refused() -> None:
    assert edited("a\nb\nc\n", " a\n+new\n b\n") == "a\nnew\nb\nc\n"
    with pytest.raises(AssertionError, match="not at one place"):
        edited("a\nb\na\nb\n", " a\n+new\n b\n")
    with pytest.raises(AssertionError, match="not at one place"):
        edited("a\n", " x\n+new\n")


def test_a_block_belongs_to_the_file_named_last_before_it() -> None:
    step = "In `scripts/a.py`:\n\n```diff\n x\n```\n\nand `tests/b.py`\n\n```python\ny\n```\n"
    assert list(blocks_of(step)) == [Block("diff", " x\n", "scripts/a.py"), Block("python", "y\n", "tests/b.py")]


def test_steps_are_numbered_in_order() -> None:
    assert [step.strip() for step in steps_of("**1. One** a\n**2. Two** b\n")] == ["One** a", "Two** b"]
    with pytest.raises(AssertionError):
        steps_of("**1. One** a\n**3. Three** b\n")
