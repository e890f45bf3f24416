"""Messages over a connected socket, without ever blocking longer than it is told to."""

import selectors
import socket
import time

from dfplan.realtime.wire import HEADER_BYTES, Message, WireError, body_length, decode

# One that needs no descriptor of its own, and has no limit to the descriptors it looks at.
SocketSelector = getattr(selectors, "PollSelector", selectors.SelectSelector)


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
        self._buffer, self._unsent = bytearray(), b""
        self.is_broken = False  # whether what comes cannot be cut into messages any more

    def fileno(self) -> int:
        """The socket's descriptor, for selectors."""
        return self._socket.fileno()

    def send(self, message: bytes, *, timeout: float) -> None:
        """Send what :func:`~dfplan.realtime.wire.encode` made.

        Raises:
            ConnectionLostError: the other side has gone or did not take it within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        self._unsent += message
        while not self.flush():
            if not self._wait(selectors.EVENT_WRITE, deadline - time.monotonic()):
                raise ConnectionLostError(f"nothing was taken for {timeout:g} s")

    def post(self, message: bytes) -> None:
        """Send as much of a message as is taken at once; :meth:`flush` sends the rest.

        Raises:
            ConnectionLostError: the other side has gone.
        """
        self._unsent += message
        self.flush()

    def flush(self) -> bool:
        """Send what is left of messages, as much as is taken at once; returns whether that was all.

        Raises:
            ConnectionLostError: the other side has gone.
        """
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
        return True

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
            if not self._wait(selectors.EVENT_READ, deadline - time.monotonic()):
                return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _wait(self, event: int, timeout: float) -> bool:
        """Whether the socket becomes ready within ``timeout`` seconds."""
        if timeout <= 0:
            return False
        with SocketSelector() as selector:
            selector.register(self._socket, event)
            return bool(selector.select(timeout))

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
