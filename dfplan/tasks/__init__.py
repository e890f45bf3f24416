"""What ``dfplan train`` can train: one module a task, found by its name, with defaults in ``configs/task/<name>.yaml``.

A task's module ``<name>.py`` (dashes of the name as underscores) holds

- ``Settings``: a dataclass of its options, declared with :func:`~dfplan.options.option`. Its plain fields are said as
  ``task.<option>=...``; a field that is itself a dataclass, declared with :func:`~dfplan.options.group`, is a group of
  options ``<group>.<option>=...`` beside it (:mod:`dfplan.tasks.groups` has those that tasks share);
- ``build(settings, inputs)``: returns the :class:`~dfplan.training.task.Task` and its
  :class:`~dfplan.training.task.Dataset`.

Its heavy imports stand inside ``build``, so that ``--help`` stays quick.
"""
