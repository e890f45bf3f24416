"""The few calls of ROS 2 that our node makes, with the signatures of rclpy, and the messages of a distribution.

ROS 2 itself comes with no package index that tests can install from. The definitions of its messages do (``rosbags``),
so that what the node reads and sends has the fields of the real ones: no others, of these types, empty to begin with.
"""

import sys
from types import ModuleType, SimpleNamespace

from rosbags.typesys import Stores, get_typestore

NEEDED = {
    "diagnostic_msgs": ("DiagnosticStatus", "KeyValue"),
    "geometry_msgs": ("PoseStamped", "Vector3Stamped"),
    "nav_msgs": ("Odometry",),
}
KEPT = {"float64": 0.0, "float32": 0.0, "string": "", "bool": False, "byte": b"\0"}  # of others, 0


class Messages:
    """The messages of one distribution, which begin empty and refuse fields that they do not have."""

    def __init__(self, distribution):
        self.store = get_typestore(Stores[f"ROS2_{distribution.upper()}"])

    def kind(self, name):
        """A class that makes messages of this name, ``package/msg/Name``."""
        fields = dict(self.store.fielddefs[name][1])

        def __init__(message, **given):
            for field in fields:
                object.__setattr__(message, field, given.pop(field, self._empty(fields[field])))
            assert not given, f"{name} has no {sorted(given)}"

        def __setattr__(message, field, value):
            assert field in fields, f"{name} has no {field}"
            object.__setattr__(message, field, value)

        return type(name.rpartition("/")[2], (), {"__init__": __init__, "__setattr__": __setattr__})

    def _empty(self, definition):
        kind, value = definition
        if kind.name == "NAME":
            return self.kind(value)()
        return KEPT.get(value[0], 0) if kind.name == "BASE" else []

    def encoded(self, message, name):
        """The bytes of a message as ROS 2 sends it; raises where a value is not of its field's type."""
        return self.store.serialize_cdr(self._native(message, name), name)

    def _native(self, message, name):
        fields = {}
        for field, (kind, value) in self.store.fielddefs[name][1]:
            found = getattr(message, field)
            if kind.name == "NAME":
                found = self._native(found, value)
            elif kind.name == "SEQUENCE":
                found = [self._native(each, value[0][1]) for each in found]
            elif value[0] == "byte":
                (found,) = found  # rclpy takes a byte as bytes of length 1
            fields[field] = found
        return self.store.types[name](**fields)


class Node:
    """A node whose clock and messages the test moves."""

    def __init__(self, name, messages):
        self.name, self.messages, self.nanoseconds = name, messages, 5_000_000_000
        self.parameters, self.published, self.subscriptions, self.services, self.timers = {}, {}, {}, {}, []
        self.destroyed = False

    def declare_parameter(self, name, default):
        return SimpleNamespace(value=self.parameters.get(name, default))

    def create_publisher(self, kind, topic, qos):
        self.published[topic] = []
        return SimpleNamespace(publish=self.published[topic].append)

    def create_subscription(self, kind, topic, callback, qos):
        self.subscriptions[topic] = callback

    def create_service(self, kind, name, callback):
        self.services[name] = callback

    def create_timer(self, period, callback):
        self.timers.append((period, callback))

    def get_clock(self):
        def to_msg():
            stamp = self.messages.kind("builtin_interfaces/msg/Time")
            return stamp(sec=self.nanoseconds // 10**9, nanosec=self.nanoseconds % 10**9)

        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.nanoseconds, to_msg=to_msg))

    def destroy_node(self):
        self.destroyed = True


def modules(node, *, spin):
    """Modules by name, for ``sys.modules``; ``spin`` is what happens while the node runs."""
    found = {
        "rclpy": {
            "init": lambda *, args=None, signal_handler_options=None: None,
            "create_node": lambda name: node,
            "spin": spin,
            "try_shutdown": lambda: None,
        },
        "rclpy.qos": {"qos_profile_sensor_data": object()},
        "rclpy.signals": {"SignalHandlerOptions": SimpleNamespace(NO=0)},
        "std_srvs.srv": {"Trigger": SimpleNamespace},
    }
    for package, names in NEEDED.items():
        found[f"{package}.msg"] = {name: node.messages.kind(f"{package}/msg/{name}") for name in names}
    made = {}
    for name, contents in found.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(contents)
        made.setdefault(name.split(".")[0], ModuleType(name.split(".")[0]))
    assert not set(made) & set(sys.modules), "a real ROS is here; test with that"
    return made
