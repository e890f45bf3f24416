"""Messages over a connected socket, without ever blocking longer than it is told to."""

import select
import socket
import time

from dfplan.realtime.wire import HEADER_BYTES, Message, WireError, body_length, decode


class ConnectionLostError(Exception):
    """The other side has gone, or does not take what is sent."""


class MessageStream:
    """Sends and receives whole messages.

    Args:
        connection: a connected stream socket; it is closed with the stream.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._buffer = bytearray()
        self.is_broken = False  # whether what comes cannot be cut into messages any more

    def fileno(self) -> int:
        """The socket's descriptor, for ``select``."""
        return self._socket.fileno()

    def send(self, message: bytes, *, timeout: float) -> None:
        """Send what :func:`~dfplan.realtime.wire.encode` made.

        Raises:
            ConnectionLostError: the other side has gone or did not take it within ``timeout`` seconds.
        """
        deadline, view = time.monotonic() + timeout, memoryview(message)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not select.select([], [self._socket], [], remaining)[1]:
                    raise ConnectionLostError(f"nothing was taken for {timeout:g} s") from None
            except OSError as error:
                raise ConnectionLostError(str(error)) from error

    def receive(self, *, timeout: float = 0.0) -> Message | None:
        """The next whole message, or None if there is none within ``timeout`` seconds.

        Raises:
            ConnectionLostError: the other side has gone.
            WireError: what came is no message; if :attr:`is_broken`, nothing that follows will be one.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._fill()
            message = self._take()
            if message is not None:
                return message
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self._socket], [], [], remaining)[0]:
                return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _fill(self) -> None:
        """Read what has arrived, up to one message: more stays with the system, which then holds the sender back."""
        try:
            while len(self._buffer) < HEADER_BYTES or not self._is_whole():
                received = self._socket.recv(65536)
                if not received:
                    raise ConnectionLostError("the other side has closed the connection")
                self._buffer += received
        except BlockingIOError:
            return
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    def _is_whole(self) -> bool:
        try:
            return len(self._buffer) >= HEADER_BYTES + body_length(bytes(self._buffer[:HEADER_BYTES]))
        except WireError:
            self.is_broken = True
            raise

    def _take(self) -> Message | None:
        if len(self._buffer) < HEADER_BYTES or not self._is_whole():
            return None
        end = HEADER_BYTES + body_length(bytes(self._buffer[:HEADER_BYTES]))
        body = bytes(self._buffer[HEADER_BYTES:end])
        del self._buffer[:end]
        return decode(body)
