"""Sign-in with roles: the guard before every route, the page, and the API of signing in and out.

The cookie is HttpOnly and SameSite=Strict. Each page carries a token made of it, which must come
back as a header with whatever changes something. Before somebody has signed in, a cookie of the
door does the same, so nobody can be signed in to somebody else's account unawares.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
import structlog
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.response import Redirect, Template

from branch.access.accounts import USED_EVERY_MS, Account, Accounts, Life
from branch.access.config import AccessConfig
from branch.access.passwords import Passwords, csrf_of, new_token, same
from branch.access.roles import HOMES, SAFE_METHODS, Role, local_path, row_of
from branch.access.throttle import Throttle
from branch.web.access_errors import (
    AccessNotStored,
    CodedRefusal,
    CsrfMissing,
    NotAllowed,
    SignInNeeded,
    TooManyTries,
    WrongSecret,
)
from branch.web.api import Problem
from branch.web.open_streams import watch_session
from branch.web.person import Person, note_person, person_of
from branch.web.words import words_for
from sync.clock import Clock

CSRF_HEADER = "X-CSRF-Token"
VERIFICATIONS = 2
"""At once: each takes 64 MiB and up to four cores."""
MS_PER_MIN = 60_000

log = structlog.get_logger()

_Connection = ASGIConnection[Any, Any, Any, Any]
_Request = Request[Any, Any, Any]
_Typed = Annotated[str, msgspec.Meta(max_length=1024)]
Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sign-in page sends; ``next`` is where the browser wants to be afterwards."""

    name: _Typed
    password: _Typed
    next: _Typed = ""

    def __repr__(self) -> str:
        return "Credentials(...)"  # never in a log


class Onward(msgspec.Struct, frozen=True):
    """Where the browser goes now: a path on this server."""

    next: str


class Me(msgspec.Struct, frozen=True):
    """Who is signed in. ``account`` is what the ledger says of somebody."""

    account: str
    name: str
    role: Role


