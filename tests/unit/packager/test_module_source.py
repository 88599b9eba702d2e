from pathlib import Path

import pytest

from tests.support.artifacts import WASM, component
from wasm2oci.cli.remedies import hint_for
from wasm2oci.content.verify import DigestMismatchError, FileContent, verified
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.text import TextError, assemble
from wasm2oci.errors import LocalIOError, NotFoundError
from wasm2oci.oci.digest import Digest
from wasm2oci.packager.module_source import Kind, ModuleSource, NotWasmError

LARGE = WASM + bytes(9 << 20)


@pytest.mark.parametrize("data", [WASM, LARGE, component(exports=["run"])], ids=["small", "large", "component"])
def test_a_file_and_its_bytes_are_the_same_module(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.wasm").write_bytes(data)
    one, other = ModuleSource.of_file(tmp_path / "m.wasm"), ModuleSource.of_bytes(data)
    assert (one.descriptor, one.kind, one.imports, one.exports) == (
        other.descriptor,
        other.kind,
        other.imports,
        other.exports,
    )
    assert b"".join(one.content) == b"".join(other.content) == data
    assert one.descriptor.digest == Digest.of(data)


def test_a_small_file_may_change_after_it_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(WASM)
    module = ModuleSource.of_file(path)
    path.write_bytes(b"changed")
    assert b"".join(module.content) == WASM


def test_a_large_file_is_not_kept_and_a_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(LARGE)
    module = ModuleSource.of_file(path)
    assert isinstance(module.content, FileContent)
    path.write_bytes(LARGE[:-1] + b"!")
    with pytest.raises(DigestMismatchError):
        b"".join(verified(module.content, module.descriptor))


def test_a_large_component_is_read_whole(tmp_path: Path) -> None:
    data = component(imports=["a:b/c"]) + b"\0\x85\x80\x80\x05\x01x" + bytes((10 << 20) + 3)
    (tmp_path / "m.wasm").write_bytes(data)
    module = ModuleSource.of_file(tmp_path / "m.wasm")
    assert (module.kind, module.imports, module.descriptor.size) == (Kind.COMPONENT, ("a:b/c",), len(data))


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "(f|the module) is empty", "build"),
        (b"\0as", "the magic header is cut short", "--force"),
        (b"\0asm\x01", "the version is cut short", "--force"),
        (b"\0asm\x02\0\0\0", "unknown binary version 2", "--force"),
        (b"\x1f\x8b\x08", "magic header not detected", "gzip"),
        (b"\x28\xb5\x2f\xfd", "magic header not detected", "zstd"),
        (b"PK\x03\x04", "magic header not detected", "zip"),
        (b"\x7fELF", "magic header not detected", "native program"),
        (b"<!DOCTYPE html>", "magic header not detected", "HTML"),
        (b"hello", "magic header not detected", "--force"),
    ],
)
def test_what_is_not_wasm_is_refused_with_a_hint(tmp_path: Path, data: bytes, message: str, hint: str) -> None:
    (tmp_path / "f").write_bytes(data)

    def of_bytes(*, force: bool) -> ModuleSource:
        return ModuleSource.of_bytes(data, force=force)

    def of_file(*, force: bool) -> ModuleSource:
        return ModuleSource.of_file(tmp_path / "f", force=force)

    for look in (of_bytes, of_file):
        with pytest.raises(NotWasmError, match=message) as caught:
            look(force=False)
        assert hint in (hint_for(caught.value) or "")
        forced = look(force=True)
        assert forced.kind is Kind.UNKNOWN
        assert b"".join(forced.content) == data


def test_a_component_that_cannot_be_read_is_malformed() -> None:
    with pytest.raises(MalformedError):
        ModuleSource.of_bytes(component() + b"\x0a\xff\xff\x03")


def test_a_path_that_is_not_a_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        ModuleSource.of_file(tmp_path / "absent.wasm")
    with pytest.raises(LocalIOError, match="is a folder"):
        ModuleSource.of_file(tmp_path)


def test_text_is_assembled_unless_it_is_forced(tmp_path: Path) -> None:
    text = b';; text\n(module (func (export "f")))'
    (tmp_path / "f.wat").write_bytes(text)
    for module in (ModuleSource.of_bytes(text), ModuleSource.of_file(tmp_path / "f.wat")):
        assert (module.kind, b"".join(module.content)) == (Kind.MODULE, assemble(text))
    forced = ModuleSource.of_file(tmp_path / "f.wat", force=True)
    assert (forced.kind, b"".join(forced.content)) == (Kind.UNKNOWN, text)
    (tmp_path / "f.wat").write_bytes(b"(module (nonsense))")
    with pytest.raises(TextError, match=r"unexpected token nonsense"):
        ModuleSource.of_file(tmp_path / "f.wat")
