"""One training loop for every task: data order, accumulation, precision, devices, checkpoints, resume and logging."""

import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.errors import UserError
from dfplan.files import cannot_write, write_whole
from dfplan.training.batch import part_of_batch, sample_own
from dfplan.training.checkpoint import is_in_use, load_newest_checkpoint, save_checkpoint
from dfplan.training.log import GuardedLogger, Logger, MetricsFile
from dfplan.training.progress import ProgressBar, open_console
from dfplan.training.run_lock import alone_in
from dfplan.training.schedule import learning_rate_multiplier
from dfplan.training.settings import Settings, check_parts, check_same_config, resolved_config
from dfplan.training.signals import StopSignal
from dfplan.training.state import TrainingState
from dfplan.training.task import Dataset, DrawsPictures, Task


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended.

    Attributes:
        run_folder: where everything is.
        step: optimizer steps done.
        finished: False where a signal stopped it before ``num_steps``.
        metrics: the last logged training and validation metrics.
        seconds: wall time of this part of the run.
        exit_status: for a program that does this and nothing else: 0 where it finished, by the shell's convention
            128 and the number of the signal that stopped it, 1 where another process had that signal.
    """

    run_folder: Path
    step: int
    finished: bool
    metrics: dict[str, float]
    seconds: float
    exit_status: int = 0


def train(
    task: Task,
    dataset: Dataset,
    settings: Settings,
    *,
    run_folder: Path,
    resume: bool = False,
    config: Mapping[str, Any] | None = None,
    logger: Logger | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train a task in a run folder, or go on with one; on the CPU a resumed run equals an uninterrupted one bitwise.

    ``run_folder`` receives ``config.json``, ``metrics.jsonl``, ``checkpoints/step-...`` and, with every checkpoint,
    ``model`` (what the task exports, with averaged weights); with every validation also ``pictures/step-....png``, if
    the task draws. Ctrl-C, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU end the run after the current step with a
    checkpoint.

    Everything random is a function of ``(seed, step)``: batch ``s`` is
    ``dataset.sample(batch_size, np.random.default_rng([seed, s]))``, and the noise of its ``m``-th part, counted over
    all processes, comes from a CPU generator seeded with ``(seed, s, m)``. So is torch's global one, for dropout.
    Two processes thus compute what one does that accumulates over two parts, but for the order of additions.

    Args:
        task: what is trained.
        dataset: where batches come from.
        settings: how long, how fast, from which seed.
        run_folder: a new folder, or with ``resume`` the folder of the run to go on with.
        resume: go on from the newest whole checkpoint of ``run_folder``.
        config: what made task and dataset, for the record; a resumed run must have the same.
        logger: called with ``(step, metrics)`` besides the file; if it raises it is dropped, the training goes on.
        progress: whether to show a progress bar.

    Raises:
        UserError: a run folder in use, in which another process trains, or without checkpoint,
            another configuration at resume, a loss that is not finite, or a disk that cannot be written.
    """
    run = _Run(task, dataset, folder=Path(run_folder), settings=settings, config=config or {})
    if not resume:
        run.make_folder()
    with alone_in(run.folder), StopSignal() as stop:
        if resume:
            run.resume()
        else:
            run.begin()
        return run.until_done(logger, stop=stop, progress=progress)


