"""What `hocba locking` adds: windows, locks, unlocks and policies by the public door."""

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from services.cli.edge import ask, reported

Json = Annotated[bool, typer.Option("--json", help="One JSON value instead of a table.")]
As = Annotated[str, typer.Option("--as", help="Role and scope to act in on a local stack, such as principal@school:<uuid>.", envvar="HOCBA_EDGE_ROLE")]
Province = Annotated[str, typer.Option(help='Province, such as "2025-79".')]
School = Annotated[str, typer.Option(help="School id.")]
Class = Annotated[str, typer.Option("--class", help="Class id.")]
Year = Annotated[int, typer.Option(help="First year of the school year: 2025 is 2025-2026.")]
Reason = Annotated[str, typer.Option(help="Why.")]
OPERATOR = "system_operator@nation"


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    windows = typer.Typer(help="When marks may be entered.", no_args_is_help=True)
    windows.command("list")(list_windows)
    windows.command("open")(open_window)
    windows.command("close")(close_window)
    unlocks = typer.Typer(help="Requests to open a locked class again.", no_args_is_help=True)
    unlocks.command("list")(list_unlocks)
    unlocks.command("show")(show_unlock)
    unlocks.command("request")(request_unlock)
    for verb in MOVES:
        unlocks.command(verb, help=MOVES[verb][1])(_mover(verb))
    groups["locking"].add_typer(windows, name="windows")
    groups["locking"].add_typer(unlocks, name="unlocks")
    groups["locking"].command("lock")(lock_class)
    groups["locking"].command("policy")(policy)


MOVES = {
    "confirm": ("ConfirmUnlock", "Confirm a request (principal; never the requester)."),
    "refuse": ("RefuseUnlock", "Refuse a request (principal)."),
    "report": ("ReportUnlock", "Say that the report went to the department by letter (principal)."),
    "acknowledge": ("AcknowledgeUnlock", "Take note of a report (department)."),
    "object": ("ObjectToUnlock", "Object to an unlock (department)."),
    "finish": ("FinishUnlock", "The correction is in: seal again (requester), or close it early (principal)."),
    "cancel": ("CancelUnlock", "Withdraw a request before the grant."),
}


def _call(role: str, method: str, request: Any) -> Any:
    """One call, under one role; errors end the command with their message."""
    from hocba.locking.v1 import locking_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        stub: Any = locking_pb2_grpc.LockingStub(channel)
        call: Callable[..., Awaitable[Any]] = getattr(stub, method)
        return await call(request, metadata=metadata)

    return ask("locking", (role,), question)


def _plain(message: Any) -> dict[str, Any]:
    """A message as JSON: digests in hexadecimal, empty fields shown."""
    from google.protobuf.json_format import MessageToDict

    told: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    if told.get("class_digest"):
        told["class_digest"] = message.class_digest.hex()
    return told


def _tell(rows: list[dict[str, Any]], columns: tuple[str, ...], title: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=f"{title}: {len(rows)}")
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={item}" for name, item in value.items() if item) or "nation"
    return str(value)


def _instant(text: str) -> Any:
    from google.protobuf.timestamp_pb2 import Timestamp

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time: write 2026-05-25T17:00+07:00") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone: write 2026-05-25T17:00+07:00")
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp


WINDOW_COLUMNS = ("window_id", "version", "scope", "term", "opens_at", "closes_at", "state", "confirmed")
UNLOCK_COLUMNS = ("unlock_id", "state", "class_id", "subject", "term", "open_until", "sealed_class_version")


def list_windows(year: Year, province: Province = "", school: School = "", role: As = OPERATOR, as_json: Json = False) -> None:
    """List the windows that bear on a place, each with whether grading holds every lease it gave."""
    from hocba.locking.v1 import locking_pb2 as pb

    request = pb.ListWindowsRequest(scope=pb.WindowScope(province_id=province, school_id=school), school_year=year)
    rows = [_plain(window) for window in _call(role, "ListWindows", request).windows]
    _tell(rows, WINDOW_COLUMNS, "windows", as_json)


