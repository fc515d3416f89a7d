"""Tokens: `/oauth2/token` and `/oauth2/revoke`, and who a request is. Not what he may do.

Grants: JWT (RS256, RS384, RS512), client credentials, refresh token. Down-scoping is left out.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

import jwt

from connectors.box.sandbox.errors import (
    OAuthError,
    forbidden,
    insufficient_scope,
    invalid_as_user,
    unauthorized,
)
from connectors.box.sandbox.rules.keys import Application
from connectors.box.sandbox.store.records import User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import Request

AUDIENCE = "https://api.box.com/oauth2/token"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_EXP_SECONDS = 60
REFRESH_TTL = 60 * 24 * 3600
_INVALID = "Grant credentials are invalid"


class Rows(Protocol):
    """Where saved tokens are read from."""

    def rows(self, kind: str) -> Iterator[tuple[str, Any]]:
        """(id, JSON) of all records of a kind."""


@dataclass(slots=True)
class Token:
    """A bearer token; many of one user may be alive at once."""

    user: User
    expires: float


class Auth:
    """Issues, checks and revokes tokens."""

    def __init__(self, store: Store, application: Application) -> None:
        self.store = store
        self.application = application
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Token] = {}
        self._seen: dict[str, float] = {}

    # --- the token endpoint ---

    def token(self, request: Request) -> dict[str, Any]:
        """Answer one POST /oauth2/token; OAuthError for every refusal."""
        form = _form(request)
        self._check_client(form)
        grant = form.get("grant_type", "")
        if grant == JWT_GRANT:
            user = self._jwt_subject(form.get("assertion", ""))
        elif grant == "client_credentials":
            user = self._ccg_subject(form.get("box_subject_type", ""), form.get("box_subject_id", ""))
        elif grant == "refresh_token":
            return self._refresh(form.get("refresh_token", ""))
        else:
            raise OAuthError("unsupported_grant_type", "Only known grant types are supported")
        return self._answer(self.issue(user))

    def revoke(self, request: Request) -> None:
        """Forget the token of the form; unknown ones are no error."""
        form = _form(request)
        self._check_client(form)
        if "token" not in form:
            raise OAuthError("invalid_request", "The 'token' parameter is required")
        value = form["token"]
        if self.tokens.pop(value, None) is not None:
            self.store.drop(("token", value, None))
        if self.refresh_tokens.pop(value, None) is not None:
            self.store.drop(("refresh_token", value, None))

    def issue(self, user: User) -> str:
        """A new access token for the user."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = Token(user, self.now() + self.store.settings.token_ttl)
        self._note("token", token, self.tokens[token])
        return token

    def issue_refresh(self, user: User) -> str:
        """A refresh token, as a user who consented in the browser would have got it."""
        token = secrets.token_urlsafe(48)
        self.refresh_tokens[token] = Token(user, self.now() + REFRESH_TTL)
        self._note("refresh_token", token, self.refresh_tokens[token])
        return token

    def expire(self, token: str) -> None:
        """Make one token expired, as if its time were over."""
        if token in self.tokens:
            self.tokens[token].expires = 0.0

    def expire_all(self) -> None:
        """Make every token expired."""
        for token in self.tokens.values():
            token.expires = 0.0

    def load(self, journal: Rows) -> None:
        """Take the tokens that were alive when the data folder was last used."""
        for kind, tokens in (("token", self.tokens), ("refresh_token", self.refresh_tokens)):
            for value, (user_id, expires) in journal.rows(kind):
                if user_id in self.store.users and expires > self.now():
                    tokens[value] = Token(self.store.users[user_id], expires)
        self._seen.update(journal.rows("jti"))

    def now(self) -> float:
        """The server's clock."""
        return time.time() + self.store.settings.clock_offset_seconds

    # --- requests ---

    def identify(self, request: Request) -> None:
        """Set the request's users from its headers; 401 or 403."""
        header = request.headers.get(b"authorization")
        text = "" if header is None else header.decode("latin-1")
        scheme, _, value = text.partition(" ")
        token = self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise unauthorized(expired=False)
        if token.expires <= self.now():
            raise unauthorized(expired=True)
        user = token.user
        if user.status == "inactive" or user.id not in self.store.users:
            raise unauthorized(expired=False)
        request.token, request.token_user, request.user = value, user, user
        as_user = request.headers.get(b"as-user")
        if as_user is not None:
            request.user = self._impersonate(user, as_user.decode("latin-1"))

    def is_by(self, request: Request, who: str) -> bool:
        """Tell whether a call carries a token of this user, given as "by ID"."""
        value = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")[2].strip()
        token = self.tokens.get(value)
        return token is not None and who == f"by {token.user.id}"

    def _impersonate(self, user: User, user_id: str) -> User:
        """The user of As-User (box.md §1.7): never oneself, never a service account; 404 outside the enterprise."""
        settings = self.store.settings
        if settings.app_access != "enterprise" or settings.limited_access_app:
            raise insufficient_scope()
        if user.kind not in {"service", "admin"}:
            raise forbidden("The as-user header needs the privileges of an admin")
        target = self.store.users.get(user_id)
        if target is None or not target.in_enterprise:
            raise invalid_as_user(user_id)
        if target is user or target.kind == "service":
            raise forbidden("Invalid value for the as-user header")
        if target.status == "inactive":
            raise forbidden("The user is inactive")
        return target

    # --- grants ---

    def _check_client(self, form: dict[str, str]) -> None:
        app = self.application
        known = secrets.compare_digest(form.get("client_id", "").encode(), app.client_id.encode())
        if not known or not secrets.compare_digest(
            form.get("client_secret", "").encode(), app.client_secret.encode()
        ):
            raise OAuthError("invalid_client", "The client credentials are invalid")

    def _check_authorised(self) -> None:
        if not self.store.settings.app_authorized:
            raise OAuthError("unauthorized_client", "This app is not authorized by the enterprise")

    def _jwt_subject(self, assertion: str) -> User:
        claims = self._verified_claims(assertion)
        self._check_authorised()
        self._check_times(claims)
        self._check_jti(claims)
        subject, kind = claims.get("sub"), claims.get("box_sub_type")
        user = self._subject(str(kind), str(subject))
        if user is None:
            raise OAuthError("invalid_grant", "Please check the 'sub' claim. The 'sub' specified is invalid.")
        return user

    def _verified_claims(self, assertion: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(assertion)
            if header.get("kid") != self.application.public_key_id:
                raise OAuthError("invalid_grant", "Please check the 'kid' header. The public key is unknown.")
            claims: dict[str, Any] = jwt.decode(
                assertion,
                self.application.public_key,
                algorithms=["RS256", "RS384", "RS512"],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
                         "verify_jti": False, "verify_sub": False, "require": []},
            )  # fmt: skip
        except jwt.PyJWTError as exc:
            raise OAuthError("invalid_grant", "OAuth JWT signature is invalid.") from exc
        if claims.get("iss") != self.application.client_id:
            raise OAuthError("invalid_grant", "Please check the 'iss' claim. The 'iss' specified is invalid.")
        if claims.get("aud") != AUDIENCE:
            raise OAuthError("invalid_grant", "Please check the 'aud' claim. The 'aud' specified is invalid.")
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        exp, now = claims.get("exp"), self.now()
        if isinstance(exp, bool) or not isinstance(exp, int | float):
            raise OAuthError("invalid_grant", "Please check the 'exp' claim. It is required.")
        if exp <= now:
            raise OAuthError(
                "invalid_grant",
                "Current date/time MUST be before the expiration date/time listed in the 'exp' claim",
            )
        if exp > now + MAX_EXP_SECONDS:
            raise OAuthError(
                "invalid_grant",
                "Please check the 'exp' claim. The 'exp' value exceeds the maximum value of 60 seconds beyond "
                "the issue time.",
            )
        not_before = claims.get("nbf")
        if isinstance(not_before, int | float) and not_before > now:
            raise OAuthError("invalid_grant", "Current date/time MUST be after the 'nbf' claim")

    def _check_jti(self, claims: dict[str, Any]) -> None:
        jti, now = claims.get("jti"), self.now()
        if not isinstance(jti, str) or not 16 <= len(jti) <= 128:
            raise OAuthError("invalid_grant", "Please check the 'jti' claim. Its length should be 16 to 128.")
        if jti in self._seen:
            raise OAuthError(
                "invalid_grant", "Please check the 'jti' claim. A unique 'jti' value is required."
            )
        for old in [key for key, until in self._seen.items() if until < now - MAX_EXP_SECONDS]:
            del self._seen[old]
            self.store.drop(("jti", old, None))
        self._seen[jti] = float(claims["exp"])
        self.store.save(("jti", jti, self._seen[jti]))

    def _ccg_subject(self, kind: str, subject: str) -> User:
        user = self._subject(kind, subject) if self.store.settings.app_authorized else None
        if user is None:
            raise OAuthError("invalid_grant", _INVALID)
        return user

    def _subject(self, kind: str, subject: str) -> User | None:
        if kind == "enterprise":
            if subject != self.store.enterprise_id:
                return None
            return next(user for user in self.store.users.values() if user.kind == "service")
        user = self.store.users.get(subject) if kind == "user" else None
        if user is None or user.status == "inactive" or not user.in_enterprise or user.kind == "service":
            return None
        if user.kind != "app" and self.store.settings.app_access != "enterprise":
            return None
        return user

    def _refresh(self, value: str) -> dict[str, Any]:
        # A refresh token works once; its successor comes with the answer.
        token = self.refresh_tokens.pop(value, None)
        self.store.drop(("refresh_token", value, None))
        if token is None or token.expires <= self.now() or token.user.id not in self.store.users:
            raise OAuthError("invalid_grant", "Refresh token has expired")
        return self._answer(self.issue(token.user)) | {"refresh_token": self.issue_refresh(token.user)}

    def _note(self, kind: str, value: str, token: Token) -> None:
        self.store.save((kind, value, [token.user.id, token.expires]))

    def _answer(self, token: str) -> dict[str, Any]:
        return {
            "access_token": token,
            "expires_in": int(self.store.settings.token_ttl),
            "restricted_to": [],
            "token_type": "bearer",
        }


def _form(request: Request) -> dict[str, str]:
    kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "The body should be application/x-www-form-urlencoded")
    return dict(parse_qsl(request.body().decode("utf-8", "replace"), keep_blank_values=True))
