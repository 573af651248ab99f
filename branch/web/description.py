"""What the API description says of every route that its handler cannot know: who may ask for it,
and how a malformed request is refused.
"""

from typing import Any

from litestar import Litestar
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

from branch.access.roles import Role, row_of
from branch.web.api import Problem

SCHEMES = Components(
    security_schemes={
        "session": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name="lobby-session",
            description=(
                "A signed-in browser. Whatever changes something needs the page's csrf-token as"
                " X-CSRF-Token. Behind TLS the cookie is __Host-lobby-session"
            ),
        ),
        "program": SecurityScheme(
            type="http", scheme="bearer", description="Of `lobby branch account token`"
        ),
    }
)
MALFORMED = ResponseSpec(Problem, description="A parameter or the body is malformed")
NEEDED = ResponseSpec(Problem, description="Nobody is signed in: `sign_in`")
_LOCKED: list[dict[str, list[str]]] = [{"session": []}, {"program": []}]


def describe_routes(app: Litestar, *, locked: bool) -> None:
    """Add refusals to what the handlers say themselves; ``locked``: a sign-in is asked for. Raises
    RouteNotInTable.
    """
    bodies: set[Any] = set()
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            known = dict(handler.responses or {})
            known.setdefault(400, MALFORMED)
            roles = row_of(min(handler.http_methods), route.path_format).roles
            if locked and roles is not None:
                known.setdefault(401, NEEDED)
                known.setdefault(403, _forbidden(roles))
                handler.security = _LOCKED
            handler.responses = known
            if (body := handler.parsed_data_field) is not None:
                bodies.add(body.annotation)
    _refuse_unknown_fields(app, bodies)


def _refuse_unknown_fields(app: Litestar, bodies: set[Any]) -> None:
    """Litestar leaves out that a Struct takes no other fields."""
    schemas = app.openapi_schema.components.schemas
    for body in bodies:
        if body.__struct_config__.forbid_unknown_fields:
            schemas[body.__name__].additional_properties = False


def _forbidden(roles: frozenset[Role]) -> ResponseSpec:
    listed = ", ".join(role for role in Role if role in roles)
    return ResponseSpec(
        Problem,
        description=f"`not_allowed`: only {listed}. Or `csrf`: the page's token is missing",
    )
