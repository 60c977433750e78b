"""Runs the notebooks on the embedded AWS, as a data scientist does in SageMaker Studio.

A notebook runs unchanged, in a separate environment with the real SageMaker Python SDK and only the credentials of
the Studio execution role. The embedded AWS answers the SDK's requests; STS, whose endpoint the SDK computes itself,
is reached through a proxy (detour.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.server import EmbeddedAws
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UserError, say
from scripts.rehearsal.notebooks.detour import Detour
from scripts.rehearsal.story import Story, signed_in

NOTEBOOKS = ROOT / "notebooks"
ENVIRONMENT = ROOT / ".venv-notebooks"
PATIENCE = 300  # seconds that one cell may take on this machine
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
NOT_INHERITED = re.compile(r".*_proxy|xdg_.*|jupyter_.*|ipython.*|python(path|home|startup)", re.I)


class NotebookFailed(Exception):  # what happened to it
    """A cell did not run: which, and its traceback."""


@dataclass(frozen=True)
class Executed:
    """A notebook that ran: its name, the notebook with its outputs, seconds by cell."""

    name: str
    content: dict[str, Any]
    seconds: dict[str, float]
    refused_hosts: tuple[str, ...]  # what it asked for beside AWS's API


def python_of(environment: Path) -> Path:
    """The interpreter of the notebooks' environment; UserError where it was not installed."""
    if not (environment / ".ready").is_file():
        raise UserError(f"{environment.name} is missing, with the SageMaker Python SDK. `make notebooks` installs it")
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


def variables(story: Story, detour: Detour, home: Path) -> dict[str, str]:
    """The environment of the notebook's process: a data scientist's session, and no settings of this user."""
    with signed_in(story.scientist):
        mine = {name: value for name, value in os.environ.items() if not NOT_INHERITED.fullmatch(name)}
    return {
        **mine,
        **detour.environment(),
        "HOME": str(home),
        "MPLCONFIGDIR": str(ENVIRONMENT / "matplotlib"),  # where its list of fonts is kept
        "PIP_NO_INDEX": "1",  # everything is installed
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def execute(notebook: Path, server: EmbeddedAws, story: Story, folder: Path) -> Executed:
    """Run a notebook in a story that has come to its project; NotebookFailed from the cell that fails.

    folder: gets the notebook with its outputs, and is the home of the process
    """
    folder.mkdir(parents=True, exist_ok=True)
    output, seconds, error = folder / notebook.name, {}, ""
    story.cloud.chapter = notebook.stem
    with Detour(folder / "certificates", server.adopt) as detour, (folder / "kernel.log").open("w") as log:
        command = [python_of(ENVIRONMENT), Path(__file__).with_name("cells.py"), notebook, output, PATIENCE]
        with subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=variables(story, detour, folder),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    finished = json.loads(line)
                    cell, failure = finished["cell"], COLOURS.sub("", finished["error"])
                    seconds[cell] = finished["seconds"]
                    error = error or (f"cell {cell}:\n{failure}" if failure else "")
                    say(f"    {cell:<20} {'failed' if failure else 'done'} in {finished['seconds']:.1f} s")
            except BaseException:
                process.kill()  # the kernel ends when it sees that its parent has gone
                raise
    if process.returncode or error:
        said = (folder / "kernel.log").read_text(encoding="utf-8", errors="replace")
        raise NotebookFailed(f"{notebook.name}, {error or said or f'ended with {process.returncode}'}")
    content = json.loads(output.read_text(encoding="utf-8"))
    return Executed(notebook.stem, content, seconds, tuple(detour.refused))


# -- a copy to read ----------------------------------------------------------------------------


def text_of(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def rendered(executed: Executed, stem: str, head: str) -> dict[str, bytes]:
    """The notebook with its outputs as Markdown, and its plots as files of their own, by file name."""
    files: dict[str, bytes] = {}
    parts = [head]
    for cell in executed.content["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(text_of(cell["source"]))
            continue
        parts.append(f"```python\n{text_of(cell['source'])}\n```")
        for output in cell["outputs"]:
            part, plot = shown(output)
            if plot:
                name = f"{stem}-{cell['id']}.png"
                files[name] = plot
                digest = hashlib.sha256(plot).hexdigest()
                part = f"![The plot of the cell above]({name})\n\n<!-- {name}: SHA-256 {digest} -->"
            if part:
                parts.append(part)
    files[f"{stem}.md"] = ("\n\n".join(parts) + "\n").encode()
    return files


def shown(output: Mapping[str, Any]) -> tuple[str, bytes]:
    """An output as Markdown, or its picture."""
    if output["output_type"] == "stream":
        text = text_of(output["text"])
    elif picture := output.get("data", {}).get("image/png"):
        return "", base64.b64decode(text_of(picture))
    else:
        text = text_of(output["data"]["text/plain"])
    lines = [line.rstrip() for line in COLOURS.sub("", text).strip("\n").splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```" if any(lines) else "", b""
