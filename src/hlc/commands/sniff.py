"""`hlc sniff`: a session decoded while it happens, on a named interface."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Final, cast

from hlc.capture import forms
from hlc.capture.copying import FrameWriter
from hlc.capture.decoder import Decoder
from hlc.capture.live import Live, SteadyClock
from hlc.capture.secrets import GrowingLog
from hlc.capture.seen import Seen
from hlc.commands.output import STDOUT, say
from hlc.runtime.errors import SetupError, WrongUsage
from hlc.runtime.interfaces import known
from hlc.runtime.join import Joiner
from hlc.runtime.matching import opened
from hlc.runtime.signals import interrupts
from hlc.security.keylog import Secrets
from hlc.trace.events import Mme
from hlc.trace.jsonl import lost_lines
from hlc.trace.output import BackgroundWriter, too_slow
from hlc.trace.screen import Screen
from slac.link import BATCH, Link, LinkDownError, LinkError, Tap

EXAMPLES: Final = """\
examples:
  sudo hlc sniff eth1                           every message as it is said, and how each matching and session ended
  sudo hlc sniff eth1 --summary                 only how they ended
  sudo hlc sniff eth1 --write session.pcapng    and keep the frames, for hlc decode and Wireshark
  sudo hlc sniff eth1 --keylog keys.log         what is said over TLS, too: hlc secc --keylog keys.log writes them
  sudo hlc sniff eth1 --json | jq -r .name      an object per line and message
  sudo hlc sniff lo                             what hlc secc and hlc evcc say to each other on this machine
  sudo hlc sniff eth2 --join                    behind a modem of its own beside the two: overhear the key, and join

HomePlug and IPv6 are heard, tagged or not, whoever sends them. Ctrl-C ends: what is open is judged, the file closed.
It needs CAP_NET_RAW: run it as root, or give that to the Python that runs this. The exit code is 0 when frames were
heard until it was ended, 1 when none were, or when the interface was taken away.

