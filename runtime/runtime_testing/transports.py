"""A connection's other side, without a socket."""


class Transport:
    """What the server would have sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.closing = False
        self.unsent_bytes = 0  # of what was sent

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...
