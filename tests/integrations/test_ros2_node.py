"""The ROS 2 node with a stand-in of ROS: odometry and goals in, forces and status out."""

import sys
from pathlib import Path

import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, fake_agent
from ros_stand_in import Node, Record, modules

sys.path.insert(0, str(Path(__file__).parents[2] / "integrations" / "ros2"))
from dfplan_ros2 import node as node_module
from dfplan_ros2.core import NodeCore


@pytest.fixture
def running(monkeypatch):
    """A stand-in node with our bridge on it, on a clock that the test moves."""
    node, clock = Node("dfplan"), FakeClock()
    for name, module in modules(node, spin=lambda _: None).items():
        monkeypatch.setitem(sys.modules, name, module)
    agent = fake_agent(FakePlanner(clock))
    bridge = node_module.Bridge(node, agent=agent, rate=20.0)
    bridge.core._clock = clock
    return node, bridge, clock


def odometry(node, values, *, age=0.0):
    """An odometry message of a certain age."""
    message, stamp = Record(), node.nanoseconds - int(age * 1e9)
    message.header.stamp = Record(sec=stamp // 10**9, nanosec=stamp % 10**9)
    message.pose.pose.position = Record(x=values[0], y=values[1], z=0.0)
    message.twist.twist.linear = Record(x=values[2], y=values[3], z=0.0)
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


def goal(x, y):
    message = Record()
    message.pose.position = Record(x=x, y=y, z=0.0)
    return message


def test_until_a_goal_comes_the_force_is_zero(running):
    node, _, clock = running
    assert tick(node, clock) == ([0.0, 0.0], "waiting", "", b"\x00")
    node.subscriptions["goal_pose"](goal(np.nan, 0.0))
    assert tick(node, clock)[1] == "waiting"


def test_a_goal_begins_an_episode_and_forces_follow_the_plan(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(3.0, 4.0))
    forces = [tick(node, clock, odometry(node, [1.0, 2.0, 0, 0])) for _ in range(5)]
    assert [source for _, source, _, _ in forces] == ["plan"] * 5
    np.testing.assert_allclose([force[0] for force, *_ in forces], np.arange(5) / 1000, atol=1e-6)
    assert all(type(each) is float for each in forces[0][0])
    assert node.published["force"][0].header.stamp.sec == 5


def test_old_and_broken_odometry_is_flagged(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0], age=0.5))[1:] == ("queue", "stale", b"\x01")
    assert tick(node, clock, odometry(node, [np.nan, 2.0, 0, 0]))[1:] == ("queue", "not_finite", b"\x01")
    found = [tick(node, clock) for _ in range(30)]
    assert found[-1] == ([0.0, 0.0], "stopped", "not_finite", b"\x02")
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1] == "stopped"
    response = node.services["~/resume"](Record(), Record())
    assert response.success
    assert [tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1] for _ in range(2)][-1] == "plan"


def test_before_any_odometry_nothing_is_done(running):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(3.0, 4.0))
    assert tick(node, clock) == ([0.0, 0.0], "safe", "missing", b"\x02")


def test_the_node_leaves_its_robot_idle(monkeypatch):
    node = Node("dfplan")
    node.parameters = {"weights": "somewhere", "rate": 10.0}

    def spin(spun):
        raise KeyboardInterrupt

    for name, module in modules(node, spin=spin).items():
        monkeypatch.setitem(sys.modules, name, module)
    built = {}

    def build(weights, **options):
        built.update(options, weights=weights)
        return fake_agent(FakePlanner(FakeClock()))

    monkeypatch.setattr(node_module, "build_agent", build)
    node_module.main()
    assert built == {"weights": Path("somewhere"), "rate": 10.0, "plan_timeout": 0.5, "max_age": 0.2}
    assert [(each.vector.x, each.vector.y) for each in node.published["force"]] == [(0.0, 0.0)]
    assert node.destroyed


def test_the_core_needs_no_ros():
    assert not {"rclpy", "nav_msgs"} & set(sys.modules)
    assert NodeCore


@pytest.mark.parametrize("far", [(1e30, 1e30), (1e3, 1.0), (-1e308, 0.0), (np.inf, 0.0)])
def test_a_strangers_goal_changes_nothing_and_is_flagged(running, far):
    node, _, clock = running
    node.subscriptions["goal_pose"](goal(*far))
    assert tick(node, clock)[1:] == ("waiting", "bad_goal", b"\x01")
    node.subscriptions["goal_pose"](goal(3.0, 4.0))
    tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))
    node.subscriptions["goal_pose"](goal(*far))
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "bad_goal")
    assert tick(node, clock, odometry(node, [1.0, 2.0, 0, 0]))[1:3] == ("plan", "")
