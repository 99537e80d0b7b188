"""What is known beside the pupils: schools' names, how far sheets are filled and signed, unlocks under way."""

from dataclasses import dataclass, replace

CLOSED_UNLOCK_STATES = frozenset(("refused", "resealed", "sealed", "cancelled", "lapsed"))
"""States after which an unlock needs nobody any more."""


@dataclass(frozen=True, slots=True)
class School:
    """A school as enrollment registered it."""

    school_id: str
    version: int
    name: str
    province_id: str
    province_name: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """How far a sheet is filled; an empty subject is the homeroom sheet."""

    class_id: str
    subject: str
    term: int
    version: int
    expected: int
    filled: int


SheetVersion = tuple[str, int]
"""(sheet id, version) of a class-subject sheet."""


@dataclass(frozen=True, slots=True)
class SheetsSealed:
    """Grading: these sheets are named by records of a class version (or of one part of it)."""

    class_version: int
    sheets: frozenset[SheetVersion]


@dataclass(frozen=True, slots=True)
class SheetsSigned:
    """Signing: these sheets carry their teachers' signatures."""

    sheets: frozenset[SheetVersion]


@dataclass(frozen=True, slots=True)
class SheetSigning:
    """How far the signing of a class's sheets is. Told in any order and any number of times, it comes out the same."""

    class_version: int = 0
    needed: frozenset[SheetVersion] = frozenset()
    signed: frozenset[SheetVersion] = frozenset()

    @property
    def lacking(self) -> frozenset[SheetVersion]:
        """The sheets that no teacher has signed yet: until there are none, no transcript of the class is signed."""
        return self.needed - self.signed

    def told(self, news: SheetsSealed | SheetsSigned) -> "SheetSigning":
        """After one more piece of news."""
        match news:
            case SheetsSigned(sheets):
                return replace(self, signed=self.signed | sheets)
            case SheetsSealed(class_version, sheets) if class_version > self.class_version:
                return replace(self, class_version=class_version, needed=sheets)
            case SheetsSealed(class_version, sheets) if class_version == self.class_version:
                return replace(self, needed=self.needed | sheets)
        return self


@dataclass(frozen=True, slots=True)
class Unlock:
    """Where an unlock of a class stands."""

    unlock_id: str
    class_id: str
    version: int
    state: str
    moved_at: str
    """RFC 3339, UTC."""
