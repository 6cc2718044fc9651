"""Long work in a few threads: one job for all who ask the same, given up when nobody asks any more."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import planner as wp

Name = tuple[Hashable, ...]

THREADS = 4
PATIENCE_SECONDS = 20.0
"""So long a job goes on after the last sign of life of those who asked for it: their page may have been closed."""
KEPT_OF_A_KIND = 8
"""How many results of one kind (the first word of their names) are kept; the least used goes first."""

_log = logging.getLogger(__name__)


class Progress:
    """What work tells of itself: called with the share done and what is being done; raises `Cancelled` to stop it."""

    def __init__(self, job: Job, still_wanted: Callable[[Job], bool]) -> None:
        self._job = job
        self._still_wanted = still_wanted

    def __call__(self, share: float, doing: str = "") -> None:
        """Tell how far the work is."""
        if not self._still_wanted(self._job):
            raise wp.Cancelled
        self._job.share, self._job.doing = min(max(share, 0.0), 1.0), doing or self._job.doing

    def so_far(self, part: Any) -> None:
        """Hand over what is known already."""
        self._job.part = part
        self._job.parts += 1


Work = Callable[[Progress], Any]


class Job:
    """One piece of work: how far it is, and what came of it."""

    def __init__(self, name: Name, facts: object) -> None:
        self.name = name
        self.facts = facts
        self.share = 0.0
        self.doing = "Waiting for its turn"
        self.part: Any = None
        self.parts = 0
        self.result: Any = None
        self.error: wp.PlannerError | None = None
        self.given_up = False
        self.watchers: dict[Hashable, float] = {}
        self._finished = Event()

    @property
    def running(self) -> bool:
        """Whether something may still come of it."""
        return not self._finished.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait a moment for the end; tells whether it has come."""
        return self._finished.wait(seconds)

    def finish(self) -> None:
        """Say that nothing more will come."""
        self._finished.set()


class Jobs:
    """All jobs of the app; every method may be called from any thread.

    A job's name is all that its result depends on besides the facts of the catalogue: whoever asks the same waits for
    the same job, and finds its result later.
    """

    def __init__(
        self, threads: int = THREADS, kept: int = KEPT_OF_A_KIND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs: OrderedDict[Name, Job] = OrderedDict()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="job")
        self._kept = kept
        self._clock = clock

    def ask(self, name: Name, work: Work, watcher: Hashable, facts: object = None) -> Job:
        """Return the job of this name, begun now or by somebody before; `watcher` waits for it from now on."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None or job.facts is not facts:
                job = self._jobs[name] = Job(name, facts)
                self._pool.submit(self._run, job, work)
            self._jobs.move_to_end(name)
            job.watchers[watcher] = self._clock()
        return job

    def touch(self, job: Job, watcher: Hashable) -> None:
        """Give a sign of life: whoever watched this job still does."""
        with self._lock:
            if watcher in job.watchers:
                job.watchers[watcher] = self._clock()

    def leave(self, job: Job, watcher: Hashable) -> None:
        """Wait no longer; the job goes on as long as somebody else does."""
        with self._lock:
            job.watchers.pop(watcher, None)

    def at_once(self, name: Name, work: Callable[[], Any], facts: object = None) -> Any:
        """Return the result of this name, found or made here and now: for work too short to wait for."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and job.facts is facts:
                self._jobs.move_to_end(name)
                return job.result
        made = Job(name, facts)
        made.result = work()  # outside the lock: nobody waits for another's work
        made.finish()
        with self._lock:
            self._jobs[name] = made
            self._forget(made)
        return made.result

    def _run(self, job: Job, work: Work) -> None:
        report = Progress(job, self._wanted)
        try:
            report(0.0, "Starting")
            job.result = work(report)
        except wp.Cancelled:
            job.given_up = True
        except wp.PlannerError as error:
            job.error = error
        except Exception:  # noqa: BLE001 - whatever it was, those who wait are told, and the terminal shows the rest
            if not self._closing():
                _log.exception("A job failed: %s", job.name[0])
            job.error = wp.PlannerError("Something went wrong here; the terminal shows what. Other answers may work.")
        with self._lock:
            if (job.given_up or job.error is not None) and self._jobs.get(job.name) is job:
                del self._jobs[job.name]  # those who watch hold it; others begin anew
            self._forget(job)
        job.finish()

    def _closing(self) -> bool:
        """Tell whether the program ends: then no pool takes work, and every job fails."""
        try:
            self._pool.submit(int)
        except RuntimeError:
            return True
        return False

    def _wanted(self, job: Job) -> bool:
        """Tell whether anybody waits; a job that nobody waits for is taken off the list, so that nobody joins it."""
        late = self._clock() - PATIENCE_SECONDS
        with self._lock:
            wanted = any(seen >= late for seen in job.watchers.values())
            if not wanted and self._jobs.get(job.name) is job:
                del self._jobs[job.name]
        return wanted

    def _forget(self, job: Job) -> None:
        same = [name for name, one in self._jobs.items() if name[0] == job.name[0] and (one is job or not one.running)]
        for name in same[: max(0, len(same) - self._kept)]:
            del self._jobs[name]
