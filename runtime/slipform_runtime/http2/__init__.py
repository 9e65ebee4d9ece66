"""HTTP/2 for a server, without I/O: bytes in, events out (RFC 9113, with HPACK from the `hpack` library).

`frames` has the wire's numbers and layouts, `streams` the state machine of section 5.1 as a table, `headers` what a
request's fields may be, and `connection` the whole. It offers what a gRPC server needs: no push, no priorities, no
upgrade from HTTP/1. Everything that a client can make the server keep is bounded; `connection` lists the bounds.
"""
