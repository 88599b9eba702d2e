"""WASI preview 1 host functions over a Memory protocol.

abi          the numbers and records of the specification
context      what a guest is given of the world; waiting, streams: how it waits and talks
paths        resolving a path below a directory without leaving it
descriptors  the kinds of descriptors and their rights; descriptor_table: their numbers
calls        what each function does
functions    THE TABLE: every function's parameters, results and worker; kinds: of parameters and results
preview0     the rows that preview 0 (`wasi_unstable`) has otherwise
binding      callables from the table
trace        a line per call
"""
