import gzip
import json
import tarfile
from typing import Any

import pytest

from tests.support.artifacts import WASM, Stash, Watching, tar, tar_entry
from tests.support.work import assert_linear, lines_run
from wasm2oci.content.verify import BytesContent, DigestMismatchError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.packager.choice import ChoiceNeededError, NoModuleError
from wasm2oci.packager.image import SEARCH_MAX
from wasm2oci.packager.recognise import ARCHIVE_LAYERS, FoundModule, recognise
from wasm2oci.packager.tarball import InvalidArchiveError, archive_budget

OTHER = WASM + b"\0\x02\x01x"
BIG = WASM + b"\0\x80\x80\x80\x01\x01x" + bytes(5_000_000)


def find(stash: Stash, root: Descriptor, **options: Any) -> tuple[FoundModule, bytes]:
    found = recognise(stash.target, root, **options)
    data = b"".join(found.content)
    assert data == b"".join(found.content)
    assert Digest.of(data) == found.module.digest
    return found, data


@pytest.mark.parametrize("layer_type", [kind for kind in ARCHIVE_LAYERS if not kind.endswith("zstd")])
@pytest.mark.parametrize("compress", [True, False])
def test_a_module_in_an_image_is_found_whatever_the_layers_label_says(layer_type: str, compress: bool) -> None:  # noqa: FBT001 - parametrised
    stash = Stash()
    root = stash.image(tar({"etc/motd": b"hi", "app/hello.wasm": BIG}, compress=compress), layer_type=layer_type)
    found, data = find(stash, root)
    assert (found.format, found.entry, data) == ("image", "app/hello.wasm", BIG)
    assert found.file_name("team/app") == "hello.wasm"
    assert found.layer.media_type == layer_type


def test_the_layout_of_docker_desktop() -> None:
    stash = Stash()
    config = {"architecture": "wasm", "os": "wasi", "config": {"Entrypoint": ["/hello.wasm"]}}
    found, data = find(stash, stash.image(tar({"hello.wasm": WASM}), config=config))
    assert (found.entry, data) == ("hello.wasm", WASM)


def test_the_layout_of_istio() -> None:
    stash = Stash()
    layer = tar({"runtime-config.json": b"{}", "./plugin.wasm": WASM})
    found, data = find(stash, stash.image(layer, annotations={"module.wasm.image/variant": "compat"}))
    assert (found.entry, data) == ("plugin.wasm", WASM)


@pytest.mark.parametrize("compress", [True, False])
def test_a_bare_module_labelled_as_an_archive_is_that_module(compress: bool) -> None:  # noqa: FBT001 - parametrised
    # `oras push REF hello.wasm` without a type labels the file as a tar layer.
    stash = Stash()
    data = gzip.compress(WASM, mtime=0) if compress else WASM
    layer = stash.put(mt.OCI_LAYER_TAR, data, annotations={"org.opencontainers.image.title": "hello.wasm"})
    found, read = find(stash, stash.manifest(layer))
    assert (found.entry, read, found.file_name("a/b")) == (None, WASM, "hello.wasm")


def test_a_module_needs_no_ending() -> None:
    stash = Stash()
    assert find(stash, stash.image(tar({"bin/app": WASM, "fake.wasm": b"text", "ab": b"\0a"})))[0].entry == "bin/app"


@pytest.mark.parametrize(
    ("config", "entry"),
    [
        ({"Entrypoint": ["/b/two.wasm"]}, "b/two.wasm"),
        ({"Entrypoint": [], "Cmd": ["two.wasm#func", "x"]}, None),
        ({"Cmd": ["b/two.wasm#func", "x"]}, "b/two.wasm"),
        ({"Entrypoint": ["/sbin/init"]}, None),
        ({"Entrypoint": "b/two.wasm"}, None),
        ({"Entrypoint": [1]}, None),
        ("text", None),
        (None, None),
    ],
)
def test_of_several_modules_the_entrypoints_is_taken(config: Any, entry: str | None) -> None:
    stash = Stash()
    root = stash.image(tar({"one.wasm": WASM, "b/two.wasm": OTHER}), config={"config": config})
    if entry is None:
        with pytest.raises(ChoiceNeededError, match=r"2 modules in it: one\.wasm, b/two\.wasm"):
            recognise(stash.target, root)
    else:
        assert find(stash, root)[0].entry == entry


def test_of_several_modules_the_plugin_is_taken() -> None:
    stash = Stash()
    assert find(stash, stash.image(tar({"one.wasm": WASM, "x/plugin.wasm": OTHER})))[1] == OTHER
    with pytest.raises(ChoiceNeededError):
        recognise(stash.target, stash.image(tar({"plugin.wasm": WASM, "x/plugin.wasm": OTHER})))


