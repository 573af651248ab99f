"""Why somebody is not let in. All are litestar's own errors, so none of them is logged as a fault.

SignInNeeded     401 nobody is signed in
WrongSecret      401 no such account, or not its password
NotAllowed       403 the role may not
CsrfMissing      403 the page's token is missing or another one's
TooManyTries     429 too many failures
AccessNotStored  503 the file of accounts refuses
"""

from litestar.exceptions import HTTPException

from branch.access.roles import Role


class SignInNeeded(HTTPException):
    """``page``: a person looks, and is sent to the sign-in page."""

    status_code = 401

    def __init__(self, *, page: bool) -> None:
        super().__init__(
            detail="sign in at /sign-in, or send a token: `lobby branch account token`"
        )
        self.page = page


class NotAllowed(HTTPException):
    """The permission table has no place for this role."""

    status_code = 403

    def __init__(self, role: Role, *, page: bool) -> None:
        super().__init__(detail=f"a {role} may not; docs/access.md says who may")
        self.role = role
        self.page = page


class CodedRefusal(HTTPException):
    """A refusal with a stable code."""

    code = ""


class WrongSecret(CodedRefusal):
    """It is not said which of both was wrong."""

    status_code = 401
    code = "wrong"

    def __init__(self) -> None:
        super().__init__(detail="there is no account with this name and password")


class CsrfMissing(CodedRefusal):
    """The request may come from another site's page."""

    status_code = 403
    code = "csrf"

    def __init__(self) -> None:
        super().__init__(
            detail="header X-CSRF-Token: expected the page's csrf-token; load the page anew"
        )


class TooManyTries(CodedRefusal):
    """The secret was not looked at."""

    status_code = 429
    code = "too_many"

    def __init__(self, wait_ms: int) -> None:
        seconds = -(-wait_ms // 1000)
        super().__init__(
            detail=f"too many failures; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


class AccessNotStored(CodedRefusal):
    """Nothing has changed."""

    status_code = 503
    code = "not_stored"
