"""WASI 0.2: cli, io, clocks, random and filesystem, on the same descriptors, paths and streams as preview 1.

signatures   types of functions as text, with named types written out
streams      input and output streams, and what can be waited for
files        descriptors of files and directories: the calls of preview 1 do the work, so the same sandbox holds
functions    THE TABLE: every function's interface, name, type and worker; `Preview2` is the state of one run
trace        a line for each call

Values are those of components: `(case, payload)` for variants, options and results, dicts for records. Handles are
objects of the classes here. Spec: the packages wasi:cli, wasi:io, wasi:clocks, wasi:random and wasi:filesystem, 0.2.
"""
