"""Running components: the canonical ABI, resources, linking. Spec: component model, Explainer.md and CanonicalABI.md.

store      `Store`: a component, its core modules and what the host offers; `instantiate` makes an instance
instance   the definitions of a component, one after the other
functions  lifting and lowering of functions, resource built-ins
load, put, flat   values out of memory, into memory, and as core values; abi: what these share
handles    resources and the tables of handles to them
host       what the host offers, and whether the guest means the same by it
unsupported       what of the component model is not run, and is refused before anything runs

A component value is a Python one: bool, int, float, str (a char, too), bytes or a list, a dict for a record, a tuple, a
frozenset of labels for flags, `(case, payload)` for a variant, an enum, an option (`none`, `some`) or a result (`ok`,
`error`), and for a handle what represents the resource.
"""
