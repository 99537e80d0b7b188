"""What the person who calls may touch: roles, each within a nation, a province, a school or a class."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.enrollment.domain.refusals import Denied

NATION = "nation"


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified person or service; `grants` are (role, scope) pairs such as ("registrar", "school:<uuid>")."""

    account_id: str
    grants: frozenset[tuple[str, str]]
    is_service: bool = False

    def may(self, roles: tuple[str, ...], school_id: UUID | None, province_id: str) -> bool:
        """Tell whether one of the roles reaches the school or the province."""
        scopes = [NATION, f"province:{province_id}"]
        if school_id is not None:
            scopes.append(f"school:{school_id}")
        return self.is_service or any((role, scope) in self.grants for role in roles for scope in scopes)

    def require(self, roles: tuple[str, ...], school_id: UUID | None, province_id: str, what: str) -> None:
        """Refuse unless one of the roles reaches the school or the province; `what` says in Vietnamese what was asked."""
        if not self.may(roles, school_id, province_id):
            raise Denied(
                "role_does_not_reach",
                f"Tài khoản này không được {what}: cần vai trò {' hoặc '.join(roles)} tại đơn vị đó.",
            )

    def teaches_class(self, class_id: UUID) -> bool:
        """Tell whether the caller is homeroom teacher of the class."""
        return ("homeroom_teacher", f"class:{class_id}") in self.grants


OFFICE = ("registrar", "principal")
"""Who keeps a school's roster."""
PROVINCE_OFFICE = ("doet_officer", "system_operator")
"""Who keeps the list of schools."""
APPOINTERS = ("registrar", "principal", "doet_officer")
"""Who appoints staff."""
