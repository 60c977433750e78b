"""A bare git repository on disk, in git's own formats: git itself can clone what this writes.

Blobs, trees and commits are loose objects, branches are files below refs/heads
(Pro Git, "Git Internals - Git Objects", "Git References").
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localaws import places

MODES = {"NORMAL": "100644", "EXECUTABLE": "100755", "SYMLINK": "120000"}  # CodeCommit's names
NAMES = {mode: name for name, mode in MODES.items()}
TREE = "40000"
ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class File:
    """A file of a commit: its git mode and the id of its blob."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Commit:
    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    date: str  # seconds since 1970 and the zone: "1484167798 +0000"
    message: str


class Repository:
    """One bare repository; what is not there raises KeyError."""

    def __init__(self, folder: Path, branch: str = "main") -> None:
        self.folder = folder
        for name in ("objects", "refs/heads"):
            (folder / name).mkdir(parents=True)
        (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        self.point_head(branch)

    def point_head(self, branch: str) -> None:
        (self.folder / "HEAD").write_text(f"ref: refs/heads/{branch}\n")

    # -- objects -------------------------------------------------------------------------------

    def _place(self, object_id: str) -> Path:
        return self.folder / "objects" / object_id[:2] / object_id[2:]

    def write(self, kind: str, body: bytes) -> str:
        """Keep an object; its id."""
        content = f"{kind} {len(body)}\0".encode() + body
        object_id = hashlib.sha1(content).hexdigest()
        place = self._place(object_id)
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(zlib.compress(content, 1))
        return object_id

    def read(self, kind: str, object_id: str) -> bytes:
        if not ID.fullmatch(object_id) or not self._place(object_id).is_file():
            raise KeyError(object_id)
        head, body = zlib.decompress(self._place(object_id).read_bytes()).split(b"\0", 1)
        if head.split()[0].decode() != kind:
            raise KeyError(object_id)
        return body

    # -- trees ---------------------------------------------------------------------------------

    def write_tree(self, files: Mapping[str, File]) -> str:
        """Keep the files (by path) as a tree of trees; its id."""
        entries: dict[str, tuple[str, str]] = {}
        folders: dict[str, dict[str, File]] = {}
        for path, file in files.items():
            first, _, rest = path.partition("/")
            if rest:
                folders.setdefault(first, {})[rest] = file
            else:
                entries[first] = (file.mode, file.blob)
        for name, inner in folders.items():
            entries[name] = (TREE, self.write_tree(inner))
        ordered = sorted(entries.items(), key=lambda item: item[0] + ("/" if item[1][0] == TREE else ""))
        return self.write(
            "tree", b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(found) for name, (mode, found) in ordered)
        )

    def entries(self, tree: str) -> list[tuple[str, str, str]]:
        """Name, mode and id of what lies directly in a tree."""
        body, found = self.read("tree", tree), []
        while body:
            head, _, rest = body.partition(b"\0")
            mode, name = head.decode().split(" ", 1)
            found.append((name, mode, rest[:20].hex()))
            body = rest[20:]
        return found

    def files(self, tree: str, prefix: str = "") -> dict[str, File]:
        """Every file below a tree, by path."""
        found: dict[str, File] = {}
        for name, mode, object_id in self.entries(tree):
            if mode == TREE:
                found |= self.files(object_id, f"{prefix}{name}/")
            else:
                found[f"{prefix}{name}"] = File(mode, object_id)
        return found

    # -- commits and branches ------------------------------------------------------------------

    def write_commit(
        self, tree: str, parents: tuple[str, ...], author: str, email: str, seconds: int, message: str
    ) -> str:
        who = f"{author} <{email}> {seconds} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
        return self.write("commit", ("\n".join(lines) + f"\n\n{message}").encode())

    def commit(self, commit_id: str) -> Commit:
        head, _, message = self.read("commit", commit_id).decode().partition("\n\n")
        fields = [line.split(" ", 1) for line in head.splitlines()]
        author = next(value for name, value in fields if name == "author")
        found = re.fullmatch(r"(.*) <(.*)> ([0-9]+ [+-][0-9]{4})", author)
        assert found is not None
        return Commit(
            commit_id,
            next(value for name, value in fields if name == "tree"),
            tuple(value for name, value in fields if name == "parent"),
            found[1],
            found[2],
            found[3],
            message,
        )

    def branches(self) -> dict[str, str]:
        """The commit id of each branch, by name."""
        heads = self.folder / "refs" / "heads"
        return {p.relative_to(heads).as_posix(): p.read_text().strip() for p in sorted(heads.rglob("*")) if p.is_file()}

    def move_branch(self, name: str, commit_id: str) -> None:
        """places.NoPlace where no file can have the name, or the branch a is in the way of a/b."""
        place = places.below(self.folder / "refs" / "heads", name)
        with places.said():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"{commit_id}\n")

    def delete_branch(self, name: str) -> None:
        heads = self.folder / "refs" / "heads"
        place = places.below(heads, name)
        place.unlink()
        for parent in place.parents:  # so that a branch can have the name of what is an empty folder now
            if parent == heads or any(parent.iterdir()):
                return
            parent.rmdir()
