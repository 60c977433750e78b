"""The view of a rehearsal in a terminal of 80 columns: long words stay whole, and every stage is in sight."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading
from pathlib import Path

import pytest
from rich.console import Console

from localaws.cloud import Cloud
from localaws.services.codepipeline.state import ActionRun, Execution, Pipeline, PipelineState
from scripts.kit.console import say
from scripts.rehearsal.live import Shown, breaks, view
from scripts.rehearsal.story import Chapter, Story

COLUMNS = 80
ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris-multi-01/1"
LONG_ARN = f"{ARN.replace('package', 'package-group')}/with-a-name-that-is-longer-than-the-line"
STAGES = ["Source", "Build", *(f"DeployToTheUnitOfTheSubsidiary{number:02}" for number in range(12))]


@pytest.fixture
def story(cloud: Cloud, tmp_path: Path) -> Story:
    """A story whose pipeline has many stages and is in the third, which deploys."""
    made = Story(cloud, tmp_path, execution_id="e-1")
    title = "The pipeline deploys to staging and tests (templates 40 and 50)"
    made.chapters = [Chapter("c", title, began=1.0), *(Chapter("later", "Later") for _ in range(9))]
    declaration = {"name": "p", "version": 1, "stages": [{"name": name} for name in STAGES]}
    execution = Execution(1, 1, declaration, {}, {}, "QUEUED", id="e-1")
    execution.stages = {"Source": "Succeeded", "Build": "Succeeded", STAGES[2]: "InProgress"}
    for stage, action, status in (
        ("Source", "Source", "Succeeded"),
        ("Build", "Build", "Succeeded"),
        (STAGES[2], "DeployResourcesStaging", "Succeeded"),
        (STAGES[2], "TestStaging", "InProgress"),
    ):
        execution.actions.append(ActionRun(stage, {"name": action}, 1, status=status))
    pipeline = Pipeline("111111111111", "us-east-1", declaration, executions=[execution])
    cloud.state(PipelineState, "111111111111", "us-east-1").pipelines["p"] = pipeline
    return made


def shown(story: Story, width: int = COLUMNS) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(Shown(story))
    return console.export_text().splitlines()


def test_every_stage_stands_on_a_line_of_its_own_with_the_actions_that_have_begun(story: Story) -> None:
    lines = [line.rstrip() for line in shown(story)]
    assert max(map(len, lines)) <= COLUMNS
    at = next(number for number, line in enumerate(lines) if line.startswith("  ● Source"))
    assert [line.split()[1] for line in lines[at : at + len(STAGES)]] == STAGES
    assert [line.split()[0] for line in lines[at : at + len(STAGES)]] == ["●"] * 3 + ["○"] * (len(STAGES) - 3)
    assert lines[at + 2].endswith("DeployResourcesStaging, TestStaging")


def test_before_the_pipeline_there_are_no_stages(story: Story) -> None:
    story.execution_id = ""
    assert not any("Source" in line for line in shown(story))


def test_a_long_title_goes_on_beneath_itself(story: Story) -> None:
    first, second = [line for line in shown(story) if "templates 40" in line or "and 50)" in line]
    assert second.index("and") == first.index("The pipeline")


def test_in_a_terminal_nothing_is_broken_in_a_word(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"    registered {ARN} in the registry", f"    started {LONG_ARN} by hand", "", " 6  A short line"]
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    read = bytearray()
    reader = threading.Thread(target=drain, args=(ours, read))
    reader.start()
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        with view(story):
            for line in lines:
                say(line)
        monkeypatch.undo()
    reader.join(10)
    seen = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode()).splitlines()]
    for expected in (
        ["    registered", f"    {ARN} in", "    the registry"],
        ["    started", f"    {LONG_ARN}", "    by hand"],
        [" 6  A short line"],
    ):
        assert any(seen[at : at + len(expected)] == expected for at in range(len(seen))), seen
    assert "  ○ " + STAGES[5] in seen


def drain(terminal: int, read: bytearray) -> None:
    """Read what is written to a terminal until it is closed."""
    try:
        while part := os.read(terminal, 4096):
            read += part
    except OSError:  # EIO: the other side is closed
        os.close(terminal)


def test_lines_are_broken_before_words_and_what_fits_is_not_broken() -> None:
    assert breaks("    aa bbb cc", 10, 4) == [11]
    assert breaks("    aa bbb", 10, 4) == []
    assert breaks("    a-word-that-is-too-long b", 10, 4) == [28]
    assert breaks("", 10, 0) == []
