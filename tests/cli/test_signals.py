"""A server ends with the signals that end it, whenever they arrive."""

import subprocess
import sys
from pathlib import Path

from tests.support.data import ROOT

SIGNALLED = """
import os, signal, sys
from wasm2oci.cli.signals import wait_for_signal

def trace(frame, event, argument):
    if event == "return" and frame.f_code.co_name == "__enter__":
        os.kill(os.getpid(), signal.SIGTERM)  # at this moment the waiting thread holds a lock
    return trace

def announce():
    os.kill(os.getpid(), signal.SIGTERM)
    sys.settrace(trace)

wait_for_signal(announce)
print("ended")
"""


def test_a_signal_ends_a_server_while_it_begins_to_wait(tmp_path: Path) -> None:
    """It locked an event that its handler set: `serve` went on for ever, and no further SIGTERM ended it."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