@dataclass(slots=True)
class SignIn:
    """Sign-in for one application. ``accounts`` is the caller's to close."""

    accounts: Accounts
    config: AccessConfig
    clock: Clock
    passwords: Passwords = field(default_factory=Passwords)
    throttle: Throttle = field(default_factory=Throttle)
    _verifying: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(VERIFICATIONS))

    @property
    def life(self) -> Life:
        """How long sessions last."""
        return Life(
            round(self.config.idle_min * MS_PER_MIN),
            round(self.config.session_max_h * 60 * MS_PER_MIN),
        )

    @property
    def session_cookie(self) -> str:
        """A browser takes a __Host- cookie only from this very host, over TLS."""
        return "__Host-lobby-session" if self.config.https else "lobby-session"

    @property
    def door_cookie(self) -> str:
        """Of a browser that is not signed in."""
        return "__Host-lobby-door" if self.config.https else "lobby-door"

    # --- before every route ---------------------------------------------------------------------

    async def guard(self, connection: _Connection, _handler: BaseRouteHandler) -> None:
        """Let in whom the table lets in. Raises SignInNeeded, NotAllowed, CsrfMissing."""
        scope: Any = connection.scope
        method, path = scope["method"], scope["path_template"]
        row = row_of(method, path)
        if row.roles is None:
            return
        person = self._person(connection, method, path)
        if person is None:
            raise SignInNeeded(page=_is_page(method, path))
        if person.role not in row.roles:
            log.info("access.not_allowed", who=person.account, method=method, route=path)
            raise NotAllowed(person.role, page=_is_page(method, path))
        if method not in SAFE_METHODS:
            if person.csrf and not same(person.csrf, connection.headers.get(CSRF_HEADER, "")):
                raise CsrfMissing
            log.info("access.acts", who=person.account, method=method, path=scope["path"])
        note_person(connection, person)
        watch_session(scope, lambda: self._person(connection, "GET", "/events/") == person)

    def _person(self, connection: _Connection, method: str, path: str) -> Person | None:
        if (header := connection.headers.get("Authorization")) is not None:
            kind, _, token = header.partition(" ")
            account = self.accounts.of_program(token.strip()) if kind.lower() == "bearer" else None
            return None if account is None else _person(account)
        token = connection.cookies.get(self.session_cookie, "")
        now_ms = self.clock.wall_ms()
        found = self.accounts.of_session(token, self.life, now_ms) if token else None
        if found is None:
            return None
        account, used_ms = found
        # A stream that comes back by itself is not a person at work.
        at_work = method not in SAFE_METHODS or _is_page(method, path)
        if at_work and now_ms - used_ms > USED_EVERY_MS:
            try:
                self.accounts.use_session(token, now_ms)
            except sqlite3.Error as error:  # a full disk must not stop a teller
                log.error("access.not_stored", error=str(error))
        return _person(account, csrf_of(token))

    # --- signing in and out ---------------------------------------------------------------------

    async def enter(self, request: _Request, typed: Credentials) -> tuple[Account, str]:
        """The account and its new session's token. Raises CsrfMissing, TooManyTries, WrongSecret,
        AccessNotStored.
        """
        door = request.cookies.get(self.door_cookie, "")
        if not door or not same(csrf_of(door), request.headers.get(CSRF_HEADER, "")):
            raise CsrfMissing
        address = self.address(request)
        name = typed.name.strip().lower()
        wait_ms = self.throttle.begin(name, address, self.clock.mono_ms())
        if wait_ms:
            log.warning("access.throttled", address=address, wait_ms=wait_ms)
            raise TooManyTries(wait_ms)
        account = self.accounts.named(name)
        known = None if account is None else account.password
        async with self._verifying:
            right = await asyncio.to_thread(self.passwords.verify, known, typed.password)
        if account is None or known is None or not right:
            # The name is not written down: it may be the password, in the wrong field.
            log.warning("access.refused", who=account and account.id, address=address)
            raise WrongSecret
        self.throttle.passed(name, address)
        try:
            if self.passwords.outdated(known):
                async with self._verifying:
                    better = await asyncio.to_thread(self.passwords.hash, typed.password)
                self.accounts.rehash(account.id, better)
            if old := request.cookies.get(self.session_cookie):
                self.accounts.end_session(old)
            token = self.accounts.begin_session(account.id, self.life, self.clock.wall_ms())
        except sqlite3.Error as error:
            raise AccessNotStored(str(error)) from error
        log.info("access.signed_in", who=account.id, role=account.role, address=address)
        return account, token

    def address(self, request: _Request) -> str:
        """Whence the request comes, for the throttle."""
        peer = request.client.host if request.client else ""
        if self.config.trusted_proxy and peer == self.config.trusted_proxy:
            # Only what our own proxy wrote, the last entry, is known to be true.
            return request.headers.get("X-Forwarded-For", peer).rpartition(",")[2].strip()
        return peer

    def _cookie(self, name: str, value: str, max_age: int | None = None) -> Cookie:
        return Cookie(
            key=name, value=value, path="/", httponly=True, samesite="strict",
            secure=self.config.https, max_age=max_age,
        )  # fmt: skip

    def routes(self) -> list[HTTPRouteHandler]:
        """The page and the API of signing in and out."""

        @get("/sign-in", media_type=MediaType.HTML, include_in_schema=False)
        async def sign_in_page(
            request: _Request,
            lang: Language = "zh",
            wanted: Annotated[str, QueryParameter(name="next")] = "",
        ) -> Template:
            words = words_for(lang)
            door = request.cookies.get(self.door_cookie) or new_token()
            context = {
                "t": words,
                "csrf": csrf_of(door),
                "next": local_path(wanted, ""),
                "other_lang": "en" if words.lang == "zh" else "zh",
                "messages": {code: words.texts[f"sign_in.{code}"] for code in _MESSAGES},
            }
            return Template(
                "sign_in.html", context=context, cookies=[self._cookie(self.door_cookie, door)]
            )

        @post(
            "/api/sign-in",
            status_code=200,
            summary="Sign in a browser; the sign-in page's token goes in X-CSRF-Token",
            tags=["access"],
            operation_id="sign-in",
            responses={401: WRONG, 403: NO_TOKEN, 429: TOO_MANY},
        )
        async def sign_in(request: _Request, data: JSONBody[Credentials]) -> Response[Onward]:
            account, token = await self.enter(request, data)
            onward = local_path(data.next, home_of(account.role, request.app))
            return Response(Onward(onward), cookies=[self._cookie(self.session_cookie, token)])

        def sign_out(path: str, summary: str, end: Callable[[Person, str], None]) -> Any:
            @post(
                path,
                status_code=200,
                summary=summary,
                tags=["access"],
                operation_id=path.removeprefix("/api/"),
            )
            async def handler(request: _Request) -> Response[Onward]:
                person = person_of(request)
                assert person is not None
                try:
                    end(person, request.cookies.get(self.session_cookie, ""))
                except sqlite3.Error as error:
                    raise AccessNotStored(str(error)) from error
                log.info("access.signed_out", who=person.account, route=path)
                gone = self._cookie(self.session_cookie, "", max_age=0)
                return Response(Onward("/sign-in"), cookies=[gone])

            return handler

        @get("/api/me", summary="Who is signed in", tags=["access"])
        async def me(request: _Request) -> Me:
            person = person_of(request)
            assert person is not None
            return Me(person.account, person.name, person.role)

        return [
            sign_in_page,
            sign_in,
            sign_out(
                "/api/sign-out",
                "Sign out here",
                lambda _, token: self.accounts.end_session(token),
            ),
            sign_out(
                "/api/sign-out-everywhere",
                "End every session of the account; programs' tokens stay",
                lambda person, _: self.accounts.end_sessions(person.account),
            ),
            me,
        ]


