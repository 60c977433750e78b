"""The build specification: read, checked, and refused with the reason."""

from __future__ import annotations

import pytest

from localaws.services.codebuild.buildspec import BuildspecError, choose, parse

WHOLE = """
version: 0.2
env:
  shell: bash
  variables: {MODE: "on", COUNT: 3}
  parameter-store: {LOGIN: /kit/login}
  secrets-manager: {TOKEN: "kit:token"}
  exported-variables: [DEPLOY]
phases:
  install:
    runtime-versions:
      python: 3.10
  build:
    on-failure: ABORT
    commands: [make, "echo 'a: b'"]
    finally: [make clean]
reports:
  unit:
    files: ['**/*']
    base-directory: reports
artifacts:
  files: [out.json, 'docs/**/*']
  discard-paths: yes
  secondary-artifacts:
    Second:
      files: [second.txt]
cache:
  paths: ['/root/.cache/**/*']
"""


def test_a_whole_buildspec_is_read() -> None:
    spec = parse(WHOLE)
    assert spec.runtimes == {"python": "3.10"}  # text: as a number it would be 3.1
    assert spec.variables == {"MODE": "on", "COUNT": "3"}
    assert spec.parameters == {"LOGIN": "/kit/login"}
    assert spec.secrets == {"TOKEN": "kit:token"}
    assert spec.exported == ("DEPLOY",)
    assert spec.shell == "bash"
    assert spec.phases["build"].commands == ("make", "echo 'a: b'")
    assert spec.phases["build"].last == ("make clean",)
    assert spec.phases["build"].on_failure == "ABORT"
    assert spec.reports["unit"].base == "reports"
    assert spec.artifact is not None
    assert spec.artifact.files.discard_paths
    assert spec.secondary["Second"].files.patterns == ("second.txt",)


def test_json_is_a_buildspec_too() -> None:
    assert parse('{"version": "0.2", "phases": {"build": {"commands": ["true"]}}}').phases["build"].commands == (
        "true",
    )


BUILD = "version: 0.2\nphases:\n  build:\n    commands: ['true']\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("phases:\n  build:\n    commands: [a]\n", "no version"),
        ("version: 0.3\nphases: {}\n", "Invalid buildspec version: 0.3"),
        ("version: 0.1\nphases: {}\n", "version 0.1"),
        ("version: 0.2\n", "no phases"),
        ("version: 0.2\nphases:\n  compile:\n    commands: [a]\n", "Invalid buildspec phase name found: compile"),
        ("version: 0.2\nphases:\n  build:\n    command: [a]\n", "Unknown key command in phases/build"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n", "found subkeys instead"),
        ("version: 0.2\nphases:\n  build:\n    commands: make\n", "must be a list"),
        ("version: 0.2\nphases:\n  build:\n    finally: [a]\n", "phases/build has no commands"),
        ("version: 0.2\nphases:\n  pre_build:\n    runtime-versions: {python: 3}\n", "runtime-versions"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: STOP\n    commands: [a]\n", "Invalid value STOP"),
        (
            "version: 0.2\nphases:\n  build:\n    on-failure: RETRY-3\n    commands: [a]\n",
            "Not supported by the embedded AWS",
        ),
        (
            "version: 0.2\nphases:\n  build:\n    run-as: me\n    commands: [a]\n",
            "Not supported by the embedded AWS: run-as",
        ),
        (BUILD + "exports: [A]\n", "Unknown key exports"),
        (BUILD + "batch: {}\n", "Not supported by the embedded AWS: batch"),
        (BUILD + "env: {variable: {A: b}}\n", "Unknown key variable in env"),
        (BUILD + "env: {variables: {CODEBUILD_X: b}}\n", "CODEBUILD_ is reserved"),
        (BUILD + "env: {variables: {A-B: b}}\n", "no name of an environment variable"),
        (BUILD + "artifacts: {base-directory: x}\n", "artifacts has no files"),
        (BUILD + "artifacts: {files: [a], discard-paths: maybe}\n", "Invalid value maybe"),
        (BUILD + "reports: {r: {files: [a], file-format: HTML}}\n", "Invalid value HTML"),
        (
            BUILD + "reports: {r: {files: [a], file-format: cloverxml}}\n",
            "Not supported by the embedded AWS: report format",
        ),
        (BUILD + "version: 0.2\n", "duplicate key"),
        ("version: 0.2\nphases:\n  build: [\n", "line"),
        ("", "must be a mapping"),
    ],
)
def test_a_wrong_buildspec_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(BuildspecError, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("glob", "chosen"),
    [
        ("**/*", ["a.txt", "d/b.txt", "d/e/c.txt", "d/e/x.json"]),
        ("*", ["a.txt"]),
        ("d/*", ["d/b.txt"]),
        ("d/**/*", ["d/b.txt", "d/e/c.txt", "d/e/x.json"]),
        ("**/*.json", ["d/e/x.json"]),
        ("./a.txt", ["a.txt"]),
        ("*/b.txt", ["d/b.txt"]),
        ("nothing", []),
    ],
)
def test_locations_are_matched_as_the_reference_says(glob: str, chosen: list[str]) -> None:
    assert choose(["a.txt", "d/b.txt", "d/e/c.txt", "d/e/x.json"], (glob,)) == chosen


def test_the_environment_that_samples_of_the_cdk_write_means_nothing() -> None:
    spec = parse("version: 0.2\nenvironment: {buildImage: x}\nphases: {build: {commands: [a]}}")
    assert spec == parse("version: 0.2\nphases: {build: {commands: [a]}}")
