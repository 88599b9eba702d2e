"""WASI 0.2, on the same descriptors, paths and streams as preview 1.

signatures   types of functions as text, with named types written out
streams      input and output streams, and what can be waited for
files        descriptors of files and directories: the calls of preview 1 do the work, so the same sandbox holds
http         requests and responses
sockets      all of them denied
bell, pipes  how threads of the host wake a guest, and pass bytes
state        `Preview2`: the state of one run
rows, functions   THE TABLE: every function's interface, name, type and worker
trace        a line for each call

Values are those of components: `(case, payload)` for variants, options and results, dicts for records. Handles are
objects of the classes here. Spec: the packages wasi:cli, wasi:io, wasi:clocks, wasi:random, wasi:filesystem, wasi:http
and wasi:sockets, 0.2.
"""