_MESSAGES: tuple[Literal["wrong", "too_many", "csrf", "unsent"], ...] = (
    "wrong", "too_many", "csrf", "unsent",
)  # fmt: skip
WRONG = ResponseSpec(Problem, description="No such account, or not its password: `wrong`")
NO_TOKEN = ResponseSpec(Problem, description="The sign-in page's token is missing: `csrf`")
TOO_MANY = ResponseSpec(Problem, description="Too many failures; Retry-After says how long")


def check_routes(app: Litestar) -> None:
    """Raises RouteNotInTable unless the permission table speaks of every route."""
    for route in app.routes:
        for method in sorted(getattr(route, "methods", ())) or [type(route).__name__]:
            row_of(method, route.path_format)


def home_of(role: Role, app: Litestar) -> str:
    """The first page that the role has here."""
    paths = {route.path for route in app.routes}
    return next((path for path in HOMES[role] if path in paths), "/")


def sign_in_address(request: _Request) -> str:
    """The sign-in page, and back to where the request wanted to go."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    lang = "&lang=en" if request.query_params.get("lang", "").startswith("en") else ""
    return f"/sign-in?next={quote(path, safe='/')}{lang}"


def _person(account: Account, csrf: str = "") -> Person:
    return Person(account.id, account.name, account.role, csrf)


def _is_page(method: str, path: str) -> bool:
    """What a person looks at; everything else is answered in JSON."""
    aside = ("/api/", "/events/", "/schema", "/metrics")
    return method in ("GET", "HEAD") and not path.startswith(aside)


def to_sign_in(request: _Request, error: SignInNeeded) -> Response[Any]:
    """A page is sent to the sign-in page, a program is told."""
    if error.page:
        return Redirect(sign_in_address(request), status_code=303)
    return Response(
        Problem("sign_in", error.detail), status_code=401, media_type=MediaType.JSON,
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip


def not_allowed(request: _Request, error: NotAllowed) -> Response[Any]:
    """A page says so in words, a program gets the problem."""
    if not error.page:
        return Response(
            Problem("not_allowed", error.detail), status_code=403, media_type=MediaType.JSON
        )
    words = words_for(request.query_params.get("lang", "zh"))
    context = {
        "t": words,
        "role": words(f"role.{error.role}"),
        "home": home_of(error.role, request.app),
        "again": sign_in_address(request),
    }
    return Template(
        "not_allowed.html", context=context, status_code=403, media_type=MediaType.HTML
    )


def coded_refusal(_: _Request, error: CodedRefusal) -> Response[Problem]:
    """The refusal's code and words."""
    return Response(
        Problem(error.code, error.detail), status_code=error.status_code,
        media_type=MediaType.JSON, headers=error.headers,
    )  # fmt: skip


ACCESS_HANDLERS: dict[Any, Any] = {
    SignInNeeded: to_sign_in,
    NotAllowed: not_allowed,
    CodedRefusal: coded_refusal,
}
