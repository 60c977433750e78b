"""The bundle: templates and seed code as one set of files that the same tree always gives byte for byte.

Pure except `read_tree` (the sources) and `read_build` (what `make package` wrote).
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from awslang.bounded import read_file, read_json
from awslang.template.reader import read
from scripts.kit.bundle.parameter_defaults import choices, with_defaults
from scripts.kit.bundle.settings_schema import settings_schema
from scripts.kit.console import UserError

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
SCHEMA = 1  # of manifest.json
MANIFEST = "manifest.json"
PRODUCT = "templates/30-project.yaml"
STAGE = "templates/40-stage.yaml"
TEMPLATES = (
    "templates/10-model-storage.yaml",
    "templates/11-shared-resources.yaml",
    "templates/12-project-roles.yaml",
    "templates/13-people.yaml",
    "templates/15-notices.yaml",
    "templates/20-target-account.yaml",
    PRODUCT,
    STAGE,
    "templates/50-endpoint.yaml",
)
SEEDS = {"model-deploy.zip": "seed-code/model-deploy", "model-build.zip": "seed-code/model-build"}  # zip: its folder
PIPELINE = "pipeline"  # the pipeline's own steps
PIPELINE_CODE = "pipeline.zip"  # these and the templates that they deploy, a source of every project's pipeline
AT_ROOT = {  # of that zip: what the project's template and its builds look for there
    STAGE: "40-stage.yaml",
    "templates/50-endpoint.yaml": "50-endpoint.yaml",
    "pipeline/buildspec.yml": "buildspec.yml",
    "pipeline/own-tests-buildspec.yml": "own-tests-buildspec.yml",
    "pipeline/test-buildspec.yml": "test-buildspec.yml",
    "pipeline/gate-buildspec.yml": "gate-buildspec.yml",
}
# The product's parameters. A creator may change the first two: an upgrade keeps a project's own
# (docs/decisions/0011-an-upgrade-leaves-the-repositories-alone.md), and they decide only what its
# repositories begin with.
SEED_KEYS = {"SeedCodeDeployKey": "model-deploy.zip", "SeedCodeBuildKey": "model-build.zip"}
CODE_KEYS = {"PipelineCodeKey": PIPELINE_CODE, "EndpointTemplateKey": "templates/50-endpoint.yaml"}  # of what it runs
VERSION_PARAMETER = "BundleVersion"

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip entry can carry
LEFT_OUT = {
    "build",
    "__pycache__",
    ".ipynb_checkpoints",
    ".DS_Store",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".venv",
}
TEMPLATE_LIMIT = 1_000_000  # bytes of a template read from S3 (CloudFormation User Guide, "CloudFormation quotas")
SEED_LIMIT = 20_000_000  # bytes of CodeCommit's `Code` zip (CodeCommit User Guide, "Quotas": 20 MB in one commit)
LARGEST = 100_000_000  # bytes of a file that is read at all


@dataclass(frozen=True)
class Bundle:
    """What is published.

    digest: SHA-256 over the version, the templates as written and the seed zips, in hexadecimal
    files: content by path beneath build/, without the manifest
    """

    version: str
    digest: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The version's name in Service Catalog, such as 0.2.0-1a2b3c4d."""
        return version_name(self.version, self.digest)

    def key(self, file: str) -> str:
        """The key in the bundle bucket; it carries the digest, so nothing is ever overwritten."""
        return object_key(self.digest, file)


def version_name(version: str, digest: str) -> str:
    return f"{version}-{digest[:8]}"


def object_key(digest: str, file: str) -> str:
    return f"bundle/{digest}/{file}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- from the sources to the bundle ------------------------------------------------------------


def read_tree(root: Path) -> dict[str, bytes]:
    """The sources of a bundle by path: templates, seed code, and pyproject.toml for the version."""
    found: dict[str, bytes] = {}
    for name in ("pyproject.toml", *TEMPLATES):
        try:
            found[name] = read_file(root / name, LARGEST)
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror}. Is the clone complete?") from error
    for folder in (*SEEDS.values(), PIPELINE):
        files = dict(seed_files(root, folder))
        if not files:
            raise UserError(f"{folder} holds no files. Is the clone complete?")
        found.update(files)
    return found


