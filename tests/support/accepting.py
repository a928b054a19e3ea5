"""Servers of the lab that take mail as well, and remember what came, and how."""

from dataclasses import dataclass, field
from typing import ClassVar

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality, Scripted


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that a server took."""

    recipient: str
    host: str
    encrypted: bool


@dataclass(slots=True)
class Mailbox:
    """What came to all servers that share it."""

    arrivals: list[Arrival] = field(default_factory=list)

    def arrival(self, recipient: str) -> Arrival | None:
        """The first message for *recipient*."""
        return next((each for each in self.arrivals if each.recipient == recipient), None)


@dataclass(frozen=True)
class Accepting(Personality):
    """A personality that goes on from where the lab's own stop: MAIL, RCPT and DATA."""

    listens: ClassVar[bool] = True
    inner: Scripted
    mailbox: Mailbox

    async def converse(self, peer: Peer) -> None:
        await self.inner.greet(peer)
        recipients: list[str] = []
        while True:
            line = await peer.line()
            match line.upper().split(maxsplit=1)[:1]:
                case ["MAIL"]:
                    recipients.clear()
                    await self.inner.say(peer, 250, "2.1.0 Ok")
                case ["RCPT"]:
                    recipients.append(line.partition("<")[2].partition(">")[0])
                    await self.inner.say(peer, 250, "2.1.5 Ok")
                case ["DATA"]:
                    await self._take(peer, recipients)
                case ["RSET"]:
                    await self.inner.say(peer, 250, "2.0.0 Ok")
                case _:
                    await self.inner.obey(peer, line)

    async def _take(self, peer: Peer, recipients: list[str]) -> None:
        await self.inner.say(peer, 354, "End data with <CR><LF>.<CR><LF>")
        while await peer.line() != ".":
            pass
        for recipient in recipients:
            self.mailbox.arrivals.append(Arrival(recipient, peer.name, peer.secure))
        await self.inner.say(peer, 250, "2.0.0 Ok: taken")
