"""
A transfer dossier (hồ sơ chuyển trường): a pupil's chain of yearly transcripts in one ZIP, each with its own proof.

    manifest.json                       what is in it: schema protos/hocba/archive/v1/dossier.schema.json
    2023-2024/hoc-ba.asice              the bundle of a school year (`bundle.py`)
    2023-2024/record.json               its machine-readable record, as it is embedded in the PDF

It isn't signed: manifest and records follow from the bundles, each of which is proven on its own, possibly by another log and other
anchors. A file that isn't what its bundles give is none. Who leaves a bundle out makes another dossier, in which that year is missing.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.archive.domain.bundle import Bundle, UnreadableBundle, read_container, require_same
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.pack import stored_zip

SCHEMA = "hocba/dossier/1"
MANIFEST = "manifest.json"
LARGEST_DOSSIER = 64 * 1024 * 1024
MOST_YEARS = 30
_BUNDLE_NAME = re.compile(r"\d{4}-\d{4}/hoc-ba\.asice", re.ASCII)
_YEAR = re.compile(r"(\d{4})-(\d{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Year:
    """One transcript of the chain."""

    name: str
    """The school year, `2023-2024`."""
    bundle: Bundle
    record: bytes
    told: dict[str, Any]

    @property
    def begins(self) -> int:
        """The calendar year in which it begins."""
        return int(self.name[:4])


@dataclass(frozen=True, slots=True)
class Dossier:
    """A chain, in order of the school years."""

    years: tuple[Year, ...]

    @classmethod
    def of(cls, bundles: Sequence[Bundle]) -> "Dossier":
        """The dossier of these bundles; UnreadableBundle when they make no chain: no record, a year twice, several pupils, too many."""
        years = sorted((_year(bundle) for bundle in bundles), key=lambda year: year.name)
        if not 0 < len(years) <= MOST_YEARS:
            raise UnreadableBundle(f"a dossier holds 1 to {MOST_YEARS} transcripts, not {len(years)}")
        if twice := [year.name for number, year in enumerate(years[1:]) if year.name == years[number].name]:
            raise UnreadableBundle(f"there are two transcripts of {twice[0]}")
        if not all(of_same_pupil(year.told, years[-1].told) for year in years):
            raise UnreadableBundle("the transcripts are those of several pupils, by their personal numbers or names and days of birth")
        return cls(tuple(years))

    @classmethod
    def read(cls, data: bytes) -> "Dossier":
        """The dossier in a file; UnreadableBundle for anything that isn't written as `encoded` writes it."""
        entries = read_container(data, LARGEST_DOSSIER)
        found = cls.of([Bundle.read(entries[name]) for name in sorted(entries) if _BUNDLE_NAME.fullmatch(name)])
        require_same(found.encoded(), data, entries)
        return found

    @property
    def missing(self) -> list[int]:
        """Years between the first and the last of which there is no transcript."""
        present = {year.begins for year in self.years}
        return [year for year in range(min(present), max(present)) if year not in present]

    def encoded(self) -> bytes:
        """The file: the same bundles always give the same bytes."""
        entries = [(MANIFEST, _canonical(self.manifest()))]
        for year in self.years:
            entries += [(f"{year.name}/hoc-ba.asice", year.bundle.encoded()), (f"{year.name}/record.json", year.record)]
        return stored_zip(entries)

    def manifest(self) -> dict[str, Any]:
        """What is in it; each line's `chain` is SHA-256 over the one before and the bundle's digest, so that the last one stands for all."""
        lines, chain = [], b""
        for year in self.years:
            bundle = hashlib.sha256(year.bundle.encoded()).digest()
            chain = hashlib.sha256(chain + bundle).digest()
            lines.append(
                {
                    "school_year": year.name,
                    "level": year.told["level"],
                    "grade": year.told["school_class"].get("grade"),
                    "school": year.told["school"]["name"],
                    "province": year.told["school"].get("province"),
                    "public_id": year.told["transcript"]["public_id"],
                    "version": year.told["transcript"]["version"],
                    "bundle": f"{year.name}/hoc-ba.asice",
                    "bundle_sha256": bundle.hex(),
                    "document_sha256": hashlib.sha256(year.bundle.document).hexdigest(),
                    "record": f"{year.name}/record.json",
                    "record_sha256": hashlib.sha256(year.record).hexdigest(),
                    "chain": chain.hex(),
                }
            )
        pupil = self.years[-1].told["pupil"]
        return {
            "schema": SCHEMA,
            "pupil": {key: pupil.get(key) for key in ("name", "born_on", "personal_number")},
            "transcripts": lines,
            "missing_school_years": [f"{year}-{year + 1}" for year in self.missing],
        }


def is_dossier(data: bytes) -> bool:
    """Whether a file claims to be a dossier, by its first entry."""
    return data[30:].startswith(MANIFEST.encode())


def of_same_pupil(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are one pupil's: by the personal number, which holds in the whole country; if one lacks it, by name and day of birth."""
    mine, theirs = one["pupil"], other["pupil"]
    if mine.get("personal_number") and theirs.get("personal_number"):
        return bool(mine["personal_number"] == theirs["personal_number"])
    return (mine["name"], mine.get("born_on")) == (theirs["name"], theirs.get("born_on"))


def _year(bundle: Bundle) -> Year:
    record = examine(bundle.document, TRANSCRIPT).record
    try:
        told = json.loads(record or b"null")
        name = str(told["school_year"])
        years = _YEAR.fullmatch(name)
        if not years or int(years[2]) != int(years[1]) + 1:
            raise ValueError(name)
        _ = told["level"], told["school"]["name"], told["school_class"].get("grade"), told["pupil"]["name"]
        _ = told["pupil"].get("born_on"), told["transcript"]["public_id"], told["transcript"]["version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableBundle("a transcript carries no record that says its pupil, school and year") from error
    assert record is not None
    return Year(name, bundle, record, told)


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
