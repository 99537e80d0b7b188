"""
Whose word makes a checkpoint final (C2SP tlog-policy): the log's key, the witnesses' keys, and how many of whom are enough.

    log <vkey>
    witness <name> <vkey> [<url>]
    group <name> <number|any|all> <member>...
    quorum <name|none>
"""

from collections.abc import Set
from dataclasses import dataclass

from services.archive.domain.signed_note import KeyText, NoteError


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who follows the log; `url` is where it is asked, empty when others ask it."""

    name: str
    key: KeyText
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """So many of these members, witnesses or groups."""

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """A policy that was read."""

    log: KeyText
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str
    """A witness, a group, or `none`."""

    def satisfied(self, cosigners: Set[str]) -> bool:
        """Whether these witnesses, by their names in the policy, are enough."""
        held = {witness.name for witness in self.witnesses} & cosigners
        for group in self.groups:  # A group names only what stands before it.
            if sum(member in held for member in group.members) >= group.needed:
                held.add(group.name)
        return self.quorum == "none" or self.quorum in held

    def witness_of(self, name: str, key_id: bytes) -> Witness | None:
        """The witness who signs under this key name and id."""
        return next((one for one in self.witnesses if (one.key.name, one.key.key_id) == (name, key_id)), None)


def read_policy(text: str) -> WitnessPolicy:
    """The policy in a file; NoteError names the line that is wrong."""
    logs: list[KeyText] = []
    witnesses: dict[str, Witness] = {}
    groups: dict[str, Group] = {}
    quorums: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        try:
            match words:
                case []:
                    continue
                case [word, *_] if word.startswith("#"):
                    continue
                case ["log", vkey, *_]:
                    logs.append(KeyText.read(vkey))
                case ["witness", name, vkey, *url] if len(url) <= 1:
                    _new(name, witnesses, groups)
                    witnesses[name] = Witness(name, KeyText.read(vkey), url[0].rstrip("/") if url else "")
                case ["group", name, count, *members] if members:
                    _new(name, witnesses, groups)
                    groups[name] = Group(name, _needed(count, members, {*witnesses, *groups}), tuple(members))
                case ["quorum", name] if name == "none" or name in witnesses or name in groups:
                    quorums.append(name)
                case _:
                    raise NoteError(f"no line of a policy: {' '.join(words)}")
        except NoteError as error:
            raise NoteError(f"line {number}: {error}") from error
    if len(logs) != 1 or len(quorums) != 1:
        raise NoteError("a policy has one line `log` and one line `quorum`")
    return WitnessPolicy(logs[0], tuple(witnesses.values()), tuple(groups.values()), quorums[0])


def _new(name: str, *known: dict[str, Witness] | dict[str, Group]) -> None:
    if name == "none" or any(name in names for names in known):
        raise NoteError(f"the name {name} is taken")


def _needed(count: str, members: list[str], known: set[str]) -> int:
    if unknown := set(members) - known:
        raise NoteError(f"nobody before this line is called {', '.join(sorted(unknown))}")
    if len(set(members)) != len(members):
        raise NoteError("a member stands twice")
    needed = {"any": 1, "all": len(members)}.get(count) or (int(count) if count.isdecimal() else 0)
    if not 1 <= needed <= len(members):
        raise NoteError(f"{count} of {len(members)} can't be asked for")
    return needed
