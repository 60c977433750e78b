"""What goes into a build and what comes out of it: source and artifacts, in S3.

AWS CodeBuild User Guide, "Build specification reference for CodeBuild" (artifacts), "Multiple
input sources and output artifacts sample"; API Reference, ProjectArtifacts. AWS CodePipeline User
Guide, "AWS CodeBuild build and test action reference": with several output artifacts, each one is
the secondary artifact of the same name.
"""

from __future__ import annotations

import hashlib
import io
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslang.archives import BadArchive, open_zip
from localaws import places
from localaws.cloud import Session
from localaws.services.codebuild.buildspec import Artifact, Buildspec, Files, choose, pattern
from localaws.services.codebuild.shell import Shell
from localaws.services.codebuild.state import PipelineBuild

DEFAULT_KEY = ":alias/aws/s3"
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)  # encrypted ones, too


class ArtifactError(Exception):
    """Source or artifacts cannot be had; the text is CodeBuild's."""


@dataclass(frozen=True)
class Sources:
    """Where the sources lie: the primary one, the others by name; url: CODEBUILD_SOURCE_REPO_URL."""

    primary: Path
    secondary: Mapping[str, Path] = field(default_factory=dict)
    url: str = ""


# -- source ------------------------------------------------------------------------------------


def download(session: Session, source: Mapping[str, Any], work: PipelineBuild | None, folder: Path) -> Sources:
    """Fetch a build's sources below folder, with the service role."""
    primary = folder / "src"
    primary.mkdir(parents=True)
    if work is not None:
        others = {}
        for name in work.input_artifacts.keys() - {work.primary}:
            with placing(folder, f"src_{name}"):
                others[name] = places.below(folder, f"src_{name}")
        for name, target in {work.primary: primary, **others}.items():
            bucket, key = work.input_artifacts[name]
            unpack(_object(session, bucket, key), target)
        return Sources(primary, others)
    if source["type"] == "NO_SOURCE":
        return Sources(primary)
    location = source["location"].removeprefix("arn:aws:s3:::")
    bucket, _, key = location.partition("/")
    if key.endswith("/"):
        _download_folder(session, bucket, key, primary)
    else:
        unpack(_object(session, bucket, key), primary)
    return Sources(primary, url=f"s3://{location}")


