"""The ROS 2 node: topics and parameters around :class:`dfplan_ros2.core.NodeCore`. ROS is imported when it starts.

====================  =================================  ===========================================================
topic or service      type                               what
====================  =================================  ===========================================================
``odom``              nav_msgs/Odometry                  position and velocity in the plane: the observation
``goal_pose``         geometry_msgs/PoseStamped          where to go; each begins an episode
``force``             geometry_msgs/Vector3Stamped       the action, at every tick
``~/status``          diagnostic_msgs/DiagnosticStatus   rung of the ladder, faults and measured rate, at every tick
``~/resume``          std_srvs/Trigger                   lets a latched stop go
====================  =================================  ===========================================================

Parameters: ``weights`` (folder of a bundle), ``rate`` (ticks a second), ``plan_timeout`` and ``max_age`` (seconds), and
``frame``, in which plans are made. Odometry and goals must be in it (``header.frame_id``), or are left aside and
flagged: nothing is transformed here. The twist of an odometry is in its ``child_frame_id``, and is turned.
"""

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.agent import ShootingTracker
from dfplan.models import load_forcing_model
from dfplan.realtime import ObservationGate, PathFollower, PlannerProcess, PlanningSupervisor, RealtimeAgent
from dfplan.realtime.motion import integrator_motion
from dfplan.realtime.process import planner_command
from dfplan_ros2.core import NodeCore, Status
from dfplan_ros2.frames import WrongFrameError, goal_of, observation_of

PARAMETERS = {"weights": "", "rate": 20.0, "plan_timeout": 0.5, "max_age": 0.2, "frame": "odom"}
_HORIZON = 800


def build_agent(weights: Path, *, rate: float, plan_timeout: float, max_age: float) -> RealtimeAgent:
    """The agent of a robot that is a point mass in the plane; its planner starts without being waited for."""
    model = load_forcing_model(weights)
    motion, bounds = integrator_motion(model.dynamics), model.reach(margin=0.1).observations
    planning = PlanningSupervisor(
        PlannerProcess(planner_command(weights, horizon=_HORIZON)),
        action_low=-np.ones(2),
        action_high=np.ones(2),
        observation_dim=4,
        clock=time.monotonic,
        plan_timeout=plan_timeout,
    )
    planning.start(wait=False)
    return RealtimeAgent(
        planning,
        gate=ObservationGate(
            low=bounds.low,
            high=bounds.high,
            max_age=max_age,
            motion=motion,
        ),
        follower=PathFollower(ShootingTracker(model.dynamics, goal_radius=model.goal_radius), motion=motion),
        replan_every=32,
        period=1 / rate,
    )


class Bridge:
    """Turns messages into what the core takes, and back.

    Args:
        node: an ``rclpy`` node.
        agent: what acts.
        rate: ticks a second.
        frame: in which plans are made.
    """

    def __init__(self, node: Any, *, agent: RealtimeAgent, rate: float, frame: str) -> None:
        from diagnostic_msgs.msg import DiagnosticStatus, KeyValue  # ROS is there only where a node runs
        from geometry_msgs.msg import PoseStamped, Vector3Stamped
        from nav_msgs.msg import Odometry
        from rclpy.qos import qos_profile_sensor_data
        from std_srvs.srv import Trigger

        self._node, self._frame, self._types = node, frame, (Vector3Stamped, DiagnosticStatus, KeyValue)
        self._force = node.create_publisher(Vector3Stamped, "force", 1)
        self._status = node.create_publisher(DiagnosticStatus, "~/status", 1)
        self.core = NodeCore(agent, rate=rate, send=self._publish_force, tell=self._publish_status, idle=np.zeros(2))
        node.create_subscription(Odometry, "odom", self._on_odometry, qos_profile_sensor_data)
        node.create_subscription(PoseStamped, "goal_pose", self._on_goal, 1)
        node.create_service(Trigger, "~/resume", self._on_resume)
        node.create_timer(1 / rate, self.core.tick)

    def _on_odometry(self, message: Any) -> None:
        stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
        age = 1e-9 * self._node.get_clock().now().nanoseconds - stamp
        try:
            self.core.take_observation(observation_of(message, frame=self._frame), age=age)
        except WrongFrameError as error:
            self.core.flag(error.flag)

    def _on_goal(self, message: Any) -> None:
        try:
            self.core.take_goal(goal_of(message, frame=self._frame))
        except WrongFrameError as error:
            self.core.flag(error.flag)

    def _on_resume(self, request: Any, response: Any) -> Any:
        self.core.resume()
        response.success, response.message = True, "going on"
        return response

    def _publish_force(self, action: np.ndarray) -> None:
        message = self._types[0]()
        message.header.stamp, message.header.frame_id = self._node.get_clock().now().to_msg(), self._frame
        message.vector.x, message.vector.y = float(action[0]), float(action[1])
        self._force.publish(message)

    def _publish_status(self, status: Status) -> None:
        message = self._types[1]()
        message.level = bytes([status.level])
        message.name, message.message = "dfplan", status.source
        message.values = [
            self._types[2](key="faults", value=" ".join(status.faults)),
            self._types[2](key="rate", value=f"{status.rate:.2f}"),
        ]
        self._status.publish(message)


def main(arguments: list[str] | None = None) -> None:
    """Run the node until it is told to stop; the robot is left idle."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    # ROS's own handlers would end what is published by before the last message is sent.
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    node = rclpy.create_node("dfplan")
    values = {name: node.declare_parameter(name, default).value for name, default in PARAMETERS.items()}
    rate = values["rate"]
    agent = build_agent(
        Path(values["weights"]), rate=rate, plan_timeout=values["plan_timeout"], max_age=values["max_age"]
    )
    bridge = Bridge(node, agent=agent, rate=rate, frame=values["frame"])
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass  # the ordinary way to stop a node
    finally:
        bridge.core.close()
        node.destroy_node()
        rclpy.try_shutdown()
