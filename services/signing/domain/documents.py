"""The kinds of document that are signed. All go the same way: page, manifest, approval, intent, signature, announcement."""

from __future__ import annotations

from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is: one pupil's transcript, one class-subject sheet, or a certified copy of a transcript or an extract from one."""

    TRANSCRIPT = "transcript"
    SHEET = "sheet"
    COPY = "copy"
