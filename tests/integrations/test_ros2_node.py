"""The ROS 2 node with a stand-in of rclpy and the messages of real distributions: odometry in, forces out."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, fake_agent

pytest.importorskip("rosbags", reason="the definitions of ROS 2's messages take a package: pip install rosbags")
from ros_stand_in import Messages, Node, SimpleNamespace, modules

sys.path.insert(0, str(Path(__file__).parents[2] / "integrations" / "ros2"))
from dfplan_ros2 import node as node_module
from dfplan_ros2.core import NodeCore
from dfplan_ros2.frames import observation_of

DISTRIBUTIONS = ("jazzy", "lyrical")


@pytest.fixture(params=DISTRIBUTIONS)
def running(request, monkeypatch):
    """A stand-in node with our bridge on it, on a clock that the test moves."""
    node, clock = Node("dfplan", Messages(request.param)), FakeClock()
    for name, module in modules(node, spin=lambda _: None).items():
        monkeypatch.setitem(sys.modules, name, module)
    agent = fake_agent(FakePlanner(clock))
    bridge = node_module.Bridge(node, agent=agent, rate=20.0, frame="odom")
    bridge.core._clock = clock
    return node, bridge, clock


def odometry(node, values, *, age=0.0, frame="odom", child="base_link", orientation=(0, 0, 0, 1)):
    """An odometry message of a certain age; the velocities are in the child's frame."""
    message, stamp = node.messages.kind("nav_msgs/msg/Odometry")(), node.nanoseconds - int(age * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = stamp // 10**9, stamp % 10**9
    message.header.frame_id, message.child_frame_id = frame, child
    place, turn, moving = message.pose.pose.position, message.pose.pose.orientation, message.twist.twist.linear
    place.x, place.y, moving.x, moving.y = values
    turn.x, turn.y, turn.z, turn.w = orientation
    return message


def tick(node, clock, message=None):
    """One tick of the timer; the force and the status it publishes."""
    if message is not None:
        node.subscriptions["odom"](message)
    ((period, callback),) = node.timers
    begins = clock.now
    callback()
    clock.now, node.nanoseconds = begins + period, node.nanoseconds + int(period * 1e9)
    force, status = node.published["force"][-1], node.published["~/status"][-1]
    values = {each.key: each.value for each in status.values}
    return [force.vector.x, force.vector.y], status.message, values["faults"], status.level


def goal(node, x, y, *, frame="odom"):
    message = node.messages.kind("geometry_msgs/msg/PoseStamped")()
    message.header.frame_id = frame
    message.pose.position.x, message.pose.position.y = x, y
    return message


def test_until_a_goal_comes_the_force_is_zero(running):
    node, _, clock = running
    assert tick(node, clock) == ([0.0, 0.0], "waiting", "", b"\x00")
    node.subscriptions["goal_pose"](goal(node, np.nan, 0.0))
    assert tick(node, clock)[1] == "waiting"


def test_a_goal_begins_an_episode_and_forces_follow_the_plan(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    forces = [tick(node, clock, odometry(node, [1.0, 2.0, 0, 0])) for _ in range(5)]
    assert [source for _, source, _, _ in forces] == ["plan"] * 5
    np.testing.assert_allclose([force[0] for force, *_ in forces], np.arange(5) / 1000, atol=1e-6)
    assert all(type(each) is float for each in forces[0][0])
    first = node.published["force"][0]
    assert (first.header.stamp.sec, first.header.frame_id) == (5, "odom")


def test_what_is_published_is_what_ros_can_send(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0], frame="map"))
    sent = {"force": "geometry_msgs/msg/Vector3Stamped", "~/status": "diagnostic_msgs/msg/DiagnosticStatus"}
    for topic, name in sent.items():
        assert len(node.messages.encoded(node.published[topic][-1], name)) > 20
    with pytest.raises(AssertionError, match="Vector3 has no force"):
        node.published["force"][-1].vector.force = 1.0


def test_old_and_broken_odometry_is_flagged(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0], age=0.5))[1:] == ("queue", "stale", b"\x01")
    assert tick(node, clock, odometry(node, [np.nan, 2.0, 0, 0]))[1:] == ("queue", "not_finite", b"\x01")
    found = [tick(node, clock) for _ in range(30)]
    assert found[-1] == ([0.0, 0.0], "stopped", "not_finite", b"\x02")
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1] == "stopped"
    response = node.services["~/resume"](SimpleNamespace(), SimpleNamespace())
    assert response.success
    assert [tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1] for _ in range(2)][-1] == "plan"


