"""Running the application: a socket of this machine, a server, a browser."""

import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, final

from atomlens.errors import SettingsError, missing_package
from atomlens.structures.options import AS_IT_IS, FormsHeard, ReadingOptions

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
_NEEDED = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def check_packages() -> None:
    """Raise `MissingDependencyError` unless everything that the application needs is installed."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise missing_package("atomlens view", missing[0], "web")


def open_socket(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone; port 0 takes a free one.

    Raises:
        SettingsError: the port is taken, or not for us.
    """
    if not 0 <= port <= 65535:
        raise SettingsError(
            f"--port {port}: ports go from 0 to 65535; leave it out for a free one."
        )
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as problem:
        listening.close()
        why = "you may not use it" if isinstance(problem, PermissionError) else "it is taken"
        raise SettingsError(
            f"--port {port}: {why}; choose another port, or leave --port out for a free one."
        ) from problem
    return listening


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """An application with its address."""

    address: str
    server: "uvicorn.Server"
    listening: socket.socket
    heard: FormsHeard
    """What was read until now"""

    def run(self) -> None:
        """Serve until `stop` or an interrupt; then warn of what was asked for without effect."""
        try:
            self.server.run(sockets=[self.listening])
        finally:
            self.listening.close()
            self.heard.tell()

    def stop(self) -> None:
        """End the server."""
        self.server.should_exit = True


def start_server(
    models: Sequence[str] = (),
    *,
    reading: ReadingOptions = AS_IT_IS,
    port: int = 0,
    debug: bool = False,
) -> Running:
    """Return the application, ready to run, with its first model being loaded.

    Args:
        models: Folders of trained models, or names of models in the box.
        reading: How what the browser sends is read.
        port: Of 127.0.0.1; 0 takes a free one.
        debug: Print tracebacks of bugs and a line a request.

    Raises:
        MissingDependencyError: a package is not installed.
        SettingsError: the port cannot be used.
        ModelError: a model is not there, or damaged.
    """
    check_packages()
    import uvicorn

    from atomlens.web.app import create_app

    listening = open_socket(port)
    try:
        app, desk, token = create_app(models, reading=reading, debug=debug)
    except BaseException:
        listening.close()
        raise
    config = uvicorn.Config(
        app,
        log_level="info" if debug else "error",
        access_log=debug,
        lifespan="on",
        timeout_graceful_shutdown=2,
        ws="none",
        server_header=False,
    )
    desk.warm_up()
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
    server = uvicorn.Server(config)
    return Running(address=address, server=server, listening=listening, heard=desk.heard)


def serve(
    models: Sequence[str],
    *,
    reading: ReadingOptions,
    port: int,
    browser: bool,
    debug: bool,
    tell: Callable[[str], None],
) -> None:
    """Run the application until it is interrupted; see `start_server`.

    Args:
        models: Folders of trained models, or names of models in the box.
        reading: How what the browser sends is read.
        port: Of 127.0.0.1; 0 takes a free one.
        browser: Open the page in the user's browser.
        debug: Print tracebacks of bugs and a line a request.
        tell: Called with the address.
    """
    running = start_server(models, reading=reading, port=port, debug=debug)
    tell(running.address)
    if browser:
        threading.Timer(0.3, webbrowser.open, (running.address,)).start()
    running.run()
