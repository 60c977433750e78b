"""Inputs that are nearly right: a valid document or text in which something is replaced, repeated or torn."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Place = tuple[Any, Any]  # a mapping or a list, and a key or number in it
DIGITS = ["²", "٣", "１２３４５６７８９０１２", "۱", "1_000", "0o17", "0x1F", "1e999", "-0", "012345678901", "9" * 5000]
TEXTS = [
    "", " ", "\n", "\0", "\x1b[31m", "a" * 5000, "\u202eoli", "Zürich", "東京", "no", "null", "~", "<<", "=", "..",
    "../..",
    "/etc/passwd", "{{resolve:ssm:x}}", "${AWS::Region}", "2 %", "2026-13-45", "us-east-1", "arn:aws:iam::1:role/x",
    "@",
    "a@" + "." * 3000 + "@", "-" * 3000, "d-" + "-" * 3000, "a__" * 1000, "%s", "None", *DIGITS,
]  # fmt: skip
NUMBERS = [0, -1, 1, 2, 1.5, -0.0, 10**30, 2**63, float("inf"), float("-inf"), float("nan"), 1e308]
SHAPES: list[Any] = [None, True, False, [], {}, [[]], [{}], {"a": {"b": [1]}}, [None], {"": ""}, ["x"] * 300]
YAML_ODDITIES = [
    "!!int abc", "!!float abc", "!!bool x", "!!binary aGk=", "!!set {a}", "!!timestamp 2026-13-45", "!secret x",
    "!!python/object/apply:os.system [id]", "&a [*a]", "*nowhere", "? [a]\n: b", "? {a: b}\n: c", "!!str", "!!int ''",
    "[" * 500, "{a: " * 500, "- " * 500, "'", '"\\ud800"', '"\\x00"', "|\n  a", "&x [1, 2]", "{<<: {a: b}}", "1" * 5000,
    "%YAML 1.1", "---\na: b", "\t- a", "!<tag:yaml.org,2002:int> x", "0b1", "1:30:00", "!!null x", "@x", "`x",
    "!Ref", "!Sub [",
]  # fmt: skip
BYTES = [b"\xff", b"\xef\xbb\xbf", b"\x00", b"\xed\xa0\x80", b"\xc0\xaf", b"\r", b"\x85", b"\xe2\x80\xa8", b"\xfe\xff"]


def values() -> SearchStrategy[Any]:
    """A value of any kind: mostly one that has broken something before."""
    leaves = st.sampled_from(TEXTS) | st.sampled_from(NUMBERS) | st.sampled_from(SHAPES) | st.text(max_size=20)
    return leaves | st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8
    )  # fmt: skip


def nested(levels: int) -> Any:
    """A list in a list in a list …"""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


def places(document: Any) -> Iterator[Place]:
    """Every place in a document that holds a value."""
    if isinstance(document, dict | list):
        for key in document if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from places(document[key])


@st.composite
def documents(draw: st.DrawFn, bases: Sequence[Any], extra: SearchStrategy[Any] | None = None) -> Any:
    """A base with one to three of its places changed. extra: values that fit the subject."""
    document = copy.deepcopy(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            break
        holder, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["replace", "extra", "remove", "rename", "repeat", "nest"])):
            case "remove":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(TEXTS))] = holder.pop(key)
            case "repeat" if isinstance(holder, list):
                holder.extend([holder[key]] * draw(st.sampled_from([1, 2, 300])))
            case "nest":
                holder[key] = nested(draw(st.sampled_from([1, 40, 200])))
            case "extra" if extra is not None:
                holder[key] = copy.deepcopy(draw(extra))
            case _:
                holder[key] = copy.deepcopy(draw(values()))
    return document


@st.composite
def torn(draw: st.DrawFn, bases: Sequence[str], oddities: Sequence[str]) -> bytes:
    """A base with parts of its text cut out, repeated or put in."""
    text = draw(st.sampled_from(bases))
    for _ in range(draw(st.integers(1, 3))):
        lines = text.split("\n")
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["cut", "repeat", "value", "insert", "truncate", "indent"])):
            case "cut":
                del lines[number : number + draw(st.integers(1, 4))]
            case "repeat":
                lines[number:number] = lines[number : number + draw(st.integers(1, 3))]
            case "value":
                lines[number] = lines[number].partition(":")[0] + ": " + draw(st.sampled_from(oddities))
            case "insert":
                lines.insert(number, draw(st.sampled_from([*oddities, *TEXTS]) | st.text(max_size=20)))
            case "truncate":
                lines = lines[: number + 1]
            case "indent":
                lines[number] = draw(st.sampled_from([" ", "  ", "\t", "- "])) + lines[number]
        text = "\n".join(lines)
    content = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.sampled_from(BYTES)) + content[place:]
    return content


def anything(*written: Callable[[Any], str], bases: Sequence[Any], texts: Sequence[str], oddities: Sequence[str],
             extra: SearchStrategy[Any] | None = None) -> SearchStrategy[bytes]:  # fmt: skip
    """Mutated documents (written by one of the functions), mutated texts, and bytes at random."""
    changed = st.builds(
        lambda document, write: write(document).encode("utf-8", "surrogatepass"),
        documents(bases, extra),
        st.sampled_from(written),
    )
    junk = st.booleans().flatmap(lambda text: st.text(max_size=60).map(encoded) if text else st.binary(max_size=60))
    return st.one_of(*[changed] * 5, *[torn(texts, oddities)] * 3, junk)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def as_yaml(document: Any) -> str:
    return str(yaml.dump(document, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False))


def as_json(document: Any) -> str:
    return json.dumps(document)
