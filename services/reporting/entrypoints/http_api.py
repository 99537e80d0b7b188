"""The numbers as JSON over HTTP: the answers of the gRPC methods, described by dashboard/openapi.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.chassis.clock import Clock
from services.chassis.errors import Malformed, ServiceError
from services.chassis.web import Handler
from services.reporting import contracts
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_projection import GetProjection
from services.reporting.application.get_results import GetResults
from services.reporting.application.list_missing import ListMissing
from services.reporting.application.reconcile import Reconcile
from services.reporting.entrypoints.http_door import HTTPDoor, NoToken

PREFIX = "/api/v1/"
DESCRIPTION = Path(__file__).parents[1] / "dashboard" / "openapi.json"
STATUSES = {"NOT_FOUND": 404, "PERMISSION_DENIED": 403, "INVALID_ARGUMENT": 400, "UNAVAILABLE": 503, "FAILED_PRECONDITION": 409, "ABORTED": 409}
_LONGEST_ID = 64
_PARTS = ("", "province", "school", "class", "grade")


@dataclass(frozen=True)
class HTTPAPI:
    """
    GET /api/v1/coverage?year=&province=&school=&by=   how far
    GET /api/v1/missing?year=&school=&class=           who is missing, by id
    GET /api/v1/classes/{id}                           one class
    GET /api/v1/reconciliation?year=&province=         differences, none if all is well
    GET /api/v1/results?year=&province=&item=&by=      how results are spread
    GET /api/v1/projection?province=&years=            enrolment of coming years
    GET /api/v1/openapi.json                           this, described
    """

    door: HTTPDoor
    get_coverage: GetCoverage
    list_missing: ListMissing
    get_class_status: GetClassStatus
    reconcile: Reconcile
    get_results: GetResults
    get_projection: GetProjection
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """All are read-only."""
        doors = {
            "coverage": self.coverage,
            "missing": self.missing,
            "classes/{id}": self.of_class,
            "reconciliation": self.reconciliation,
            "results": self.results,
            "projection": self.projection,
            "openapi.json": self.description,
        }
        return [web.get(PREFIX + path, door) for path, door in doors.items()]

    async def coverage(self, request: web.Request) -> web.Response:
        """GetCoverage."""
        viewer = self.door.viewer(request, "GetCoverage")
        asked = arguments(request, "year", "province", "school", "by")
        if asked["by"] not in _PARTS:
            raise Malformed(f"by is province, school, class or grade, not {asked['by']!r}", code="by")
        found = await self.get_coverage(viewer, year_of(asked), asked["province"], asked["school"], asked["by"])
        return as_json(contracts.coverage_answer(*found, self.clock.now()))

    async def missing(self, request: web.Request) -> web.Response:
        """ListMissing."""
        viewer = self.door.viewer(request, "ListMissing")
        asked = arguments(request, "year", "school", "class")
        return as_json(contracts.missing_answer(await self.list_missing(viewer, year_of(asked), asked["school"], asked["class"])))

    async def of_class(self, request: web.Request) -> web.Response:
        """GetClassStatus."""
        viewer = self.door.viewer(request, "GetClassStatus")
        arguments(request)
        return as_json(contracts.class_status_answer(*await self.get_class_status(viewer, request.match_info["id"])))

    async def reconciliation(self, request: web.Request) -> web.Response:
        """Reconcile."""
        viewer = self.door.viewer(request, "Reconcile")
        asked = arguments(request, "year", "province")
        return as_json(contracts.reconcile_answer(await self.reconcile(viewer, year_of(asked), asked["province"])))

    async def results(self, request: web.Request) -> web.Response:
        """GetResults."""
        viewer = self.door.viewer(request, "GetResults")
        asked = arguments(request, "year", "province", "item", "by")
        if asked["by"] not in ("", "province"):
            raise Malformed(f"by is province, not {asked['by']!r}", code="by")
        return as_json(contracts.results_answer(*await self.get_results(viewer, year_of(asked), asked["province"], asked["item"], bool(asked["by"]))))

    async def projection(self, request: web.Request) -> web.Response:
        """GetProjection."""
        viewer = self.door.viewer(request, "GetProjection")
        asked = arguments(request, "province", "years")
        if asked["years"] and not (asked["years"].isascii() and asked["years"].isdigit()):
            raise Malformed(f"years are how many to look ahead, not {asked['years']!r}", code="years_ahead")
        return as_json(contracts.projection_answer(await self.get_projection(viewer, asked["province"], int(asked["years"] or 0))))

    async def description(self, request: web.Request) -> web.Response:
        """What may be asked, for machines and for people who write them; no token is needed to read it."""
        return web.Response(body=DESCRIPTION.read_bytes(), content_type="application/json")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors below /api/ as problem details (RFC 9457)."""
    if not request.path.startswith(PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except NoToken as error:
        return _problem(401, error.code, error.message, {"WWW-Authenticate": "Bearer"})
    except ServiceError as error:
        return _problem(STATUSES.get(error.status, 500), error.code, error.message)
    except web.HTTPMethodNotAllowed as error:
        return _problem(405, "method", "only GET is answered here", {"Allow": ", ".join(sorted(error.allowed_methods))})
    except web.HTTPNotFound:
        return _problem(404, "not_found", f"nothing is at this address; see {PREFIX}openapi.json")


def arguments(request: web.Request, *names: str) -> Mapping[str, str]:
    """The query's values by name, empty when not given. Malformed for one that is unknown, empty, given twice or too long."""
    for name in request.query:
        if name not in names:
            raise Malformed(f"no parameter {name[:_LONGEST_ID]!r} here; there are: {', '.join(names) or 'none'}", code="parameter")
        if len(request.query.getall(name)) > 1:
            raise Malformed(f"{name} is given twice", code="parameter")
        if len(request.query[name]) > _LONGEST_ID or "\0" in request.query[name]:
            raise Malformed(f"{name} is no id", code="parameter")
        if not request.query[name]:
            raise Malformed(f"{name} has no value: give one, or leave it out", code="parameter")
    return {name: request.query.get(name, "") for name in names}


def year_of(asked: Mapping[str, str]) -> int:
    """The school year's first year; 0, the latest, when none is given."""
    given = asked["year"]
    if not given:
        return 0
    if not (given.isascii() and given.isdigit() and len(given) <= 4):
        raise Malformed(f"year is the school year's first year, such as 2025, not {given!r}", code="year")
    return int(given)


def as_json(answer: Message) -> web.Response:
    """The answer of a gRPC method as JSON: names as in the contract, counts of zero said."""
    told = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return web.Response(text=json.dumps(told, ensure_ascii=False), content_type="application/json")


def _problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps({"status": status, "code": code, "detail": detail}, ensure_ascii=False)
    return web.Response(text=body, status=status, headers=headers, content_type="application/problem+json")