class _Run:
    """A run folder and the training in it."""

    def __init__(
        self, task: Task, dataset: Dataset, *, folder: Path, settings: Settings, config: Mapping[str, Any]
    ) -> None:
        self.task, self.dataset, self.folder, self.settings = task, dataset, folder, settings
        self.checkpoints = folder / "checkpoints"
        self.state = TrainingState(
            task,
            precision=settings.precision,
            device=settings.device,
            ema_decay=settings.ema_decay,
            parallel=settings.parallel,
        )
        self.accelerator = self.state.accelerator
        check_parts(settings, num_processes=self.accelerator.num_processes)
        self.config = resolved_config(settings, optimizers=self.state.optimizer_settings(), config=config)
        self.console = open_console()
        self.noise = torch.Generator()
        self.metrics: dict[str, float] = {}
        self.saved_step: int | None = None

    def say(self, sentence: str) -> None:
        """Tell the person at the terminal, from one process only."""
        if self.accelerator.is_main_process:
            self.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def make_folder(self) -> None:
        """Make the run folder, unless there is a run in it."""
        self.check_unused()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def begin(self) -> None:
        """Start at step 0, with a checkpoint, so that a folder that cannot be written is found before the work."""
        self.check_unused()
        self.accelerator.wait_for_everyone()
        self.write_config()
        self.save()

    def check_unused(self) -> None:
        """Refuse a folder that holds a run."""
        if is_in_use(self.checkpoints):
            raise UserError(
                f"{self.folder}: holds a run with checkpoints already; resume it, or choose another run folder "
                "(nothing was overwritten)"
            )

    def resume(self) -> None:
        """Restore the newest whole checkpoint and check that the run is the same."""
        with self.accelerator.main_process_first():
            step, tensors, metadata = load_newest_checkpoint(self.checkpoints, say=self.say)
        check_same_config(metadata["config"], self.config)
        num_steps, old_num_steps = self.settings.num_steps, metadata["config"]["training"]["num_steps"]
        if step > num_steps:
            raise UserError(f"num_steps={num_steps}, but {self.folder} is at step {step} already; give {step} or more")
        self.state.load(step, tensors, metadata["state"])
        self.saved_step, self.metrics = step, dict(metadata["metrics"])
        self.write_config()
        if step == num_steps:
            self.export()  # what an export holds may have grown since
            self.say(
                f"{self.folder} is finished: all {step} steps are done; the model is written again; "
                "give a larger num_steps to train on"
            )
            return
        self.say(f"resuming {self.folder} at step {step} of {num_steps}")
        if num_steps != old_num_steps:
            self.say(
                f"num_steps was {old_num_steps} and is now {num_steps}: from here on the learning rates follow the "
                f"schedule of {num_steps} steps; their factor goes from {self.rate_factor(old_num_steps):.3g} to "
                f"{self.rate_factor(num_steps):.3g}"
            )

    def write_config(self) -> None:
        """Write the resolved configuration for people and for later commands."""
        if self.accelerator.is_main_process:
            write_whole(self.folder / "config.json", json.dumps(self.config, indent=1).encode())

    def save(self) -> None:
        """Write a checkpoint and the exported model, once per step; refuses to keep weights that are not finite."""
        if self.saved_step == self.state.step:
            return
        self.state.check_finite()
        if self.takes_part:
            tensors, state = self.state.tensors(), self.state.description()
        if self.accelerator.is_main_process:
            finite = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
            save_checkpoint(
                self.checkpoints,
                step=self.state.step,
                tensors=tensors,
                metadata={"config": self.config, "state": state, "metrics": finite},
                keep=self.settings.keep_checkpoints,
            )
        self.export()
        self.accelerator.wait_for_everyone()
        self.saved_step = self.state.step

    def export(self) -> None:
        """Write the model with averaged weights."""
        if self.takes_part:
            with self.own(self.folder / "model") as folder, self.state.average.swapped_in(), torch.no_grad():
                self.task.export(folder)

    @property
    def takes_part(self) -> bool:
        """Whether this process does what one does for all: all do where each has but a share of the weights."""
        return self.accelerator.is_main_process or self.state.sharded

    @contextmanager
    def own(self, path: Path) -> Iterator[Path]:
        """Yield the path for the first process, for others one whose content is dropped."""
        if self.accelerator.is_main_process:
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / path.name

    def until_done(self, logger: Logger | None, *, stop: StopSignal, progress: bool) -> TrainingResult:
        """Run the remaining steps; returns early, with a checkpoint, where a signal asks for it."""
        settings, state = self.settings, self.state
        started, step_of_last_log, time_of_last_log = time.perf_counter(), state.step, time.perf_counter()
        log = self.open_log(logger)
        shown = progress and self.accelerator.is_main_process
        bar = ProgressBar(self.console, num_steps=settings.num_steps, first_step=state.step, enabled=shown)
        with bar:
            while state.step < settings.num_steps:
                try:
                    self.one_step()
                except Exception as error:
                    if stop.name is None or isinstance(error, UserError):
                        raise
                    break  # a signal to all processes of a job ends the compiler, too, that torch waits for
                bar.advance(state.step)
                is_last, stopped = state.step == settings.num_steps, self.is_stopped(stop)
                if is_last or state.step % settings.log_every == 0:
                    now = time.perf_counter()
                    speed = (state.step - step_of_last_log) / (now - time_of_last_log)
                    step_of_last_log, time_of_last_log = state.step, now
                    self.log_means(log, steps_per_second=speed)
                    bar.show(state.step, loss=self.metrics["loss"], steps_per_second=speed)
                if settings.validate_every and (is_last or state.step % settings.validate_every == 0):
                    self.validate(log)
                if is_last or stopped or state.step % settings.checkpoint_every == 0:
                    self.save()
                if stopped and not is_last:
                    break
        finished = state.step == settings.num_steps
        if not finished:
            kept = "all saved" if self.saved_step == state.step else f"saved is step {self.saved_step}"
            self.say(
                f"stopped by {stop.name or 'a signal'} after step {state.step} of {settings.num_steps}, {kept}; "
                f"go on with resume={self.folder}"
            )
        seconds, status = time.perf_counter() - started, 0 if finished else stop.exit_status
        return TrainingResult(self.folder, state.step, finished, dict(self.metrics), seconds, exit_status=status)

    def open_log(self, logger: Logger | None) -> GuardedLogger:
        """Return what the main process logs to; other processes log nowhere."""
        loggers: list[Logger] = []
        if self.accelerator.is_main_process:
            loggers.append(MetricsFile(self.folder / "metrics.jsonl", first_step=self.state.step))
            if logger is not None:
                loggers.append(logger)
        return GuardedLogger(loggers, say=self.say)

    def one_step(self) -> None:
        """Do one optimizer step."""
        settings, state, accelerator = self.settings, self.state, self.accelerator
        generator, process = np.random.default_rng([settings.seed, state.step]), accelerator.process_index
        how = {"process": process, "num_processes": accelerator.num_processes}
        batch = sample_own(self.dataset, settings.batch_size, generator, **how)
        for index in range(settings.accumulation):
            part = part_of_batch(batch, index=index, num_parts=settings.accumulation, device=accelerator.device)
            self.seed_noise(process * settings.accumulation + index)
            with self.state.explaining():
                with accelerator.autocast():
                    loss, metrics = self.task.training_step(part, generator=self.noise)
                accelerator.backward(loss / settings.accumulation)
            state.means.add({"loss": loss, **metrics})
        state.update(rate_factor=self.rate_factor(settings.num_steps), gradient_clip=settings.gradient_clip)

    def seed_noise(self, part: int) -> None:
        """Seed the task's generator, and torch's own for dropout, by step and part."""
        place = [self.settings.seed, self.state.step, part]
        seed = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])
        self.noise.manual_seed(seed)
        # Not torch.manual_seed: without a GPU it remembers a stack trace at every call, for ever.
        torch.default_generator.manual_seed(seed)
        if self.accelerator.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def rate_factor(self, num_steps: int) -> float:
        """Return what the learning rates are multiplied by at this step of a run of ``num_steps``."""
        settings = self.settings
        return learning_rate_multiplier(
            min(self.state.step, num_steps),
            num_steps=num_steps,
            warmup_steps=settings.warmup_steps,
            decay=settings.decay,
            decay_start=settings.decay_start,
        )

    def log_means(self, log: GuardedLogger, *, steps_per_second: float) -> None:
        """Log the means since the last line."""
        self.state.check_finite()
        means = self.state.means.means()
        self.state.means.clear()
        self.metrics |= means | {"learning_rate": self.state.learning_rate, "steps_per_second": steps_per_second}
        log(self.state.step, {name: self.metrics[name] for name in (*means, "learning_rate", "steps_per_second")})

    def validate(self, log: GuardedLogger) -> None:
        """Log what the task measures of its averaged weights."""
        if self.takes_part:
            with self.state.average.swapped_in(), torch.no_grad():
                found = self.task.validate(self.task.modules, seed=self.settings.seed)
            named = {f"validation/{name}": float(value) for name, value in found.items()}
            self.metrics |= named
            log(self.state.step, named)
            if isinstance(self.task, DrawsPictures):
                self.draw(self.task)
        self.accelerator.wait_for_everyone()

    def draw(self, task: DrawsPictures) -> None:
        """Write the picture of this step; like a logger, one that fails is spoken of and stops nothing."""
        path = self.folder / "pictures" / f"step-{self.state.step:08d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            with self.own(path) as own, self.state.average.swapped_in(), torch.no_grad():
                task.draw(self.task.modules, own, seed=self.settings.seed)
        except Exception as error:  # whatever a drawing raises: hours of training must not hang on it
            self.say(f"warning: no picture of step {self.state.step}: {error!r}")

    def is_stopped(self, stop: StopSignal) -> bool:
        """Return whether any process has been asked to stop."""
        if self.accelerator.num_processes == 1:
            return stop.name is not None
        asked = torch.tensor(float(stop.name is not None), device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, reduction="sum") > 0)  # type: ignore[operator]
