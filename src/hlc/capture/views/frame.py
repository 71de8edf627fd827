"""`--frame N`: what one frame carries, whole: as a tree, as JSON or XML, or bit by bit."""

from __future__ import annotations

from typing import Any, Final

from hlc import sap
from hlc.capture.exchanges import state
from hlc.capture.report import JsonLines, Print, Report, XmlLines
from hlc.capture.seen import Seen, Tls, Unread
from hlc.capture.single import Wanted, show_bits, show_tree
from hlc.trace import homeplug
from hlc.trace.describe import clean
from hlc.trace.events import Message, Mme, Note

PATIENCE: Final = 1000
"""Frames that are read beyond: a message may be known only when what was lost before it is given up."""


class FrameReport(Report):
    """Prints what the frame `number` carries. A message of several frames is in the one that completes it."""

    def __init__(self, number: int, wanted: Wanted, out: Print) -> None:
        super().__init__(out)
        self.last_frame = number + PATIENCE
        self._number = number
        self._wanted = wanted
        self._found = False
        self._seen = 0
        self._before = 0
        """The last frame with a message before this one."""
        self._after = 0
        """The first one behind it."""
        self._lines: Report | None = None
        if not wanted.bits and wanted.form != "tree":
            self._lines = JsonLines(out) if wanted.form == "json" else XmlLines(out)

    def event(self, seen: Seen) -> None:
        event = seen.event
        if not isinstance(event, Message | Mme | Unread | Tls):
            if seen.frame == self._number and isinstance(event, Note) and self._found and self._lines is None:
                self.out(clean(f"  note: {event.text}"))
            return
        if seen.frame < self._number:
            self._before = seen.frame
        elif seen.frame > self._number:
            self._after = self._after or seen.frame
        else:
            self._show(seen)
            self._found = True

    def totals(self, *_: Any) -> None:
        if self._found:
            return
        near = [f"the one before is in frame {self._before}"] if self._before else []
        near += [f"the next one is in frame {self._after}"] if self._after else []
        about = f": {', '.join(near)}" if near else ""
        self.complaint = f"frame {self._number} carries no message, or does not complete one{about}"

    def _show(self, seen: Seen) -> None:
        if self._lines is not None:
            self._lines.event(seen)
            return
        event, session = seen.event, seen.session
        if self._found and not self._wanted.bits:
            self.out("")
        if self._wanted.bits:
            self._bits(seen)
            return
        parts = [f"frame {seen.frame}", f"{event.at - (self.zero or 0.0):.3f} s"]
        if isinstance(event, Message | Unread | Tls):
            parts.append(event.side.value)
        if session is not None:
            parts.append(f"session {session.number}")
        if session is not None and isinstance(event, Message) and (code := state(session, event)) is not None:
            parts.append(f"state {int(code)} {code.label}")
        self.out(", ".join(parts))
        if isinstance(event, Message):
            show_tree(event.schema, event.name, event.message, self.out)
        elif isinstance(event, Mme):
            for line in homeplug.tree(event):
                self.out(line)
        elif isinstance(event, Unread):
            self.out(clean(event.text))
            self.out(event.payload.hex().upper())
        else:
            assert isinstance(event, Tls)
            self.out(clean(f"TLS {event.name}: {event.text}"))

    def _bits(self, seen: Seen) -> None:
        event = seen.event
        if isinstance(event, Message) and seen.payload is not None:
            show_bits(event.schema, seen.payload, self._wanted, self.out)
        elif isinstance(event, Unread) and (schema := self._schema(seen)) is not None:
            show_bits(schema, event.payload, self._wanted, self.out)
        else:
            self.complaint = f"what frame {seen.frame} carries is no EXI: --bits has nothing to show"

    @staticmethod
    def _schema(seen: Seen) -> str | None:
        """By which schema a payload was to be read that could not be."""
        event, name = seen.event, seen.session.protocol if seen.session is not None else None
        known = sap.PROTOCOLS.get(name or "")
        return known.schemas.get(event.payload_type) if known is not None and isinstance(event, Unread) else None
