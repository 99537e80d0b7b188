"""Where a running stack's parts are, and what each service is told about the others."""

from __future__ import annotations

import difflib
import importlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from services.chassis.settings import ServiceSettings
from services.stack import log_keys, pki
from services.stack.places import SERVICES, Places, StackError, write_atomically

ARCHIVE_LOG = "archive-log"
"""Whose address is that of the log's files over HTTP."""
ARCHIVE_PAGE = "archive-page"
"""Whose address is that of the public page behind the QR codes."""
DASHBOARD = "dashboard"
"""Whose address is that of reporting's pages."""
_PAGES = {"archive": ARCHIVE_PAGE, "reporting": DASHBOARD}
_FILE = "deployment.json"
_PREFIX = "HOCBA_"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Deployment:
    """Everything a client needs to find and enter a stack. Reading it back needs the rights to the state folder.

    `addresses` are host:port of mTLS gRPC by service, `health` the plaintext health ports by process, `databases` and
    `owner_databases` PostgreSQL URLs with passwords by service (run-time role and owner role).
    """

    state: Path
    kafka: str
    postgresql: str
    addresses: Mapping[str, str]
    health: Mapping[str, str]
    databases: Mapping[str, str]
    owner_databases: Mapping[str, str]
    topic_prefix: str = ""
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        return Places.of(self.state)

    @property
    def keys(self) -> pki.Keys:
        """The CA, the leaves (`keys.leaf("edge")` for clients) and the issuer of tokens."""
        return pki.Keys(self.places.keys)

    @property
    def signers(self) -> Path:
        """Folder of the signers' test PKI (`SignerPki`): what the signing service signs with and the archive trusts."""
        return self.places.keys / "signers"

    @property
    def staging(self) -> Path:
        return self.places.objects / "staging"

    @property
    def key_journals(self) -> Path:
        """Where the signing workers note each use of a key."""
        return self.state / "key-journal"

    @property
    def providers(self) -> Path:
        """The file of remote signing providers, where the stack brings one."""
        return self.state / "providers.toml"

    @property
    def archive_store(self) -> Path:
        return self.places.objects / "archive"

    @property
    def log_files(self) -> Path:
        """The transparency log's tiles and checkpoint."""
        return self.places.objects / "log"

    @property
    def log_keys(self) -> Path:
        """The keys of the log and its witnesses, and the policy that names them."""
        return self.places.keys / "log"

    @property
    def register_keys(self) -> Path:
        """The key of the national register's receipts, and the tokens of its local accounts."""
        return self.places.keys / "register"

    @property
    def register_state(self) -> Path:
        """What the national register keeps beside its database."""
        return self.state / "register"

    @property
    def witness_states(self) -> Path:
        """What each witness remembers."""
        return self.state / "witnesses"

    @property
    def page(self) -> str:
        """Where a browser finds the public page, without a slash at the end; empty where nothing serves it."""
        return f"http://{self.addresses[ARCHIVE_PAGE]}" if "archive" in self.health and ARCHIVE_PAGE in self.addresses else ""

    @property
    def dashboard(self) -> str:
        """Where a browser finds the dashboard; empty where nothing serves it."""
        return f"http://{self.addresses[DASHBOARD]}" if "reporting" in self.health and DASHBOARD in self.addresses else ""

    def token(self, account: str, person: str, roles: Iterable[str] = (), *, valid_for: timedelta = timedelta(hours=8)) -> str:
        """A bearer token of the local issuer; roles are `role@scope`, such as `principal@school:<uuid>`."""
        return self.keys.token(account, person, tuple(roles), valid_for=valid_for)

    def settings_of(self, service: str, process: str | None = None, *, as_owner: bool = False) -> dict[str, str]:
        """The HOCBA_<SERVICE>_* variables of one process: of what the stack knows, exactly what its settings ask for.

        Only a migration is told the owner role's way into the database (`as_owner`).
        """
        kind = _settings_class(service)
        prefix = str(kind.model_config["env_prefix"])
        known = self._known(service, process or service) | dict(self.overrides.get(service, {}))
        if as_owner:
            known["owner_url"] = without_password(self.owner_databases[service])
            known["owner_password_file"] = str(self.places.secrets / f"hocba_{service}_owner.password")
        asked = {prefix + name.upper(): known[name] for name in kind.model_fields if name in known}
        # What a person sets by hand wins: HOCBA_GRADING_LOG_LEVEL=debug make up.
        return asked | {name: value for name, value in os.environ.items() if name.startswith(prefix)}

    def environment_of(self, service: str, process: str | None = None, *, as_owner: bool = False) -> dict[str, str]:
        """The whole environment of one process: its settings and the few things that any process needs."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        passed |= {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
        settings = self.settings_of(service, process, as_owner=as_owner) if service in SERVICES else {}
        return passed | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"} | settings

    def _known(self, service: str, process: str) -> dict[str, str]:
        """Every setting that the stack can answer, by the name that settings classes use."""
        leaf, envelope_key, secrets = self.keys.leaf(service), self.keys.envelope_key(service), self.places.secrets
        known = {
            "listen": self.addresses[service] if process == service else "127.0.0.1:0",
            "health_listen": self.health.get(process, ""),
            "database_url": without_password(self.databases[service]),
            "database_password_file": str(secrets / f"hocba_{service}.password"),
            "kafka_bootstrap": self.kafka,
            "topic_prefix": self.topic_prefix,
            "tls_ca_file": str(self.keys.ca),
            "tls_certificate_file": str(leaf.certificate),
            "tls_key_file": str(leaf.key),
            "token_keys_file": str(self.keys.token_keys),
            "envelope_readers_file": str(self.keys.envelope_readers),
            "instance": process,
            "staging_url": str(self.staging),
            "store_url": str(self.archive_store),
            "trust_dir": str(self.signers / "anchors"),
            "log_url": str(self.log_files),
            "log_key_file": str(log_keys.key_file(self.log_keys, log_keys.LOG)),
            "log_policy_file": str(log_keys.policy_file(self.log_keys)),
            "log_listen": self.addresses.get(ARCHIVE_LOG, "") if process == service else "",
            "page_listen": self.addresses.get(_PAGES.get(process, ""), ""),
            "wrapping_keys_dir": str(self.places.keys / "wrapping"),
            "wrapping_keys_make": "true",
        }
        if self.page:
            # What the QR codes of this stack's documents lead to.
            known["verification_url"] = f"{self.page}/t"
        known |= {f"{name}_address": address for name, address in self.addresses.items()}
        if "trust-services" in self.addresses:
            known |= {"tsa_url": f"http://{self.addresses['trust-services']}/tsa", "tsa_chain_dir": str(self.signers)}
            # Evidence of a stack of one's own is there while one looks at it.
            known["evidence_seconds"] = "5"
        if "remote-signing" in self.health:
            known["remote_providers_file"] = str(self.providers)
        if envelope_key is not None:
            known["envelope_key_file"] = str(envelope_key)
        if service == "signing" and process != service:
            # Only workers may reach the signers' keys; the service that takes orders never does.
            known |= {"keys_dir": str(self.signers / "keys"), "keys_password_file": str(self.signers / "keys" / "password")}
            known["key_journal_dir"] = str(self.key_journals)
        return known

    def write(self) -> None:
        """Leave this in the state folder for the CLI and other clients; it holds passwords, hence mode 0600."""
        content = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        write_atomically(self.places.state / _FILE, json.dumps(content, indent=1) + "\n", mode=0o600)

    @classmethod
    def read(cls, places: Places | None = None) -> Deployment:
        """The deployment of the stack that runs in `places` (else HOCBA_STATE's, else the checkout's)."""
        places = places or Places.of()
        try:
            content: dict[str, Any] = json.loads((places.state / _FILE).read_text())
        except FileNotFoundError:
            raise StackError(f"No stack runs in {places.state}. Start one with `make up`.") from None
        return cls(**{**content, "state": Path(content["state"])})

    @staticmethod
    def forget(places: Places) -> None:
        """Remove what `write` left."""
        (places.state / _FILE).unlink(missing_ok=True)


def refuse_misspelt(environment: Mapping[str, str]) -> None:
    """StackError when a HOCBA_ variable looks like one that somebody reads and isn't: nobody would, and nobody would say so.

    Each service refuses unknown names below its own prefix; this is for a prefix or a name of the stack that is spelt wrongly.
    """
    words = [*(service.upper() for service in SERVICES), "STATE", "DATABASE", "KAFKA", "MAVEN_REPOSITORY", "TRUST", "EDGE", "LOAD", "REGISTER", "AUDIT"]
    problems = []
    for name in sorted(name for name in environment if name.startswith(_PREFIX)):
        rest = name.removeprefix(_PREFIX)
        if any(rest == word or rest.startswith(f"{word}_") for word in words):
            continue
        # `close` compares whole words: the first of a setting's name, or all of one that has no setting behind it.
        close = difflib.get_close_matches(rest, words, 1, 0.75) or difflib.get_close_matches(rest.split("_")[0], words, 1, 0.75)
        problems += [f"{name}: nothing of that name; {_PREFIX}{word} is meant?" for word in close]
    if problems:
        raise StackError("variables are wrong:\n  " + "\n  ".join(problems) + "\nRename or remove them.")


def _settings_class(service: str) -> type[ServiceSettings]:
    """The one settings class of services/<service>/settings.py."""
    module = importlib.import_module(f"services.{service}.settings")
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind is not ServiceSettings]
    if len(found) != 1:
        raise StackError(f"services/{service}/settings.py must hold exactly one ServiceSettings class; it holds {len(found)}.")
    return found[0]


def without_password(url: str) -> str:
    """The URL without its password, as it may stand on a command line."""
    parts = urlsplit(url)
    role, place = (parts.username or ""), parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{role}@{place}", parts.path, parts.query, ""))


def available_services() -> tuple[str, ...]:
    """The services that this checkout can run."""
    folder = Path(__file__).parents[1]
    return tuple(service for service in SERVICES if (folder / service / "app.py").exists())
