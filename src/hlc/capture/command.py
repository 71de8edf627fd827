"""`hlc decode`: a capture, or one payload, decoded to standard output.

Exit code 0 when everything was decoded or belongs to what is not built yet (which is said), 1 when the input is damaged
or no message, 2 for wrong usage. Messages about the input go to standard error.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

from hlc.capture import forms, one, reading, single
from hlc.capture.files import Capture, Captured, CaptureError
from hlc.capture.progress import Progress, size
from hlc.capture.secrets import take_file
from hlc.security.keylog import Secrets
from hlc.trace.describe import clean

if TYPE_CHECKING:
    from hlc.capture.copying import Copy

EPILOG: Final = """examples:
  hlc decode session.pcapng                     every message, and how each matching and session ended
  hlc decode session.pcapng --summary           what is in it, and how each matching and session ended
  hlc decode session.pcapng --doctor            why it failed or was poor, ranked, with evidence and advice
  hlc decode session.pcapng --timeline          both state machines against time
  hlc decode session.pcapng --timing            response times against performance times and timeouts
  hlc decode session.pcapng --plot out.png      voltage, current, power, state of charge, response times
  hlc decode session.pcapng --frame 123         the message of one frame as a tree; --bits, --xml, --json
  hlc decode session.pcapng --json | jq .name   one object per line and message
  hlc decode 809a0211... --schema din70121      one payload, with or without its V2GTP header
  hlc decode 809a0211...                        the same, read by the schema that fits best
  hlc decode 809a0211... --bits                 which bits each event code and value came from
  hlc decode payload.bin --xml                  a file of EXI, V2GTP or hexadecimal
  hlc decode 80f2... --schema xmldsig --fragment    an element as it is signed
  hlc decode ffffffffffff00b052...88e1...       a HomePlug message, as an Ethernet frame
  tcpdump -i eth1 -w - | hlc decode -           a capture from standard input
  hlc decode session.pcapng --keylog keys.log   what was said over TLS, too
  hlc decode session.pcap --keylog keys.log --write open.pcapng    a copy that everybody can decrypt
  hlc decode session.pcapng --write shown.pcapng --redact          a copy that does not tell whose it is
  hlc decode captures/                          all captures in there, on all cores: a table of their sessions
  hlc decode captures/ --parquet out/           and every message of them in files for analysis
"""
BEGINNING: Final = 64
"""Octets by which a capture, a message and hexadecimal text are told apart."""
FRAMES_BETWEEN: Final = 256
"""Frames after which the progress bar looks at the clock."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `hlc decode`."""
    parser.epilog = EPILOG
    parser.usage = "hlc decode [OPTION ...] FILE|DIRECTORY|HEX|- ..."
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = "captures (pcap, pcapng) or directories of them; a payload as hexadecimal or file; - for standard input"
    parser.add_argument("input", nargs="+", metavar="INPUT", help=what)
    forms.add_arguments(parser, "a copy as pcapng that holds the secrets of its TLS connections", recorded=True)

    several = parser.add_argument_group("of several captures (--summary, --timing, --parquet)")
    several.add_argument("--dask", metavar="ADDRESS", help="decode them on a Dask cluster that reaches the same files")

    payload = parser.add_argument_group("of a payload (--bits: also of a --frame)")
    payload.add_argument("--schema", metavar="NAME", help="read it by this schema only; without it all are tried")
    payload.add_argument("--bits", action="store_true", help="every event code and value with its bits")
    payload.add_argument("--fragment", action="store_true", help="it is an EXI fragment, as it is signed")


