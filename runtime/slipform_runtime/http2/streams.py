"""The states of a stream, as a table (RFC 9113, section 5.1): what a frame from the client means in each.

A server that never pushes meets these states only. `half-closed (local)` is not among them: a response that ends
before its request resets the stream with NO_ERROR (section 8.1), which is RESET_BY_US.
"""

from enum import Enum, IntEnum, auto

import msgspec

from slipform_runtime.http2.frames import FrameType


class State(IntEnum):
    """Where a stream is."""

    IDLE = auto()
    OPEN = auto()
    HALF_CLOSED_REMOTE = auto()
    CLOSED = auto()
    RESET_BY_CLIENT = auto()
    RESET_BY_US = auto()


class Reaction(Enum):
    """What to do with a frame."""

    ACCEPT = auto()
    IGNORE = auto()
    STREAM_CLOSED = auto()  # a stream error
    CONNECTION_CLOSED = auto()  # a connection error of type STREAM_CLOSED
    PROTOCOL_ERROR = auto()  # a connection error


_A, _I, _S, _C, _P = Reaction

REACTIONS: dict[State, dict[FrameType, Reaction]] = {
    state: dict(
        zip(
            (
                FrameType.DATA,
                FrameType.HEADERS,
                FrameType.PRIORITY,
                FrameType.RST_STREAM,
                FrameType.WINDOW_UPDATE,
            ),
            row,
            strict=True,
        )
    )
    for state, row in {
        #                         DATA HEADERS PRIORITY RST_STREAM WINDOW_UPDATE
        State.IDLE: (_P, _A, _A, _P, _P),
        State.OPEN: (_A, _A, _A, _A, _A),
        State.HALF_CLOSED_REMOTE: (_S, _S, _A, _A, _A),
        State.CLOSED: (_C, _C, _A, _I, _I),
        State.RESET_BY_CLIENT: (_S, _S, _A, _I, _I),
        # What was on its way when we reset the stream (section 5.1, closed).
        State.RESET_BY_US: (_I, _I, _A, _I, _I),
    }.items()
}


class Stream(msgspec.Struct, eq=False):
    """One request and its response, with the windows of both directions."""

    id: int
    send_window: int
    receive_window: int
    state: State = State.OPEN
    unacknowledged: int = 0  # received, not yet given back by WINDOW_UPDATE
    content_length: int | None = None
    body_bytes: int = 0
    empty_frames: int = 0
    pending: list[memoryview] = []  # waits for the client's window
    pending_bytes: int = 0
    trailers: bytes | None = None  # a header block that ends the response after `pending`
