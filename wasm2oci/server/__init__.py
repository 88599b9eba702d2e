"""The embedded registry: a Distribution-Spec server over OCI layouts."""
