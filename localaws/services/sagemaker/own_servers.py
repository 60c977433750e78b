"""Containers that serve what is a team's own: its functions in SageMaker's images, or an image with its own server.

Developer Guide, "Using the SageMaker Training and Inference Toolkits", "Custom Inference Code with Hosting Services":
an image is run with `serve`, and answers GET /ping and POST /invocations. On AWS it listens on port 8080, or where
SAGEMAKER_BIND_TO_PORT says, for an image with the label accept-bind-to-port. Here the containers of all endpoints
share the machine's ports: each gets a free one by that variable, and the server must heed it.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from pathlib import Path

from localaws.cloud import Cloud, Session
from localaws.containers import script_serve
from localaws.services.ecr.images import TAGS, XGBOOST
from localaws.services.sagemaker import containers, models, script_mode
from localaws.services.sagemaker.shared import Running, StartFailed


def needed(container: models.Container) -> bool:
    """Whether something other than the built-in algorithm is to answer."""
    return container.origin != XGBOOST or script_mode.of_model(container.environment) is not None


def start(cloud: Cloud, container: models.Container, session: Session, folder: Path) -> Running:
    """The started container, whose model is in the folder already; its log goes to the folder's log."""
    port = free_port()
    key = secrets.token_hex(16) if container.origin in TAGS else ""
    variables = {**container.environment, "SAGEMAKER_BIND_TO_PORT": str(port)} | ({"SERVING_KEY": key} if key else {})
    made = containers.Container(
        cloud, container.origin, folder / "ml", variables, None if container.isolated else session
    )
    (made.ml / "model").mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        try:
            if container.origin in TAGS:
                command, said = prepare(container, made)
                log.write(said.encode())
                log.flush()
            else:
                command = made.entry("serve")
            running = made.start(command, log.fileno())
        except (script_mode.NoScript, containers.NotInstalled) as error:
            raise StartFailed(f"The container did not start: {error}") from error
    if running is None:
        raise StartFailed("The container was stopped.")
    return Running(running, port, key, folder, container=made)


def prepare(container: models.Container, made: containers.Container) -> tuple[list[str], str]:
    """The command that serves a team's functions, and what the log says first; NoScript where they cannot be had."""
    script = script_mode.of_model(container.environment)
    if script is None:
        raise script_mode.NoScript(f"the image {container.image} serves a script, and SAGEMAKER_PROGRAM names none")
    said = script_mode.check_requirements(script_mode.fetch(script, made.session, made.ml), made.packages)
    shutil.copyfile(script_serve.__file__, made.ml / "script_serve.py")
    program = f"{containers.ML}/script_serve.py"
    return ["python3", program, container.origin, script.module, script_mode.CODE], said


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
