"""Registry hosts as arguments of their own."""

from wasm2oci.oci.reference import InvalidReferenceError, Reference

__all__ = ["check_host"]


def check_host(text: str) -> str:
    """This text, if it is a registry host: a name with a dot, a port, or `localhost`.

    Raises:
        InvalidReferenceError: it is not; `detail` points at it.
    """
    host, slash, _ = text.partition("/")
    if slash:
        message = f"{text!r} is more than a registry host"
        raise InvalidReferenceError(message, text, len(host), hint=f"write {host}")
    try:
        Reference.parse(f"{text}/x")
    except InvalidReferenceError as error:
        message = f"{text!r} is not a registry host"
        raise InvalidReferenceError(message, text, 0, hint="for Docker Hub write docker.io") from error
    return text