--join needs a modem that nobody else uses and that hands its host what stations say to others: the key stands in
CM_SLAC_MATCH.CNF, which goes to the vehicle alone. An AR7420 set up for a vehicle does so. It takes seconds to join,
and then shows what goes to everybody, as discovery does; TCP between the two it was not seen to show, for this another
firmware is needed. docs/listening.md has what is known, and how to try it without modems."""

LOOK_S: Final = 0.25
"""How often the clock, the interface and the file are looked at."""
WRITE_S: Final = 1.0
"""What is heard is in the file after so long."""
WORK_S: Final = 0.02
"""So long is decoded before frames are taken again."""
BATCHES: Final = 32
"""So many batches of frames are taken at a stretch, where they come faster than they are decoded."""
MANY: Final = 1000
"""Frames that take a while to decode."""
PATIENCE_S: Final = 5.0
"""For a slow reader, at the end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hlc sniff`."""
    parser.epilog = EXAMPLES
    parser.add_argument("interface", metavar="INTERFACE", help="where to listen: eth1, or lo for this machine itself")
    parser.add_argument(
        "--join", action="store_true", help="let the modem on this interface join each network whose key is heard"
    )
    forms.add_arguments(parser, "the frames as pcapng, with the secrets of TLS as they become known")


def run(options: Any) -> int:
    """Listen until Ctrl-C; the exit code."""
    if wrong := forms.conflict(options):
        raise WrongUsage(wrong)
    known(options.interface)
    with ExitStack() as closing:
        try:
            tap = closing.enter_context(Tap(options.interface))
        except LinkError as error:
            raise SetupError(str(error), 2 if isinstance(error.__cause__, PermissionError) else 1) from error
        link = closing.enter_context(opened(options.interface)) if options.join else None
        writer = None
        if options.write is not None:
            try:
                writer = FrameWriter(options.write)
            except OSError as error:
                raise SetupError(f"cannot write {options.write}: {error.strerror or error}", 2) from error
            closing.callback(lambda: writer.close(tap.dropped))
        results = BackgroundWriter(STDOUT, instead(options))
        closing.callback(results.close, PATIENCE_S)

        async def listen() -> int:
            return await Sniffer(options, tap, link, writer, results).run()

        return asyncio.run(listen())


def instead(options: Any) -> Callable[[int], str]:
    """What stands for lines that were lost, in the form of the output."""
    if options.json:
        return lost_lines
    if options.xml:
        return lambda count: f"<!-- {too_slow(count)} -->"
    if options.csv:
        return lambda count: f"# {too_slow(count)}"
    return too_slow


class Sniffer:
    """One interface, listened to until somebody ends it, or it is taken away."""

    def __init__(
        self, options: Any, tap: Tap, link: Link | None, writer: FrameWriter | None, results: BackgroundWriter
    ) -> None:
        """`link` leads to the modem that is to join; None: none is."""
        self._tap = tap
        self._writer = writer
        self._results = results
        self._screen = Screen(results, time.monotonic, whole=True)
        self._report = report = forms.report(options, self._screen.line, tap.name, self._remark, self._screen)
        self._secrets = Secrets()
        self._keylog = GrowingLog(options.keylog, self._secrets) if options.keylog is not None else None
        self._joiner = None if link is None else Joiner(link, self._remark)
        decoder = Decoder(self._event, report.finished, report.matched, self._secrets, report.plugged)
        self._live = Live(decoder, report, writer, None if self._joiner is None else self._joiner.mac)
        self._clock = SteadyClock()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Exception | None] = self._loop.create_future()
        """Why listening ended: somebody wants it, or what is wrong with the interface or the modem."""
        self._working = False
        self._forced = False
        self._down = False
        self._flush_at = 0.0
        self._told: set[str] = set()

    async def run(self) -> int:
        """Listen. The exit code."""
        try:
            return await self._run()
        except BaseException:
            self._report.abandon()
            raise

    async def _run(self) -> int:
        self._remark(f"listening on {self._tap.name}; Ctrl-C ends")
        self._look_at_secrets()
        self._loop.add_reader(self._tap, self._readable)
        tasks = [self._loop.create_task(self._look())]
        if self._joiner is not None:
            tasks.append(self._loop.create_task(self._joiner.run()))
        for task in tasks:
            task.add_done_callback(self._task_ended)
        with interrupts(self._end, self._force):
            fault = await self._ended
            self._loop.remove_reader(self._tap)
            for task in tasks:
                task.cancel()
            if fault is not None and not isinstance(fault, LinkError | SetupError):
                raise fault
            if fault is None:
                with suppress(LinkError):
                    self._take()
            if self._live.waiting > MANY:
                self._remark(f"{self._live.waiting} frames are still to be decoded; Ctrl-C again leaves them")
            while not self._forced:
                if not self._live.work(WORK_S):
                    break
                await asyncio.sleep(0)
            self._live.leave()
        losses = self._losses()
        self._live.close(losses)
        self._screen.clear()
        for text in losses:
            self._remark(text)
        self._look_at_secrets()
        self._write()
        return self._outcome(fault)

    def _outcome(self, fault: Exception | None) -> int:
        if self._writer is not None and self._writer.error is not None:
            return 1
        if self._report.complaint:
            self._remark(self._report.complaint)
            return 1
        if fault is not None:
            self._remark(str(fault))
            return 1
        if not self._live.heard:
            self._remark(f"no HomePlug and no IPv6 frame was heard on {self._tap.name}")
            return 1
        return 0

    # Frames

    def _readable(self) -> None:
        try:
            self._take()
        except LinkDownError as error:
            self._went_down(error)
        except LinkError as error:
            self._end(error)
        if not self._working:
            self._work()

    def _take(self) -> None:
        """Take the frames that wait."""
        leapt = self._clock.leapt
        for _ in range(BATCHES):
            frames = self._tap.read()
            self._live.take([(at - leapt, frame) for at, frame in frames] if leapt else frames)
            if len(frames) < BATCH:
                break

    def _event(self, seen: Seen) -> None:
        self._report.event(seen)
        if self._joiner is not None and isinstance(seen.event, Mme) and seen.event.message is not None:
            self._joiner.hears(seen.event.message)

    def _work(self) -> None:
        """Decode for a while; then whoever waits has his turn, frames first."""
        self._working = self._live.work(WORK_S)
        if self._working:
            self._loop.call_soon(self._work)

    # What happens besides

    async def _look(self) -> None:
        """Look now and then at everything that tells nothing by itself."""
        while True:
            await asyncio.sleep(LOOK_S)
            if leap := self._clock.look():
                self._remark(f"the clock of this machine was set by {leap:+.1f} s: times go on as if it had not been")
            if not self._working:
                self._live.quiet(self._clock.now())
            self._look_at_interface()
            self._look_at_secrets()
            self._look_at_file()
            if self._tap.dropped:
                self._remark_once("frames were lost: this machine does not take them in time")
            if self._live.skipped:
                self._remark_once("frames are not decoded: they come faster than this machine can decode them")
            if self._live.fault:
                self._remark_once(f"{self._live.fault}; listening goes on (--debug shows where it comes from)")
            if self._results.broken:  # whoever read has seen enough
                self._end()

    def _look_at_interface(self) -> None:
        fault = self._tap.fault()
        if isinstance(fault, LinkDownError):
            self._went_down(fault)
        elif fault is not None:
            self._end(fault)
        elif self._down:
            self._down = False
            self._remark(f"interface {self._tap.name} is up again")

    def _went_down(self, error: LinkDownError) -> None:
        if not self._down:
            self._down = True
            self._remark(f"{error}; waiting until it is up again")

    def _look_at_secrets(self) -> None:
        """Take what was added to the key log."""
        if self._keylog is None:
            return
        self._keylog.look()
        if self._keylog.trouble:
            self._remark_once(f"--keylog {self._keylog.path}: {self._keylog.trouble}; looked for again and again")

    def _look_at_file(self) -> None:
        if time.monotonic() >= self._flush_at:
            self._flush_at = time.monotonic() + WRITE_S - LOOK_S
            self._write()

    def _write(self) -> None:
        writer = self._writer
        if writer is not None:
            writer.flush(self._secrets.fresh())
            if writer.error is not None:
                self._remark_once(f"{writer.path} is not complete: {writer.error.strerror or writer.error}")

    def _losses(self) -> list[str]:
        """What the reports, or the file, do not have."""
        losses = []
        if dropped := self._tap.dropped:
            losses.append(f"{dropped} frames were lost: this machine did not take them in time")
        if skipped := self._live.skipped:
            losses.append(f"{skipped} frames were not decoded: they came faster than this machine could decode them")
        return losses

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """What is done besides ends by an error only, and everything with it."""
        if not task.cancelled():
            self._end(cast(Exception, task.exception()))

    def _end(self, fault: Exception | None = None) -> None:
        if not self._ended.done():
            self._ended.set_result(fault)

    def _force(self) -> None:
        self._forced = True

    def _remark_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._remark(text)

    def _remark(self, text: str) -> None:
        """A line of log; among the lines of the view where both are on one terminal."""
        if self._screen.live and sys.stderr.isatty():
            self._screen.line(f"hlc sniff: {text}")
        else:
            say("sniff", text)
