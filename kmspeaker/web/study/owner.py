"""What a study's owner may ask: who has taken part, what was found, and the raw data.

Place in the flow: ``study.analysis`` and ``study.report`` -> here -> the owner's page. The token
comes in a header with each request; no address has it.
"""

import io
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmspeaker.study.raw_data import write_raw_data
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Study
from kmspeaker.web.study.guard import Owner, Refused


class OwnersPage:
    """The endpoints of the owner.

    Args:
        study: Whose.
        store: What was answered.
        owner: Who may ask.
    """

    def __init__(self, study: Study, store: Store, owner: Owner) -> None:
        self._study = study
        self._store = store
        self._owner = owner
        self._turn = threading.Lock()  # one analysis at a time: participants come first

    def routes(self) -> list[Route]:
        """Every address of the owner's page."""
        return [
            Route("/api/owner/state", self._state, methods=["GET"]),
            Route("/api/owner/results", self._results, methods=["GET"]),
            Route("/api/owner/{name}.zip", self._download, methods=["GET"]),
            Route("/plotly.js", _plotly, methods=["GET"]),
        ]

    async def _state(self, request: Request) -> Response:
        self._owner.check(request)
        return JSONResponse(await run_in_threadpool(self._people))

    async def _results(self, request: Request) -> Response:
        self._owner.check(request)
        return Response(await run_in_threadpool(self._found), media_type="application/json")

    async def _download(self, request: Request) -> Response:
        self._owner.check(request)
        name = request.path_params["name"]
        if name not in ("data", "report"):
            raise Refused(404, "There are data.zip and report.zip.")
        content = await run_in_threadpool(self._zip, whole=name == "report")
        return Response(content, media_type="application/zip")

    def _people(self) -> dict[str, Any]:
        responses = self._store.responses()
        done: dict[int, int] = {}
        for row in responses.pages:
            done[row["participant"]] = done.get(row["participant"], 0) + (
                row["done_at"] is not None
            )
        return {
            "title": self._study.design.title,
            "joined": len(responses.participants),
            "finished": sum(row["finished_at"] is not None for row in responses.participants),
            "ratings": len(responses.ratings),
            "participants": [
                {**row, "pages": done.get(row["participant"], 0)} for row in responses.participants
            ],
        }

    def _found(self) -> str:
        import plotly.io

        from kmspeaker.study.analysis import analyse
        from kmspeaker.study.figures import figures
        from kmspeaker.study.tables import exclusion_table, findings, outcome_tables

        with self._turn:
            responses = self._store.responses()
            analysis = analyse(self._study.design, responses)
            drawn = figures(analysis, responses)
        tables = [*outcome_tables(analysis, analysis.best), exclusion_table(analysis)]
        head = JSONResponse(
            {
                "screened": analysis.screened is not None,
                "participants": len(analysis.best.participants),
                "ratings": analysis.best.ratings,
                "findings": findings(analysis.best),
                "tables": [
                    {"title": t.title, "headings": t.headings, "rows": t.rows, "note": t.note}
                    for t in tables
                ],
                "titles": list(drawn),
            }
        ).body
        shown = ",".join(str(plotly.io.to_json(figure)) for figure in drawn.values())
        return f'{bytes(head).decode()[:-1]},"figures":[{shown}]}}'

    def _zip(self, *, whole: bool) -> bytes:
        from kmspeaker.study.analysis import analyse
        from kmspeaker.study.report import write_report

        with self._turn, tempfile.TemporaryDirectory() as made:
            folder, responses = Path(made), self._store.responses()
            if whole:
                write_report(analyse(self._study.design, responses), responses, folder)
            else:
                write_raw_data(self._study.design, responses, folder)
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(folder))
        return content.getvalue()


async def _plotly(request: Request) -> Response:
    del request
    return Response(
        get_plotlyjs(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"}
    )
