"""Standard streams that are closed, full or shared: no traceback, the right exit code, nothing lost."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import RunningRegistry, registry_server
from wasm2oci.oci.digest import Digest

FULL = Path("/dev/full")
IN_A_SESSION = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # getpass asks the terminal of the session, wherever standard input leads
sys.argv[0] = "wasm2oci"
from wasm2oci.__main__ import main
main()
"""
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full to stand for a full disk")


@pytest.fixture
def registry() -> Iterator[RunningRegistry]:
    with registry_server() as running:
        assert invoke("push", "-", f"{running.address}/hello:v1,v2", stdin=HELLO).code == 0
        yield running


def run(home: Path, redirection: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the tool with a shell's redirection, as only a shell can close a stream."""
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("PYTHONUNBUFFERED", None)  # it hides what Python writes, and complains about, when it ends
    command = ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "wasm2oci", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=environment, cwd=home)


def test_closed_standard_input_is_empty(registry: RunningRegistry, tmp_path: Path) -> None:
    ran = run(tmp_path, "<&-", "resolve", f"{registry.address}/hello:v1")
    assert (ran.returncode, ran.stderr) == (0, b"")
    ran = run(tmp_path, "<&-", "push", "-", f"{registry.address}/hello:v3")
    assert ran.returncode == 3
    assert b"Traceback" not in ran.stderr


def test_closed_standard_output_is_an_error_like_a_full_one(registry: RunningRegistry, tmp_path: Path) -> None:
    for arguments in (["resolve", f"{registry.address}/hello:v1"], ["--help"], ["push", "--help"]):
        ran = run(tmp_path, ">&-", *arguments)
        assert ran.returncode == 9, arguments
        assert ran.stderr == b"error: cannot write standard output: Bad file descriptor\n"


def test_closed_standard_error_changes_neither_result_nor_exit_code(registry: RunningRegistry, tmp_path: Path) -> None:
    ran = run(tmp_path, "2>&-", "resolve", f"{registry.address}/hello:v1")
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"sha256:")
    assert run(tmp_path, "2>&-", "resolve", f"{registry.address}/hello:v9").returncode == 4


