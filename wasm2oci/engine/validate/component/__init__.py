"""Validation of components. Spec: component model, Explainer.md and Binary.md.

`definitions` walks a component; `scope` holds its index spaces, its imports and its exports. Types are objects
(`types`): a resource type is new wherever one is defined, and `substitute` puts others in its place when a component is
instantiated. `matching` says what may stand where; `canon` checks canonical functions.
"""
