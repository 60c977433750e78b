"""Text that anybody may have written, read within bounds: no text takes the machine's memory, its time or its stack.

libyaml calls itself for every level of a document and ends the process where the stack does, so levels are counted
while it composes. Numbers are bounded because Python refuses to write or read one of more than 4,300 digits.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import yaml

DEEPEST = 64  # levels of mappings and lists
MOST_NODES = 200_000  # keys and values of one document
LARGEST = 2_000_000  # characters of a JSON document
LONGEST_NUMBER = 100  # characters
SURROGATE = re.compile(r"[\ud800-\udfff]")  # half of a character of UTF-16: no text that can be written
NUMBER = re.compile(r"[0-9]{1,18}")
Pairs = list[tuple[str, Any]]


def open_file(path: Path) -> IO[bytes]:
    """A file that an option names, open to be read. OSError with its reason for anything but a regular file.

    A pipe without a writer would be waited for, and a device such as /dev/zero never ends.
    """
    _require_regular(path, path.stat())
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_regular(path, os.fstat(descriptor))  # what stood there before may have been replaced
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a regular file. OSError with its reason for anything else."""
    with open_file(path) as file:
        return file.read(most) or b""  # None from a file of /proc that has nothing yet, which is not waited for


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes. OSError with its reason for any other."""
    content = read_start(path, most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def _require_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


class OutOfBounds(yaml.MarkedYAMLError):
    """A YAML document that is too deep or too large."""


class BoundedYaml:
    """To stand before a loader's class, which then raises OutOfBounds."""

    depth = 0
    nodes = 0

    def descend_resolver(self, node: Any, _: Any) -> None:
        """PyYAML calls it for every node that it composes, in Python and in C. node: the one around it."""
        self.depth += 1
        self.nodes += 1
        mark = node.start_mark if node is not None else None
        if self.depth > DEEPEST:
            raise OutOfBounds(problem=f"nested deeper than {DEEPEST} levels", problem_mark=mark)
        if self.nodes > MOST_NODES:
            raise OutOfBounds(problem=f"more than {MOST_NODES:,} keys and values", problem_mark=mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def is_number(text: str) -> bool:
    """Whether a text is a whole number in ASCII digits, at most 18 of them. str.isdigit takes "²" and "٣" too."""
    return NUMBER.fullmatch(text) is not None


def read_json(text: str | bytes, hook: Callable[[Pairs], Any] = dict) -> Any:
    """A JSON document. ValueError (json.JSONDecodeError where it has a place) for what is none, or out of bounds.

    hook: makes an object of its pairs
    """
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST:,} characters")
    try:
        document = json.loads(
            text, object_pairs_hook=hook, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except RecursionError:
        raise _too_deep() from None
    check_depth(document)
    return document


def check_depth(document: Any) -> None:
    """ValueError for plain data of more levels."""
    level = [document]
    for _ in range(DEEPEST + 1):
        level = [part for node in level if isinstance(node, dict | list) for part in parts(node)]
        if not level:
            return
    raise _too_deep()


def parts(node: Any) -> list[Any]:
    """What an object or a list holds."""
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []


def _too_deep() -> ValueError:
    return ValueError(f"nested deeper than {DEEPEST} levels")


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _int(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} characters")
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large a number")
    return number
