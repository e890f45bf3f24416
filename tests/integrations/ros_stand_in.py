"""The few calls of ROS 2 that our node makes, with the signatures of rclpy (Jazzy), and messages with their fields."""

import sys
from types import ModuleType, SimpleNamespace


class Record:
    """A message: fields appear when they are used, as the fields of a real one are there from the start."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        self.__dict__[name] = Record()
        return self.__dict__[name]


class Node:
    """A node whose clock and messages the test moves."""

    def __init__(self, name):
        self.name, self.nanoseconds = name, 5_000_000_000
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
        stamp = SimpleNamespace(sec=self.nanoseconds // 10**9, nanosec=self.nanoseconds % 10**9)
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.nanoseconds, to_msg=lambda: stamp))

    def destroy_node(self):
        self.destroyed = True


def modules(node, *, spin):
    """Modules by name, for ``sys.modules``; ``spin`` is what happens while the node runs."""
    found = {
        "rclpy": {
            "init": lambda args=None: None,
            "create_node": lambda name: node,
            "spin": spin,
            "try_shutdown": lambda: None,
        },
        "rclpy.qos": {"qos_profile_sensor_data": object()},
        "diagnostic_msgs.msg": {"DiagnosticStatus": Record, "KeyValue": Record},
        "geometry_msgs.msg": {"PoseStamped": Record, "Vector3Stamped": Record},
        "nav_msgs.msg": {"Odometry": Record},
        "std_srvs.srv": {"Trigger": Record},
    }
    made = {}
    for name, contents in found.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(contents)
        made.setdefault(name.split(".")[0], ModuleType(name.split(".")[0]))
    assert not set(made) & set(sys.modules), "a real ROS is here; test with that"
    return made
