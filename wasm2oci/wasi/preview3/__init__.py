"""WASI 0.3, on the same descriptors, paths, streams and clocks as 0.2; its functions are asynchronous.

signatures   types of functions as text, as far as they differ from those of 0.2
guests       what is needed from the engine: streams, futures, and work that goes on while the guest runs
pumps        bytes from the host into a stream of the guest, and from one to the host
files        descriptors: those of 0.2, with streams
state        `Preview3`: the state of one run
rows, functions   THE TABLE: every function's interface, name, type and worker

A function that is not over at once is a generator: it gives what it waits for, a `Pollable` or a wait for the guest.
Spec: the packages wasi:cli, wasi:clocks, wasi:random, wasi:filesystem and wasi:sockets, 0.3.
"""
