"""TLS without I/O: the octets of a TCP connection in, the octets to send and the plain text out.

    tls = ClientTls(...)                         or ServerTls(...)
    to_send = tls.start()
    to_send, plaintext = tls.receive(data)       until tls.established, and from then on
    to_send = tls.send(plaintext)
    to_send = tls.close()

What is offered and shown is in `suites`; the cryptography and the order of messages are OpenSSL's. The peer's
certificates are judged by `Judge`, not by OpenSSL's rules: those of V2G differ. Names of hosts play no part, a station
has none. There is no resumption and no renegotiation. A `TlsError` ends the connection; what is to be sent before that
is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from cryptography import x509
from OpenSSL import SSL

from hlc.security import alerts, handshake, identifiers, openssl, suites
from hlc.security.alerts import Alert
from hlc.security.certificate import read
from hlc.security.handshake import Certificates, HandshakeError, HandshakeType, HelloReader, Version
from hlc.security.layer import Received, TlsError
from hlc.security.pki import Credential
from hlc.security.suites import NothingInCommon, Profile

READ_SIZE: Final = 1 << 16
SHOWN_AS: Final = {"P-256": "secp256r1", "P-521": "secp521r1", "prime256v1": "secp256r1"}
"""OpenSSL's names of groups, as the standards write them."""

KeyLog = Callable[[str], None]
"""Takes a line in the format of NSS."""


class Verdict(NamedTuple):
    """On a peer's certificates: why they are refused, with the alert that says so; and what was noticed."""

    refusal: str = ""
    alert: Alert = Alert.BAD_CERTIFICATE
    notes: tuple[str, ...] = ()


class Judge(Protocol):
    """Who decides about a peer's certificates."""

    def chain(self, certificates: Certificates, version: int) -> Verdict:
        """On the chain, before the handshake goes on."""

    def revocation(self, certificates: Certificates, version: int) -> Verdict:
        """On the OCSP responses that came with it, or did not. Vehicles ask."""


