"""RecordIO-protobuf, as SageMaker's XGBoost container 3.0-5 reads it (with the library ml-io).

Developer Guide, "Common data formats for training" and "Common data formats for inference" (the protobuf
definition); the frames and the words of errors: github.com/awslabs/ml-io at v0.9.0, record_readers/ and
recordio_protobuf_reader.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = 0xCED7230A
LENGTH = (1 << 29) - 1  # the three bits above it say which part of a record it is
FEATURES, ENTRY_NAME, ENTRY_VALUE = 1, 1, 2  # fields of a Record and of an entry of its maps
TENSORS = {2: "f", 3: "d", 7: ""}  # fields of a Value: float32, float64 and int32 tensors
VALUES, KEYS, SHAPE = 1, 2, 3  # fields of a tensor


class CorruptHeaderError(Exception):  # the name that ml-io gives it, which the container passes on
    """The bytes are no RecordIO."""


class InvalidInstanceError(Exception):  # ml-io's name again
    """A record is no row, or none like the first."""


for _error in (CorruptHeaderError, InvalidInstanceError):
    _error.__module__ = "mlio._core"


def read(body: bytes) -> tuple[list[dict[int, float]], int]:
    """The rows (column to value), and how many columns they have. Labels are left out."""
    found = [read_record(record, number) for number, record in enumerate(records(body))]
    if len({columns for _, columns in found}) > 1:
        raise InvalidInstanceError("The feature 'values' has another shape than that of the first instance.")
    return [row for row, _ in found], found[0][1]


def records(body: bytes) -> Iterator[bytes]:
    """The content of each frame: a magic number, a length, and bytes up to the next multiple of four."""
    place = 0
    while True:
        if len(body) - place < 8:
            raise CorruptHeaderError("The record does not have a valid RecordIO header.")
        magic, length = struct.unpack_from("<II", body, place)
        if magic != MAGIC:
            raise CorruptHeaderError("The header does not start with the RecordIO magic number.")
        length &= LENGTH
        aligned = (length + 3) // 4 * 4
        place += 8
        if aligned > len(body) - place:
            raise CorruptHeaderError("The record is shorter than the size specified in the RecordIO header.")
        yield body[place : place + length]
        place += aligned
        if place == len(body):
            return


def read_record(record: bytes, number: int) -> tuple[dict[int, float], int]:
    """The feature "values" of a record: a dense vector, or keys and values of a sparse one."""
    try:
        for entry in (content for field, content in fields(record) if field == FEATURES):
            parts = dict(fields(entry))
            if parts.get(ENTRY_NAME) == b"values":
                return read_value(parts[ENTRY_VALUE])
    except (IndexError, KeyError, struct.error, TypeError) as error:
        raise InvalidInstanceError(f"The instance #{number} contains a corrupt RecordIO-protobuf message.") from error
    raise InvalidInstanceError(f"The instance #{number} has no feature named 'values'.")


def read_value(value: bytes) -> tuple[dict[int, float], int]:
    kind, tensor = next((field, content) for field, content in fields(value) if field in TENSORS)
    parts: dict[int, list[float]] = {VALUES: [], KEYS: [], SHAPE: []}
    for field, content in fields(tensor):
        parts[field] += numbers(content, TENSORS[kind] if field == VALUES else "")
    values, keys, shape = parts[VALUES], [int(key) for key in parts[KEYS]], parts[SHAPE]
    if not shape and keys:
        raise InvalidInstanceError("The sparse feature 'values' has no shape specified.")
    columns = int(shape[-1]) if shape else len(values)
    if keys and len(keys) != len(values):
        raise InvalidInstanceError("The sparse feature 'values' has another number of keys than of values.")
    if any(key >= columns for key in keys):
        raise InvalidInstanceError("The sparse feature 'values' has one or more invalid keys.")
    if not keys and values and len(values) != columns:
        raise InvalidInstanceError("The feature 'values' has another number of values than its shape says.")
    return dict(zip(keys or range(len(values)), values, strict=True)), columns


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message: number and content; a single number as the bytes that it is written in."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        field, wire = tag >> 3, tag & 7
        start = place
        if wire == 0:
            _, place = varint(message, place)
        elif wire == 2:
            length, start = varint(message, place)
            place = start + length
        else:
            place += {1: 8, 5: 4}[wire]
        if place > len(message):
            raise IndexError("the message ends within a field")
        yield field, message[start:place]


def numbers(content: bytes, kind: str) -> list[float]:
    """Packed numbers: "f" and "d" as struct names them, "" for whole ones."""
    if kind:
        return list(struct.unpack(f"<{len(content) // struct.calcsize(kind)}{kind}", content))
    found: list[float] = []
    place = 0
    while place < len(content):
        value, place = varint(content, place)
        found.append(value - (1 << 64) if value >> 63 else value)
    return found


def varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
