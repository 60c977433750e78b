"""Reading a YAML file section by section: every mistake is kept, with its key and line; none ends the reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.kit.console import closest
from scripts.kit.regions import check_region
from scripts.kit.settings.yaml_lines import REFUSED, LinesOfMapping

ACCOUNT = r"[0-9]{12}"  # Organizations, AccountId
LONGEST = 2048  # characters of a value; the longest that AWS takes for any of them is the path of a role, with 512
MOST_REGIONS = 40  # more than AWS has with SageMaker
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # or turns the text around
NUMBERS = {bool: "a truth value", int: "a number", float: "a number"}
SHOWN = 80  # characters of a value in a message
LONGEST_LINE = 1000  # characters of a mistake
HINTS = 100  # mistakes with a hint, which takes longer to find than a mistake


@dataclass(frozen=True)
class Mistake:
    """One mistake in the environment file."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        line = f"{where}{self.path}: {self.message}"
        seen = UNSEEN.sub(lambda found: repr(found[0])[1:-1], line[:LONGEST_LINE])
        return seen + ("…" if len(line) > LONGEST_LINE else "")


@dataclass
class Section:
    """One mapping of the file while it is read; what is wrong with it is added to `mistakes`."""

    node: LinesOfMapping
    path: str
    line: int
    mistakes: list[Mistake]
    known: list[str] = field(default_factory=list)

    def line_of(self, key: str) -> int:
        """The line of a key; that of the section where the key is missing."""
        return self.node.lines.get(key, self.line)

    def complain(self, key: str, message: str) -> None:
        self.mistakes.append(Mistake(f"{self.path}{key}", self.line_of(key), message))

    def take(self, key: str, required: str = "") -> Any:
        """The raw value of a key, or None; `required` says what to write when it is missing."""
        self.known.append(key)
        value = self.node.get(key)
        if value is None and required:
            self.complain(key, f"is missing. Write {required}")
        return None if value is REFUSED else value

    def section(self, key: str) -> Section:
        """The mapping beneath a key; an empty one when there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, LinesOfMapping):
            self.complain(key, "must hold keys of its own, indented beneath it")
        node = value if isinstance(value, LinesOfMapping) else LinesOfMapping()
        mistakes = [] if self.node.get(key) is REFUSED else self.mistakes
        return Section(node, f"{self.path}{key}.", self.line_of(key), mistakes)

    def text(self, key: str, pattern: str, form: str, default: str | None = None) -> str:
        """A string of this pattern; `form` says in words what the pattern asks for."""
        value = self.take(key, required="" if default is not None else form)
        if value is None:
            return default or ""
        if message := text_problem(value, pattern, form):
            self.complain(key, message)
        return as_text(value)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.take(key)
        if value is None or value in choices:
            return value or default
        self.complain(key, f"{shown(value)} is not one of: {', '.join(choices)}{self.hint(value, choices)}")
        return as_text(value) or default

    def flag(self, key: str) -> bool:
        """A truth value; false where there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self.complain(key, f"is {shown(value)}. Write true or false, without quotes")
        return value is True

    def whole(self, key: str, most: int) -> int:
        """A whole number from 0 on; 0 where there is none."""
        value = self.take(key)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            self.complain(key, f"is {shown(value)}. Write a whole number from 0 to {most:,}, without quotes")
            return 0
        return value

    def region(self, key: str) -> str:
        value = self.take(key, required="a Region, such as us-east-1")
        if value is not None and (message := region_problem(value)):
            self.complain(key, message)
        return as_text(value)

    def texts(self, key: str, pattern: str, form: str, required: bool = False) -> tuple[str, ...]:
        """A list of strings of this pattern."""
        found = []
        for number, value in self.items(key, f"a list with {form}" if required else ""):
            if message := text_problem(value, pattern, form):
                self.complain_item(key, number, message)
            found.append(as_text(value))
        return tuple(found)

    def regions(self, key: str, default: str) -> tuple[str, ...]:
        values = list(self.items(key))
        if len(values) > MOST_REGIONS:
            self.complain(key, f"lists {len(values):,} Regions, and SageMaker is in fewer than {MOST_REGIONS}")
            return (default,)
        for number, value in values:
            if message := region_problem(value):
                self.complain_item(key, number, message)
        return tuple(dict.fromkeys(as_text(value) for _, value in values)) or (default,)

    def items(self, key: str, required: str = "") -> Iterator[tuple[int, Any]]:
        """The items of a list that can be read, each with its number from 0."""
        value = self.take(key, required)
        if value is None:
            return
        if not isinstance(value, list):
            self.complain(key, "must be a list: one `- …` line for each")
            return
        if required and not value:
            self.complain(key, f"is empty. Write {required}")
        yield from ((number, item) for number, item in enumerate(value) if item is not REFUSED)

    def sections(self, key: str) -> list[Section]:
        """The mappings of a list: one Section for each item."""
        found: list[Section] = []
        for number, item in self.items(key):
            if isinstance(item, LinesOfMapping):
                line = self.node[key].lines[number]
                found.append(Section(item, f"{self.path}{key}[{number}].", line, self.mistakes))
            else:
                self.complain_item(key, number, "must hold keys of its own, such as {name: …}")
        return found

    def complain_item(self, key: str, number: int, message: str) -> None:
        line = self.node[key].lines[number]
        self.mistakes.append(Mistake(f"{self.path}{key}[{number}]", line, message))

    def hint(self, value: Any, words: Sequence[str]) -> str:
        """(did you mean X?), for a short text among the first mistakes."""
        short = isinstance(value, str) and len(value) <= SHOWN
        return closest(value, words) if short and len(self.mistakes) < HINTS else ""

    def finish(self) -> None:
        """Complain about the keys that have no meaning here."""
        for key in self.node:
            if key not in self.known:
                hint = self.hint(key, self.known) or f". Known here: {', '.join(self.known)}"
                self.complain(key, f"is not a key of this file{hint}")


def as_text(value: Any) -> str:
    """A value that should be text; "" for any other, whose mistake is reported."""
    return value if isinstance(value, str) else ""


def shown(value: Any) -> str:
    """A value in a message. Of a list or a mapping, which aliases can make endless, the kind alone."""
    if isinstance(value, str):
        return repr(value[:SHOWN]) + ("…" if len(value) > SHOWN else "")
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else str(value)


def region_problem(value: Any) -> str:
    """What is wrong with a value that should be a Region; empty when nothing is."""
    if not isinstance(value, str) or len(value) > SHOWN:
        return f"{shown(value)} is not a Region, such as us-east-1"
    return check_region(value)


def text_problem(value: Any, pattern: str, form: str) -> str:
    """What is wrong with a value that should be text of this pattern; empty when nothing is."""
    if isinstance(value, (int, float)):
        return f"YAML reads {value} as {NUMBERS[type(value)]}, which loses leading zeros. Write it in quotes, as {form}"
    if not isinstance(value, str):
        return f"must be text: {form}"
    if len(value) > LONGEST:
        return f"has {len(value):,} characters, and no value has more than {LONGEST:,}. Write {form}"
    if unseen := UNSEEN.search(value):
        return f"holds the control character {unseen[0]!r} at position {unseen.start() + 1}. Write {form}"
    if not re.fullmatch(pattern, value):
        length = f" (it has {len(value)} characters)" if pattern == ACCOUNT else ""
        return f"{shown(value)} is not {form}{length}"
    return ""