def open_window(
    year: Year,
    term: Annotated[int, typer.Option(min=1, max=2)],
    opens: Annotated[str, typer.Option(help="2026-05-01T00:00+07:00")],
    closes: Annotated[str, typer.Option(help="2026-05-25T17:00+07:00")],
    province: Province = "",
    school: School = "",
    class_id: Class = "",
    grade: Annotated[int, typer.Option(help="Only this grade; 0: every grade.")] = 0,
    seals_year: Annotated[bool, typer.Option(help="Seal the year when it closes.")] = False,
    window: Annotated[str, typer.Option(help="Change this window instead of opening one.")] = "",
    reason: Reason = "",
    role: As = "",
    as_json: Json = False,
) -> None:
    """Open a window, or change the times of one. The role is that of the scope's own authority."""
    from hocba.locking.v1 import locking_pb2 as pb

    own = f"principal@school:{school}" if school else f"doet_officer@province:{province}" if province else "ministry_officer@nation"
    request = pb.SetWindowRequest(
        request_id=str(uuid.uuid4()),
        window_id=window,
        scope=pb.WindowScope(province_id=province, school_id=school, grade=grade, class_id=class_id),
        school_year=year,
        term=term,  # type: ignore[arg-type]  # The enum's numbers are the terms' own.
        opens_at=_instant(opens),
        closes_at=_instant(closes),
        seals_year=seals_year,
        reason=reason,
    )
    _tell([_plain(_call(role or own, "SetWindow", request).window)], WINDOW_COLUMNS, "window", as_json)


def close_window(window: Annotated[uuid.UUID, typer.Argument()], role: As, reason: Reason = "", as_json: Json = False) -> None:
    """Close a window now; one that hasn't opened yet is withdrawn."""
    from hocba.locking.v1 import locking_pb2 as pb

    request = pb.CloseWindowRequest(request_id=str(uuid.uuid4()), window_id=str(window), reason=reason)
    _tell([_plain(_call(role, "CloseWindow", request).window)], WINDOW_COLUMNS, "window", as_json)


def lock_class(
    class_id: Annotated[uuid.UUID, typer.Argument(help="The class.")],
    order: Annotated[bool, typer.Option(help="Order the lock; without it the present lock is shown.")] = False,
    term: Annotated[int, typer.Option(min=0, max=2, help="0: the year.")] = 0,
    role: As = OPERATOR,
    as_json: Json = False,
) -> None:
    """Show a class's lock, or order the class sealed now (principal)."""
    from hocba.locking.v1 import locking_pb2 as pb

    if order:
        request = pb.LockClassRequest(request_id=str(uuid.uuid4()), class_id=str(class_id), term=term)  # type: ignore[arg-type]  # As above.
        lock = _call(role, "LockClass", request).lock
    else:
        lock = _call(role, "GetLock", pb.GetLockRequest(class_id=str(class_id), term=term)).lock  # type: ignore[arg-type]  # As above.
    _tell([_plain(lock)], ("lock_id", "state", "cause", "class_version", "sealed", "waiting", "locked_at"), "lock", as_json)


def list_unlocks(
    province: Province = "",
    school: School = "",
    class_id: Class = "",
    state: Annotated[str, typer.Option(help="Such as requested, reported, granted, sealed.")] = "",
    role: As = OPERATOR,
    as_json: Json = False,
) -> None:
    """List requests to unlock, the newest first."""
    from hocba.locking.v1 import locking_pb2 as pb

    request = pb.ListUnlocksRequest(school_id=school, province_id=province, class_id=class_id, state=state)
    _tell([_plain(unlock) for unlock in _call(role, "ListUnlocks", request).unlocks], UNLOCK_COLUMNS, "unlocks", as_json)


