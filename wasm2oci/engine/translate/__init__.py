"""Functions as Python: translation, loading, and the way back from Python's exceptions to traps.

prepare(instance, options, cache)   gives an instance's functions their code, each at its first call
translate_function(module, index)   one function as source, for those who want to read it
traps.explain(error)                the trap an exception in generated code means
traps.thrown(error)                 where an exception of the guest was thrown
"""

from __future__ import annotations

from wasm2oci.engine.translate.loader import prepare
from wasm2oci.engine.translate.options import Options

__all__ = ["Options", "prepare"]
