"""Divides the budget of ``--deep`` among the partitions of a scan. Pure."""

from collections.abc import Mapping

from prober.rules.deep_plan import MAX_CONNECTIONS


class DeepShares:
    """Gives each partition a share of *budget* when it starts, and takes back what it did not use.

    *endpoints* is the number of endpoints per partition, and *most* the number of connections that
    one endpoint may need. The shares in use never exceed what is left of the budget.
    """

    def __init__(self, budget: int, endpoints: Mapping[int, int], most: int) -> None:
        self._left = budget
        self._most = most
        self._waiting = dict(endpoints)
        self._out: dict[int, int] = {}

    def take(self, partition: int) -> int:
        """The share of *partition*, by its endpoints among those of all waiting partitions.

        It is enough for one endpoint, if so much is left: a smaller share would ask nothing.
        """
        waiting = sum(self._waiting.values())
        own = self._waiting.pop(partition, 0)
        fair = -(-self._left * own // waiting) if own else 0
        share = min(self._left, own * self._most, max(fair, MAX_CONNECTIONS))
        self._left -= share
        self._out[partition] = share
        return share

    def settle(self, partition: int, spent: int) -> None:
        """Partition *partition* has ended, and made *spent* connections."""
        self._left += max(0, self._out.pop(partition, 0) - spent)
