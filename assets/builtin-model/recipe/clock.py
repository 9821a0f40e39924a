"""What time the stages count, and how they say where they are.

A stage in the background of other work gets a fraction of a core, so that its budget is processor time. On a GPU
the processor waits, and what counts is the time on the wall.
"""
import time

import torch


def minutes():
    """Minutes so far: processor time per thread, or wall time where there is a GPU."""
    if torch.cuda.is_available():
        return time.monotonic() / 60
    return time.process_time() / 60 / torch.get_num_threads()


def never():
    """The stop condition of a stage that runs to the end of its minutes."""
    return False


class Budget:
    """The minutes of a stage: `total` over all calls, of which `spent` are gone and this call takes `stretch` at most."""

    def __init__(self, total, spent=0.0, stretch=None, stop=never):
        self.total, self.before, self.begun, self.stop = total, spent, minutes(), stop
        self.last = total if stretch is None else min(total, spent + stretch)

    def spent(self):
        """Minutes over all calls."""
        return self.before + minutes() - self.begun

    def share(self):
        """Of the total, from 0 to 1."""
        return min(1.0, self.spent() / self.total)

    def left(self):
        """Whether this call goes on."""
        return self.spent() < self.last and not self.stop()


def say(*words):
    """Prints a line with the time of day."""
    print(time.strftime("%d %H:%M:%S"), *words, flush=True)
