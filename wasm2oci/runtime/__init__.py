"""Choosing and driving an engine: RunRequest to RunOutcome.

request    what is asked, and what came of it
preflight  looking at a module before any engine gets it
choose     which engine, and `run`
embedded, wasmtime, components   the engines; supervise: time limits and Ctrl-C around them
values     typed values as text
"""
