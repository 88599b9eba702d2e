"""The WIT of components and packages."""

import pytest

from tests.support.programs import fixture
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.text import assemble
from wasm2oci.engine.wit.document import wit_text

PACKAGE = """\
package a:b@1.0.0;

interface types {
  record p {
    x: u32,
  }
}

interface api {
  use types.{p};

  run: func(a: p) -> list<u8>;
}

world w {
  import types;

  export go: func();
}
"""

COMPONENT = """(component
  (import "my:pkg/store@1.0.0" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $error' (variant (case "gone") (case "other" string)))
    (export "error" (type $error (eq $error')))
    (type $options' (record (field "from" (option u32)) (field "names" (list string))))
    (export "options" (type $options (eq $options')))
    (export "[constructor]bucket" (func (param "name" string) (result (own $bucket))))
    (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (param "key" string) (param "how" $options)
      (result (result (list u8) (error $error)))))
    (export "[static]bucket.count" (func (result u32)))
    (export "drop-all" (func (param "which" (tuple (own $bucket) (list u8)))))))
  (alias export $store "bucket" (type $outer-bucket))
  (alias export $store "error" (type $outer-error))
  (import "my:pkg/cache@1.0.0" (instance
    (alias outer 1 $outer-bucket (type $b'))
    (export "bucket" (type $b (eq $b')))
    (alias outer 1 $outer-error (type $e'))
    (export "failure" (type $e (eq $e')))
    (type $mode' (enum "fast" "slow"))
    (export "mode" (type $mode (eq $mode')))
    (type $rights' (flags "read" "write"))
    (export "rights" (type $rights (eq $rights')))
    (export "open" (func (param "mode" $mode) (param "rights" $rights)
      (result (result (own $b) (error $e)))))))
  (import "log" (func (param "text" string)))
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $add (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add")))
  (export "add" (func $add)))"""

TEXT = """\
package root:component;

world root {
  import my:pkg/store@1.0.0;
  import my:pkg/cache@1.0.0;
  import log: func(text: string);

  export add: func(a: s32, b: s32) -> s32;
}

package my:pkg@1.0.0 {
  interface store {
    resource bucket {
      constructor(name: string);
      get: func(key: string, how: options) -> result<list<u8>, error>;
      count: static func() -> u32;
    }
    variant error {
      gone,
      other(string),
    }
    record options {
      %from: option<u32>,
      names: list<string>,
    }

    drop-all: func(which: tuple<bucket, list<u8>>);
  }

  interface cache {
    use store.{bucket, error as failure};

    enum mode {
      fast,
      slow,
    }
    flags rights {
      read,
      write,
    }

    open: func(mode: mode, rights: rights) -> result<bucket, failure>;
  }
}
"""


def test_a_package_is_printed_as_it_was_written() -> None:
    assert wit_text(fixture("wit-package.wasm")) == PACKAGE


def test_a_component_is_a_world_with_the_packages_that_it_uses() -> None:
    assert wit_text(assemble(COMPONENT)) == TEXT


def test_names_that_a_program_took_from_other_interfaces_are_used_from_there() -> None:
    lines = [line.strip() for line in wit_text(fixture("http.component.wasm")).splitlines()]
    for expected in (
        "export wasi:http/incoming-handler@0.2.12;",
        "use wasi:io/streams@0.2.12.{input-stream, output-stream};",
        "use types.{incoming-request, response-outparam};",
        "type headers = fields;",
        "constructor(headers: headers);",
        "handle: func(request: incoming-request, response-out: response-outparam);",
    ):
        assert expected in lines


@pytest.mark.parametrize("text", ["(module)", '(component (type (variant (case "a") (case "a"))))'])
def test_what_is_no_component_is_refused(text: str) -> None:
    with pytest.raises(ModuleError):
        wit_text(assemble(text))


def test_a_name_neither_drives_a_terminal_nor_begins_a_line() -> None:
    text = wit_text(assemble('(component (import "url=<\\1b[31m\\0a}>" (func)))'))
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.splitlines()[2:] == ["world root {", r"  import url=<\x1b[31m\n}>: func();", "}"]


def test_the_text_is_bounded_however_often_a_long_name_is_used() -> None:
    name = "a" * 90_000
    params = " ".join([f'(param "p{number}" $long)' for number in range(900)])
    data = assemble(f"""(component
      (import "{name}" (type $long (sub resource)))
      (type $f (func {params.replace("$long", "(own $long)")}))
      {" ".join([f'(import "f{number}" (func (type $f)))' for number in range(100)])})""")
    with pytest.raises(ModuleError, match="their text has more than 67,108,864 characters"):
        wit_text(data)
