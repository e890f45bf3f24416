"""The options of what runs a sweep: ``launcher=`` beside ``-m``. They are said on the command line alone."""

from dataclasses import dataclass

from dfplan.options import option


@dataclass
class LauncherConfig:
    """What runs the points of a sweep."""

    name: str = option(
        "serial = one after the other in this process; joblib = processes of this machine; slurm = jobs of a Slurm "
        "cluster; slurm_local = the same by submitit's local executor, without Slurm; ray = tasks of a Ray cluster",
        default="serial",
        choices=("serial", "joblib", "slurm", "slurm_local", "ray"),
    )
    jobs: int | None = option(
        "points that run side by side; null = as many as processors, and on a cluster as it has room",
        default=None,
        low=1,
    )
    retries: int = option("times that a point is run again that failed", default=1, low=0)
    minutes: int = option("slurm, slurm_local: minutes after which a point is ended", default=1440, low=1)
    cpus: int | None = option("slurm, ray: processors of a point; null = one", default=None, low=1)
    gpus: int | None = option("slurm, slurm_local, ray: GPUs of a point; null = none", default=None, low=0)
    memory_gb: int | None = option("slurm: memory of a point; null = as the cluster has it", default=None, low=1)
    partition: str | None = option("slurm: its partition; null = as the cluster has it", default=None)
    account: str | None = option("slurm: who pays; null = as the cluster has it", default=None)
    qos: str | None = option("slurm: quality of service; null = as the cluster has it", default=None)
    address: str | None = option(
        "ray: host:port of a cluster, or auto; null = one is started on this machine", default=None
    )
