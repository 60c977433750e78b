"""Reading a YAML file section by section: every mistake is kept, with its key and line; none ends the reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.kit.console import closest
from scripts.kit.regions import check_region
from scripts.kit.settings.yaml_lines import LinesOfMapping

ACCOUNT = r"\d{12}"  # Organizations, AccountId


@dataclass(frozen=True)
class Mistake:
    """One mistake in the environment file."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        return f"{where}{self.path}: {self.message}"


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
        return value

    def section(self, key: str) -> Section:
        """The mapping beneath a key; an empty one when there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, LinesOfMapping):
            self.complain(key, "must hold keys of its own, indented beneath it")
        node = value if isinstance(value, LinesOfMapping) else LinesOfMapping()
        return Section(node, f"{self.path}{key}.", self.line_of(key), self.mistakes)

    def text(self, key: str, pattern: str, form: str, default: str | None = None) -> str:
        """A string of this pattern; `form` says in words what the pattern asks for."""
        value = self.take(key, required="" if default is not None else form)
        if value is None:
            return default or ""
        if message := text_problem(value, pattern, form):
            self.complain(key, message)
        return str(value)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.take(key)
        if value is not None and value not in choices:
            self.complain(key, f"{value!r} is not one of: {', '.join(choices)}{closest(str(value), choices)}")
        return str(value) if value is not None else default

    def region(self, key: str) -> str:
        value = self.take(key, required="a Region, such as us-east-1")
        if value is not None and (message := check_region(str(value))):
            self.complain(key, message)
        return str(value or "")

    def texts(self, key: str, pattern: str, form: str, required: bool = False) -> tuple[str, ...]:
        """A list of strings of this pattern."""
        values = self.items(key, f"a list with {form}" if required else "")
        for number, value in enumerate(values):
            if message := text_problem(value, pattern, form):
                self.complain_item(key, number, message)
        return tuple(str(value) for value in values)

    def regions(self, key: str, default: str) -> tuple[str, ...]:
        values = self.items(key)
        for number, value in enumerate(values):
            if message := check_region(str(value)):
                self.complain_item(key, number, message)
        return tuple(dict.fromkeys(str(value) for value in values)) or (default,)

    def items(self, key: str, required: str = "") -> list[Any]:
        value = self.take(key, required)
        if value is None:
            return []
        if not isinstance(value, list):
            self.complain(key, "must be a list: one `- …` line for each")
            return []
        if required and not value:
            self.complain(key, f"is empty. Write {required}")
        return list(value)

    def sections(self, key: str) -> list[Section]:
        """The mappings of a list: one Section for each item."""
        found: list[Section] = []
        for number, item in enumerate(self.items(key)):
            if isinstance(item, LinesOfMapping):
                line = self.node[key].lines[number]
                found.append(Section(item, f"{self.path}{key}[{number}].", line, self.mistakes))
            else:
                self.complain_item(key, number, "must hold keys of its own, such as {name: …}")
        return found

    def complain_item(self, key: str, number: int, message: str) -> None:
        line = self.node[key].lines[number]
        self.mistakes.append(Mistake(f"{self.path}{key}[{number}]", line, message))

    def finish(self) -> None:
        """Complain about the keys that have no meaning here."""
        for key in self.node:
            if key not in self.known:
                hint = closest(str(key), self.known) or f". Known here: {', '.join(self.known)}"
                self.complain(key, f"is not a key of this file{hint}")


def text_problem(value: Any, pattern: str, form: str) -> str:
    """What is wrong with a value that should be text of this pattern; empty when nothing is."""
    if isinstance(value, (int, float)):
        return (
            f"YAML reads {value} as a {'truth value' if isinstance(value, bool) else 'number'}, "
            f"which loses leading zeros. Write it in quotes, as {form}"
        )
    if not isinstance(value, str):
        return f"must be text: {form}"
    if not re.fullmatch(pattern, value):
        length = f" (it has {len(value)} characters)" if pattern == ACCOUNT else ""
        return f"{value!r} is not {form}{length}"
    return ""
