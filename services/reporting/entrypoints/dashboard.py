"""The role `dashboard`: pages for ministry, department and school, and the same numbers as JSON."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from services.chassis import web as chassis_web
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, ServiceError
from services.chassis.telemetry import log
from services.chassis.web import OUTCOME, Handler, html, language
from services.reporting import contracts
from services.reporting.application.get_class_status import GetClassStatus
from services.reporting.application.get_coverage import GetCoverage
from services.reporting.application.get_history import GetHistory
from services.reporting.application.get_projection import USUAL_YEARS, GetProjection
from services.reporting.application.get_reconciliation import GetReconciliation
from services.reporting.application.get_results import GetResults
from services.reporting.application.list_missing import ListMissing
from services.reporting.entrypoints.dashboard_look import Level, Look, Page, downloaded, exported
from services.reporting.entrypoints.dashboard_results import projection_table, results_page, results_table
from services.reporting.entrypoints.http_api import HTTPAPI, PREFIX, STATUSES, arguments, problems, year_of
from services.reporting.entrypoints.http_door import COOKIE, HTTPDoor, NoToken
from services.reporting.entrypoints.tables import FORMATS
from services.reporting.entrypoints.tally_api import TallyAPI
from services.reporting.entrypoints.tally_look import Sections

_ASKED = ("year", "lang", "format", "sort")
_LONGEST_FORM = 16384


@dataclass(frozen=True)
class Dashboard:
    """
    GET /                    on to what the reader answers for: the nation, a province or a school
    GET /nation              provinces, as tiles and as a table
    GET /provinces/{id}      its schools
    GET /results, /provinces/{id}/results   how results are spread, ?item=
    GET /projection, /provinces/{id}/projection   enrolment of coming years by grade
    GET /schools/{id}        its classes
    GET /classes/{id}        its sheets, and who is missing, by id
    GET /sign-in             where a token is given; POST /session keeps it in a cookie, POST /sign-out forgets it
    GET /api/v1/...          the same numbers as JSON (http_api.py)

    Each page takes ?year=, ?lang=, ?sort= and ?format=csv|xlsx|json, which gives the table that is seen.
    """

    door: HTTPDoor
    api: HTTPAPI
    get_coverage: GetCoverage
    get_history: GetHistory
    get_class_status: GetClassStatus
    list_missing: ListMissing
    get_reconciliation: GetReconciliation
    get_results: GetResults
    get_projection: GetProjection
    clock: Clock
    counts: TallyAPI
    trusts_proxy: bool = False
    look: Look = field(default_factory=Look)

    async def run(self, listen: str, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        await chassis_web.serve(self.application(), listen, stop)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=_LONGEST_FORM, middlewares=[chassis_web.measured, self._answered, problems])
        pages = {
            "/": self.home,
            "/nation": self.nation,
            "/provinces/{id}": self.province,
            "/results": self.results,
            "/provinces/{id}/results": self.results,
            "/projection": self.projection,
            "/provinces/{id}/projection": self.projection,
            "/schools/{id}": self.school,
            "/classes/{id}": self.of_class,
            "/sign-in": self.sign_in,
        }
        app.add_routes([web.get(path, page) for path, page in pages.items()])
        app.add_routes([web.post("/session", self.session), web.post("/sign-out", self.sign_out), *self.api.routes(), *self.counts.routes()])
        chassis_web.add_assets(app, self.look.assets)
        chassis_web.guard(app, trusts_proxy=self.trusts_proxy)
        return app

    async def home(self, request: web.Request) -> web.Response:
        """On to the widest scope that the reader may see."""
        viewer = self.door.viewer(request, "GetCoverage")
        if viewer.everything:
            where = "/nation"
        elif viewer.provinces:
            where = f"/provinces/{viewer.provinces[0]}"
        elif viewer.schools:
            where = f"/schools/{viewer.schools[0]}"
        else:
            raise NotFound("the token names no nation, province or school whose numbers these are", code="no_scope")
        raise web.HTTPSeeOther(f"{where}?lang={language(request)}")

    async def nation(self, request: web.Request) -> web.Response:
        """All provinces."""
        return await self._coverage(request, Level.NATION, "", "", "province")

    async def province(self, request: web.Request) -> web.Response:
        """All schools of a province."""
        return await self._coverage(request, Level.PROVINCE, request.match_info["id"], "", "school")

    async def school(self, request: web.Request) -> web.Response:
        """All classes of a school."""
        return await self._coverage(request, Level.SCHOOL, "", request.match_info["id"], "class")

    async def of_class(self, request: web.Request) -> web.Response:
        """Sheets, unlocks, and the pupils who are missing, by id."""
        viewer, asked = self.door.viewer(request, "GetClassStatus"), arguments(request, *_ASKED)
        total, sheets, unlocks = await self.get_class_status(viewer, request.match_info["id"])
        # Other roles open the list of pupils than open the class's numbers: without them the page shows the numbers alone.
        try:
            missing = await self.list_missing(self.door.viewer(request, "ListMissing"), year_of(asked), "", request.match_info["id"])
        except ServiceError:
            missing = None
        page = Page(Level.CLASS, total, (), year_of(asked), viewer, self.clock.now(), sheets=sheets, unlocks=unlocks, missing=missing)
        return self._answer(request, asked, page)

    async def results(self, request: web.Request) -> web.Response:
        """How results are spread in the nation or a province."""
        viewer, asked, province_id = self.door.viewer(request, "GetResults"), arguments(request, *_ASKED, "item"), request.match_info.get("id", "")
        found, year, minimum = await self.get_results(viewer, year_of(asked), province_id, "", not province_id)
        page = results_page(found, province_id, asked["item"], year, minimum, viewer, self.clock.now())
        if asked["format"] in FORMATS:
            name = f"results-{province_id or 'nation'}-{year}"
            return downloaded(asked["format"], name, *results_table((*page.grades, *page.provinces), self.look.texts[language(request)]))
        return html(self.look.results(language(request), page))

    async def projection(self, request: web.Request) -> web.Response:
        """Enrolment of coming years in the nation or a province."""
        viewer, asked, province_id = self.door.viewer(request, "GetProjection"), arguments(request, *_ASKED), request.match_info.get("id", "")
        outlook = await self.get_projection(viewer, province_id, USUAL_YEARS)
        if asked["format"] in FORMATS:
            return downloaded(asked["format"], f"projection-{province_id or 'nation'}", *projection_table(outlook, self.look.texts[language(request)]))
        return html(self.look.projection(language(request), outlook, viewer, self.clock.now()))

    async def _coverage(self, request: web.Request, level: Level, province_id: str, school_id: str, by: str) -> web.Response:
        viewer, asked = self.door.viewer(request, "GetCoverage"), arguments(request, *_ASKED)
        total, parts, year = await self.get_coverage(viewer, year_of(asked), province_id, school_id, by)
        opens = by != "class" or self.door.opens(request, "GetClassStatus")
        now = self.clock.now()
        _, points = await self.get_history(viewer, year, province_id, school_id, None, now)
        # What is counted of schools has no class: a school's own page has no parts of it.
        scope = (viewer, province_id, school_id, by if level is not Level.SCHOOL else "")
        months = contracts.months_of("", "", now)
        tallied = Sections(await self.counts.get_staff(*scope), self.counts.expiring_days, await self.counts.get_unlocks(*scope, *months), months)
        reconciled = await self.get_reconciliation(viewer, total.place)
        page = Page(level, total, parts, year, viewer, now, opens, asked["sort"], points, tallied=tallied, reconciled=reconciled)
        return self._answer(request, asked, page)

    def _answer(self, request: web.Request, asked: Mapping[str, str], page: Page) -> web.Response:
        if asked["format"] in FORMATS:
            return exported(page, asked["format"], self.look.texts[language(request)])
        # What changes with nobody's work, the time of asking, isn't part of the tag: a page that is watched is sent only when numbers move.
        tag = hashlib.sha256(repr((language(request), page.key())).encode()).hexdigest()[:32]
        if request.headers.get("If-None-Match") == f'"{tag}"':
            return web.Response(status=304, headers={"ETag": f'"{tag}"'})
        return html(self.look.coverage(language(request), page), headers={"ETag": f'"{tag}"'})

    async def sign_in(self, request: web.Request) -> web.Response:
        """Where a token is given."""
        return html(self.look.sign_in(language(request)))

    async def session(self, request: web.Request) -> web.Response:
        """Keep a good token in a cookie that no script reads and no other site sends."""
        token = str((await request.post()).get("token", "")).strip()
        try:
            self.door.actor(token)
        except NoToken as error:
            request[OUTCOME] = error.code
            return html(self.look.sign_in(language(request), refused=True), 403)
        response = web.HTTPSeeOther(f"/?lang={language(request)}")
        secure = self.trusts_proxy and chassis_web.is_https(request)
        response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure, path="/")
        raise response

    async def sign_out(self, request: web.Request) -> web.Response:
        """Forget the token."""
        response = web.HTTPSeeOther(f"/sign-in?lang={language(request)}")
        response.del_cookie(COOKIE, path="/")
        raise response

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Says in words what went wrong; what is below /api/ has its own way."""
        if request.path.startswith(PREFIX):
            return await handler(request)
        try:
            return await handler(request)
        except NoToken:
            raise web.HTTPSeeOther(f"/sign-in?lang={language(request)}") from None
        except ServiceError as error:
            request[OUTCOME] = error.code
            status = STATUSES.get(error.status, 500)
            if status >= 500:
                log.warning("the dashboard has no answer", code=error.code)
            return html(self.look.message(language(request), "denied" if status == 403 else "down" if status >= 500 else "not_found"), status)
        except web.HTTPNotFound:
            return html(self.look.message(language(request), "not_found"), 404)
