"""Every way that the main job goes wrong: a clear line, a hint, the right exit code, and no file left behind."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Ran, invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import RunningRegistry, registry_server
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import Digest
from wasm2oci.server.messages import BytesBody, Request, Response

Handle = Callable[[Request], Response]

MODULE = Digest.of(HELLO)


@contextmanager
def published(wrap: Callable[[Handle], Handle] | None = None) -> Iterator[RunningRegistry]:
    """A registry that holds hello:v1; the fault is switched on afterwards."""
    broken: list[Handle] = []

    def switch(handle: Handle) -> Handle:
        if wrap is not None:
            broken.append(wrap(handle))
        return lambda request: broken[0](request) if armed and broken else handle(request)

    armed: list[bool] = []
    with registry_server(wrap=switch) as registry:
        ran = invoke("push", "-", f"{registry.address}/hello:v1", stdin=HELLO)
        assert ran.code == 0, ran.stderr
        armed.append(True)
        yield registry


def pull(registry: RunningRegistry, folder: Path, tag: str = "v1", *more: str) -> Ran:
    """Pull hello into a folder; whatever happens, nothing half-written may stay."""
    home = {"HOME": str(folder / "home")}
    work = folder / "work"
    work.mkdir(exist_ok=True)
    ran = invoke("pull", f"{registry.address}/hello:{tag}", "-o", "out.wasm", *more, cwd=work, env=home)
    names = [path.name for path in work.iterdir()]
    assert names == (["out.wasm"] if ran.code == 0 else []), names
    assert "Traceback" not in ran.stderr
    return ran


def half_written(cache: Path) -> list[Path]:
    """Files in the cache that are not what their names say."""
    files = [path for path in cache.rglob("*") if path.is_file()]
    return [path for path in files if Digest.of(path.read_bytes()).encoded != path.name]


def put(registry: RunningRegistry, raw: bytes, kind: str = mt.OCI_MANIFEST, tag: str = "v1") -> None:
    """Put a manifest of any kind into the registry, over its own interface."""
    import urllib.request

    request = urllib.request.Request(
        f"{registry.url}/v2/hello/manifests/{tag}", data=raw, method="PUT", headers={"Content-Type": kind}
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 201


def put_blob(registry: RunningRegistry, data: bytes) -> dict[str, Any]:
    """Put a blob into the registry; returns the fields of its descriptor."""
    import urllib.request

    digest = Digest.of(data)
    request = urllib.request.Request(
        f"{registry.url}/v2/hello/blobs/uploads/?digest={digest}",
        data=data,
        method="POST",
        headers={"Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 201
    return {"digest": str(digest), "size": len(data)}


def blobs_only(change: Callable[[bytes], tuple[bytes, int]]) -> Callable[[Handle], Handle]:
    """A fault in every download of the module: its bytes, and the length that the answer claims."""

    def wrap(handle: Handle) -> Handle:
        def broken(request: Request) -> Response:
            response = handle(request)
            if request.method != "GET" or str(MODULE) not in request.target or response.status != 200:
                return response
            body, length = change(response.read())
            fixed = tuple(pair for pair in response.headers if pair[0].lower() != "content-length")
            return Response(200, (*fixed, ("Content-Length", str(length))), BytesBody(body))

        return broken

    return wrap


def answering(status: int, body: bytes, kind: str = "application/json") -> Callable[[Handle], Handle]:
    """A registry that has one answer to everything."""
    return lambda _: lambda _request: Response(status, (("Content-Type", kind),), BytesBody(body))


def test_a_changed_byte_is_exit_6(tmp_path: Path) -> None:
    with published(blobs_only(lambda data: (b"\0asm" + bytes([data[4] ^ 1]) + data[5:], len(data)))) as registry:
        ran = pull(registry, tmp_path)
    assert ran.code == 6
    assert f"not {MODULE}" in ran.stderr
    assert ran.stdout == ""


def test_a_body_that_is_too_long_is_exit_6(tmp_path: Path) -> None:
    with published(blobs_only(lambda data: (data + b"more", len(data) + 4))) as registry:
        ran = pull(registry, tmp_path)
    assert ran.code == 6, ran.stderr


def test_a_body_that_always_ends_early_is_an_error(tmp_path: Path) -> None:
    with published(blobs_only(lambda data: (data[:10], 10))) as registry:
        ran = pull(registry, tmp_path)
    assert ran.code in {6, 7}, ran.stderr


def test_an_index_without_wasm_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    with published() as registry:
        entry = {"mediaType": mt.OCI_MANIFEST, "platform": {"os": "linux", "architecture": "amd64"}}
        image = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "layers": []}
        image["config"] = {"mediaType": mt.OCI_CONFIG, **put_blob(registry, b"{}")}
        raw = json.dumps(image).encode()
        put(registry, raw, tag="image")
        entries = [{**entry, "digest": str(Digest.of(raw)), "size": len(raw)}]
        index = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}
        put(registry, json.dumps(index).encode(), mt.OCI_INDEX, "index")
        ran = pull(registry, tmp_path, "index")
    assert ran.code == 8, ran.stderr
    assert "no WebAssembly" in ran.stderr


def test_a_container_image_is_refused(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("bin/sh")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"\x7fELF"))
    with published() as registry:
        layer = {"mediaType": mt.OCI_LAYER_TAR, **put_blob(registry, archive.getvalue())}
        config = {"mediaType": mt.OCI_CONFIG, **put_blob(registry, b"{}")}
        image = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": config, "layers": [layer]}
        put(registry, json.dumps(image).encode(), tag="image")
        ran = pull(registry, tmp_path, "image")
    assert ran.code == 8, ran.stderr
    assert "no module" in ran.stderr or "no WebAssembly" in ran.stderr


def test_a_manifest_of_five_megabytes_is_refused(tmp_path: Path) -> None:
    huge = json.dumps({"schemaVersion": 2, "annotations": {"x": "y" * (5 << 20)}}).encode()

    def wrap(handle: Handle) -> Handle:
        def broken(request: Request) -> Response:
            if "/manifests/" not in request.target:
                return handle(request)
            return Response(200, (("Content-Type", mt.OCI_MANIFEST),), BytesBody(huge))

        return broken

    with published(wrap) as registry:
        ran = pull(registry, tmp_path)
    assert ran.code == 7, ran.stderr
    assert "4,194,304" in ran.stderr or "too large" in ran.stderr


def test_a_registry_that_answers_html_is_exit_7(tmp_path: Path) -> None:
    with published(answering(200, b"<html><body>Welcome to the wifi</body></html>", "text/html")) as registry:
        ran = pull(registry, tmp_path)
    assert ran.code in {3, 7}, ran.stderr
    assert "<html>" not in ran.stderr


def test_a_denied_push_says_why_and_what_to_look_at(tmp_path: Path) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "permission_denied: write_package"}]}).encode()
    with registry_server(wrap=answering(403, body)) as registry:
        ran = invoke("push", "-", f"{registry.address}/hello:v1", stdin=HELLO, env={"HOME": str(tmp_path)})
    assert ran.code == 5, ran.stderr
    assert "permission_denied: write_package" in ran.stderr
    assert "no credentials found" in ran.stderr
    assert "hint:" in ran.stderr


def test_a_folder_that_may_not_be_written_is_exit_9(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:
        closed = Path("/sys")  # the kernel refuses even root
    with published() as registry:
        ran = invoke("pull", f"{registry.address}/hello:v1", "-o", closed / "out.wasm", env={"HOME": str(tmp_path)})
    assert ran.code == 9
    assert "hint: choose a place that you may write to" in ran.stderr


def test_an_output_that_is_a_folder_gets_a_file_and_one_that_is_not_there_is_made(tmp_path: Path) -> None:
    home, folder = {"HOME": str(tmp_path / "home")}, tmp_path / "into"
    folder.mkdir()
    with published() as registry:
        reference = f"{registry.address}/hello:v1"
        assert invoke("pull", reference, "-q", "-o", folder, env=home).stdout == f"{folder / 'hello.wasm'}\n"
        absent = tmp_path / "absent/one"
        assert invoke("pull", reference, "-q", "-o", f"{absent}/", env=home).stdout == f"{absent / 'hello.wasm'}\n"
        (folder / "hello.wasm").write_text("notes")
        refused = invoke("pull", reference, "-o", folder, env=home)
        assert (refused.code, (folder / "hello.wasm").read_text()) == (9, "notes")


def test_a_full_disk_is_exit_9_and_leaves_nothing(tmp_path: Path) -> None:
    # A limit on the size of files stands for the full disk: the same call fails, in the middle of the same write.
    big = HELLO + b"\0\xff\xff\x3f\x01x" + bytes((1 << 20) - 3)
    work = tmp_path / "work"
    work.mkdir()

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with registry_server() as registry:
        reference = f"{registry.address}/big:v1"
        assert invoke("push", "-", reference, stdin=big).code == 0
        ran = subprocess.run(
            [sys.executable, "-m", "wasm2oci", "pull", reference, "-o", str(work / "out.wasm")],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limit,
            env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
    assert ran.returncode == 9, ran.stderr
    assert "out.wasm" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(work.iterdir()) == []
    assert not half_written(tmp_path / "cache")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)])
def test_an_interrupted_pull_leaves_nothing(number: int, code: int, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    reached, stop, never = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        """A body that waits in its middle until the test is over."""

        length = len(HELLO)

        def __iter__(self) -> Iterator[bytes]:
            yield HELLO[:20]
            reached.set()
            stop.wait(300)

        def close(self) -> None:
            stop.set()

    def wrap(handle: Handle) -> Handle:
        def broken(request: Request) -> Response:
            response = handle(request)
            if request.method == "GET" and str(MODULE) in request.target:
                return Response(200, response.headers, Slow())
            return response

        return broken

    with published(wrap) as registry:
        process = subprocess.Popen(
            [sys.executable, "-m", "wasm2oci", "pull", f"{registry.address}/hello:v1", "-o", "out.wasm"],
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
        )
        assert reached.wait(120)
        end = time.monotonic() + 120
        while not any(path.stat().st_size for path in work.iterdir()) and time.monotonic() < end:
            never.wait(0.01)
        assert [path.name.startswith(".wasm2oci-") for path in work.iterdir()] == [True]
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=120)
        stop.set()
    assert (process.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr
    assert list(work.iterdir()) == []
    assert not half_written(tmp_path / "cache")


def test_a_failed_pull_keeps_the_existing_file(tmp_path: Path) -> None:
    out = tmp_path / "out.wasm"
    out.write_bytes(b"mine")
    with published(blobs_only(lambda data: (b"\0asm" + bytes(len(data) - 4), len(data)))) as registry:
        ran = invoke("pull", f"{registry.address}/hello:v1", "-o", out, env={"HOME": str(tmp_path)})
    assert ran.code == 6
    assert out.read_bytes() == b"mine"


def test_nothing_reaches_a_pipe_before_it_is_verified(tmp_path: Path) -> None:
    with published(blobs_only(lambda data: (data[:-1] + b"!", len(data)))) as registry:
        ran = invoke("pull", f"{registry.address}/hello:v1", "-o", "-", env={"HOME": str(tmp_path)})
    assert (ran.code, ran.stdout_bytes) == (6, b"")


def test_a_second_pull_downloads_no_blob(tmp_path: Path) -> None:
    with published() as registry:
        assert pull(registry, tmp_path).code == 0
        before = len(registry.seen)
        assert pull(registry, tmp_path).code == 0
        assert not [line for line in registry.seen[before:] if "/blobs/" in line]


@pytest.mark.parametrize("title", ["../../evil.wasm", "/etc/evil.wasm", ".bashrc", "a\x1b[31mb.wasm", "..", "x/"])
def test_a_hostile_title_cannot_choose_a_place(title: str, tmp_path: Path) -> None:
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    with registry_server() as registry:
        reference = f"{registry.address}/team/hello:v1"
        assert invoke("push", "-", reference, "--title", title, stdin=HELLO).code == 0
        ran = invoke("pull", reference, cwd=work, env={"HOME": str(tmp_path / "home")})
    assert ran.code == 0, ran.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts]
    assert [path.parent for path in files] == [work]
    assert not files[0].name.startswith(".")
    assert files[0].name.isprintable()
    assert "\x1b" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_a_name_that_the_artifact_chose_replaces_nothing_but_a_module(kind: str, tmp_path: Path) -> None:
    with registry_server() as registry:
        push = invoke("push", "-", f"{registry.address}/hello:v1", "--title", "Makefile", stdin=HELLO)
        assert push.code == 0
        mine = tmp_path / "Makefile"
        if kind == "file":
            mine.write_text("all: me\n")
        elif kind == "folder":
            mine.mkdir()
        else:
            os.mkfifo(mine)
        arguments = ("pull", f"{registry.address}/hello:v1")
        ran = invoke(*arguments, cwd=tmp_path, env={"HOME": str(tmp_path / "home")})
        assert ran.code == 9
        assert "name the file to write with -o FILE" in ran.stderr
        if kind == "file":
            assert mine.read_text() == "all: me\n"
            assert invoke(*arguments, "-o", "Makefile", cwd=tmp_path, env={"HOME": str(tmp_path / "home")}).code == 0
            assert mine.read_bytes() == HELLO
            assert invoke(*arguments, cwd=tmp_path, env={"HOME": str(tmp_path / "home")}).code == 0


@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_a_home_that_is_not_there_hinders_no_pull(home: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": "", "HOME": home}
    with published() as registry:
        for command in (["pull", "-o", "out.wasm"], ["validate"]):
            ran = subprocess.run(
                [sys.executable, "-m", "wasm2oci", *command, f"{registry.address}/hello:v1"],
                capture_output=True,
                check=False,
                cwd=tmp_path,
                env=environment,
            )
            assert ran.returncode == 0, ran.stderr


def test_a_pull_needs_neither_a_known_user_nor_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    with published() as registry:
        env = {"HOME": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
        assert invoke("pull", f"{registry.address}/hello:v1", "-o", tmp_path / "out.wasm", env=env).code == 0


def test_a_copy_to_a_digest_has_to_be_that_digest(tmp_path: Path) -> None:
    zero = "sha256:" + "0" * 64
    with published() as registry:
        source = f"{registry.address}/hello:v1"
        real = invoke("resolve", source).stdout.strip()
        for end in (f"@{zero}", f":v2@{zero}"):
            ran = invoke("copy", source, f"{registry.address}/other{end}", env={"HOME": str(tmp_path)})
            assert ran.code == 6
            assert "nothing was copied" in ran.stderr
        assert invoke("tags", f"{registry.address}/other").stdout == ""
        ran = invoke("copy", source, f"{registry.address}/other:v2@{real}", env={"HOME": str(tmp_path)})
        assert ran.code == 0
        assert invoke("tags", f"{registry.address}/other").stdout == "v2\n"


def test_a_layout_that_cannot_be_made_is_a_matter_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    ran = invoke("push", "hello.wasm", "oci-layout:/proc/nowhere/layout:v1", cwd=tmp_path)
    assert ran.code == 9
    assert "/proc/nowhere" in ran.stderr


def test_a_file_that_is_no_module_is_named_by_inspect(tmp_path: Path) -> None:
    (tmp_path / "notes.wasm").write_text("notes")
    ran = invoke("inspect", "notes.wasm", cwd=tmp_path)
    assert ran.code == 3
    assert "notes.wasm cannot be looked into: magic header not detected" in ran.stderr


@pytest.mark.parametrize("command", ["run", "print", "wit", "sbom", "serve-http", "push"])
def test_a_file_that_is_not_webassembly_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "notes.txt").write_text("<html>")
    to = ("oci-layout:out:v1",) if command == "push" else ()
    ran = invoke(command, str(tmp_path / "notes.txt"), *to, cwd=tmp_path)
    assert ran.code == 3
    assert "error: notes.txt is not WebAssembly: magic header not detected (at offset 0x0)\n" in ran.stderr
    assert "hint: this looks like HTML or XML" in ran.stderr


@pytest.mark.parametrize("command", ["wit", "serve-http"])
def test_a_core_module_where_a_component_is_needed_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "core.wasm").write_bytes(HELLO)
    ran = invoke(command, str(tmp_path / "core.wasm"))
    assert (ran.code, ran.stderr) == (3, "error: core.wasm is a core module, not a component\n")


def test_an_invoke_that_went_to_the_guest_is_noticed_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "library.wat").write_text('(module (func (export "answer") (result i32) (i32.const 42)))')
    ran = invoke("run", "library.wat", "--invoke", "answer", cwd=tmp_path)
    assert ran.code == 4
    assert "warning: --invoke after library.wat goes to the guest; write it before library.wat" in ran.stderr
    assert invoke("run", "--invoke", "answer", "library.wat", cwd=tmp_path).stdout == "42\n"