class _Tls:
    """What both ends have in common."""

    peer: ClassVar[str]
    """Who is at the other end, in sentences."""

    def __init__(self, judge: Judge | None, keylog: KeyLog | None) -> None:
        self.established = False
        self.ended = False
        """The peer has said that it sends no more."""
        self.version: Version | None = None
        self.cipher = ""
        self.group = ""
        self.name = ""
        """EVCCID in the certificate that this end has shown; empty: it has shown none, or that has none."""
        self.certificates = Certificates((), ())
        """The peer's, as it sent them: its own first."""
        self.notes: list[str] = []
        """What was tolerated or is worth knowing; whoever reads them takes them out."""
        self._judge = judge
        self._keylog = keylog
        self._connection: SSL.Connection | None = None
        self._held: list[openssl.Held] = []
        self._refusal = ""
        self._spoken: int = Version.TLS12
        """The version in which the peer's certificates came."""
        self._alert: int | None = None
        """The one that the peer sent."""

    @property
    def peer_certificate(self) -> bytes:
        """The peer's own certificate, DER; empty where it showed none."""
        return self.certificates.chain[0] if self.certificates.chain else b""

    def start(self) -> bytes:
        """What is to be sent first."""
        return b""

    def receive(self, data: bytes) -> Received:
        """Octets from the peer. Raises `TlsError`."""
        assert self._connection is not None
        if data:
            self._connection.bio_write(data)
        return self._step()

    def send(self, plaintext: bytes) -> bytes:
        """Plain text for the peer, once the connection is established. Raises `TlsError`."""
        assert self._connection is not None
        try:
            self._connection.sendall(plaintext)
        except SSL.Error as error:
            raise self._failed(error) from error
        return self._to_send()

    def close(self) -> bytes:
        """End this side of the connection."""
        if self._connection is None:
            return b""
        try:
            self._connection.shutdown()
        except SSL.Error:  # in the midst of a handshake, or after an error
            return b""
        return self._to_send()

    def release(self) -> None:
        """The connection is gone, and nothing more is asked: give the memory back at once.

        OpenSSL holds what it calls, and that holds OpenSSL: the collector of Python sees no tenth of a MiB behind it.
        """
        self._connection = None

    def _step(self) -> Received:
        connection = self._connection
        assert connection is not None
        plaintext = b""
        try:
            if not self.established:
                connection.do_handshake()
                self._establish(connection)
            while not self.ended:
                plaintext += connection.recv(READ_SIZE)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            raise self._failed(error) from error
        return Received(self._to_send(), plaintext)

    def _establish(self, connection: SSL.Connection) -> None:
        self.established = True
        self.version = Version(connection.get_protocol_version())
        self.cipher = connection.get_cipher_name() or ""
        group = connection.get_group_name() or ""
        self.group = SHOWN_AS.get(group, group)

    def _to_send(self) -> bytes:
        assert self._connection is not None
        out = b""
        while True:
            try:
                out += self._connection.bio_read(READ_SIZE)
            except SSL.WantReadError:
                return out

    def _failed(self, error: SSL.Error) -> TlsError:
        stage = "TLS" if self.established else "the TLS handshake"
        if self._refusal:
            text = f"{self.peer} is not accepted: {self._refusal}"
        elif self._alert is not None:
            meaning = alerts.MEANINGS.get(Alert(self._alert)) if self._alert in set(Alert) else None
            text = f"{self.peer} ended {stage} with the alert {alerts.name(self._alert)}"
            text += f": {meaning}" if meaning else ""
        else:
            reasons = [entry[-1] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
            reason = reasons[0] if reasons else "the stream broke off"
            text = f"{stage} with {self.peer} failed: {alerts.REASONS.get(reason, reason)}"
        return TlsError(text, self._to_send())

    # Contexts

    def _context(self, profiles: Sequence[Profile]) -> SSL.Context:
        """A context for one connection: what OpenSSL calls is called for this one alone."""
        context = SSL.Context(SSL.TLS_METHOD)
        versions = [profile.version for profile in profiles]
        context.set_min_proto_version(min(versions))
        context.set_max_proto_version(max(versions))
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        for profile in profiles:
            named = ":".join(profile.suites.values()).encode()
            if profile.version is Version.TLS13:
                context.set_tls13_ciphersuites(named)
            else:
                context.set_cipher_list(named)
        openssl.set_groups(context, list(dict.fromkeys(group for profile in profiles for group in profile.groups)))
        schemes = dict.fromkeys(scheme for profile in profiles for scheme in profile.schemes)
        openssl.set_signature_algorithms(context, [str(scheme) for scheme in schemes])
        self._held.append(openssl.watch(context, self._look))
        if self._keylog is not None:
            keylog = self._keylog
            context.set_keylog_callback(lambda connection, line: keylog(line.decode("ascii", "replace")))
        return context

    def _look(self, ours: bool, version: int, kind: int, message: bytes) -> None:
        """At a handshake message or an alert. What was judged in the handshake stays as it is."""
        if ours or not message:
            return
        if kind == openssl.ALERT and message[0] == openssl.FATAL:
            self._alert = message[-1]
        elif kind == handshake.HANDSHAKE and not self.established:
            try:
                self._handshake_message(message[0], message[4:], version)
            except HandshakeError:
                return  # OpenSSL sees the same, and refuses it

    def _handshake_message(self, kind: int, body: bytes, version: int) -> None:
        if kind == HandshakeType.CERTIFICATE:
            self._spoken = version
            self.certificates = handshake.certificate(body, version)

    def _judged(self) -> Alert | None:
        assert self._judge is not None
        return self._heed(self._judge.chain(self.certificates, self._spoken))

    def _heed(self, verdict: Verdict) -> Alert | None:
        self.notes += verdict.notes
        self._refusal = verdict.refusal
        return verdict.alert if verdict.refusal else None


class ServerTls(_Tls):
    """The station's end. It is decided by the ClientHello which version is spoken and which certificate is shown.

    `credentials` are those of the station, `roots` the roots that they and the vehicles' certificates are under;
    `judge` decides about the latter, and without it there is no TLS 1.3. `versions` are those that the station speaks.
    """

    peer = "the vehicle"

    def __init__(
        self,
        credentials: Sequence[Credential],
        roots: Sequence[x509.Certificate],
        judge: Judge | None,
        keylog: KeyLog | None = None,
        versions: Collection[Version] = tuple(Version),
    ) -> None:
        super().__init__(judge, keylog)
        self._versions = versions
        self.credential: Credential | None = None
        """The one that is shown."""
        self._credentials = credentials
        self._roots = roots
        self._reader = HelloReader()

    def receive(self, data: bytes) -> Received:
        """Octets from the vehicle. Raises `TlsError`."""
        if self._connection is not None:
            return super().receive(data)
        try:
            hello = self._reader.feed(data)
        except HandshakeError as error:
            raise TlsError(f"{self.peer} does not begin with TLS: {error}", _plain(Alert.DECODE_ERROR)) from error
        if hello is None:
            return Received()
        try:
            mutual = self._judge is not None
            choice = suites.choose(hello, self._credentials, self._roots, self._versions, mutual=mutual)
        except NothingInCommon as error:
            shared = {*hello.versions}.intersection(self._versions)
            alert = Alert.HANDSHAKE_FAILURE if shared else Alert.PROTOCOL_VERSION
            raise TlsError(f"nothing in common with {self.peer}: {error}", _plain(alert)) from error
        if choice.note:
            self.notes.append(choice.note)
        self._connection = self._prepared(choice.profile, choice.credential)
        received = super().receive(self._reader.data)
        self._reader = HelloReader()
        return received

    def _prepared(self, profile: Profile, credential: Credential) -> SSL.Connection:
        self.credential = credential
        context = self._context([profile])
        context.use_certificate(credential.chain[0])
        context.use_privatekey(credential.key)
        for certificate in credential.chain[1:]:
            context.add_extra_chain_cert(certificate)
        # OpenSSL staples one response, that of the leaf, in either version.
        response = next(iter(credential.ocsp), None)
        context.set_ocsp_server_callback(lambda connection, data: response or b"")
        if profile.version is Version.TLS13:  # [V2G20-2400] always; a vehicle with TLS 1.2 is never asked
            for root in self._roots:
                context.add_client_ca(root)
            self._held.append(openssl.verify(context, self._judged))
        else:
            self._held.append(openssl.answer_trusted_ca_keys(context))
        connection = SSL.Connection(context, None)
        connection.set_accept_state()
        return connection


class ClientTls(_Tls):
    """The vehicle's end. `versions` are offered; TLS 1.3 with `credentials`, those of the vehicle. `roots` are those
    that the station may be under; `judge` decides about its certificates.
    """

    peer = "the station"

    def __init__(
        self,
        versions: Sequence[Version],
        credentials: Sequence[Credential],
        roots: Sequence[x509.Certificate],
        judge: Judge,
        keylog: KeyLog | None = None,
    ) -> None:
        super().__init__(judge, keylog)
        self._credentials = credentials
        self._accepted = handshake.Accepted((), ())
        of = {Version.TLS13: suites.tls13(credentials), Version.TLS12: suites.TLS12}
        profiles = [of[version] for version in sorted(versions, reverse=True)]
        if suites.TLS13_P256 in profiles:
            self.notes.append("TLS 1.3 is offered with secp256r1, which ISO 15118-20 does not know")
        context = self._context(profiles)
        self._held.append(openssl.verify(context, self._judged))
        self._held.append(openssl.on_request(context, self._show))
        context.set_ocsp_client_callback(self._stapled)
        if Version.TLS12 in versions and roots:  # [V2G2-651]
            content = handshake.trusted_ca_keys(tuple(suites.identifiers(root)[0] for root in roots))
            self._held.append(openssl.send_trusted_ca_keys(context, content))
        self._connection = SSL.Connection(context, None)
        self._connection.set_connect_state()
        self._connection.request_ocsp()

    def start(self) -> bytes:
        """The ClientHello."""
        return self._step().to_send

    def _handshake_message(self, kind: int, body: bytes, version: int) -> None:
        super()._handshake_message(kind, body, version)
        if kind == HandshakeType.CERTIFICATE_REQUEST and version >= Version.TLS13:
            self._accepted = handshake.certificate_request(body)
        elif kind == HandshakeType.CERTIFICATE_STATUS:
            self.certificates = self.certificates._replace(ocsp=(handshake.certificate_status(body),))

    def _show(self) -> None:
        """The station asks for a certificate. With TLS 1.2 it gets none: ISO 15118-2 knows no such thing."""
        assert self._connection is not None
        credential = suites.answer(self._accepted, self._credentials)
        if credential is not None:
            openssl.show(self._connection, credential.chain, credential.key)
            self.name = identifiers.evccid(read(credential.chain[0]).common_name or "") or ""
        elif self._credentials and self._accepted.signature_algorithms:
            self.notes.append("the station accepts no signature algorithm of the vehicle's certificates: none is shown")

    def _stapled(self, connection: SSL.Connection, response: bytes, data: Any) -> bool:
        assert self._judge is not None
        return self._heed(self._judge.revocation(self.certificates, self._spoken)) is None


def check(profiles: Sequence[Profile]) -> None:
    """Raises `TlsError` where the OpenSSL that is installed cannot do them."""
    try:
        _Tls(None, None)._context(profiles)
    except (ValueError, SSL.Error) as error:
        raise TlsError(f"the library of TLS cannot do what V2G wants: {error}") from error


def _plain(alert: Alert) -> bytes:
    """A fatal alert before there is a connection to send it on."""
    return bytes([openssl.ALERT, 3, 3, 0, 2, openssl.FATAL, alert])