def seed_files(root: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted((root / folder).rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and not LEFT_OUT & set(inside.parts) and path.suffix != ".pyc":
            yield inside.as_posix(), read_file(path, LARGEST)


def pack(sources: Mapping[str, bytes]) -> Bundle:
    """The bundle of these sources (see read_tree)."""
    raw = unstamped(sources)
    version, digest, files = raw.version, raw.digest, dict(raw.files)
    files[PRODUCT] = with_defaults(files[PRODUCT], product_defaults(version, digest), PRODUCT, SEED_KEYS)
    for name, content in files.items():
        limit = TEMPLATE_LIMIT if name.endswith(".yaml") else SEED_LIMIT
        if len(content) > limit:
            raise UserError(f"{name} has {len(content):,} bytes; AWS takes at most {limit:,}")
    return Bundle(version, digest, files)


def unstamped(sources: Mapping[str, bytes]) -> Bundle:
    """The same, with the product as in the sources: its name is known without a template being rewritten."""
    version = str(tomllib.loads(sources["pyproject.toml"].decode())["project"]["version"])
    files = {name: sources[name] for name in TEMPLATES}
    files |= {archive: zip_bytes(seed(archive, sources)) for archive in SEEDS}
    files[PIPELINE_CODE] = zip_bytes(pipeline_code(sources))
    return Bundle(version, digest_of(version, files), files)


def seed(archive: str, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a seed zip holds, by the path in the repository that it seeds."""
    folder = SEEDS[archive] + "/"
    found = {name.removeprefix(folder): content for name, content in sources.items() if name.startswith(folder)}
    if empty := sorted(name for name, content in found.items() if not content):
        raise UserError(
            f"{folder}{empty[0]} is empty, and CodeCommit takes no empty file (PutFile: FileContentRequiredException): "
            "write something into it, or leave it out"
        )
    if archive == "model-deploy.zip" and STAGE in sources:
        found["settings.schema.json"] = settings_schema(sources[STAGE])
    return found


def pipeline_code(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """What pipeline.zip holds, by path. A project's repositories never hold it, so a commit cannot change it."""
    own = {name for name in sources if name.startswith(f"{PIPELINE}/")} | AT_ROOT.keys()
    return {AT_ROOT.get(name, name): sources[name] for name in own if name in sources}


def digest_of(version: str, files: Mapping[str, bytes]) -> str:
    """One hash for a version and its files, whatever their order."""
    lines = [f"version {version}", *(f"{sha256(files[name])} {name}" for name in sorted(files))]
    return sha256("\n".join(lines).encode())


def product_defaults(version: str, digest: str) -> dict[str, str]:
    """What packing sets in the product: where its seed code and its pipeline's code are, and its bundle."""
    keys = {parameter: object_key(digest, file) for parameter, file in (SEED_KEYS | CODE_KEYS).items()}
    return {**keys, VERSION_PARAMETER: version_name(version, digest)}


def for_installation(bundle: Bundle, defaults: Mapping[str, str]) -> Bundle:
    """The bundle with these values in its product, for which a creator can choose no others.

    It is another version, unless the product has them already.

    Its digest covers the defaults, so that two installations never share a version's name for different templates.
    """
    new = new_defaults(bundle, defaults)
    if not new:
        return bundle
    digest = installed_digest(bundle, defaults)
    fixed = {**new, **product_defaults(bundle.version, digest)}
    product = with_defaults(bundle.files[PRODUCT], fixed, PRODUCT, SEED_KEYS)
    return Bundle(bundle.version, digest, {**bundle.files, PRODUCT: product})


def new_defaults(bundle: Bundle, defaults: Mapping[str, str]) -> dict[str, str]:
    """Those of these values that the product does not have already as the only ones."""
    declared = product_parameters(bundle)

    def fixed(name: str, value: str) -> bool:
        found = declared.get(name, {})
        allowed = choices(value, str(found.get("Type", "")))
        return found.get("Default") == value and found.get("AllowedValues") == allowed

    return {name: value for name, value in defaults.items() if not fixed(name, value)}


def installed_digest(bundle: Bundle, defaults: Mapping[str, str]) -> str:
    """The digest of the bundle with these defaults in its product."""
    new = new_defaults(bundle, defaults)
    return (
        sha256("\n".join([bundle.digest, *(f"{n}={new[n]}" for n in sorted(new))]).encode()) if new else bundle.digest
    )


def product_parameters(bundle: Bundle) -> Mapping[str, Mapping[str, Any]]:
    """The product's parameters, as its template declares them."""
    return declared(bundle.files[PRODUCT])


@lru_cache(maxsize=2)
def declared(template: bytes) -> Mapping[str, Mapping[str, Any]]:
    """The parameters of a template; a publish asks several times for the same one's."""
    found: Mapping[str, Mapping[str, Any]] = read(template.decode())[0]["Parameters"]
    return found


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """The zip of files (path to content): entries sorted, times and modes fixed.

    Stored and not compressed, because zlib's output differs from one of its versions to the next.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system = 3  # Unix, so that Windows writes the same bytes
            entry.external_attr = (0o755 if files[name].startswith(b"#!") else 0o644) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


# -- build/ ------------------------------------------------------------------------------------


def manifest(bundle: Bundle) -> bytes:
    """manifest.json: the bundle's name and digest, and the SHA-256 and size of every file."""
    content = {
        "schema": SCHEMA,
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.digest,
        "files": {
            name: {"sha256": sha256(bundle.files[name]), "bytes": len(bundle.files[name])}
            for name in sorted(bundle.files)
        },
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def read_manifest(build: Path) -> tuple[str, str, dict[str, str]]:
    """Version, digest and the SHA-256 of every file, as build/manifest.json has them; UserError where it is broken."""
    again = "run `make package`"
    try:
        written = read_json(read_file(build / MANIFEST, LARGEST))
        listed = {str(name): str(entry["sha256"]) for name, entry in written["files"].items()}
        for name in listed:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
                raise ValueError(f"it lists {name!r}, outside of the folder")
        return str(written["version"]), str(written["sha256"]), listed
    except FileNotFoundError as error:
        raise UserError(f"the bundle is not built ({build / MANIFEST} does not exist): {again}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{build / MANIFEST} cannot be read ({error}): {again}") from error


def read_build(build: Path) -> Bundle:
    """The bundle in build/, checked against its manifest; UserError when it is not whole."""
    again = "run `make package`"
    version, digest, listed = read_manifest(build)
    files: dict[str, bytes] = {}
    for name, expected in listed.items():
        try:
            files[name] = read_file(build / name, LARGEST)
        except OSError as error:
            raise UserError(f"{build / name} cannot be read ({error.strerror}): {again}") from error
        if sha256(files[name]) != expected:
            raise UserError(f"{build / name} is not what `make package` wrote: {again}, and edit the sources instead")
    return Bundle(version, digest, files)


def from_manifest(text: bytes, read: Callable[[str], bytes], only: Iterable[str] = ()) -> Bundle:
    """The bundle that a manifest lists. read: gives a file's content; only: these files alone."""
    written = json.loads(text)
    names = [name for name in written["files"] if not only or name in only]
    return Bundle(written["version"], written["sha256"], {name: read(name) for name in names})


def check_fresh(bundle: Bundle, root: Path) -> None:
    """UserError when the sources have changed since the bundle was built."""
    current = pack(read_tree(root))
    if current.digest == bundle.digest and current.files == bundle.files:
        return
    names = sorted({*current.files, *bundle.files})
    changed = [name for name in names if current.files.get(name) != bundle.files.get(name) and name != PRODUCT]
    what = ", ".join(changed) or f"{PRODUCT} or the version"
    raise UserError(f"the bundle is older than the sources ({what} changed since): run `make package`")
