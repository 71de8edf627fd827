"""Who decodes many captures: processes of this machine, or a Dask cluster that runs already.

Either takes jobs and gives futures. `in_order` keeps a bounded number of them going and hands the results on in the
order of the jobs, whichever is done first.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any, Final, Protocol

from hlc.capture.each import Job, Result, run
from hlc.capture.views.extras import load

AHEAD: Final = 8
"""Jobs for each worker that are begun, or done, before their turn has come."""
LOOK_S: Final = 0.2
"""How often is looked whether there is something to tell."""
PATIENCE_S: Final = 10.0
"""How long a cluster may take to answer."""


class ClusterError(Exception):
    """There is no cluster where one was said to be. One line for a person."""

    exit_code = 1


class Future(Protocol):
    """The result of a job, later."""

    def result(self) -> Result: ...
    def done(self) -> bool: ...
    def add_done_callback(self, callback: Callable[[Any], object], /) -> None: ...


class Workers(Protocol):
    """Who does the jobs."""

    count: int

    def submit(self, job: Job) -> Future: ...
    def rescue(self, job: Job, error: Exception) -> Result:
        """The result of a job that came to nothing with `error`, through no fault of its own perhaps."""

    def close(self) -> None:
        """No more jobs. What still goes on is broken off."""


def in_order(workers: Workers, jobs: Iterable[Job], tick: Callable[[], None]) -> Iterator[Result]:
    """The results of all jobs in their order. `tick` is called now and then while there is none."""
    changed = threading.Event()
    waiting: deque[tuple[Job, Future]] = deque()
    rest = iter(jobs)
    more = True
    while True:
        while more and len(waiting) < AHEAD * workers.count:
            job = next(rest, None)
            if job is None:
                more = False
                break
            future = workers.submit(job)
            future.add_done_callback(lambda _: changed.set())
            waiting.append((job, future))
        if not waiting:
            return
        changed.clear()
        job, future = waiting[0]
        if not future.done():
            changed.wait(LOOK_S)
            tick()
            continue
        waiting.popleft()
        try:
            yield future.result()
        except Exception as error:  # not of the capture: that is in the result
            yield workers.rescue(job, error)


class Here:
    """This very process: for one capture, or one core."""

    count = 1

    class Done:
        """A result that is there already."""

        def __init__(self, result: Result) -> None:
            self._result = result

        def result(self) -> Result:
            return self._result

        def done(self) -> bool:
            return True

        def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
            callback(self)

    def submit(self, job: Job) -> Future:
        return self.Done(run(job))

    def rescue(self, job: Job, error: Exception) -> Result:
        raise error

    def close(self) -> None:
        """There is nobody else."""


class Processes:
    """Processes of this machine, `count` at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = self._made(count)
        self._going_on: set[Future] = set()

    def submit(self, job: Job) -> Future:
        try:
            future = self._pool.submit(_work, job)
        except BrokenExecutor:  # one has died: all of them are gone
            self._pool.shutdown(wait=False)
            self._pool = self._made(self.count)
            future = self._pool.submit(_work, job)
        self._going_on.add(future)
        future.add_done_callback(self._going_on.discard)
        return future

    def rescue(self, job: Job, error: Exception) -> Result:
        """A process has died, with the jobs of all others: this one is done alone, in a process of its own."""
        with self._made(1) as pool:
            try:
                return pool.submit(_work, job).result()
            except BrokenExecutor:
                return Result(job.name, error="the process that read it died (is there enough memory?)")

    def close(self) -> None:
        if self._going_on:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
        self._pool.shutdown(wait=True)

    @staticmethod
    def _made(count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin)


_working = False
"""In a process for jobs: whether it has one."""


def _begin() -> None:
    """In a new process: Ctrl-C is for the one that began it, whose word ends it in order, with no file half written."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Nobody is there to end this process, or to take its results, when the one that began it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end(*_: Any) -> None:
    if not _working:
        os._exit(1)
    sys.exit(1)


def _work(job: Job) -> Result:
    global _working
    _working = True
    try:
        return run(job)
    finally:
        _working = False


class Dask:
    """The workers of a Dask cluster. They must have openhlc installed, and reach the files by the same paths."""

    def __init__(self, address: str) -> None:
        """Raises `MissingError`, or `ClusterError` where there is no cluster."""
        distributed = load("distributed", "--dask")
        try:
            self._client = distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ClusterError(f"no Dask cluster at {address}: {_line(error)}") from None
        self.count = max(1, sum(self._client.nthreads().values()))

    def submit(self, job: Job) -> Future:
        future: Future = self._client.submit(run, job, pure=False)
        return future

    def rescue(self, job: Job, error: Exception) -> Result:
        return Result(job.name, error=f"the cluster could not read it: {_line(error)}")

    def close(self) -> None:
        self._client.close()


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def workers(jobs: int, address: str | None) -> Workers:
    """Those that are asked for, or as many processes as there are cores to run on."""
    if address is not None:
        return Dask(address)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Processes(min(cores, jobs)) if min(cores, jobs) > 1 else Here()
