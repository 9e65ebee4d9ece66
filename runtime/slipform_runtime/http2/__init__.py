"""HTTP/2 for a server, without I/O: bytes in, events out (RFC 9113; HPACK's tables are the `hpack` library's).

`frames` has the wire's numbers and layouts, `streams` the state machine of section 5.1 as a table, `blocks` reads
header blocks, `headers` says what a request's fields may be, and `connection` is the whole. It offers what a gRPC
server needs: no push, no priorities, no upgrade from HTTP/1. Everything that a client can make the server keep is
bounded; `connection` lists the bounds.
"""