@needs_full
def test_remarks_that_cannot_be_written_end_nothing(registry: RunningRegistry, tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    ran = run(tmp_path, "2>/dev/full", "push", "hello.wasm", f"{registry.address}/other:v1")
    assert ran.returncode == 0
    assert b"Digest:  sha256:" in ran.stdout
    assert run(tmp_path, "2>/dev/full", "resolve", f"{registry.address}/hello:v9").returncode == 4


@needs_full
@pytest.mark.parametrize("arguments", [["inspect", "--raw"], ["pull", "-o", "-"], ["tags", "--all"]])
def test_a_full_disk_behind_standard_output_is_no_bug(
    arguments: list[str], registry: RunningRegistry, tmp_path: Path
) -> None:
    command, *options = arguments
    name = f"{registry.address}/hello" + ("" if command == "tags" else ":v1")
    ran = run(tmp_path, ">/dev/full", command, name, *options)
    assert ran.returncode == 9
    assert b"No space left on device" in ran.stderr
    assert b"Traceback" not in ran.stderr


@needs_full
def test_help_to_a_full_disk_is_no_bug(tmp_path: Path) -> None:
    ran = run(tmp_path, ">/dev/full", "push", "--help")
    assert (ran.returncode, ran.stderr) == (9, b"error: cannot write standard output: No space left on device\n")


def test_a_module_for_a_pipe_that_has_no_room_to_wait_is_exit_9(registry: RunningRegistry, tmp_path: Path) -> None:
    import wasm2oci.base.outputs as module

    # The smallest spool goes to a file at once, and the file may have no byte.
    code = (
        "import sys, resource, signal, wasm2oci.base.outputs as outputs\n"
        "outputs._SPOOL = 1\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        f"sys.argv = ['wasm2oci', 'pull', '{registry.address}/hello:v1', '--no-cache', '-q', '-o', '-']\n"
        "from wasm2oci.__main__ import main\n"
        "main()\n"
    )
    assert module._SPOOL > 1
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (ran.returncode, ran.stdout) == (9, "")
    assert ran.stderr.startswith("error: cannot keep the content in a temporary file until it is verified: ")
    assert "hint: free some space there, or set TMPDIR to another folder" in ran.stderr


def test_quiet_tags_are_one_a_line(registry: RunningRegistry) -> None:
    assert invoke("tags", f"{registry.address}/hello", "-q").stdout == "v1\nv2\n"


def test_standard_input_is_not_read_for_two_things(registry: RunningRegistry) -> None:
    ran = invoke("push", "-", f"{registry.address}/hello:v3", "-u", "me", "--password-stdin", stdin=b"secret")
    assert ran.code == 2
    assert "--password-stdin and FILE - cannot be combined" in ran.stderr


DEADLINE_S = 300
"""Far more than a command takes: without it, a command that waits for ever would hang the tests."""


def read_within(terminal: int) -> bytes:
    """What the terminal shows next; b"" at its end."""
    ready, _, _ = select.select([terminal], [], [], DEADLINE_S)
    assert ready, "the command neither says anything nor ends"
    return os.read(terminal, 4096)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ([b"\x04"], 2, b"no answer to 'User name:'"),
        ([b"me\n", b"\x04"], 2, b"no answer to 'Password:'"),
        ([b"\n", b"\n"], 2, b"login needs a user name and a password"),
        ([b"me\n", b"\x03"], -signal.SIGINT, b"Password:"),
    ],
)
def test_a_login_that_is_not_answered_on_the_terminal(
    typed: list[bytes], code: int, said: bytes, registry: RunningRegistry, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_SESSION, "login", registry.address],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        for prompt, answer in zip((b"User name: ", b"Password: "), typed, strict=False):
            while prompt not in shown:
                shown += read_within(ours)
            os.write(ours, answer)
        with contextlib.suppress(OSError):  # so Linux says that the other side of a terminal is closed
            while more := read_within(ours):
                shown += more
        assert process.wait(DEADLINE_S) == code
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        os.close(ours)
    assert said in shown
    assert b"Traceback" not in shown


def test_an_identity_token_option_without_a_token_is_a_usage_error(registry: RunningRegistry) -> None:
    ran = invoke("resolve", f"{registry.address}/hello:v1", "--identity-token")
    assert (ran.code, ran.stdout) == (2, "")
    assert "add --password-stdin" in ran.stderr


def test_validate_checks_components_whole() -> None:
    assert invoke("validate", "-", stdin=b"\0asm\x0d\0\x01\0").code == 0
    refused = invoke("validate", "-", stdin=b"(component (alias outer 7 0 (type)))")
    assert refused.code == 3
    assert "invalid outer alias count of 7" in refused.stderr


def test_standard_input_can_be_validated() -> None:
    valid = invoke("validate", "-", "-q", stdin=HELLO)
    assert (valid.code, valid.stdout) == (0, f"{Digest.of(HELLO)}\n")
    broken = invoke("validate", "-", stdin=HELLO[:-1])
    assert broken.code == 3
    assert broken.stderr.startswith("error: standard input is not valid: ")


ECHO = b"""(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\20\\00\\00\\00\\40\\00\\00\\00") (data (i32.const 32) "nothing")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (if (i32.eqz (i32.load (i32.const 16))) (then (i32.store (i32.const 4) (i32.const 7))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


@pytest.mark.parametrize("engine", ["embedded", "wasmtime"])
def test_a_module_on_standard_input_runs_and_has_nothing_to_read(engine: str) -> None:
    command = [sys.executable, "-m", "wasm2oci", "run", "--engine", engine, "-"]
    ran = subprocess.run(command, input=ECHO, capture_output=True, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, b"nothing")


def test_a_module_on_standard_input_can_be_inspected_and_listed() -> None:
    inspected = invoke("inspect", "-", "--format", "json", stdin=HELLO)
    assert (inspected.code, json.loads(inspected.stdout)["file"]) == (0, "standard input")
    listed = invoke("sbom", "-", stdin=HELLO)
    assert (listed.code, json.loads(listed.stdout)["bomFormat"]) == (0, "CycloneDX")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("run", "-"), 3, "error: standard input is not WebAssembly: unexpected end"),
        (("run", "--verify-key", "k", "-"), 2, "standard input is not an artifact"),
        (("run", "--digest", f"sha256:{'0' * 64}", "-"), 6, "the module's digest is sha256:"),
        (("sbom", "-", "--attach", "--key", "k"), 2, "only an artifact takes an SBOM"),
    ],
)
def test_what_is_no_module_of_its_own_is_refused_on_standard_input(
    words: tuple[str, ...], code: int, sentence: str
) -> None:
    refused = invoke(*words, stdin=b"\0asm")
    assert refused.code == code
    assert sentence in refused.stderr


HELD = """
import builtins, os, sys, threading
import wasm2oci.cli.commands.version as module
from wasm2oci.__main__ import main
from wasm2oci.errors import NotFoundError

