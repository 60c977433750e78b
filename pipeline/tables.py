"""The tables of a page, as HTML: what they hold is a text, whatever it says. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


def moment(text: str) -> str:
    """A time of day that a person reads, in UTC as the registry gives it."""
    try:
        return f"{datetime.fromisoformat(text):%d %B %Y, %H:%M %Z}"
    except ValueError:
        return text


def who(account: str, names: Mapping[str, str]) -> str:
    return f"{account} {names[account]}" if names.get(account) else account


@dataclass(frozen=True)
class Link:
    """A text with the address that it leads to."""

    text: str
    address: str


def linked(text: str, address: str | None) -> str | Link:
    return Link(text, address) if text and address else text


def table(caption: str, head: tuple[str, ...], rows: Iterable[tuple[str | Link, ...]], kind: str = "") -> str:
    """A table whose first column names its rows.

    kind: plain (no head: names and values), numbers (set to the right), fold (a row is a block on a telephone)
    """
    kind = kind or ("numbers" if head else "plain")
    side = ' class="number"' if kind == "numbers" else ""
    heads = "".join(f'<th scope="col"{side if at else ""}>{name}</th>' for at, name in enumerate(head))
    lines = ""
    for name, *cells in rows:
        filled = "".join(f"<td{side}>{cell_of(cell)}</td>" for cell in cells)
        lines += f'<tr><th scope="row">{breakable(str(name))}</th>{filled}</tr>'
    return (
        f'<table class="{kind}"><caption>{caption}</caption>{f"<thead><tr>{heads}</tr></thead>" if head else ""}'
        f"<tbody>{lines}</tbody></table>"
    )


def cell_of(value: str | Link) -> str:
    if isinstance(value, Link):
        return f'<a href="{escape(value.address)}">{escape(value.text)}</a>'
    return escape(value)


def breakable(name: str) -> str:
    """A name that a narrow column may break after a colon or an underscore, as in validation:balanced_accuracy."""
    return escape(name).replace(":", ":<wbr>").replace("_", "_<wbr>")


def escape(value: Any) -> str:
    return html.escape(str(value))
