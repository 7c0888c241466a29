"""Signals that ask a stage to end, taken as a request where work can be saved first."""

import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)  # preemption, a time limit, Ctrl-C


class Stop:
    """Within its `with` block a signal does not end the process: `asked` holds the last one's name.

    What the signals did before is restored at the end of the block.
    """

    def __init__(self):
        self.asked: str | None = None

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *raised) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