def test_the_caller_may_choose() -> None:
    stash = Stash()
    root = stash.image(tar({"one.wasm": WASM, "b/two.wasm": OTHER}))
    for wanted in ("two.wasm", "b/two.wasm", "/b/two.wasm", str(Digest.of(OTHER))):
        assert find(stash, root, wanted=wanted)[1] == OTHER
    with pytest.raises(NoModuleError, match="no module 'three'") as caught:
        recognise(stash.target, root, wanted="three")
    assert caught.value.hint == "it has one.wasm, b/two.wasm"


def test_upper_layers_replace_and_white_out() -> None:
    stash = Stash()
    lower = tar({"a.wasm": WASM, "gone.wasm": OTHER, "d/x.wasm": OTHER, "e/y.wasm": OTHER, "f/z.wasm": OTHER})
    upper = tar({"a.wasm": BIG, ".wh.gone.wasm": b"", "d/.wh..wh..opq": b"", ".wh.e": b"", "f/z.wasm": b"text"})
    found, data = find(stash, stash.image(lower, upper))
    assert (found.entry, data) == ("a.wasm", BIG)
    # An opaque folder hides what is below, not what came with it.
    found, data = find(stash, stash.image(lower, tar({".wh..wh..opq": b"", "new.wasm": WASM})))
    assert (found.entry, data) == ("new.wasm", WASM)


def test_of_two_entries_with_one_path_the_last_counts() -> None:
    stash = Stash()
    assert find(stash, stash.image(tar([("a.wasm", OTHER), ("a.wasm", WASM)])))[1] == WASM
    with pytest.raises(NoModuleError):
        recognise(stash.target, stash.image(tar([("a.wasm", OTHER), ("a.wasm", b"text")])))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("link", ["/etc/shadow", "../../../../root/.ssh/id_rsa", "real.wasm"])
def test_cve_2026_50163_links_are_named_and_never_followed(kind: bytes, link: str) -> None:
    stash = Stash()
    root = stash.image(tar([(tar_entry("app.wasm", kind=kind, link=link), b"")]))
    with pytest.raises(NoModuleError, match=r"app\.wasm is a link, which is not followed"):
        recognise(stash.target, root)


@pytest.mark.parametrize("path", ["../../../etc/cron.d/x.wasm", "/etc/cron.d/x.wasm", "a/../../x.wasm"])
def test_cve_2021_21272_hostile_paths_end_as_a_plain_name(path: str) -> None:
    stash = Stash()
    found, data = find(stash, stash.image(tar([(path, WASM)])))
    assert data == WASM
    assert found.file_name("a/b") == "x.wasm"


def test_a_container_image_without_wasm_is_reported_as_one() -> None:
    stash = Stash()
    config = {"architecture": "amd64", "os": "linux"}
    with pytest.raises(NoModuleError, match="container image for linux/amd64 with no WebAssembly module in it"):
        recognise(stash.target, stash.image(tar({"bin/sh": b"\x7fELF"}), tar({}), config=config))
    with pytest.raises(NoModuleError, match="container image with no WebAssembly"):
        recognise(stash.target, stash.image(tar({})))


@pytest.mark.parametrize(
    ("config", "more", "searched"),
    [
        ({"architecture": "amd64"}, {}, False),
        ({"architecture": "wasm"}, {}, True),
        ({"config": {"Entrypoint": ["/x.wasm"]}}, {}, True),
        ({}, {"annotations": {"run.oci.handler": "wasm"}}, True),
    ],
)
def test_a_large_image_is_searched_only_when_it_speaks_of_wasm(config: Any, more: Any, searched: bool) -> None:  # noqa: FBT001 - parametrised
    stash = Stash()
    watched = Watching(stash.target)
    huge = Descriptor(mt.OCI_LAYER_TAR_GZIP, Digest.of(b"huge"), SEARCH_MAX + 1)
    blob = stash.put(mt.OCI_CONFIG, json.dumps(config).encode())
    root = stash.manifest(huge, config=blob, **more)
    with pytest.raises(Exception, match="is not here" if searched else "nothing in it mentions WebAssembly"):
        recognise(watched, root)
    assert (("fetch", str(huge.digest)) in watched.calls) is searched
    with pytest.raises(Exception, match="is not here"):
        recognise(watched, root, wanted="x.wasm")


@pytest.mark.parametrize("config", [b"not json", b"[]", None])
def test_a_config_that_cannot_be_read_gives_no_hints(config: bytes | None) -> None:
    stash = Stash()
    blob = Descriptor.of(mt.OCI_CONFIG, b"absent") if config is None else stash.put(mt.OCI_CONFIG, config)
    layer = stash.put(mt.OCI_LAYER_TAR_GZIP, tar({"x.wasm": WASM}))
    assert find(stash, stash.manifest(layer, config=blob))[1] == WASM
    large = Descriptor(mt.OCI_CONFIG, Digest.of(b""), 5 << 20)
    assert find(stash, stash.manifest(layer, config=large))[1] == WASM


