"""A mail server on this machine that keeps what it gets (the least of RFC 5321)."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Mail:
    """One mail: who it came from, to whom it goes, and its text as it was sent."""

    sender: str
    recipients: list[str]
    text: str


@dataclass
class MailServer:
    """Mails that arrived, and logins that were tried."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Serve on a free port while the body lasts."""
    told = MailServer()

    class Session(socketserver.StreamRequestHandler):
        timeout = 60

        def handle(self) -> None:
            self.say("220 mail.example.com")
            sender, recipients = "", []
            while line := self.rfile.readline().decode().strip():
                word = line.upper()
                if word.startswith("EHLO"):
                    self.say("250-mail.example.com\r\n250 AUTH PLAIN")
                elif word.startswith("AUTH PLAIN"):
                    told.logins.append(base64.b64decode(line.split()[-1]).decode())
                    self.say("235 welcome")
                elif word.startswith("MAIL FROM"):
                    sender = line.partition("<")[2].partition(">")[0]
                    self.say("250 ok")
                elif word.startswith("RCPT TO"):
                    recipients.append(line.partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                elif word == "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                    told.mails.append(Mail(sender, recipients, text))
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, name="mail", daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