def decode(args: argparse.Namespace) -> int:
    """Run `hlc decode`. Returns the exit code; nothing is raised for what the input may hold."""
    try:
        code = _decode(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read has had enough (`| head`): end silently, also when the interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _decode(args: argparse.Namespace) -> int:
    name = " ".join(args.input)
    if wrong := forms.conflict(args):
        return _complain(wrong, 2)
    if args.redact and args.write is None:
        return _complain("--redact is about the copy: say --write FILE.pcapng", 2)
    if args.schema is not None and not reading.built(args.schema):
        return _complain(reading.unknown(args.schema), 2)
    if name == "-":
        return _stream(sys.stdin.buffer, "standard input", args)
    if not os.path.exists(name) and any(map(os.path.exists, args.input)):
        missing = [other for other in args.input if not os.path.exists(other)]
        return _complain(f"{missing[0]}: no such file", 2) if missing else _many(args)
    if not os.path.exists(name):
        if single.looks_like_hex(name):
            return _hexadecimal(name, args)
        return _complain(f"{name}: no such file, and no hexadecimal", 2)
    if os.path.isdir(name):
        return _many(args)
    if args.dask is not None:
        return _complain("--dask is for a directory of captures, or several of them", 2)
    try:
        stream = open(name, "rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        return _complain(f"{name}: {error.strerror or error}", 2)
    with stream:
        return _stream(stream, name, args)


def _many(args: argparse.Namespace) -> int:
    """Several captures, or a directory of them."""
    from hlc.capture import many

    if wrong := many.conflict(args):
        return _complain(wrong, 2)
    return many.decode(args, args.input, _remark)


def _complain(text: str, code: int) -> int:
    print(clean(f"hlc decode: {text}"), file=sys.stderr)
    return code


def _payload(data: bytes, args: argparse.Namespace) -> int:
    """One payload."""
    if asked := forms.view(args):
        return _complain(f"--{asked} is for captures; this is one payload", 2)
    for option, given in (("--keylog", args.keylog), ("--write", args.write)):
        if given is not None:
            return _complain(f"{option} is for captures; this is one payload", 2)
    form: Any = "json" if args.json else "xml" if args.xml else "tree"
    return single.decode(data, single.Wanted(args.schema, form, args.bits, args.fragment), print, _remark)


def _hexadecimal(text: str, args: argparse.Namespace, source: str = "") -> int:
    """A payload in hexadecimal; `source` begins the complaint about it."""
    try:
        data = single.octets(text)
    except single.HexError as error:
        return _complain(f"{source}{error}", 2)
    return _payload(data, args)


def _remark(line: str) -> None:
    _complain(line, 0)


def _stream(stream: Any, name: str, args: argparse.Namespace) -> int:
    """A capture, or a payload as octets or hexadecimal text, from a file or a pipe."""
    head = b""
    read = getattr(stream, "read1", stream.read)  # of a pipe, what there is
    while len(head) < BEGINNING and (chunk := read(1 << 16)):
        head += chunk
    raw = head.startswith(single.MARKS) or single.is_homeplug(head)
    text = head.decode("ascii", "replace")
    if raw or (head and "\ufffd" not in text and single.looks_like_hex(text)):
        while chunk := stream.read(1 << 16):
            head += chunk
            if len(head) > 1 << 20:
                return _complain(f"{name}: longer than any message", 2)
        if raw:
            return _payload(head, args)
        return _hexadecimal(head.decode("ascii", "replace"), args, f"{name} is no capture, and ")
    out = forms.Output()
    try:
        capture, secrets = one.opened(one.Rest(head, read, out.flush), name)
    except CaptureError as error:
        return _complain(str(error), 1 if not head else 2)
    if args.schema is not None:
        return _complain("--schema is for one payload; in a capture the handshake decides", 2)
    if args.fragment:
        return _complain("--fragment is for one payload; this is a capture", 2)
    if args.bits and not args.frame:
        return _complain("--bits is for one payload; this is a capture: --frame N says which message of it", 2)
    if args.keylog is not None:
        try:
            if remark := take_file(args.keylog, secrets):
                _remark(remark)
        except OSError as error:
            return _complain(f"--keylog {args.keylog}: {error.strerror or error}", 2)
    return _capture(capture, stream, out, args, secrets)


def _capture(capture: Capture, stream: Any, out: forms.Output, args: argparse.Namespace, secrets: Secrets) -> int:
    copy: Copy | None = None
    if args.write is not None:
        if _is_same(stream, args.write) or (args.keylog is not None and _is_same(args.keylog, args.write)):
            return _complain(f"--write {args.write} is what is read: name another file", 2)
        try:
            copy = _copy(capture, args, secrets)
        except OSError as error:
            return _complain(f"--write {args.write}: {error.strerror or error}", 2)
    progress = Progress(size(stream), beside=forms.shows(args))

    def each(captured: Captured) -> None:
        if copy is not None:
            copy.frame(captured, capture.stamp)
        if captured.number % FRAMES_BETWEEN == 0:
            progress.show(capture.offset)

    with closing(copy) if copy is not None else nullcontext():
        try:
            report = forms.report(args, out, capture.name, _remark)
            totals = one.read(capture, secrets, report, each, copy.watch if copy is not None else None)
        except OSError as error:
            if error.filename is None:  # the reader of our output has gone
                raise
            return _complain(f"{error.filename}: {error.strerror or error}", 1)
        finally:
            progress.clear()
    out.flush()
    for line in capture.damage:
        _complain(f"{capture.name} is damaged: {line}", 1)
    for line in copy.story() if copy is not None else ():
        _remark(f"{args.write}: {line}")
    if copy is not None and copy.error is not None:
        return _complain(f"{args.write} is not complete: {copy.error.strerror or copy.error}", 1)
    if report.complaint:
        return _complain(report.complaint, 1)
    if args.frame:  # it was shown: what is beside it is of no matter
        return 0
    # What a peer sent that cannot be read is a finding of the doctor like others: the diagnosis was made.
    return 1 if capture.damage or (totals.damaged and not args.doctor) else 0


def _copy(capture: Capture, args: argparse.Namespace, secrets: Secrets) -> Copy:
    """The copy that is asked for. Raises `OSError`."""
    from hlc.capture.copying import Copy, FrameWriter

    writer = FrameWriter(args.write)
    if not args.redact:
        return Copy(writer, secrets)
    from hlc.capture.redact.pseudonyms import Pseudonyms
    from hlc.capture.redact.redactor import Redactor, learn

    names = Pseudonyms(os.urandom(32))
    if os.path.isfile(capture.name):
        with suppress(OSError), open(capture.name, "rb") as again:
            learn(again, names)
    return Redactor(names, writer, secrets)


def _is_same(one: Any, other: str) -> bool:
    """Whether a stream, or a file by its name, is the file of another name."""
    try:
        about = os.stat(one) if isinstance(one, str) else os.fstat(one.fileno())
        return stat.S_ISREG(about.st_mode) and os.path.samestat(about, os.stat(other))
    except (OSError, ValueError):
        return False
