"""What the clients run on: a rehearsal that has come to its project, and programs with a person's credentials."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localaws.cloud import Session
from localaws.server import EmbeddedAws
from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.notebooks.detour import Detour
from scripts.rehearsal.setting import ENGINEER, sign_in
from scripts.rehearsal.story import Story, signed_in

HERE = Path(__file__).parent
PATIENCE = 600  # seconds for one program
NOT_INHERITED = re.compile(r".*_proxy|xdg_.*|aws_.*|python(path|home|startup)", re.I)


class ClientFailed(Exception):  # what happened to it
    """A client did not do what it does on AWS: its command, and the end of what it said."""


@dataclass
class World:
    """A rehearsal with a project. folder: where clients work, each in a folder of its own, which is its home too."""

    server: EmbeddedAws
    story: Story
    detour: Detour
    folder: Path

    @property
    def engineer(self) -> Session:
        setting = self.story.setting
        return sign_in(self.story.cloud, setting.data_science, ENGINEER, self.story.region)

    def place(self, name: str, copied: str = "") -> Path:
        """The folder of a client, with the files of a folder beside this file."""
        made = self.folder / name
        shutil.rmtree(made, ignore_errors=True)
        if copied:
            shutil.copytree(HERE / copied, made)
        made.mkdir(parents=True, exist_ok=True)
        return made

    def run(
        self, by: Session, place: Path, *words: str | Path, more: Mapping[str, str] | None = None, forgiven: str = ""
    ) -> str:
        """What the program wrote; ClientFailed where it ends with an error, unless the last line has the forgiven."""
        with signed_in(by):
            signed = by.environment()
        mine = {name: value for name, value in os.environ.items() if not NOT_INHERITED.fullmatch(name)}
        variables = {**mine, **signed, **self.detour.environment(), "HOME": str(place), **(more or {})}
        line = [str(word) for word in words]
        done = subprocess.run(
            line,
            cwd=place,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        with (place / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(line)}\n{done.stdout}\n")
        last = done.stdout.strip().rpartition("\n")[2]
        if done.returncode and not (forgiven and forgiven in last):
            end = "\n".join(done.stdout.splitlines()[-15:])
            raise ClientFailed(f"{' '.join(line)} ended with {done.returncode}:\n{end}")
        return done.stdout

    def aws(self, by: Session, place: Path, line: str) -> str:
        return self.run(by, place, program("cli", "aws"), *line.split(), more={"AWS_PAGER": ""})


def program(environment: str, name: str) -> Path:
    """A program of an environment that `make clients` installs."""
    return ROOT / f".venv-{environment}" / "bin" / name


def npm_program(name: str) -> Path:
    return ROOT / ".venv-cdk" / "node_modules" / ".bin" / name


def require(condition: object, message: str) -> None:
    if not condition:
        raise ClientFailed(message)
