"""``probe`` as if 60 s without a greeting were 1 s, which no option asks for.

However busy the machine is, the server gets the blame for a silence.
"""

from dataclasses import replace
from unittest.mock import patch

from prober.cli import main
from prober.cli.options import LookOptions
from prober.clock import Heartbeat
from prober.settings import Settings

_settings = LookOptions.settings


def _impatient(options: LookOptions) -> Settings:
    return replace(_settings(options), greeting_s=1.0)


if __name__ == "__main__":
    with (
        patch.object(LookOptions, "settings", _impatient),
        patch.object(Heartbeat, "excuses", lambda _self, _since: None),
    ):
        main()
