"""Access tokens for one Box user: asked for once by many threads, ahead of expiry, and never shown to anybody.

It implements the SDK's Authentication; requests go through the SDK's own AuthorizationManager. Nothing here retries
what is transient (the caller's call does); a refused assertion is signed anew, with another jti and Box's clock.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import jwt
from box_sdk_gen.box.errors import BoxAPIError
from box_sdk_gen.managers.authorization import AuthorizationManager
from box_sdk_gen.networking.auth import Authentication
from box_sdk_gen.networking.network import NetworkSession
from box_sdk_gen.schemas.access_token import AccessToken
from box_sdk_gen.schemas.post_o_auth_2_token import (
    PostOAuth2TokenBoxSubjectTypeField,
    PostOAuth2TokenGrantTypeField,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.box.client.errors import read_refusal, to_connector_error
from connectors.box.client.refusal import printable
from connectors.box.client.tokens import Token, TokenFile
from connectors.box.config import AuthConfig, CCGAuthConfig, JWTAuthConfig
from connectors.errors import (
    AuthenticationFailed,
    BoxUnreachable,
    ConnectorError,
    FatalError,
    PermissionMissing,
)

#: Constant, whatever host is spoken to.
AUDIENCE = "https://api.box.com/oauth2/token"
#: Box takes at most 60 s; half of it leaves room for the way there.
ASSERTION_SECONDS = 30
#: Assertions per token: the first, one with Box's clock, one more with another jti, one to spare.
MAX_ASSERTIONS = 4


class LoginRefused(AuthenticationFailed):
    """Box refused the login; `said` is its answer, `advice` what a person does about it."""

    said = ""
    advice = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """The key pair's private half; loaded when it is first needed (it costs tens of milliseconds)."""

    key_id: str
    pem: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def load(self) -> RSAPrivateKey:
        """Return the key. AuthenticationFailed when it is no RSA key or the passphrase does not fit."""
        pem = self.pem if "\n" in self.pem else self.pem.replace("\\n", "\n")
        problem: str | None = None
        for password in (self.passphrase.encode(errors="replace"), None) if self.passphrase else (None,):
            try:
                key = load_pem_private_key(pem.encode(), password)
            except TypeError:  # a passphrase for a key that has none, or none for one that has
                problem = problem or "its passphrase is missing or not needed"
                continue
            except ValueError:
                problem = "it is damaged, or its passphrase is wrong"
                break
            if isinstance(key, RSAPrivateKey):
                return key
            problem = "it is not an RSA key"
        raise AuthenticationFailed(
            f"The private key {self.key_id} of the JWT configuration cannot be used: {problem}. "
            "Generate a new key pair in Box's developer console and download its configuration file."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Who signs in, and how."""

    client_id: str
    client_secret: str = field(repr=False)
    #: enterprise (the service account) or user.
    subject_type: str
    subject_id: str
    #: None: client credentials.
    key: SigningKey | None = None

    def for_user(self, user_id: str) -> Credentials:
        """The same app acting as one of its app users, or as a managed user where it may."""
        return replace(self, subject_type="user", subject_id=user_id)


def load_credentials(config: AuthConfig, base_dir: Path | None = None) -> Credentials:
    """Read the credentials. AuthenticationFailed says which file or key is wrong, never what is in it."""
    if isinstance(config, CCGAuthConfig):
        return Credentials(
            client_id=config.client_id,
            client_secret=config.client_secret.get_secret_value(),
            subject_type="user" if config.user_id else "enterprise",
            subject_id=config.user_id or config.enterprise_id or "",
        )
    if isinstance(config, JWTAuthConfig):
        return _parse_jwt_config(*_jwt_text(config, base_dir))
    raise AuthenticationFailed(f"The credential block {config.name!r} was not loaded before Box was opened.")


class BoxAuthentication(Authentication):
    """Tokens of one Box user. Safe for many threads; one of them asks, the others wait or go on with the old one."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        token_file: TokenFile | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK leaves it unannotated
        self.credentials = credentials
        #: Box's clock minus ours, as far as a refused assertion made it known.
        self.clock_skew_seconds = 0.0
        self._token_file = token_file
        self._wall_clock = wall_clock
        self._network_session: NetworkSession | None = None
        self._token: Token | None = token_file.load() if token_file else None
        self._asking = threading.Lock()
        #: Requests for a token that failed, and how the last one did.
        self._failures = 0
        self._failure: ConnectorError = AuthenticationFailed()
        self._key: RSAPrivateKey | None = None
        self._used = threading.local()

    def bind(self, network_session: NetworkSession) -> None:
        """The session that token requests go through."""
        self._network_session = network_session

    def current(self) -> Token:
        """Return a token that is good for a while; ask Box when there is none or it grows old."""
        token, now = self._token, self._wall_clock()
        if token and now < token.refresh_at:
            return token
        # While one thread asks ahead of expiry, the others go on with what they have.
        if token and now < token.expires_at:
            if not self._asking.acquire(blocking=False):
                return token
        else:
            failures = self._failures
            self._asking.acquire()
            if self._failures != failures and self._token is token:
                self._asking.release()
                # Whoever asked while this one waited got no token: asking in turn would only make them all wait.
                raise self._failure.with_traceback(None)
        try:
            if self._token is None or self._token is token:
                self._token = self._request()
            return self._token
        except ConnectorError as exc:
            self._failures, self._failure = self._failures + 1, exc
            raise
        finally:
            self._asking.release()

    def reject(self) -> None:
        """Forget the token that this thread used last, which Box refused, unless somebody replaced it already."""
        used = getattr(self._used, "token", None)
        with self._asking:
            if used is None or self._token is used:
                self._token = None

    # --- what the SDK calls ---

    def retrieve_token(self, *, network_session: NetworkSession | None = None) -> AccessToken:
        return AccessToken(access_token=self.current().value)

    def refresh_token(self, *, network_session: NetworkSession | None = None) -> AccessToken:
        self.reject()
        return AccessToken(access_token=self.current().value)

    def retrieve_authorization_header(self, *, network_session: NetworkSession | None = None) -> str:
        token = self.current()
        self._used.token = token
        return f"Bearer {token.value}"

    def revoke_token(self, *, network_session: NetworkSession | None = None) -> None:
        raise PermissionMissing("tokens are not revoked here; they end by themselves within the hour")

    def downscope_token(
        self,
        scopes: list[str],
        *,
        resource: str | None = None,
        shared_link: str | None = None,
        network_session: NetworkSession | None = None,
    ) -> AccessToken:
        raise PermissionMissing("tokens are not narrowed here; every call needs the full one")

    # --- private ---

    def _request(self) -> Token:
        """One new token, with a fresh assertion per attempt. Holds the lock."""
        for attempt in range(1, MAX_ASSERTIONS + 1):
            began = self._wall_clock()
            answer = self._ask()
            if isinstance(answer, AccessToken):
                return self._keep(answer, began)
            if isinstance(answer, ConnectorError):
                raise answer
            if attempt == MAX_ASSERTIONS or not self._learned_from(answer):
                raise answer.error(self.credentials, self.clock_skew_seconds)
        raise AssertionError("the loop returns or raises")

    def _ask(self) -> AccessToken | _OAuthRefusal | ConnectorError:
        """Send one token request. What fails is returned, not raised: an SDK exception of this call holds the
        client secret and the assertion, and must not even be the context of ours."""
        fields = self._fields()
        manager = AuthorizationManager(network_session=self._network_session)
        try:
            token = manager.request_access_token(
                client_id=self.credentials.client_id, client_secret=self.credentials.client_secret, **fields
            )
        except BoxAPIError as exc:
            if exc.response_info.status_code in (400, 401, 403):
                return _OAuthRefusal.read(exc)
            if exc.response_info.status_code in (404, 405, 410):
                return BoxUnreachable("base_url is not the address of Box's API: it knows no /oauth2/token.")
            return to_connector_error(exc, "POST /oauth2/token")
        except Exception as exc:  # noqa: BLE001  (whatever it is: it becomes one of ours)
            return to_connector_error(exc, "POST /oauth2/token")
        return token

    def _fields(self) -> dict[str, Any]:
        who = self.credentials
        if who.key is None:
            return {
                "grant_type": PostOAuth2TokenGrantTypeField.CLIENT_CREDENTIALS,
                "box_subject_type": PostOAuth2TokenBoxSubjectTypeField(who.subject_type),
                "box_subject_id": who.subject_id,
            }
        return {
            "grant_type": PostOAuth2TokenGrantTypeField.URN_IETF_PARAMS_OAUTH_GRANT_TYPE_JWT_BEARER,
            "assertion": self._assertion(who.key),
        }

    def _assertion(self, key: SigningKey) -> str:
        self._key = self._key or key.load()
        who = self.credentials
        claims = {
            "iss": who.client_id,
            "sub": who.subject_id,
            "box_sub_type": who.subject_type,
            "aud": AUDIENCE,
            "jti": uuid.uuid4().hex,
            "exp": int(self._wall_clock() + self.clock_skew_seconds) + ASSERTION_SECONDS,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": key.key_id})

    def _keep(self, answer: AccessToken, began: float) -> Token:
        if not answer.access_token:
            raise AuthenticationFailed(
                "Box's answer to the login holds no access token; is a proxy in the way?"
            )
        token = Token.issued(answer.access_token, at=began, expires_in=float(answer.expires_in or 3600))
        if self._token_file:
            self._token_file.save(token)
        return token

    def _learned_from(self, refusal: _OAuthRefusal) -> bool:
        """True when another assertion has a chance: Box's clock is known now, or the jti was taken for a repeat."""
        if self.credentials.key is None or not refusal.about_time_or_jti:
            return False
        if refusal.date is None:
            return "jti" in refusal.description
        skew = refusal.date.timestamp() - self._wall_clock()
        moved = abs(skew - self.clock_skew_seconds) > 2
        if moved:
            self.clock_skew_seconds = skew
        return moved or "jti" in refusal.description


@dataclass(frozen=True, kw_only=True, slots=True)
class _OAuthRefusal:
    """Box's answer to a token request; not of the shape of its other errors."""

    code: str
    description: str
    date: datetime | None

    @classmethod
    def read(cls, error: BoxAPIError) -> _OAuthRefusal:
        refusal = read_refusal(error)
        date = {name.lower(): value for name, value in error.response_info.headers.items()}.get("date")
        return cls(
            code=refusal.code or str(refusal.status), description=refusal.message, date=_http_date(date)
        )

    @property
    def about_time_or_jti(self) -> bool:
        return self.code == "invalid_grant" and any(
            f"'{claim}'" in self.description for claim in ("exp", "nbf", "iat", "jti")
        )

    def error(self, who: Credentials, skew: float) -> FatalError:
        said = f"Box said: {self.code}" + (f", {printable(self.description)}" if self.description else "")
        error = LoginRefused(f"{_advice(self, who, skew)} ({said})")
        error.said, error.advice = said, _advice(self, who, skew)
        return error


def _advice(refusal: _OAuthRefusal, who: Credentials, skew: float) -> str:
    """Say what a person has to do about a refused login."""
    said = refusal.description
    if refusal.code == "unauthorized_client":
        return (
            "The app is not authorised in this enterprise. An admin of the enterprise opens Admin Console > "
            "Integrations > Platform Apps Manager, finds or adds the app with the client id "
            f"{who.client_id} under Server Authentication Apps, and authorises it; "
            "after a change of its scopes or access level it has to be re-authorised there."
        )
    if refusal.code == "invalid_client":
        return f"Client id {who.client_id} and its client secret do not fit; copy both anew from the developer console."
    if refusal.about_time_or_jti:
        return (
            f"Box refused the time of the login; this machine's clock is off by {skew:.0f} s. Set it by NTP."
        )
    if "'sub'" in said:
        return (
            f"Box does not let the app act as {who.subject_type} {who.subject_id}: check this id, that the user is "
            "active, and the app's access level; then re-authorise the app."
        )
    if "kid" in said or "signature" in said.lower() or "public key" in said.lower():
        key_id = who.key.key_id if who.key else "?"
        return (
            f"The key {key_id} of the JWT configuration is not a key of this app any more (rotated or deleted?); "
            "download a new configuration file from the developer console."
        )
    return (
        f"Check client id {who.client_id}, its secret and the {who.subject_type} id {who.subject_id}; the app must be "
        "authorised in the Admin Console (Platform Apps Manager), and to act as a user it needs "
        '"Generate user access tokens".'
    )


def _jwt_text(config: JWTAuthConfig, base_dir: Path | None) -> tuple[str, str]:
    """The configuration's text and what to call it in a message."""
    if config.config is not None:
        return config.config.get_secret_value(), "the JWT configuration text"
    path = (base_dir or Path()) / cast("Path", config.config_file)
    try:
        return path.read_text(encoding="utf-8-sig"), str(path)
    except (OSError, UnicodeDecodeError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "not a text file"
    raise AuthenticationFailed(f"The JWT configuration {path} cannot be read: {problem}.")


def _parse_jwt_config(text: str, called: str) -> Credentials:
    try:
        data = json.loads(text)
        app = data["boxAppSettings"]
        key = app["appAuth"]
        enterprise, user = data.get("enterpriseID"), data.get("userID")
        subject = ("enterprise", enterprise) if enterprise not in (None, "", "0", 0) else ("user", user)
        return Credentials(
            client_id=str(app["clientID"]),
            client_secret=str(app["clientSecret"]),
            subject_type=subject[0],
            subject_id=str(subject[1] or ""),
            key=SigningKey(
                key_id=str(key["publicKeyID"]),
                pem=str(key["privateKey"]),
                passphrase=str(key["passphrase"]) if key.get("passphrase") else None,
            ),
        )
    except KeyError as exc:
        problem = f"it lacks {exc}"
    except (ValueError, TypeError, AttributeError, RecursionError):
        problem = "it is not the JSON file of the developer console"
    raise AuthenticationFailed(
        f"{called} cannot be used: {problem}. Download it anew (App settings > Configuration)."
    )


def _http_date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return date if date is None or date.tzinfo else date.replace(tzinfo=UTC)
