"""The kinds of document that are signed. Both go the same way: page, manifest, approval, intent, signature, announcement."""

from __future__ import annotations

from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is: one pupil's transcript, or one class-subject sheet."""

    TRANSCRIPT = "transcript"
    SHEET = "sheet"
