"""Tells colcon what is installed where."""

from setuptools import setup

setup(
    name="dfplan_ros2",
    version="0.1.0",
    packages=["dfplan_ros2"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/dfplan_ros2"]),
        ("share/dfplan_ros2", ["package.xml"]),
    ],
    install_requires=["dfplan"],
    entry_points={"console_scripts": ["dfplan_node = dfplan_ros2.node:main"]},
)
