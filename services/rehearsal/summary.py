"""The last screen of the demo: what happened, how long it took, and where to look."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.rehearsal.term_end import Outcome

REASONS = {
    "no_personal_number": "chưa có số định danh cá nhân",
    "retake_in_summer": "kiểm tra lại trong hè",
    "summer_training": "rèn luyện trong hè",
    "missing_marks": "thiếu điểm",
    "missing_conduct": "thiếu kết quả rèn luyện",
}


def show(outcome: Outcome, console: Console) -> None:
    """Print the summary table."""
    table = Table(title="hocba: một mùa học bạ số (a term end)", show_header=False, title_style="bold")
    table.add_column(style="cyan")
    table.add_column()
    table.add_row("Trường, lớp, giáo viên", f"{outcome.schools}, {outcome.classes}, {outcome.staff}")
    table.add_row("Học sinh", f"{outcome.pupils:,}")
    table.add_row("Ô điểm và nhận xét", f"{outcome.mark_cells:,}")
    table.add_row("Hoàn thành cấp học", f"{outcome.completions} quyết định của hội đồng")
    table.add_row("Lớp đã khoá", f"{outcome.classes_locked}")
    table.add_row("Học bạ đã niêm phong", f"{outcome.sealed:,}")
    for reason, pupils in sorted(outcome.waiting.items()):
        table.add_row("  chưa thể hoàn thành", f"{pupils} · {REASONS.get(reason, reason)} ({reason})")
    for correction in outcome.corrections:
        table.add_row("  sửa có lý do", f"{correction['class']}, {correction['school']} → phiên bản lớp {correction['class_version']} ({correction['when']})")
    table.add_row("Học bạ đã phát hành", f"[bold green]{outcome.archived:,}[/] (+ {outcome.superseded} bản cũ được thay thế, vẫn kiểm chứng được)")
    table.add_row("Bảng điểm môn đã ký", f"{outcome.sheets_signed:,} bảng, mỗi bảng một chữ ký của giáo viên bộ môn cho cả lớp")
    table.add_row(
        "Tệp đã thẩm định",
        f"{outcome.validated + outcome.sheets_validated:,} bằng {', '.join(outcome.validators)}; trung bình {outcome.bytes_per_transcript / 1000:.1f} kB",
    )
    table.add_row("Nhật ký minh bạch", f"{outcome.log_leaves:,} mục, {outcome.log_witnesses} nhân chứng đồng ký; mỗi tệp kèm bằng chứng kiểm được ngoại tuyến")
    table.add_row("Kho học bạ số quốc gia", f"{outcome.registered:,} phiên bản đã nộp và được nhận, biên nhận có chữ ký trong {_near(outcome.receipts)}")
    table.add_row("Đối soát", "[bold green]0 sai lệch[/]" if outcome.reconciled else f"[bold red]{outcome.differences}[/]")
    slowest = sorted(outcome.seconds.items(), key=lambda item: -item[1])[:3]
    table.add_row(
        "Thời gian", f"{outcome.total_seconds:.0f} s; lâu nhất: " + "; ".join(f"{title.split(' (')[0]} {seconds:.0f} s" for title, seconds in slowest)
    )
    console.print(table)
    console.print(f"Học bạ đã ký (signed transcripts):  {_near(outcome.documents)}")
    console.print(f"Kiểm chứng một tệp (verify one):    .state/venv/bin/hocba verify <tệp.pdf> --trust {_near(outcome.anchors)}", soft_wrap=True)
    console.print(f"Gói bằng chứng (proof bundle):      {_near(outcome.bundle)}", soft_wrap=True)
    console.print(f"  kiểm ngoại tuyến (check offline):  .state/venv/bin/hocba verify {_near(outcome.bundle)} --trust {_near(outcome.anchors)}", soft_wrap=True)
    if outcome.page:
        console.print(f"Trang công khai (behind its QR code):   {outcome.page}", soft_wrap=True)
    console.print("Giữ hệ thống chạy (keep it up):     make demo ARGS=--keep; rồi make status, make logs, make down")


def _near(path: str) -> str:
    """The path as one would type it here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path
