"""Every parser of text from outside takes work that grows with the text, whatever it is made of: lines, counted."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.artifacts import tar
from tests.support.work import HOSTILE, assert_linear, lines_run
from wasm2oci.base.text import masked, one_line, printable
from wasm2oci.base.toml import load_toml
from wasm2oci.cli.run_options import parse_duration, parse_size
from wasm2oci.errors import InvalidInputError, Wasm2OciError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import basic_credentials, parse_chunk_range, parse_content_range
from wasm2oci.oci.layout_index import LayoutIndex
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import check_tag, parse_location
from wasm2oci.oci.wire import load_object
from wasm2oci.packager.choice import file_name
from wasm2oci.packager.tarball import archive_budget, normal_path, read_tar
from wasm2oci.registry.challenge import parse_challenges
from wasm2oci.registry.docker_config import parse_auth_file
from wasm2oci.registry.problems import parse_problems
from wasm2oci.registry.retry import retry_after
from wasm2oci.registry.scope import parse_scopes
from wasm2oci.registry.urls import Origin, join, redact, with_query
from wasm2oci.server.blobs import parse_range
from wasm2oci.server.exposure import parse_listen
from wasm2oci.server.html import element, shown
from wasm2oci.server.http1 import HeadError, chunk_size

if TYPE_CHECKING:
    from collections.abc import Callable


def manifest(text: str) -> bytes:
    value = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [], "annotations": {"a": text, text: "a"}}
    return json.dumps(value).encode()


def listing(text: str) -> bytes:
    entry = {"mediaType": mt.OCI_MANIFEST, "digest": str(Digest.of(b"")), "size": 0}
    entries = [{**entry, "annotations": {"org.opencontainers.image.ref.name": part}} for part in text.split(" ")]
    return json.dumps({"schemaVersion": 2, "manifests": [*entries, text]}).encode()


def archive(text: str) -> bytes:
    return tar({f"a{text}".replace("\0", "")[:4000]: b""}, compress=False)


PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "challenge": lambda text: parse_challenges([text, f"Bearer {text}", f'Bearer realm="{text}', f"Basic a={text}"]),
    "problems": lambda text: parse_problems(json.dumps({"errors": [{"code": text, "message": text}]}).encode()),
    "problems as they come": lambda text: parse_problems(text.encode()),
    "scopes": lambda text: parse_scopes(f"repository:{text}"),
    "retry after": lambda text: retry_after(text, 0.0),
    "url": lambda text: redact(join("https://r.example/v2/", text or "x")),
    "origin": lambda text: Origin.of(f"https://{text}/"),
    "redacted url": redact,
    "query": lambda text: with_query("https://r.example/", [(text, text)]),
    "credential file": lambda text: parse_auth_file(json.dumps({"auths": {text: {"auth": text}}}), "x"),
    "reference": parse_location,
    "reference in the middle": lambda text: parse_location(f"r.example/a{text}b:v1"),
    "digest": lambda text: Digest.parse(f"sha256:{text}"),
    "tag": check_tag,
    "media type": lambda text: mt.essence(f"application/{text}"),
    "content range": lambda text: parse_content_range(f"bytes {text}"),
    "chunk range": parse_chunk_range,
    "range": lambda text: parse_range(f"bytes={text}", 100),
    "chunk": lambda text: chunk_size(f"1;{text}".encode()),
    "json": lambda text: load_object(f'{{"a":{text}'.encode(), "x"),
    "manifest": lambda text: parse_manifest(manifest(text), None),
    "layout index": lambda text: LayoutIndex.decode(listing(text), strict=False).encode(),
    "archive path": normal_path,
    "archive": lambda text: list(read_tar([archive(text)], archive_budget())),
    "file name": lambda text: file_name(text, "r"),
    "printed text": lambda text: (printable(text), printable(text, 80), masked(text), one_line(text)),
    "page": lambda text: element("p", text, shown(text), title=text),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_work_that_grows_with_its_text(name: str) -> None:
    parse = PARSERS[name]
    for piece in HOSTILE:
        texts = {size: piece * (size // len(piece)) for size in (100, 200, 400)}
        assert_linear(
            lambda size, texts=texts: lines_run(lambda: parse(texts[size]), Wasm2OciError, HeadError),  # type: ignore[misc]
            (100, 200, 400),
        )


@pytest.mark.parametrize(
    "parse",
    [
        lambda text: parse_location(f"r.example:{text}/a:v1"),
        lambda text: parse_location(f"[::1]:{text}/a:v1"),
        lambda text: Origin.of(f"https://r.example:{text}/"),
        lambda text: parse_listen(f"127.0.0.1:{text}"),
        lambda text: retry_after(text, 0.0),
        lambda text: parse_size(text, "--x"),
        lambda text: parse_duration(text, "--x"),
        lambda text: load_object(f'{{"a":{text}}}'.encode(), "x"),
    ],
)
def test_thousands_of_digits_are_no_bug(parse: Callable[[str], object]) -> None:
    """Python refuses to make a number of them, with an error that is not ours. The farm found three such places."""
    with contextlib.suppress(Wasm2OciError):
        parse("9" * 5000)


@pytest.mark.parametrize("key", ["a", "a-1 ", '"\\"."', "'a'\t", '"é" '])
@pytest.mark.parametrize("around", ["{}=1", "[{}]", "[[{}]]", "b={{ c=1, {}=2 }}", '"""\na"""\n{}=1'])
def test_a_dotted_key_of_thousands_of_parts_is_refused(key: str, around: str) -> None:
    """The standard parser took four seconds for one of 20 KB, and would take hours for one of a megabyte."""
    for parts in (40, 20_000):
        with pytest.raises(ValueError, match="more than 32 parts"):
            load_toml(around.format(". ".join([key] * parts)).encode())


def test_dots_in_text_and_keys_of_a_few_parts_are_no_dotted_key_of_thousands() -> None:
    few = ".".join(["a"] * 32)
    assert "a" in load_toml(f'{few}=1\nb="{"." * 99}"\nc="{"Two words. " * 99}"\nd=[{"1.5," * 99}]'.encode())


@pytest.mark.parametrize("text", ["One. " * 40, "a.b" * 40, "1.2, " * 99, "'x'. " * 40, "a.\n" * 40])
def test_sentences_in_strings_and_comments_are_no_dotted_key(text: str) -> None:
    """33 sentences of one word in a description were refused."""
    line = text.replace("\n", " ")
    for toml in (
        f'a = "{line}"',
        f'a = """{text}"""',
        f'a = """""{text}"""""\nb = "{line}"',
        f'a = """\\"""{text}\\\\"""',
        f"# {line}\na = 1 # {line}",
        f"a = 1 # it's {line}\nb = 2 # it's",
        f'a = [ """{text}""", "{line}" ]',
    ):
        assert "a" in load_toml(toml.encode())
    if "'" not in text:
        assert "a" in load_toml(f"a = '''{text}'''\nb = '{line}'".encode())


