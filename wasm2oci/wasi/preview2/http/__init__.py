"""WASI 0.2 HTTP: requests that a guest makes, and those it answers. Spec: wasi:http, 0.2.

errors       what went wrong, as the cases of `error-code`
fields       header fields and trailers
shared       what all messages share
incoming     messages that come in, and what comes later
outgoing     messages that go out
parsing      a response as bytes of HTTP/1.1
exchange     a request of the guest on its way, in a thread of its own
state        what one run has of all this, and its limits
functions    THE TABLE of these interfaces
"""
