"""Who acts, in which language, under which change id, behind which headers."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware as DjangoLocaleMiddleware
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from mailadmin import access
from mailadmin.actors import Door, new_change_id
from mailadmin.services import sts

Answer = Callable[[HttpRequest], HttpResponse]


class MtaStsMiddleware:
    """Serve the MTA-STS policies of domains under their own names, and nothing else there.

    It stands before all others: such a host is no host of the panel (RFC 8461, 3.3).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = request.META.get("HTTP_HOST", "").lower().partition(":")[0]
        if not host.startswith("mta-sts."):
            return self.get_response(request)
        policy = None
        if request.path == "/.well-known/mta-sts.txt" and request.method in ("GET", "HEAD"):
            policy = sts.policy_for(host.removeprefix("mta-sts."))
        if policy is None:
            return HttpResponse(status=404, content_type="text/plain")
        return HttpResponse(policy.text(), content_type="text/plain")


class LocaleMiddleware(DjangoLocaleMiddleware):
    """The language of the cookie, else of the browser."""


class RequestIdMiddleware:
    """Give each request the change id that goes with its changes down to the mail host."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        change_id = new_change_id()
        request.change_id = change_id  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(change=change_id)
        return self.get_response(request)


class ActorMiddleware:
    """Make the actor at the door; a logged-in user's own language wins over the browser's."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        door: Door = "admin" if request.path.startswith("/admin/") else "page"
        request.actor = SimpleLazyObject(  # type: ignore[attr-defined]
            lambda: access.actor_for(
                request.user,  # type: ignore[arg-type]
                door=door,
                ip=request.META.get("REMOTE_ADDR", ""),
                change_id=request.change_id,  # type: ignore[attr-defined]
            )
        )
        language = getattr(request.user, "language", "")
        if language and translation.get_language() != language:
            with translation.override(language):
                request.LANGUAGE_CODE = language
                response = self.get_response(request)
                response.headers["Content-Language"] = language
                return response
        return self.get_response(request)


class HeadersMiddleware:
    """Headers that Django has no setting for; private pages stay out of every cache."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        return response
