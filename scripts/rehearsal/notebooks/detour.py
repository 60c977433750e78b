"""A way to the embedded AWS for programs whose requests to STS ignore AWS_ENDPOINT_URL.

The SageMaker Python SDK gives its STS clients an endpoint of its own making,
https://sts.REGION.amazonaws.com, which no setting changes. A program that gets environment() in its
environment sends what is not for loopback to this proxy (HTTPS_PROXY is honoured by botocore and
requests). The proxy answers for STS, under a certificate of a certificate authority that this
process alone has, and hands the connection to the embedded AWS, where the request is decided as every
other one. Every other host is refused: nothing leaves this machine.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
ANSWERED = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com")
HANDSHAKE_SECONDS = 10
LIFE = timedelta(days=1)

Adopt = Callable[[socket.socket, Any, str], None]  # a connection, the address that it comes from, and its host


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None
) -> x509.Certificate:
    """A certificate for a host, signed by the issuer; without an issuer, the authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFE)
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, critical=True)
    else:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return made.sign(issuer_key, hashes.SHA256())


class Detour:
    """with Detour(folder, adopt) as detour: …  adopt: what serves an accepted, decrypted connection.

    folder: gets the authority's certificate (ca.pem) and the certificates of the hosts answered for
    """

    def __init__(self, folder: Path, adopt: Adopt) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.adopt = adopt
        self.refused: list[str] = []  # hosts that were requested and refused
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = certificate("the rehearsal's certificate authority", self._key)
        self.bundle = folder / "ca.pem"
        self.bundle.write_bytes(self._authority.public_bytes(serialization.Encoding.PEM))
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def environment(self) -> dict[str, str]:
        """The variables that send a program's requests here."""
        return {
            "HTTPS_PROXY": f"http://{HOST}:{self._server.server_port}",
            "NO_PROXY": f"{HOST},localhost",
            "AWS_CA_BUNDLE": str(self.bundle),
            "REQUESTS_CA_BUNDLE": str(self.bundle),
        }

    def context(self, host: str) -> ssl.SSLContext:
        """The host's certificate, made when first asked for."""
        with self._lock:
            if host not in self._contexts:
                key = ec.generate_private_key(ec.SECP256R1())
                made = certificate(host, key, (self._authority.subject, self._key))
                file = self.folder / f"{host}.pem"
                file.touch(mode=0o600)
                file.write_bytes(
                    key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    )
                    + made.public_bytes(serialization.Encoding.PEM)
                )
                self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._contexts[host].load_cert_chain(file)
            return self._contexts[host]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        detour = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:  # the name is http.server's
                host = self.path.rpartition(":")[0]
                self.close_connection = True
                if not ANSWERED.fullmatch(host):
                    detour.refused.append(host)
                    self.send_error(403, f"The rehearsal lets nothing out, not to {host} either")
                    return
                self.send_response(200, "Connection established")
                self.end_headers()
                self.connection.settimeout(HANDSHAKE_SECONDS)
                with contextlib.suppress(OSError):  # the client has gone, or does not trust the certificate
                    secured = detour.context(host).wrap_socket(self.connection, server_side=True)
                    secured.settimeout(None)
                    detour.adopt(secured, self.client_address, host)

            def log_message(self, *args: Any) -> None:
                """requests.jsonl says more."""

        return Handler

    def __enter__(self) -> Detour:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
