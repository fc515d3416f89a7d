"""Names of Prefect's, each imported when it is used: what runs with a server and without uses them in a flow run alone.

Importing Prefect takes longer than everything else that a short command does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any


class _Context:
    """A context of Prefect's. Where nobody has imported Prefect there is none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get(self) -> Any:
        """Return the context that this code runs in, or None."""
        module = sys.modules.get("prefect.context")
        return None if module is None else getattr(module, self._name).get()


class Step:
    """A function that is a task of Prefect's where it is called or submitted as one, and the plain function as `fn`."""

    def __init__(self, fn: Callable[..., Any], task_run_name: str) -> None:
        self.fn = fn
        self._task_run_name = task_run_name

    @cached_property
    def _task(self) -> Any:
        from prefect import task as prefect_task
        from prefect.cache_policies import NO_CACHE

        made = prefect_task(task_run_name=self._task_run_name, cache_policy=NO_CACHE, persist_result=False)
        return made(self.fn)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._task(*args, **options)

    def submit(self, *args: Any) -> Any:
        """Begin a task run, and return its future."""
        return self._task.submit(*args)


def task(task_run_name: str) -> Callable[[Callable[..., Any]], Step]:
    """Make a function a Step whose runs have this name. Nothing of it is cached or kept: the checkpoint knows."""
    return lambda fn: Step(fn, task_run_name)


def _function(module: str, name: str) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        return getattr(import_module(module), name)(*args, **options)

    return call


FlowRunContext, TaskRunContext = _Context("FlowRunContext"), _Context("TaskRunContext")

get_run_logger = _function("prefect", "get_run_logger")
create_table_artifact = _function("prefect.artifacts", "create_table_artifact")
emit_event = _function("prefect.events", "emit_event")
Cancelled = _function("prefect.states", "Cancelled")
Completed = _function("prefect.states", "Completed")
Failed = _function("prefect.states", "Failed")
