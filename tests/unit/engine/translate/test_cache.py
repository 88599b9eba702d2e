"""The code cache: code is reused, and nothing that was not written by us is ever unmarshalled."""

import hashlib
import marshal
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm2oci.base.files import TEMPORARY
from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.cache import CodeCache
from wasm2oci.engine.translate.options import Options

TEXT = """(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "g") (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0))))"""
DATA = assemble(TEXT)
DIGEST = hashlib.sha256(DATA).hexdigest()


def run(folder: Path, name: str, value: int) -> object:
    engine = Engine(cache=folder)
    module = Module(engine, DATA)
    result = Linker(engine).instantiate(module).function(name).invoke(value)
    module.code.save()
    return result


def no_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("translated, though it was in the cache")

    monkeypatch.setattr("wasm2oci.engine.translate.function.translate_function", refuse)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.code"))


def test_code_is_reused_function_by_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "code"
    assert run(folder, "f", 5) == 15
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert run(folder, "g", 7) == 14
    no_translation(monkeypatch)
    assert run(folder, "f", 6) == 18
    assert run(folder, "g", 10) == 10
    assert len(files(folder)) == 1


def test_a_trap_in_cached_code_says_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "code", "g", 7)
    no_translation(monkeypatch)
    with pytest.raises(Exception, match="integer divide by zero") as caught:
        run(tmp_path / "code", "g", 0)
    frame = caught.value.frames[0]  # type: ignore[attr-defined]
    assert (frame.function, frame.name) == (1, "g")
    assert DATA[frame.offset] == 0x6E  # i32.div_u


@pytest.mark.parametrize("place", [0, 9, 30, 41, 60, -1])
def test_a_changed_byte_makes_a_file_worthless(tmp_path: Path, place: int) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (path,) = files(folder)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert not CodeCache(folder, DIGEST, Options()).known
    assert run(folder, "f", 5) == 15


def test_hostile_bytes_are_not_unmarshalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (path,) = files(folder)
    path.write_bytes(path.read_bytes()[:8] + bytes(32) + marshal.dumps({"key": "x"}) * 20)

    def refuse(_: object) -> None:
        raise AssertionError("unmarshalled")

    monkeypatch.setattr("wasm2oci.engine.translate.cache.marshal.loads", refuse)
    CodeCache(folder, DIGEST, Options())


def test_a_file_does_not_serve_another_module_option_or_key(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (path,) = files(folder)
    mine = CodeCache(folder, DIGEST, Options(), features=Module(Engine(cache=folder), DATA).code.features)
    assert mine.known
    for other in (
        CodeCache(folder, "0" * 64, Options()),
        CodeCache(folder, DIGEST, Options(fuel=True)),
        CodeCache(folder, DIGEST, Options(), features="other"),
    ):
        assert not other.known
        path.copy_to(other.path) if hasattr(path, "copy_to") else other.path.write_bytes(path.read_bytes())
        other.path.chmod(0o600)
    assert not CodeCache(folder, "0" * 64, Options()).known
    key = folder / "key"
    key.unlink()
    assert not CodeCache(folder, DIGEST, Options(), features=mine.features).known


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720])
def test_a_folder_others_may_write_is_not_used(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    folder.chmod(mode)
    assert run(folder, "f", 5) == 15
    assert list(folder.iterdir()) == []


def test_a_key_others_may_read_a_link_and_a_loose_file_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    features = Module(Engine(cache=folder), DATA).code.features
    (path,) = files(folder)
    path.chmod(0o666)
    assert not CodeCache(folder, DIGEST, Options(), features=features).known
    path.chmod(0o600)
    assert CodeCache(folder, DIGEST, Options(), features=features).known
    moved = path.rename(tmp_path / "elsewhere")
    path.symlink_to(moved)
    assert not CodeCache(folder, DIGEST, Options(), features=features).known
    (folder / "key").chmod(0o644)
    path.unlink()
    moved.rename(path)
    assert not CodeCache(folder, DIGEST, Options(), features=features).known


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert run(tmp_path / "file" / "code", "f", 5) == 15


def test_concurrent_writers_leave_a_whole_file(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from wasm2oci.engine.embed import Engine, Linker, Module;"
        "engine = Engine(cache=Path(sys.argv[1])); module = Module(engine, bytes.fromhex(sys.argv[2]));"
        "linker = Linker(engine);"
        "[(linker.instantiate(module).function(name).invoke(4), module.code.save()) for name in 'fgfg']"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "code"
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(folder), DATA.hex()], env=environment) for _ in range(4)
    ]
    assert [child.wait(300) for child in children] == [0] * 4
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".code"]
    features = Module(Engine(cache=folder), DATA).code.features
    cache = CodeCache(folder, DIGEST, Options(), features=features)
    assert cache.known
    assert cache.get(0) is not None
    assert cache.get(1) is not None


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        assert run(folder, "g", 7) == 14
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_key_that_was_cut_short_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (folder / "key").write_bytes(b"")
    assert run(folder, "f", 5) == 15
    no_translation(monkeypatch)
    assert run(folder, "f", 6) == 18


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_code(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (path,) = files(folder)
    path.unlink()
    make(path)
    assert run(folder, "f", 5) == 15


def test_a_folder_that_goes_away_meanwhile_is_no_error(tmp_path: Path) -> None:
    engine = Engine(cache=tmp_path / "code")
    module = Module(engine, DATA)
    assert Linker(engine).instantiate(module).function("f").invoke(5) == 15
    shutil.rmtree(tmp_path / "code")
    module.code.save()


def test_code_used_longest_ago_makes_room_for_new_code(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (kept,) = files(folder)
    for number, age in enumerate((500, 9000, 4000)):
        old = folder / f"{number}.code"
        old.write_bytes(bytes(1000))
        os.utime(old, (time.time() - age,) * 2)
    for name, age in ((f"{TEMPORARY}dead", 2 * 24 * 3600), (f"{TEMPORARY}alive", 10)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    cache = CodeCache(folder, "1" * 64, Options(), limit=kept.stat().st_size + 1500)
    cache.save(empty=True)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [kept.name, "0.code", f"{TEMPORARY}alive", "key", cache.path.name]
    )


def test_reading_code_counts_as_using_it(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    run(folder, "f", 5)
    (path,) = files(folder)
    os.utime(path, (1000, 1000))
    Module(Engine(cache=folder), DATA)
    assert path.stat().st_mtime > 1000
