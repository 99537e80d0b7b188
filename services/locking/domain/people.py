"""Who takes a step, as far as the rules of locking need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Party:
    """
    One human behind one account, in the role of the moment.

    `person_id` is the same for all accounts of a human; it is what separation of duties compares. `serves_at` are the
    schools where that human works by enrollment's word, whatever role the token of the moment carries.
    """

    account_id: str
    person_id: str
    role: str
    serves_at: frozenset[UUID] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, verified: an account, the human behind it and the roles held, each as (role, scope text)."""

    account_id: str
    person_id: str
    roles: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def role_in(self, scope: str, *names: str) -> str | None:
        """The first of the named roles that is held in the scope, such as `school:<uuid>`; None when none is."""
        return next((name for name in names if (name, scope) in self.roles), None)

    def scopes_of(self, kind: str) -> frozenset[str]:
        """The ids of all scopes of a kind (`school`, `province`) in which some role is held."""
        return frozenset(scope.split(":", 1)[1] for _, scope in self.roles if scope.startswith(f"{kind}:"))


def school(school_id: UUID) -> str:
    return f"school:{school_id}"


def province(province_id: str) -> str:
    return f"province:{province_id}"


NATION = "nation"
SERVICE = Caller("service:locking", "service:locking", frozenset({("system", NATION)}))
"""The service itself, when the clock or an event moves it."""
