"""dfplan as a ROS 2 node. Importing this needs no ROS; :func:`dfplan_ros2.node.main` does."""
