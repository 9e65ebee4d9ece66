"""The states of a stream, as a table (RFC 9113, section 5.1): what a frame from the client means in each.

A server that never pushes meets these states only. `half-closed (local)` is not among them: a response that ends
before its request resets the stream with NO_ERROR (section 8.1), which is RESET_BY_US.
"""

from enum import Enum, IntEnum, auto

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


class Stream:
    """One request and its response, with the windows of both directions."""

    __slots__ = (
        "body_bytes",
        "content_length",
        "empty_frames",
        "id",
        "pending",
        "pending_bytes",
        "receive_window",
        "send_window",
        "state",
        "trailers",
        "unacknowledged",
    )

    def __init__(self, stream_id: int, send_window: int, receive_window: int) -> None:
        self.id = stream_id
        self.state = State.OPEN
        self.send_window = send_window
        self.receive_window = receive_window
        self.unacknowledged = 0  # received, not yet given back by WINDOW_UPDATE
        self.content_length: int | None = None
        self.body_bytes = 0
        self.empty_frames = 0
        self.pending: list[memoryview] = []  # waits for the client's window
        self.pending_bytes = 0
        self.trailers: bytes | None = None  # a header block that ends the response after `pending`
