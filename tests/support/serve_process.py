"""`wasm2oci serve` and `serve-http` as processes of their own, stopped at the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ServeProcess", "serve_process"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ServeProcess:
    """A server in a process.

    Attributes:
        address: `127.0.0.1:PORT`.
        said: what it announced, as JSON.
        process: to be signalled and asked.
    """

    address: str
    said: dict[str, object]
    process: "subprocess.Popen[bytes]"

    def peak_memory(self) -> int:
        """Bytes of memory it had at most, so far (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it wrote to standard error."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said.decode()


@contextmanager
def serve_process(
    *options: str | Path, folder: Path, command: str = "serve", windows: bool = False
) -> Iterator[ServeProcess]:
    """Start it, or another server of ours, on a free port.

    Args:
        options: of the command line.
        folder: its home and working folder.
        command: which server.
        windows: in a Python that lacks what Windows lacks (`simulated_windows`).
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    arguments = [command, "--listen", "127.0.0.1:0", "--format", "json", *map(str, options)]
    process = subprocess.Popen(
        [sys.executable, "-m", *(["tests.support.simulated_windows"] if windows else []), "wasm2oci", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline().decode()
                if not line:
                    raise AssertionError(process.communicate(timeout=120)[1].decode())
                text += line
            said = json.loads(text)
            yield ServeProcess(said["address"], said, process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=120)
