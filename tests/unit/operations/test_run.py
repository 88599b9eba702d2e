"""Fetching and running: from files, layouts and registries, with the registry there and gone."""

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Ran, invoke
from tests.support.programs import FIXTURES
from tests.support.registry_server import Handle, RunningRegistry, registry_server
from wasm2oci.cli.run_options import (
    parse_directory,
    parse_duration,
    parse_environment,
    parse_memory_size,
    parse_size,
    parse_stack_size,
)
from wasm2oci.errors import UsageError
from wasm2oci.oci.digest import Digest
from wasm2oci.runtime.request import RunLimits
from wasm2oci.server.messages import Response
from wasm2oci.wasi.context import Preopen

ZIG = FIXTURES / "hello-zig.wasm"
SAID = b"hello world from Zig\n"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables with a home of their own."""
    return {"HOME": str(tmp_path / "home")}


def push(registry: RunningRegistry, name: str, home: dict[str, str], *, file: Path = ZIG) -> tuple[str, str]:
    """Push; the reference by tag, and the one by digest."""
    reference = f"{registry.address}/{name}:v1"
    ran = invoke("push", "-q", file, reference, env=home)
    assert ran.code == 0, ran.stderr
    return reference, ran.stdout.strip()


def run(*arguments: str | Path, env: dict[str, str]) -> Ran:
    return invoke("run", *arguments, env=env)


def said(ran: Ran) -> bytes:
    assert ran.code == 0, ran.stderr
    return ran.stdout_bytes


def blobs(home: dict[str, str]) -> list[Path]:
    return [path for path in Path(home["HOME"]).glob(".cache/wasm2oci/blobs/*/*") if path.is_file()]


def test_by_digest_with_the_registry_switched_off(home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, pinned = push(registry, "team/zig", home)
        assert said(run(tagged, env=home)) == SAID
    assert said(run(pinned, env=home)) == SAID
    assert said(run("--pull", "never", pinned, env=home)) == SAID
    assert said(run(tagged, env=home)) == SAID
    gone = run("--pull", "always", pinned, env=home)
    assert gone.code == 7


def requests_of(registry: RunningRegistry, *arguments: str, home: dict[str, str]) -> list[str]:
    before = len(registry.seen)
    assert said(run(*arguments, env=home)) == SAID
    return [line.partition(" ")[0] for line in registry.seen[before:] if line.partition(" ")[2] != "/v2/"]


def test_a_tag_is_asked_for_with_one_request_and_a_digest_with_none(home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, pinned = push(registry, "team/zig", home)
        run(tagged, env=home)
        assert requests_of(registry, pinned, home=home) == []
        assert requests_of(registry, tagged, home=home) == ["HEAD"]
        assert requests_of(registry, "--pull", "always", tagged, home=home) == ["HEAD"]
        assert requests_of(registry, "--pull", "always", pinned, home=home) == ["HEAD"]
        for pull in ("missing", "never"):
            assert requests_of(registry, "--pull", pull, tagged, home=home) == []


def test_what_a_tag_means_now_is_run(home: dict[str, str]) -> None:
    """`run REF:latest` ran the old module for ever, after this tool's own push as well."""
    with registry_server() as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
        push(registry, "team/zig", home, file=FIXTURES / "hello-c.wasm")
        new = run(tagged, env=home).stdout_bytes
        assert new != SAID
        assert run("--pull", "missing", tagged, env=home).stdout_bytes == new, "what was run last is remembered"


