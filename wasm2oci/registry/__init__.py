"""A Distribution-Spec client; the only package that imports httpx."""
