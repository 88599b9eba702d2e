"""Asynchronous functions of components: every call is a task. Spec: component model, Concurrency.md, CanonicalABI.md.

functions   lifting and lowering: how a task begins, is called back and ends, and what its caller sees
builtins, copies   THE TABLE of canonical built-ins; those of streams and futures
tasks       tasks and subtasks
threads     the threads of tasks, and the loop that runs one at a time
fibers      stacks of their own, for guest code that waits on its stack
waitables   what a guest waits for, in sets
streams, buffers   streams, futures and their ends; where values lie on their way
activities, host_side   what the host does meanwhile, and what it makes for guests
same        whether two types are one; scope: a definition with what it refers to

A component that uses none of this never comes here: its calls are plain Python calls (`component.functions`).
"""