def test_an_unreachable_registry_is_replaced_by_the_cache_with_a_warning(home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
    ran = run(tagged, env=home)
    assert said(ran) == SAID
    assert "cannot connect" in ran.stderr
    assert "when it was last fetched" in ran.stderr
    assert run("--pull", "always", tagged, env=home).code == 7
    assert run(tagged.replace("team/zig", "team/other"), env=home).code == 7


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_registry_that_refuses_is_not_done_without(home: dict[str, str], status: int) -> None:
    refusing = False

    def wrap(inner: Handle) -> Handle:
        return lambda request: Response(status) if refusing else inner(request)

    with registry_server(wrap=wrap) as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
        refusing = True
        ran = run(tagged, env={**home, "WASM2OCI_RETRIES": "0"})
        assert ran.code in {4, 5, 7}
        assert ran.stdout == ""


def remembered(home: dict[str, str]) -> list[Path]:
    return list(Path(home["HOME"]).glob(".cache/wasm2oci/references/*.json"))


def test_a_reference_that_another_planted_is_not_believed(home: dict[str, str], tmp_path: Path) -> None:
    """In a shared `WASM2OCI_CACHE` another user's reference and blob were run, silently."""
    with registry_server() as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
        other = {"HOME": str(tmp_path / "other")}
        push(registry, "team/zig", home, file=FIXTURES / "hello-c.wasm")
        run(tagged, env=other)
    for here, there in zip(sorted(remembered(home)), sorted(remembered(other)), strict=False):
        here.write_bytes(there.read_bytes())
        here.with_name(there.name).write_bytes(there.read_bytes())
    shutil.copytree(
        tmp_path / "other/.cache/wasm2oci/blobs", tmp_path / "home/.cache/wasm2oci/blobs", dirs_exist_ok=True
    )
    ran = run("--pull", "never", tagged, env=home)
    assert (ran.code, ran.stdout) == (4, "")


def test_a_reference_is_believed_only_where_no_other_user_can_write(home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
        assert said(run("--pull", "never", tagged, env=home)) == SAID
        folder = remembered(home)[0].parent
        for path, mode in ((folder, 0o777), (remembered(home)[0], 0o666), (folder / "key", 0o644)):
            before = path.stat().st_mode
            for each in remembered(home) if path.suffix == ".json" else [path]:
                each.chmod(mode)
            assert run("--pull", "never", tagged, env=home).code == 4
            for each in remembered(home) if path.suffix == ".json" else [path]:
                each.chmod(before)
        assert said(run("--pull", "never", tagged, env=home)) == SAID


def test_swapped_memories_of_references_are_not_believed(home: dict[str, str]) -> None:
    with registry_server() as registry:
        first, _ = push(registry, "team/zig", home)
        second, _ = push(registry, "team/c", home, file=FIXTURES / "hello-c.wasm")
        run(first, env=home)
        run(second, env=home)
        notes = remembered(home)
        contents = [note.read_bytes() for note in notes]
        for note, content in zip(notes, contents[1:] + contents[:1], strict=True):
            note.write_bytes(content)
        for reference in (first, second):
            assert run("--pull", "never", reference, env=home).code == 4


def test_cache_file_changed_by_one_byte_is_noticed_and_fetched_again(home: dict[str, str]) -> None:
    with registry_server() as registry:
        _, pinned = push(registry, "team/zig", home)
        run(pinned, env=home)
        (module,) = [path for path in blobs(home) if path.read_bytes() == ZIG.read_bytes()]
        for position in (0, 100, -1):
            data = bytearray(module.read_bytes())
            data[position] ^= 1
            module.write_bytes(data)
            assert said(run(pinned, env=home)) == SAID
            assert module.read_bytes() == ZIG.read_bytes()
    data = bytearray(module.read_bytes())
    data[-1] ^= 1
    module.write_bytes(data)
    assert run("--pull", "never", pinned, env=home).code == 4  # nothing wrong is run, and nobody can be asked


@pytest.mark.parametrize(
    "memory", ['{"digest": "sha256:zz"}', '{"mediaType": 5, "digest": 5, "size": 5}', "[]", "\0", ""]
)
def test_damaged_memory_of_a_reference_is_as_good_as_none(memory: str, home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, _ = push(registry, "team/zig", home)
        run(tagged, env=home)
        notes = list(Path(home["HOME"]).glob(".cache/wasm2oci/references/*.json"))
        assert len(notes) == 2
        for note in notes:
            note.write_text(memory)
        assert run("--pull", "never", tagged, env=home).code == 4
        assert said(run(tagged, env=home)) == SAID


def test_digest_option_takes_the_module_or_its_manifest_and_nothing_else(home: dict[str, str]) -> None:
    with registry_server() as registry:
        tagged, pinned = push(registry, "team/zig", home)
        manifest = pinned.partition("@")[2]
        module = str(Digest.of(ZIG.read_bytes()))
        assert said(run("--digest", manifest, tagged, env=home)) == SAID
        assert said(run("--digest", module, tagged, env=home)) == SAID
        refused = run("--digest", "sha256:" + "0" * 64, tagged, env=home)
        assert refused.code == 6
        assert refused.stdout == ""


def test_from_a_layout(home: dict[str, str], tmp_path: Path) -> None:
    layout = f"oci-layout:{tmp_path / 'layout'}:v1"
    assert invoke("push", "-q", ZIG, layout, env=home).code == 0
    assert said(run(layout, env=home)) == SAID


def test_streams_arguments_and_options_reach_the_guest(home: dict[str, str], tmp_path: Path) -> None:
    rust = FIXTURES / "hello-rust.wasm"
    (tmp_path / "env").write_text("# a comment\n\nGREETING=from the file\nOTHER=1\n")
    ran = invoke("run", "--env-file", tmp_path / "env", rust, "--you", "-v", stdin=b"12345", env=home)
    assert said(ran) == b"hello --you from Rust\nGREETING=from the file\nread 5 bytes\n"
    ran = run("--env-file", tmp_path / "env", "-e", "GREETING", rust, env={**home, "GREETING": "mine"})
    assert b"GREETING=mine\n" in said(ran)
    assert b"GREETING" not in said(run(rust, env={**home, "GREETING": "mine"}))  # nothing is let in unasked


def test_directories_are_given_under_their_names(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A")
    c = FIXTURES / "hello-c.wasm"
    assert said(run("--dir", f"{tmp_path}::/d:ro", c, "x", "/d/a.txt", env=home)).endswith(b"\nA")
    assert said(run("--dir", str(tmp_path), c, "x", str(tmp_path / "a.txt"), env=home)).endswith(b"\nA")
    assert run(c, "x", "/d/a.txt", env=home).code == 1


def test_trace_goes_to_a_file_and_not_into_the_guests_arguments(home: dict[str, str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    rust = FIXTURES / "hello-rust.wasm"
    ran = run("-e", "A=b", f"--trace={trace}", rust, "--trace=guest", env=home)
    assert said(ran).startswith(b"hello --trace=guest from Rust\n")
    lines = trace.read_text().splitlines()
    assert any(
        line.startswith('fd_write(1, [30]"hello --trace=guest from Rust\\n") = 0 nwritten=30 <') for line in lines
    )
    assert "fd_write(1" not in ran.stderr
    assert "fd_write(1" in run("--trace", rust, env=home).stderr
    assert run("--trace=/absent/folder/file", rust, env=home).code == 9


def test_code_is_kept_unless_it_should_not_be(home: dict[str, str]) -> None:
    run("--no-code-cache", "--engine", "wasmtime", ZIG, env=home)
    code = Path(home["HOME"]) / ".cache" / "wasm2oci" / "code" / "wasmtime"
    assert not code.exists()
    run("--engine", "wasmtime", ZIG, env=home)
    assert len(list(code.glob("*.cwasm"))) == 1
    assert code.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("64KiB", 65536), ("64k", 65536), ("2G", 2 << 30), ("1 GB", 1 << 30), ("3mib", 3 << 20)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--x") == parse_memory_size(text, "--x") == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("1.5", 1.5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), (".5s", 0.5), ("336h", 1209600)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, "--x") == seconds


def test_the_library_takes_the_largest_limits_that_options_take_and_none_larger() -> None:
    most = RunLimits(
        timeout_s=parse_duration("336h", "--timeout"),
        max_memory=parse_memory_size("4194304TiB", "--max-memory"),
        max_stack=parse_stack_size("1GiB", "--max-stack"),
    )
    for name in ("timeout_s", "max_memory", "max_stack"):
        with pytest.raises(ValueError, match=f"^{name} is at most"):
            replace(most, **{name: getattr(most, name) + 1})


@pytest.mark.parametrize(
    ("text", "preopen"),
    [
        (".", Preopen(Path(), ".")),
        ("/a::/b", Preopen(Path("/a"), "/b")),
        ("/a::/b:ro", Preopen(Path("/a"), "/b", read_only=True)),
        ("/a:ro", Preopen(Path("/a"), "/a", read_only=True)),
        ("/a:rw", Preopen(Path("/a"), "/a")),
        ("a:b", Preopen(Path("a:b"), "a:b")),
    ],
)
def test_directories(text: str, preopen: Preopen) -> None:
    assert parse_directory(text) == preopen


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_size, x) for x in ("", "x", "-1", "1.5G", "1 PiB")]
    + [(parse_duration, x) for x in ("", "0", "-1", "5 days", "nan", "336.1h", "9" * 18)]
    + [(parse_memory_size, x) for x in ("0", "4194305TiB", "none")],
)
def test_malformed_options(parse: Any, text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, "--x")


@pytest.mark.parametrize("text", ["", "::/b", "a::", "::ro"])
def test_malformed_directories(text: str) -> None:
    with pytest.raises(UsageError):
        parse_directory(text)


def test_later_variables_win_and_bytes_are_kept() -> None:
    assert parse_environment(["A=1", "B=x=y", "A=2", "C", "D"], [], {"C": os.fsdecode(b"\xff")}) == {
        "A": "2",
        "B": "x=y",
        "C": "\udcff",
    }


HOSTILE = "\\1b[31mred\\07\\0d\\0a\\e2\\80\\ae"
SHOWN = r"\x1b[31mred\x07\r\n\u202e"


@pytest.mark.parametrize("engine", ["embedded", "wasmtime"])
def test_names_in_a_backtrace_are_no_commands_to_the_terminal(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "hostile.wat"
    path.write_text(f'(module (func (export "{HOSTILE}") unreachable) (func (export "_start") (call 0)))')
    timings = ("--timings",) if engine == "embedded" else ()
    ran = run("--engine", engine, *timings, path, env={"HOME": str(tmp_path)})
    assert ran.code == 134
    assert f"0: {SHOWN} at 0x" in ran.stderr
    assert not set(ran.stderr) & set("\x1b\x07\r\u202e")


def test_names_without_end_are_cut_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "long.wat"
    path.write_text(f'(module (import "{"m" * 90_000}" "f" (func)) (func (export "_start")))')
    for arguments in ((), ("--invoke", "x")):
        ran = run(*arguments, path, env={"HOME": str(tmp_path)})
        assert ran.code == 125
        assert len(ran.stderr) < 500
    ran = run("--trap-missing", path, env={"HOME": str(tmp_path)})
    assert ran.code == 0


def test_values_may_stand_behind_a_double_dash(tmp_path: Path) -> None:
    path = tmp_path / "same.wat"
    path.write_text('(module (func (export "same") (param i32) (result i32) (local.get 0)))')
    env = {"HOME": str(tmp_path)}
    assert run("--invoke", "same", path, "--", "-5", env=env).stdout == "-5\n"
    assert run("--invoke", "same", path, "-5", env=env).stdout == "-5\n"


def test_a_compressed_module_is_distinguished_from_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "hello.wasm"
    path.write_bytes(gzip.compress(ZIG.read_bytes()))
    for command in ("run", "validate"):
        ran = invoke(command, path, env={"HOME": str(tmp_path)})
        assert ran.code == 3
        assert "hint: this is gzip-compressed: unpack it first" in ran.stderr
