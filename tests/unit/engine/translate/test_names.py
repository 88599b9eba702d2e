"""Names in generated code: a function's own never hide an instance's."""

from wasm2oci.engine import Engine, Linker, Module
from wasm2oci.engine.text import assemble

# A block that is left from two places needs a flag; inside, a signed byte is read through a view of memory 0.
SIGNED_BYTE_BEHIND_A_FLAG = """
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\\ff\\01")
  (func (export "run") (param i32) (result i32)
    (local i32)
    (block $out
      (block $a
        (block $b
          (block $c
            (br_if $a (i32.eqz (local.get 0)))
            (loop $next
              (br_if $b (i32.gt_s (i32.load8_s (local.get 1)) (i32.const 0)))
              (br_if $c (i32.gt_u (local.get 1) (i32.const 3)))
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br $next)))
          (local.set 1 (i32.const 100))
          (br $out))
        (local.set 1 (i32.add (local.get 1) (i32.const 200)))
        (br $out))
      (local.set 1 (i32.load8_s (i32.const 0))))
    (local.get 1)))
"""


def test_flags_do_not_hide_the_views_of_memory() -> None:
    engine = Engine()
    module = Module(engine, assemble(SIGNED_BYTE_BEHIND_A_FLAG))
    instance = Linker(engine).instantiate(module)
    assert instance.call("run", 1) == 201
    assert instance.call("run", 0) == -1
