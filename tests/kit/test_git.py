"""git in an environment of its own: what a person has set changes neither what is committed nor which repository."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts import release
from scripts.kit.console import UserError
from scripts.kit.git import git, reach
from scripts.kit.projects import seeding
from tests.support import NASTY, ROOT, persons_git
from tests.support.zips import zip_of

FILES: dict[str, str | bytes] = {
    "iris.csv": b"5.1,3.5\r\n",
    "scripts/run.sh": b"#!/bin/sh\n",
    "notes.txt": b"a\r\nb\n",
    ".gitignore": b"build/\n*.tar\n",
    "build/kept.tar": bytes(range(256)),
}
OURS = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def plain(folder: Path, *arguments: str) -> bytes:
    """What git prints with nothing of anybody's."""
    return subprocess.run(["git", "-C", str(folder), *arguments], env=OURS, check=True, capture_output=True).stdout


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository at the provider, in a folder of any name."""
    folder = tmp_path / NASTY / "how-we-deploy.git"
    folder.mkdir(parents=True)
    plain(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    return folder


# -- what is committed, and where --------------------------------------------------------------


@pytest.mark.parametrize("through", ["the address", "an address that stands for it"])
def test_the_seed_arrives_whole_and_the_persons_repository_is_untouched(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    config, url = "", str(bare)
    if through != "the address":
        config, url = f"[include]\n\tpath = {tmp_path}/more\n", "https://git.example.com/how-we-deploy.git"
        (tmp_path / "provider").symlink_to(bare.parent)
        (tmp_path / "more").write_text(f'[url "{tmp_path}/provider/"]\n\tinsteadOf = https://git.example.com/\n')
    mine = persons_git.set_up(tmp_path, monkeypatch, config)
    before = persons_git.state(mine)
    assert [step.action for step in seeding.make_plan(url.rsplit("/", 1)[0], {"seed": "how-we-deploy"})] == ["create"]
    seeding.push(url, zip_of(FILES), "Seed code of 1")
    names = plain(bare, "ls-tree", "-r", "-z", "--name-only", "main").decode().strip("\0").split("\0")
    assert {name: plain(bare, "show", f"main:{name}") for name in names} == FILES
    assert plain(bare, "log", "--format=%an %ae %s", "main") == (
        b"multi-account-deployment multi-account-deployment@invalid Seed code of 1\n"
    )
    assert persons_git.state(mine) == before
    assert not (tmp_path / "home/hook-ran").exists()
    assert [step.action for step in seeding.make_plan(url.rsplit("/", 1)[0], {"seed": "how-we-deploy"})] == ["keep"]


def test_a_release_is_made_of_its_own_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = set(release.product(ROOT))
    mine = persons_git.set_up(tmp_path, monkeypatch)
    before = persons_git.state(mine)
    assert set(release.product(ROOT)) == expected
    assert git("rev-parse", "--show-toplevel", folder=ROOT).strip() == str(ROOT)
    assert persons_git.state(mine) == before


# -- how a provider is reached -----------------------------------------------------------------


class Provider(BaseHTTPRequestHandler):
    """Asks for credentials, and remembers what it was asked for, with which credentials."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        given = self.headers["Authorization"]
        self.seen.append((self.path, given))
        self.send_response(404 if given else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Its address, and what it was asked for."""
    seen: list[tuple[str, str | None]] = []
    with HTTPServer(("127.0.0.1", 0), type("Asked", (Provider,), {"seen": seen})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def test_what_reaches_a_provider_is_handed_on_in_its_order_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = """\
[credential]
	helper =
	helper = store --file ~/secrets
[credential "https://git.example.com"]
	useHttpPath
[http]
	proxy = http://proxy:3128
[core]
	sshCommand = ssh -i ~/key
[alias]
	push = !false
"""
    persons_git.set_up(tmp_path, monkeypatch, config)
    (tmp_path / "system").write_text("[http]\n\tsslCAInfo = /etc/ours.pem\n[core]\n\tautocrlf = true\n")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "system"))
    assert list(reach()) == [
        ("http.sslcainfo", "/etc/ours.pem"),
        ("credential.helper", ""),
        ("credential.helper", "store --file ~/secrets"),
        ("credential.https://git.example.com.usehttppath", "true"),
        ("http.proxy", "http://proxy:3128"),
        ("core.sshcommand", "ssh -i ~/key"),
    ]


def test_the_persons_credentials_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: tuple[str, list[tuple[str, str | None]]]
) -> None:
    url, seen = provider
    config = '[credential]\n\thelper = "!f() { echo username=ada; echo password=secret; }; f"\n'
    persons_git.set_up(tmp_path, monkeypatch, config)
    with pytest.raises(UserError, match=r"git ls-remote: .*not found"):
        seeding.make_plan(url, {"seed": "o/r"})
    assert seen == [("/o/r.git/info/refs?service=git-upload-pack", None)] + [
        ("/o/r.git/info/refs?service=git-upload-pack", "Basic YWRhOnNlY3JldA==")
    ] * (len(seen) - 1)
    assert len(seen) > 1


def test_the_persons_proxy_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: tuple[str, list[tuple[str, str | None]]]
) -> None:
    url, seen = provider
    persons_git.set_up(tmp_path, monkeypatch, f"[http]\n\tproxy = {url}\n")
    with pytest.raises(UserError, match="git ls-remote"):
        seeding.make_plan("http://git.example.com", {"seed": "o/r"})
    assert seen[0][0] == "http://git.example.com/o/r.git/info/refs?service=git-upload-pack"


@pytest.mark.parametrize("where", ["core.sshCommand", "GIT_SSH_COMMAND"])
def test_the_persons_ssh_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    program = tmp_path / "my-ssh"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit 1\n')
    program.chmod(0o755)
    persons_git.set_up(tmp_path, monkeypatch, f"[core]\n\tsshCommand = {program}\n" if where.startswith("core") else "")
    if where == "GIT_SSH_COMMAND":
        monkeypatch.setenv(where, str(program))
    with pytest.raises(UserError, match="git ls-remote"):
        seeding.make_plan("ssh://git@git.example.com", {"seed": "o/r"})
    assert "git@git.example.com git-upload-pack '/o/r.git'" in (tmp_path / "asked").read_text()


def test_a_configuration_that_git_cannot_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    persons_git.set_up(tmp_path, monkeypatch, "[broken\n")
    with pytest.raises(UserError, match=r"git config: fatal: bad config .*\.gitconfig"):
        seeding.make_plan("https://git.example.com", {"seed": "o/r"})


def test_a_machine_without_git_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed"):
        git("status", folder=tmp_path)