def test_before_any_odometry_nothing_is_done(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    assert tick(node, clock) == ([0.0, 0.0], "safe", "missing", b"\x02")


def test_a_goal_in_another_frame_is_left_aside_and_flagged(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0, frame="map"))
    assert tick(node, clock)[1:] == ("waiting", "goal_frame", b"\x01")
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "")
    for frame in ("map", ""):
        node.subscriptions["goal_pose"](goal(node, 1.0, 1.0, frame=frame))
        assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "goal_frame")


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [({"frame": "map"}, "odometry_frame"), ({"orientation": (0, 0, 0, 0)}, "orientation")],
)
def test_odometry_of_another_frame_or_without_an_orientation_is_left_aside_and_flagged(wrong, flag, running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))
    for _ in range(3):  # as long as the last good one is young enough
        node.subscriptions["odom"](odometry(node, [1.5, 2.5, 0, 0], **wrong))
        found = tick(node, clock, odometry(node, [9.0, 9.0, 0, 0], **wrong))
    assert found[2].split()[0] == flag
    assert found[3] != b"\x00"
    assert [tick(node, clock) for _ in range(40)][-1][1] == "stopped"  # flying blind ends


def turn(angle, axis=(0, 0, 1)):
    return (*(np.sin(angle / 2) * np.array(axis, float)), np.cos(angle / 2))


@pytest.mark.parametrize(
    ("orientation", "child", "seen"),
    [
        (turn(0), "base_link", (1.0, 0.5)),
        (turn(np.pi / 2), "base_link", (-0.5, 1.0)),  # it looks along y: forwards is y
        (turn(np.pi), "base_link", (-1.0, -0.5)),
        (turn(-np.pi / 6), "base_link", (np.cos(np.pi / 6) + 0.25, 0.5 * np.cos(np.pi / 6) - 0.5)),
        (turn(np.pi, (1, 0, 0)), "base_link", (1.0, -0.5)),  # upside down: its left is our right
        (turn(np.pi / 2), "odom", (1.0, 0.5)),  # said in the frame that stands still
    ],
)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_twist_of_an_odometry_is_in_its_child_frame(orientation, child, seen, distribution):
    node = Node("dfplan", Messages(distribution))
    message = odometry(node, [3.0, 4.0, 1.0, 0.5], orientation=orientation, child=child)
    np.testing.assert_allclose(observation_of(message, frame="odom"), [3.0, 4.0, *seen], atol=1e-12)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_node_leaves_its_robot_idle_however_it_is_ended(stop, monkeypatch):
    node = Node("dfplan", Messages("jazzy"))
    node.parameters = {"weights": "somewhere", "rate": 10.0}
    kept = signal.getsignal(signal.SIGTERM)
    for name, module in modules(node, spin=lambda spun: signal.raise_signal(stop)).items():
        monkeypatch.setitem(sys.modules, name, module)
    built = {}

    def build(weights, **options):
        built.update(options, weights=weights)
        return fake_agent(FakePlanner(FakeClock()))

    monkeypatch.setattr(node_module, "build_agent", build)
    try:
        node_module.main()
    finally:
        signal.signal(signal.SIGTERM, kept)
    assert built == {"weights": Path("somewhere"), "rate": 10.0, "plan_timeout": 0.5, "max_age": 0.2}
    assert [(each.vector.x, each.vector.y) for each in node.published["force"]] == [(0.0, 0.0)]
    assert node.destroyed


def test_the_core_needs_no_ros():
    assert not {"rclpy", "nav_msgs"} & set(sys.modules)
    assert NodeCore


@pytest.mark.parametrize("far", [(1e30, 1e30), (1e3, 1.0), (-1e308, 0.0), (np.inf, 0.0)])
def test_a_strangers_goal_changes_nothing_and_is_flagged(running, far):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(node, *far))
    assert tick(node, clock)[1:] == ("waiting", "bad_goal", b"\x01")
    node.subscriptions["goal_pose"](goal(node, 3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))
    node.subscriptions["goal_pose"](goal(node, *far))
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "bad_goal")
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "")
