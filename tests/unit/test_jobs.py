"""Jobs of the app: who waits for which, when they end, and what is kept."""

import threading

import pytest

import planner as wp
from planner.ui.jobs import PATIENCE_SECONDS, Jobs

SOON = 20.0


class Clock:
    """Time that passes when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(clock):
    return Jobs(threads=2, kept=2, clock=clock)


class Gate:
    """Work that goes on step by step, and counts how often it was begun."""

    def __init__(self, result="made"):
        self.begun = 0
        self.inside, self.go = threading.Event(), threading.Semaphore(0)
        self.result = result

    def __call__(self, report):
        self.begun += 1
        for step in range(100):
            report(step / 100, f"step {step}")
            self.inside.set()
            assert self.go.acquire(timeout=SOON)
        return self.result

    def finish(self):
        for _ in range(100):
            self.go.release()


def test_all_who_ask_the_same_wait_for_one_job(jobs):
    work = Gate()
    ann, bob = jobs.ask(("plan", 1), work, "ann"), jobs.ask(("plan", 1), work, "bob")
    work.finish()
    assert ann.wait(SOON)
    assert ann is bob
    assert work.begun == 1
    assert jobs.ask(("plan", 1), work, "cy").result == "made"
    assert work.begun == 1


def test_progress_can_be_seen_and_what_is_known_so_far(jobs):
    known = threading.Event()

    def work(report):
        report(0.5, "halfway")
        report.so_far("a part")
        report(2.0)
        known.set()
        return "all"

    job = jobs.ask(("explain", 1), work, "ann")
    assert job.wait(SOON)
    assert (job.share, job.doing) == (1.0, "halfway")
    assert (job.part, job.parts, job.result) == ("a part", 1, "all")


def test_stop_of_one_does_not_disturb_the_other(jobs):
    work = Gate()
    job = jobs.ask(("plan", 1), work, "ann")
    jobs.ask(("plan", 1), work, "bob")
    assert work.inside.wait(SOON)
    jobs.leave(job, "ann")
    work.finish()
    assert job.wait(SOON)
    assert job.result == "made"


def test_a_job_ends_when_the_last_has_left_and_begins_anew_when_asked_again(jobs):
    work = Gate()
    job = jobs.ask(("plan", 1), work, "ann")
    assert work.inside.wait(SOON)
    jobs.leave(job, "ann")
    work.go.release()
    assert job.wait(SOON)
    assert job.given_up
    assert job.result is None
    again = Gate("again")
    again.finish()
    second = jobs.ask(("plan", 1), again, "ann")
    assert second.wait(SOON)
    assert second.result == "again"


def test_a_page_that_was_closed_is_not_waited_for(jobs, clock):
    work = Gate()
    job = jobs.ask(("plan", 1), work, "ann")
    assert work.inside.wait(SOON)
    clock.now = 0.9 * PATIENCE_SECONDS
    jobs.touch(job, "ann")
    jobs.touch(job, "nobody who asked")
    clock.now = 1.8 * PATIENCE_SECONDS
    work.go.release()
    assert not job.wait(0.1)
    clock.now = 2.0 * PATIENCE_SECONDS
    work.go.release()
    assert job.wait(SOON)
    assert job.given_up


def test_errors_are_told_and_not_kept(jobs, caplog):
    def refused(report):
        raise wp.InputError("Too much.")

    def broken(report):
        raise ZeroDivisionError("secret of the program")

    wrong, failed = jobs.ask(("plan", 1), refused, "ann"), jobs.ask(("plan", 2), broken, "ann")
    assert wrong.wait(SOON)
    assert failed.wait(SOON)
    assert str(wrong.error) == "Too much."
    assert "secret" not in str(failed.error)
    assert "secret of the program" in caplog.text
    assert jobs.ask(("plan", 1), lambda report: "right", "bob").wait(SOON)


def test_other_work_goes_on_beside_a_long_job(jobs):
    slow = Gate()
    jobs.ask(("plan", 1), slow, "ann")
    assert slow.inside.wait(SOON)
    assert jobs.ask(("plan", 2), lambda report: 1, "bob").wait(SOON)
    slow.finish()


def test_results_are_kept_but_not_for_ever(jobs):
    made = []
    for n in (1, 2, 1, 3, 1, 2):
        assert jobs.ask(("plan", n), lambda report, n=n: made.append(n), "ann").wait(SOON)
    assert made == [1, 2, 3, 2]  # the least used is forgotten
    assert jobs.ask(("table", 1), lambda report: made.append("table"), "ann").wait(SOON)
    assert jobs.ask(("plan", 2), lambda report: made.append("again"), "ann").wait(SOON)
    assert made[-1] == "table"  # other kinds have room of their own


def test_results_of_other_facts_are_made_again(jobs):
    old, new = object(), object()
    assert jobs.ask(("plan", 1), lambda report: "old", "ann", old).wait(SOON)
    job = jobs.ask(("plan", 1), lambda report: "new", "ann", new)
    assert job.wait(SOON)
    assert job.result == "new"
    assert jobs.at_once(("glance", 1), lambda: "old", old) == "old"
    assert jobs.at_once(("glance", 1), lambda: "never", old) == "old"
    assert jobs.at_once(("glance", 1), lambda: "new", new) == "new"