def test_damage_shows_as_damage_and_not_as_a_bad_format() -> None:
    stash = Stash()
    good = tar({"x.wasm": BIG})
    for position in (3, 20, len(good) // 2, len(good) - 2):
        bad = bytearray(good)
        bad[position] ^= 0x55
        layer = Descriptor.of(mt.OCI_LAYER_TAR_GZIP, good)
        fresh = Stash()
        fresh.target.add(layer, BytesContent(bytes(bad)))  # type: ignore[attr-defined] # a memory target
        with pytest.raises(DigestMismatchError):
            recognise(fresh.target, fresh.manifest(layer))
    with pytest.raises(InvalidArchiveError):
        recognise(stash.target, stash.image(b"this was never an archive"))


def test_a_layer_of_a_few_bytes_is_no_archive() -> None:
    stash = Stash()
    with pytest.raises(InvalidArchiveError):
        recognise(stash.target, stash.image(b"\0a"))
    with pytest.raises(NoModuleError):
        recognise(stash.target, stash.image(b""))


def test_nothing_is_written_anywhere(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stash = Stash()
    find(stash, stash.image(tar({"../up.wasm": WASM, "/abs": b"x"})))
    assert list(tmp_path.iterdir()) == []


def test_file_names_of_an_image_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.packager.image.NAMES_MAX", 5000)
    stash = Stash()
    names = {f"{'a' * 100}{number}": b"" for number in range(50)}
    few, many = dict(list(names.items())[:10]), names
    assert find(stash, stash.image(tar({**few, "x.wasm": WASM})))[1] == WASM
    with pytest.raises(InvalidArchiveError, match="file names of more than"):
        find(stash, stash.image(tar({**many, "x.wasm": WASM})))


def test_looking_into_an_archive_takes_time_that_grows_with_it() -> None:
    """40,000 entries in 329 KB took 25 s: each was compared with all that were found before."""

    def look(count: int) -> None:
        stash = Stash()
        files = {f"{number}.wasm": WASM for number in range(count)}
        find(stash, stash.image(tar(files)), wanted="1.wasm")

    assert_linear(lambda size: lines_run(lambda: look(size)), (50, 100, 200))


def test_deep_paths_below_an_opaque_folder_take_time_that_grows_with_them() -> None:
    """22.9 KB with paths 2,000 folders deep took 31 s."""

    def look(depth: int) -> None:
        stash = Stash()
        below = {f"{'d/' * depth}{number}": b"" for number in range(20)}
        find(stash, stash.image(tar({**below, "x.wasm": WASM}), tar({f"{'d/' * depth}e/.wh..wh..opq": b""})))

    assert_linear(lambda size: lines_run(lambda: look(size)), (60, 120, 240))


def test_a_layer_that_is_named_often_is_looked_into_once() -> None:
    """0.16 s for each 157 bytes of a manifest."""
    stash = Stash()
    layer, module = tar({"a": bytes(100)}), tar({"x.wasm": WASM})
    watching = Watching(stash.target)
    root = stash.image(module, *[layer] * 50, module, *[layer] * 50)
    found = recognise(watching, root)
    assert b"".join(found.content) == WASM
    assert watching.calls.count(("fetch", str(Digest.of(layer)))) == 1


def test_all_layers_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.packager.image.archive_budget", lambda: archive_budget(entries=60))
    stash = Stash()
    layers = [tar({f"{layer}-{number}": b"" for number in range(20)}) for layer in range(3)]
    assert find(stash, stash.image(*layers[:2], tar({"x.wasm": WASM})))[1] == WASM
    with pytest.raises(InvalidArchiveError, match="more than 60 entries"):
        find(stash, stash.image(*layers, tar({"x.wasm": WASM})))


@pytest.mark.parametrize(
    ("opaque", "hides"), [("", True), ("a", True), ("a/b", True), ("a/b/x.wasm", False), ("a/bb", False), ("b", False)]
)
def test_what_lies_below_an_opaque_folder_is_hidden(opaque: str, hides: bool) -> None:  # noqa: FBT001 - parametrised
    stash = Stash()
    upper = tar({f"{opaque}/.wh..wh..opq" if opaque else ".wh..wh..opq": b""})
    root = stash.image(tar({"a/b/x.wasm": WASM}), upper)
    if hides:
        with pytest.raises(NoModuleError):
            find(stash, root)
    else:
        assert find(stash, root)[1] == WASM
