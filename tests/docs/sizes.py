"""What makes the blocks of the documents quick to run, what they need, and which are run by another test.

Whoever writes a page adds here what its blocks need: nothing, mostly, as commands get what their sub-command has below.
"""

FEW = ("n_episodes=2", "threads=1")
SHORT = ("training.num_steps=2", "training.batch_size=4", "training.compiled=false", "threads=1")
NARROW = ("model.width=16", "model.num_layers=1")
STATES = (*SHORT, *NARROW, "env.window_tokens=3", "resynthesis.num_steps=2000")
SEEN = (*SHORT, *NARROW, "env.window_tokens=3", "resynthesis.num_steps=10000")

# Added to a command that is not in SIZES, by its sub-command.
USUAL: dict[str, tuple[str, ...]] = {
    "eval": FEW,
    "record": FEW,
    "bench": (*FEW, "n_plans=1"),
    "train": (*SHORT, *NARROW),
    "generate": ("num_steps=1000",),
    "evolve": ("n_episodes=2", "eval_episodes=2", *SHORT),
    "forecast": ("num_futures=2", "num_levels=2", "threads=1"),
}
# Added to a command as it is printed, where that would take long and the usual does not suit.
SIZES: dict[str, tuple[str, ...]] = {
    "dfplan plan planner=mctg": ("planner.tree.max_nodes=20",),
    "dfplan generate env=maze2d-large": ("num_steps=20000", "output=generated.hdf5"),
    "dfplan generate env=maze2d-umaze": ("num_steps=20000", "output=generated.hdf5"),
    "dfplan record env=maze2d-large goal=random data=rollouts.hdf5": (*FEW, "planner.num_candidates=2"),
    "dfplan train env=maze2d-large": STATES,
    "dfplan eval -m controller=actions,shooting seed=0,1": ("n_episodes=1", "threads=1"),
    "dfplan train resynthesis=none windows=collected": (*SHORT, *NARROW, "env.window_tokens=3"),
    "dfplan train task=keypoints env=pixelmaze-large": (*SHORT, "task.width=4"),
    "dfplan train task=pixel-forcing env=pixelmaze-large": SEEN,
    "dfplan train task=inverse-dynamics env=pixelmaze-large": (*SHORT, "task.width=8", "resynthesis.num_steps=2000"),
    "dfplan train resume=runs/train/maze2d-large/<time>": ("training.num_steps=3", "threads=1"),
    "dfplan eval env=maze2d-large weights=runs/train/maze2d-large/<time>": (*FEW, "planner.num_candidates=2"),
    "dfplan train env=maze2d-large model=rnn training=cpu-rnn": STATES,
    "dfplan train recipe=diffuser-large": (*SHORT, "model.width=8", "model.num_levels=4"),
    "dfplan train task=autoencoder env=pixelmaze-large": (*SHORT, "task.width=8"),
    "dfplan train task=autoencoder env=pixelmaze-large task.pooled=32 output=eyes": (*SHORT, "task.width=8"),
    "dfplan train env=pixelmaze-large recipe=latents frames.tokenizer=eyes output=planner": STATES,
    "dfplan train task=self-supervised env=pixelmaze-large output=runs/encoder": (*SHORT, "task.width=2"),
    "dfplan train task=aligned-forcing env=pixelmaze-large task.encoder=runs/encoder": (*SEEN, "task.depth=1"),
    "torchrun --nproc-per-node 2 -m dfplan.cli.main train env=maze2d-large output=runs/two": STATES,
    "torchrun --nproc-per-node 2 -m dfplan.cli.main train env=maze2d-umaze output=runs/two": STATES,
    "torchrun --nproc-per-node 2 -m dfplan.cli.main train env=maze2d-umaze training.parallel=fsdp output=two": STATES,
    "dfplan eval -m env=maze2d-umaze seed=0,1,2,3,4,5,6,7 launcher=joblib output=seeds": ("n_episodes=1",),
    "dfplan train env=maze2d-large resynthesis=none windows=collected model=small": (
        *SHORT,
        *NARROW,
        "env.window_tokens=3",
    ),
    "dfplan evolve resume=runs/evolve/maze2d-large/<time> rounds=3": ("threads=1",),
    "dfplan train env=maze2d-large data=d4rl": STATES,
    "dfplan inspect data=path/to/maze2d-large.hdf5": ("picture=false",),
    "dfplan train env=maze2d-large data=path/to/maze2d-large.hdf5": STATES,
    "dfplan train env=maze2d-large data=minari:D4RL/pointmaze/large-v2": STATES,
    "dfplan train env=Pendulum-v1 data=pendulum.hdf5 task=behaviour-cloning": ("training.num_steps=2", "threads=1"),
    "dfplan generate env=maze2d layout=my_maze.txt output=my_maze.hdf5": ("num_steps=20000",),
    "dfplan train env=maze2d layout=my_maze.txt data=my_maze.hdf5": STATES,
    "dfplan generate env=maze2d layout=random:7": ("num_steps=20000",),
    "dfplan generate env=metaworld/push-v3 output=push.hdf5": ("num_steps=100",),
    "dfplan generate env=FetchPush-v4": ("num_steps=100",),
}
# By page: words of its blocks, and what stands in their place when they are run, so that it takes seconds.
SMALLER: dict[str, dict[str, str]] = {
    "docs/tutorial.md": {"range(100)": "range(4)", "num_ticks=200": "num_ticks=20"},
    "docs/howto/own-environment.md": {"steps=1500": "steps=2", "range(200)": "range(8)"},
    "docs/howto/among-others.md": {"steps=2000": "steps=2", "while not over": "for _ in range(4)"},
}
# A package that the development environment has not, by a word of what needs it; `make robots` makes one that has.
NEEDS = {
    "metaworld/": "metaworld",
    "env=Fetch": "gymnasium_robotics",
    "env=ogbench/": "ogbench.locomaze",
    "experiment=pusht": "gym_pusht",
    "gym_pusht": "gym_pusht",
    "launcher=joblib": "hydra_plugins.hydra_joblib_launcher",
    "launcher=slurm_local": "hydra_plugins.hydra_submitit_launcher",
}
# Pages, or commands as printed, that a test of its own runs: which one. It has to name them.
ELSEWHERE = {
    "docs/howto/own-task.md": "tests/test_own_task.py",
    "docs/howto/own-package.md": "tests/plugins/test_plugins.py",
}
# Names in a sentence, not commands to type.
NAMED = {"dfplan eval env=tmaze"}