@pytest.mark.parametrize(
    "before", ['a = "#"', "a = '\\'", 'a = """x"""', 'a = """x"" """""', "a = '''\n'''", "# it's", '"#" = 1']
)
def test_a_dotted_key_of_thousands_of_parts_is_seen_behind_strings(before: str) -> None:
    for text in (f"{before}\n{'a.' * 4000}a = 1", f'{before} # "\n[{"a." * 4000}a]'):
        with pytest.raises(ValueError, match="more than 32 parts"):
            load_toml(text.encode())


@pytest.mark.parametrize(
    "digits", ["0x" + "f" * 5000, "0b" + "1" * 20_000, "0o" + "7" * 9000, "9" * 5000, f"{1 << 63}"]
)
def test_an_integer_of_toml_that_has_more_than_64_bits_is_refused(digits: str) -> None:
    """Python makes a number of hexadecimal digits without end, and cannot print it."""
    for text in (f"a={digits}", f"[a]\nb=[1,{{c={digits}}}]"):
        with pytest.raises(ValueError, match="integer"):
            load_toml(text.encode())


@pytest.mark.parametrize("text", ["\\ud800", "a\\uDFFFb", "\\ude00\\ud83d"])
def test_half_of_a_surrogate_pair_is_refused_where_json_is_read(text: str) -> None:
    """A lone surrogate is not a character: text with one could not be printed or written as UTF-8."""
    for raw in (f'{{"a":"{text}"}}', f'{{"b":[{{"{text}":1}}]}}'):
        with pytest.raises(InvalidInputError, match="surrogate"):
            load_object(raw.encode(), "x")
    assert load_object(b'{"a":"\\ud83d\\ude00 \\\\ud800"}', "x") == {"a": "\U0001f600 \\ud800"}


def test_base64_that_is_not_ascii_is_no_bug() -> None:
    """Python says so with an error of another kind than for other base64 that is not valid. Found by the farm."""
    assert basic_credentials("Basic \xe9") is None
    value = {"mediaType": "a/b", "digest": str(Digest.of(b"")), "size": 0, "data": "\xe9"}
    with pytest.raises(InvalidInputError, match="base64"):
        Descriptor.from_json(value)
