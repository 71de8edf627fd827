"""The lines of a report on a terminal while it happens: what repeats itself is folded into one, renewed in place.

A message is shown when it says something new in other than figures, as in the log of a station or a vehicle; so a
charge loop is one line, and an error in it stands out. What modems are asked again and again is folded likewise.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from hlc.capture.doctor import Verdict
from hlc.capture.lines import DIM, Lines
from hlc.capture.matching import Matching
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.totals import Totals
from hlc.trace import homeplug
from hlc.trace.describe import clean, describe, document, leaves, news
from hlc.trace.events import Message, Mme, Side
from hlc.trace.screen import Screen

REMEMBERED: Final = 512
"""Messages whose last content is remembered."""


class FoldedLines(Lines):
    """As `Lines`, on a screen."""

    def __init__(self, screen: Screen, *, colour: bool, width: int = 80, unicode: bool = True) -> None:
        super().__init__(screen.line, colour=colour, summary=False, width=width, unicode=unicode, wrapped=True)
        self._screen = screen
        self._said: OrderedDict[Any, Any] = OrderedDict()
        """What the last message of each kind said, figures aside."""
        self._folded = 0
        self._last: dict[Side, str] = {}

    def event(self, seen: Seen) -> None:
        event = seen.event
        if isinstance(event, Message) and seen.session is not None:
            if self._again((seen.session.number, event.name), news(leaves(document(event.message)[1]))):
                self._renew(seen, event)
                return
        elif (
            isinstance(event, Mme)
            and seen.matching is None
            and event.message is not None
            and self._again((event.name, event.source, event.destination), homeplug.describe(event))
        ):
            return
        self._unfold()
        super().event(seen)

    def matched(self, run: Matching, verdict: Verdict) -> None:
        self._unfold()
        super().matched(run, verdict)

    def finished(self, session: Session, verdict: Verdict) -> None:
        self._unfold()
        super().finished(session, verdict)

    def totals(self, totals: Totals, damage: list[str]) -> None:
        self._unfold()
        super().totals(totals, damage)

    def _again(self, key: Any, said: Any) -> bool:
        """Whether a message says what the last of its kind has said."""
        same = self._said.get(key) == said
        self._said[key] = said
        self._said.move_to_end(key)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        self._folded += same
        return bool(same)

    def _renew(self, seen: Seen, event: Message) -> None:
        self._last[event.side] = describe(event)
        what = event.name.removesuffix("Req").removesuffix("Res")
        figures = "  |  ".join(self._last[side] for side in Side if self._last.get(side))
        self._screen.status(clean(f"{seen.frame:7} {self._at(event.at)}  {what} ({self._folded} more)  {figures}"))

    def _unfold(self) -> None:
        """Something else is said: what was folded stays as its count."""
        self._screen.clear()
        if self._folded:
            more = "message that says" if self._folded == 1 else "messages that say"
            self._say(f"{'':21}({self._folded} more {more} nothing new but figures)", DIM)
        self._folded = 0
        self._last.clear()