def _object(session: Session, bucket: str, key: str) -> bytes:
    return bytes(session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def _download_folder(session: Session, bucket: str, prefix: str, folder: Path) -> None:
    s3 = session.client("s3")
    for found in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in found.get("Contents", []):
            name = item["Key"].removeprefix(prefix)
            if name and not name.endswith("/"):
                with placing(folder, name):
                    places.write(folder, name, _object(session, bucket, item["Key"]))


@contextmanager
def placing(folder: Path, name: str) -> Iterator[None]:
    """ArtifactError where no file of a source can have the name, or another one is in its way."""
    try:
        yield
    except places.NoPlace as error:
        raise ArtifactError(f"open {folder}/{name}: {error}") from error


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a zip, with its permissions; a path that leaves the folder is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open_zip(archive) as reader:
            for entry in {entry.filename: entry for entry in reader.infolist()}.values():  # of two, the later one
                _unpack(reader, entry, folder)
    except BadArchive as error:
        raise ArtifactError(f"the source {error}") from error


def _unpack(reader: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    with placing(folder, entry.filename):
        if entry.is_dir():
            places.make(folder, entry.filename)
            return
        target = places.write(folder, entry.filename, reader.read(entry))
    if mode := entry.external_attr >> 16:
        target.chmod(stat.S_IMODE(mode) & stat.S_IRWXU | stat.S_IRUSR | stat.S_IWUSR)


# -- artifacts ---------------------------------------------------------------------------------


def select(source: Path, files: Files, expand: Callable[[str], str]) -> list[tuple[str, Path]]:
    """The files that a `files` section means: name in the artifact, place on disk."""
    base = expand(files.base).rstrip("/")
    folders = [source]
    if base not in {"", "."}:
        chosen = pattern(base)
        folders = sorted(
            p for p in source.rglob("*") if p.is_dir() and chosen.fullmatch(p.relative_to(source).as_posix())
        )
        if Path(base).is_absolute() and Path(base).is_dir():
            folders = [Path(base)]
        if not folders:
            raise ArtifactError(f"no matching base directory path found for {base}")
    globs = tuple(expand(glob) for glob in files.patterns)
    found: dict[str, Path] = {}
    for folder in folders:
        paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        for name in choose(list(paths), globs):
            found[Path(name).name if files.discard_paths else name] = paths[name]
    if not found:
        raise ArtifactError("no matching artifact paths found")
    return sorted(found.items())


def pack(files: list[tuple[str, Path]], read: Callable[[Path], bytes]) -> bytes:
    """The zip of an artifact."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, time.gmtime(path.stat().st_mtime)[:6])
            mode = path.stat().st_mode & 0xFFFF
            entry.external_attr = (mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6) << 16  # as with CodeBuild's umask
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, read(path))
    return buffer.getvalue()


def upload(
    session: Session,
    build: Mapping[str, Any],
    project: Mapping[str, Any],
    work: PipelineBuild | None,
    spec: Buildspec,
    source: Path,
    shell: Shell,
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Write a build's artifacts to S3; the build's `artifacts` and `secondaryArtifacts`."""
    if work is not None:
        return _upload_to_pipeline(session, build, work, spec, source, shell, note)
    done: dict[str, Any] = {}
    if project["artifacts"]["type"] == "S3":
        if spec.artifact is None:
            raise ArtifactError("no artifacts section in the buildspec, but the project has artifacts")
        done["artifacts"] = _upload_to_s3(session, build, project["artifacts"], spec.artifact, source, shell)
    declared = {item["artifactIdentifier"]: item for item in project.get("secondaryArtifacts", [])}
    for name in spec.secondary:
        if name not in declared:
            raise ArtifactError(f"the project has no secondary artifact {name}")
    for name, item in declared.items():
        if name not in spec.secondary:
            raise ArtifactError(f"no secondary artifact {name} in the buildspec")
        made = _upload_to_s3(session, build, item, spec.secondary[name], source, shell)
        done.setdefault("secondaryArtifacts", []).append({**made, "artifactIdentifier": name})
    return done


def _upload_to_pipeline(
    session: Session,
    build: Mapping[str, Any],
    work: PipelineBuild,
    spec: Buildspec,
    source: Path,
    shell: Shell,
    note: Callable[[str], None],
) -> dict[str, Any]:
    chosen: dict[str, Artifact] = dict(spec.secondary)
    if len(work.output_artifacts) == 1 and not spec.secondary and spec.artifact is not None:
        chosen = {next(iter(work.output_artifacts)): spec.artifact}
    if not work.output_artifacts:
        return {}
    if not chosen and spec.artifact is None:  # nothing is uploaded, and only who needs the artifact fails
        note(f"No artifacts in the buildspec: {', '.join(work.output_artifacts)} will not exist")
        return {}
    for name in chosen:
        if name not in work.output_artifacts:
            raise ArtifactError(f"the pipeline's action has no output artifact {name}")
    done = []
    for name, (bucket, key) in work.output_artifacts.items():
        if name not in chosen:
            raise ArtifactError(f"the buildspec has no artifacts for the pipeline's output artifact {name}")
        files = select(source, chosen[name].files, shell.expand)
        note(f"Found {len(files)} file(s) for {name}")  # english: quoted
        made = _put(session, build, bucket, key, pack(files, shell.place.read), work.encryption_key or "")
        done.append({**made, "artifactIdentifier": name} if len(work.output_artifacts) > 1 else made)
    return {"artifacts": done[0]} if len(done) == 1 else {"secondaryArtifacts": done}


def _upload_to_s3(
    session: Session,
    build: Mapping[str, Any],
    target: Mapping[str, Any],
    artifact: Artifact,
    source: Path,
    shell: Shell,
) -> dict[str, Any]:
    """AWS CodeBuild API Reference, ProjectArtifacts: path/namespace/name."""
    name = (
        shell.expand(artifact.name) if target.get("overrideArtifactName") and artifact.name else target.get("name", "")
    )
    build_id = build["id"].split(":")[1] if target.get("namespaceType") == "BUILD_ID" else ""
    key = "/".join(part.strip("/") for part in (target.get("path", ""), build_id, name) if part.strip("/"))
    files = select(source, artifact.files, shell.expand)
    bucket, kms = target["location"], "" if target.get("encryptionDisabled") else build["encryptionKey"]
    if target.get("packaging", "NONE") == "ZIP":
        return _put(session, build, bucket, key, pack(files, shell.place.read), kms)
    for path, place in files:
        _put(session, build, bucket, f"{key}/{path}", shell.place.read(place), kms)
    return {"location": f"arn:aws:s3:::{bucket}/{key}"}


def _put(session: Session, build: Mapping[str, Any], bucket: str, key: str, body: bytes, kms: str) -> dict[str, Any]:
    encryption = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms and not kms.endswith(DEFAULT_KEY) else {}
    )
    session.client("s3").put_object(
        Bucket=bucket, Key=key, Body=body, Metadata={"codebuild-buildarn": build["arn"]}, **encryption
    )
    return {
        "location": f"arn:aws:s3:::{bucket}/{key}",
        "sha256sum": hashlib.sha256(body).hexdigest(),
        "md5sum": hashlib.md5(body).hexdigest(),
        "encryptionDisabled": False,
    }
