"""Demo: a registry of one's own, and the commands a user would type, run for real and checked.

Each step is a process of its own, started as a shell would start it; only the registry runs in this one. Nothing of
the user's is read or changed: credentials, cache and files are those of a temporary folder.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.files import local_errors
from wasm2oci.base.folders import temporary_folder
from wasm2oci.errors import IntegrityError, RegistryError

if TYPE_CHECKING:
    from wasm2oci.client import Client

__all__ = ["STEPS", "DemoMismatchError", "DemoStepError", "DemoStepTimeoutError", "Demonstrated", "Step", "demo"]

MODULE: Final = files("wasm2oci.cli") / "demo_module" / "hello.wasm"
"""What is published; the package may be inside an archive."""
GREETING: Final = "Hello from WebAssembly, delivered by an OCI registry!\n"
_DIGEST: Final = re.compile(r"^Digest: +(sha256:[0-9a-f]{64})$", re.MULTILINE)
_STEP_SECONDS: Final = 60.0

STEPS: Final = (
    ("Publish a module under a tag", "push hello.wasm {name}:v1"),
    ("Look into it, without having the file", "inspect {name}:v1"),
    ("Get it back by digest, which can only mean this module", "pull {name}@{digest} -o copy.wasm"),
    ("Is the artifact whole, and is it this file?", "verify {name}@{digest} copy.wasm"),
    ("Run it straight from the registry", "run {name}@{digest}"),
)
"""What each step is for, and the command line behind `wasm2oci`; `name` and `digest` are filled in."""


class DemoStepError(RegistryError):
    """A command of the demo failed with exit code `code`; its output was shown."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, hint="see its output above")
        self.code = code


class DemoStepTimeoutError(RegistryError):
    """A command of the demo did not end."""


class DemoMismatchError(IntegrityError):
    """Every command succeeded, but the bytes differ."""


class Step(NamedTuple):
    """A command that was run.

    Attributes:
        purpose: what it is for.
        command: as a user types it.
        stdout: what it printed.
        stderr: what it wrote to standard error.
        code: what it ended with.
        seconds: it took.
    """

    purpose: str
    command: str
    stdout: str
    stderr: str
    code: int
    seconds: float


class Demonstrated(NamedTuple):
    """All of it worked.

    Attributes:
        address: where the registry was.
        digest: of the manifest.
        steps: the commands, in order.
        seconds: all took together, the registry's start and stop included.
    """

    address: str
    digest: str
    steps: tuple[Step, ...]
    seconds: float


def demo(
    client: "Client", variables: Mapping[str, str], started: Callable[[str, int], None], shown: Callable[[Step], None]
) -> Demonstrated:
    """Serve a registry, then push, inspect, pull, verify and run a module with it.

    Args:
        client: serves the registry.
        variables: environment variables of the commands.
        started: is called with the registry's address and the module's size in bytes before the first step.
        shown: is called with each step when it has ended, failed ones included.

    Raises:
        DemoStepError: a command failed.
        DemoStepTimeoutError: a command did not end within a minute.
        DemoMismatchError: the module that came back, or what it printed, is not what was sent.
        LocalIOError: the registry's folder or port is not available.
    """
    began = time.perf_counter()
    module = MODULE.read_bytes()
    steps: list[Step] = []
    with temporary_folder("wasm2oci-demo-") as folder:
        with local_errors(folder):
            (folder / "hello.wasm").write_bytes(module)
        private = {key: text for key, text in variables.items() if not key.startswith("WASM2OCI_")}
        private |= {"HOME": str(folder), "XDG_CACHE_HOME": f"{folder}/cache", "DOCKER_CONFIG": f"{folder}/docker"}
        private |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONPATH": _python_path(variables)}
        for elsewhere in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
            private.pop(elsewhere, None)
        digest = ""
        with client.serve() as served:
            started(served.address, len(module))
            for purpose, line in STEPS:
                step = _run(purpose, line.format(name=f"{served.address}/hello", digest=digest), folder, private)
                steps.append(step)
                shown(step)
                if step.code:
                    raise DemoStepError(f"`{step.command}` ended with {step.code}", step.code)
                if not digest:
                    found = _DIGEST.search(step.stdout)
                    if found is None:
                        raise DemoMismatchError("push did not print the digest of the manifest")
                    digest = found.group(1)
        copy = folder / "copy.wasm"
        if not copy.is_file() or copy.read_bytes() != module:
            raise DemoMismatchError("the module that came back is not the one that was pushed")
        if steps[-1].stdout != GREETING:
            raise DemoMismatchError("the module did not print its greeting")
    return Demonstrated(served.address, digest, tuple(steps), time.perf_counter() - began)


def _run(purpose: str, line: str, folder: Path, variables: Mapping[str, str]) -> Step:
    began = time.perf_counter()
    command = [sys.executable, "-P", "-m", "wasm2oci", *line.split(" ")]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_STEP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoStepTimeoutError(f"`wasm2oci {line}` did not end within {_STEP_SECONDS:.0f} seconds") from error
    took = time.perf_counter() - began
    return Step(purpose, f"wasm2oci {line}", done.stdout, done.stderr, done.returncode, took)


def _python_path(variables: Mapping[str, str]) -> str:
    # The steps run elsewhere, and still have to find the very package that this is.
    here = str(Path(__file__).resolve().parents[2])
    before = variables.get("PYTHONPATH")
    return f"{here}{os.pathsep}{before}" if before else here
