"""What `make upgrade` says: what changes, and how newer seed code comes into a project's repositories."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.bundle import differences
from scripts.kit.console import make_arguments
from scripts.kit.plan import short
from scripts.kit.projects.upgrading import OWN, ProjectUpgrade


def lines(upgrade: ProjectUpgrade) -> Iterator[str]:
    """The plan."""
    yield f"upgrade {upgrade.project.project.name} from {upgrade.project.bundle_version} to {upgrade.target.name}:"
    yield from (f"  {line}" for line in differences.resource_lines(upgrade.found))
    if code := upgrade.found.code:
        yield f"  pipeline's code: {', '.join(f'{differences.SIGNS[item.effect]} {item.name}' for item in code)}"
    now = upgrade.project.parameters
    for name, value in upgrade.parameters.items():
        if now.get(name) != value and name not in OWN:
            yield f"  parameter {name}: {short(now.get(name, '(new)'))} -> {short(value)}"
    for gap in upgrade.gaps or ():
        will = "will be refused" if gap.certain else "may be refused"
        yield f"  {will}: {gap.logical_id} ({gap.type}): the launch role may not {', '.join(gap.actions)}"


def seed_code(upgrade: ProjectUpgrade, typed: str) -> Iterator[str]:
    """How newer seed code comes into the repositories. typed: further options of the commands"""
    changed = upgrade.found.files
    if not changed:
        return
    name = upgrade.project.project.name
    yield f"  the repositories hold older seed code than {upgrade.target.name}, and are left unchanged:"
    yield from (f"    {differences.SIGNS[item.effect]} {item.name}" for item in changed)
    yield "  to bring it in, in a clone of the repository (your own commits are merged):"
    for repository in sorted({item.name.split("/")[0] for item in changed}):
        yield (
            f"    make diff PROJECT={name} TO={upgrade.target.name} {make_arguments(f'--patch {repository}{typed}')} "
            f"| git -C CLONE-OF-{repository.upper()} apply --3way"
        )
