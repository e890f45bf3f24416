"""The planner's end of the line: answers requests with plans until the loop is gone."""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dfplan.realtime.plans import plan_fields
from dfplan.realtime.stream import ConnectionLostError, MessageStream
from dfplan.realtime.wire import MAX_TEXT, Message, WireError, encode
from dfplan.types import Plan

_PATIENCE = 5.0  # seconds for which a loop may leave an answer untaken
_LOOK = 0.25  # seconds between two looks whether the loop is there


def serve_plans(
    make_plan: Callable[[Message], tuple[Plan, float]], *, descriptor: int, ready: Mapping[str, Any]
) -> None:
    """Answer requests one after the other; does not return, the process ends with the connection.

    A thread of its own reads, so that the process answers a ping while it plans and ends with the loop even if the
    planner hangs. Another looks whether the loop is still its parent: the connection does not tell where a process that
    was forked off the loop holds it open.

    Args:
        make_plan: maps a ``request`` message to a plan (batch of one) and the level its context was shown at. What it
            raises is told as a failure, and the next request is awaited.
        descriptor: of the inherited socket.
        ready: the fields of the ``ready`` message, sent first.
    """
    stream = MessageStream(socket.socket(fileno=descriptor))
    lock, requests = threading.Lock(), queue.SimpleQueue[Message]()

    def send(kind: str, **fields: Any) -> None:
        with lock:
            stream.send(encode(kind, **fields), timeout=_PATIENCE)

    def read() -> None:
        try:
            while True:
                message = stream.receive(timeout=3600)
                if message is not None and message.kind == "ping":
                    send("pong")
                elif message is not None:
                    requests.put(message)
        except (ConnectionLostError, WireError):
            os._exit(0)  # the planner's own thread may hang

    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    send("ready", **ready)
    threading.Thread(target=read, daemon=True).start()
    while True:
        request = requests.get()
        began = time.perf_counter()
        try:
            plan, context_level = make_plan(request)
            seconds = time.perf_counter() - began
            send("plan", id=request["id"], seconds=seconds, context_level=context_level, **plan_fields(plan))
        except ConnectionLostError:
            os._exit(0)
        except Exception as error:  # whatever goes wrong in a planner, the loop is told
            send("failure", id=request["id"], text=f"{type(error).__name__}: {error}"[:MAX_TEXT])


def _end_with(parent: int) -> None:
    """End this process when another has become its parent."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)