def show_unlock(unlock: Annotated[uuid.UUID, typer.Argument()], role: As = OPERATOR, as_json: Json = False) -> None:
    """Show one unlock with every step it took."""
    from hocba.locking.v1 import locking_pb2 as pb

    told = _plain(_call(role, "GetUnlock", pb.GetUnlockRequest(unlock_id=str(unlock))))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    _tell([told], UNLOCK_COLUMNS, "unlock", False)
    _tell(told["steps"], ("moved_at", "state", "role", "account_id", "document", "reason"), "steps", False)


def request_unlock(
    class_id: Annotated[uuid.UUID, typer.Option("--class")],
    term: Annotated[int, typer.Option(min=1, max=2)],
    pupil: Annotated[list[uuid.UUID], typer.Option(help="May be repeated.")],
    reason: Annotated[str, typer.Option(help="At least ten characters.")],
    evidence: Annotated[str, typer.Option(help="Number or digest of what proves the error.")],
    role: As,
    subject: Annotated[str, typer.Option(help="Subject code; empty: the homeroom sheet.")] = "",
    minutes: Annotated[int, typer.Option(help="How long it should be open; 0: as long as the policy allows.")] = 0,
    reason_code: Annotated[str, typer.Option(help="wrong_entry, missing_entry, remarked or other: what statistics may tell.")] = "",
    as_json: Json = False,
) -> None:
    """Ask that a narrow part of a locked class be opened (teacher)."""
    from hocba.locking.v1 import locking_pb2 as pb

    request = pb.RequestUnlockRequest(
        request_id=str(uuid.uuid4()),
        class_id=str(class_id),
        subject=subject,
        term=term,  # type: ignore[arg-type]  # As above.
        pupil_ids=[str(one) for one in pupil],
        reason=reason,
        evidence=evidence,
        minutes=minutes,
        reason_code=reason_code,
    )
    _tell([_plain(_call(role, "RequestUnlock", request))], UNLOCK_COLUMNS, "unlock", as_json)


def _mover(verb: str) -> Callable[..., None]:
    def command(
        unlock: Annotated[uuid.UUID, typer.Argument()],
        role: As,
        reason: Reason = "",
        document: Annotated[str, typer.Option(help="Number of the letter or decision.")] = "",
        as_json: Json = False,
    ) -> None:
        from hocba.locking.v1 import locking_pb2 as pb

        request = pb.MoveUnlockRequest(request_id=str(uuid.uuid4()), unlock_id=str(unlock), reason=reason, document=document)
        _tell([_plain(_call(role, MOVES[verb][0], request))], UNLOCK_COLUMNS, "unlock", as_json)

    return command


def policy(
    province: Annotated[str, typer.Argument(help='Province, such as "2025-79"; empty: the default of the nation.')] = "",
    change: Annotated[str, typer.Option("--set", help='Switches to change, as JSON: \'{"wait": "NEVER"}\'.')] = "",
    role: As = "",
    as_json: Json = False,
) -> None:
    """Show a province's policy on unlocking, or set its next version."""
    from google.protobuf.json_format import ParseDict, ParseError

    from hocba.locking.v1 import locking_pb2 as pb

    held = _call(role or OPERATOR, "GetPolicy", pb.GetPolicyRequest(province_id=province))
    if change:
        held.province_id = province
        try:
            switches = json.loads(change)
            for name in switches if isinstance(switches, dict) else ():
                held.ClearField(name)
            ParseDict(switches, held)
        except (ValueError, ParseError) as error:
            raise typer.BadParameter(f"--set: {error}") from error
        own = f"doet_officer@province:{province}" if province else "ministry_officer@nation"
        with reported():
            held = _call(role or own, "SetPolicy", pb.SetPolicyRequest(request_id=str(uuid.uuid4()), policy=held))
    told = _plain(held)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(f"{name}: {value}" for name, value in told.items()))
