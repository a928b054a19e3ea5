"""The program ``probe``, also as ``python -m prober``.

To import the command line takes a while. A signal in that time ends the program as it does later.
"""

import contextlib
import os
import signal
from typing import Final

_ENDINGS: Final = {
    signal.SIGINT: (130, b"probe: interrupted\n"),
    signal.SIGTERM: (143, b"probe: terminated\n"),
}
_STDERR: Final = 2


def _end(number: int, _frame: object) -> None:
    """End at once: nothing has been begun, or all is done."""
    status, line = _ENDINGS[signal.Signals(number)]
    with contextlib.suppress(OSError):
        os.write(_STDERR, line)
    os._exit(status)


def main() -> None:
    """Run the command line. A signal that is ignored, as by nohup, stays ignored."""
    for number in _ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from prober.cli import main as run

    run()


if __name__ == "__main__":
    main()