class Witness:
    def __del__(self):
        os.write(1, b"Python takes itself apart")

def failed():
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    raise NotFoundError("not there")

builtins.witness = Witness()
module.command = failed
sys.argv = ["wasm2oci", "version"]
main()
"""
INTERRUPTED = """
import sys
import wasm2oci.cli.commands.version as module
from wasm2oci.__main__ import main

def interrupted():
    raise KeyboardInterrupt

module.command = interrupted
sys.argv = ["wasm2oci", "version"]
main()
"""


def test_ctrl_c_ends_the_process_as_a_signal_does_so_that_a_loop_of_a_shell_ends_too(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], env=environment, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, b"", b"")


def test_a_guest_that_ends_with_130_was_not_interrupted(tmp_path: Path) -> None:
    (tmp_path / "ends.wat").write_text(
        '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
        ' (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 130))))'
    )
    assert run(tmp_path, "", "run", "ends.wat").returncode == 130
    assert run(tmp_path, "", "serve", "--listen", "127.0.0.1:0", "--", "sh", "-c", "exit 130").returncode == 130
    killed = run(tmp_path, "", "serve", "--listen", "127.0.0.1:0", "--", "sh", "-c", "kill -INT $$")
    assert killed.returncode in {-signal.SIGINT, 130}  # what sh itself makes of a command that a signal ended


def test_a_thread_that_a_silent_peer_holds_ends_with_the_process(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", HELD], env=environment, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (4, b"", b"error: not there\n")


_ASCII_NAMES = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""File names are ASCII: a locale without the characters of a title, as ISO-8859-1 is for Japanese."""


def in_ascii(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "wasm2oci", *arguments]
    env = {**_ASCII_NAMES, "HOME": str(folder), **env}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)


@pytest.mark.parametrize(("title", "name"), [("hé 日本 llo.wasm", "h  llo.wasm"), ("日本.wasm", "wasm")])
def test_a_title_is_no_bug_where_file_names_cannot_have_its_characters(tmp_path: Path, title: str, name: str) -> None:
    pushed = invoke("push", "-", "oci-layout:out:v1", "--title", title, stdin=HELLO, cwd=tmp_path)
    assert pushed.code == 0, pushed.stderr
    pulled = in_ascii(tmp_path, "pull", "oci-layout:out:v1")
    assert pulled.returncode == 0, pulled.stderr.decode()
    assert f"File:   {name}\n".encode() in pulled.stdout
    assert (tmp_path / name).read_bytes() == HELLO


@pytest.mark.parametrize(
    ("setting", "command"),
    [("policy", ("policy", "check", "localhost:1/a:b")), ("ca-file", ("tags", "registry.invalid/a"))],
)
def test_a_file_that_cannot_be_named_is_an_error_of_this_machine(
    tmp_path: Path, setting: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "config.toml").write_text(f'{setting} = "日本"\n', encoding="utf-8")
    ran = in_ascii(tmp_path, *command, WASM2OCI_CONFIG=str(tmp_path / "config.toml"))
    assert ran.returncode == 9, ran.stderr.decode()
    assert b"set a locale with UTF-8" in ran.stderr


def test_ctrl_c_while_the_tool_is_imported_ends_it_by_the_signal() -> None:
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'wasm2oci.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "import wasm2oci.__main__\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (-signal.SIGINT, b"")
