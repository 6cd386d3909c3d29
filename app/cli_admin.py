"""`radomica user|key|audit ...`: who may log in, keys for programs, and what was done.

    radomica user add anna                     asks for a password; needed before serving another address
    radomica user grant anna case-3f9a0c11d2   let anna into a case of somebody else
    radomica key create anna --label "EHR"     prints a key for the API, this once
    radomica audit verify                      reads the whole log and its chain of hashes

Not known here: what a scope allows (app/access.py). Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import print_error, print_json, print_pairs, print_table
from app.settings import read_settings
from encoders.errors import InputError

if TYPE_CHECKING:
    from app.audit import AuditLog
    from app.store.database import Database
    from app.store.people import People

user_app = typer.Typer(no_args_is_help=True, help="Who may log in, and to which cases.")
key_app = typer.Typer(no_args_is_help=True, help="Keys for programs that use the API.")
audit_app = typer.Typer(no_args_is_help=True, help="Who saw, asked, exported, decided or was refused.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="User name: a-z, 0-9, '.', '_', '-'.")]
CasesArgument = Annotated[list[str] | None, typer.Argument(metavar="[CASE]...", help="Case ids, as the page lists.")]
ScopesOption = Annotated[
    str | None,
    typer.Option("--scopes", metavar="LIST", help="Of read,write,ask,export,review,delete,admin; comma between."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
ADMIN = "command line"
"""The caller in the audit log for what is done here: whoever may run this on the server's machine."""


class _Store:
    """The parts of the store these commands use."""

    def __init__(self) -> None:
        from app.audit import AuditLog  # noqa: PLC0415  SQLAlchemy takes a moment to import
        from app.store.database import Database  # noqa: PLC0415
        from app.store.people import People  # noqa: PLC0415

        settings = read_settings()
        self.database: Database = Database(settings.home, settings.database_url)
        self.people: People = People(self.database)
        self.log: AuditLog = AuditLog(self.database)


@user_app.command("add")
def user_add(name: NameArgument, scopes: ScopesOption = None, password_stdin: PasswordOption = False) -> None:
    """Make a user. From the first one on, everybody must log in, on this machine too."""
    from app.access import USER_SCOPES  # noqa: PLC0415

    store = _Store()
    wanted = sorted(USER_SCOPES) if scopes is None else _scopes(scopes)
    first = not store.people.any_ever()
    store.people.add(name, _password(stdin=password_stdin), wanted)
    store.log.append(ADMIN, "user add", user=name, scopes=" ".join(wanted))
    print_pairs({"user": name, "scopes": ", ".join(wanted)})
    left = len(_local_cases(store.database)) if first else 0
    if first:
        print_error("from now on the page asks for a login, and the API for a key (radomica key create).")
    if left:
        print_error(f"{left} cases are of nobody who can log in; radomica user grant {name} --all-local opens them.")


@user_app.command("list")
def user_list(as_json: JsonOption = False) -> None:
    """Every user who may log in."""
    found = [{"user": u.name, "scopes": sorted(u.scopes)} for u in _Store().people.users()]
    if as_json:
        print_json({"users": found})
    else:
        print_table(("user", "scopes"), [(u["user"], ", ".join(u["scopes"])) for u in found])


@user_app.command("remove")
def user_remove(name: NameArgument) -> None:
    """End a user's access at once, with all sessions and keys. The user's cases stay; grant them to somebody."""
    store = _Store()
    store.people.remove(name)
    store.log.append(ADMIN, "user remove", user=name)
    print_pairs({"removed": name})


@user_app.command("passwd")
def user_passwd(name: NameArgument, password_stdin: PasswordOption = False) -> None:
    """Set a new password; the user's sessions end."""
    store = _Store()
    store.people.set_password(name, _password(stdin=password_stdin))
    store.log.append(ADMIN, "user passwd", user=name)
    print_pairs({"new password": name})


@user_app.command("grant")
def user_grant(
    name: NameArgument,
    cases: CasesArgument = None,
    *,
    all_local: Annotated[bool, typer.Option("--all-local", help="Every case added while there was no login.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back.")] = False,
) -> None:
    """Let a user into cases of others, with all scopes the user has."""
    from app.store.cases import Cases  # noqa: PLC0415

    store = _Store()
    chosen = [*(cases or ()), *(_local_cases(store.database) if all_local else ())]
    if not chosen:
        raise InputError("name the cases, or --all-local for every case added while there was no login.")
    kept = Cases(store.database)
    if withdraw:
        kept.withdraw(chosen, name)
    else:
        kept.grant(chosen, name)
    for case_id in chosen:
        store.log.append(ADMIN, "user withdraw" if withdraw else "user grant", case_id=case_id, user=name)
    print_pairs({"user": name, "withdrawn" if withdraw else "granted": f"{len(chosen)} cases"})


@key_app.command("create")
def key_create(
    user: NameArgument,
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="What the key is for.")] = "",
    scopes: ScopesOption = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Ends after so many days.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key for the API and print it, this once: Authorization: Bearer <key>."""
    store = _Store()
    wanted = None if scopes is None else _scopes(scopes)
    key_id, key = store.people.add_key(user, label, wanted, days=days)
    store.log.append(ADMIN, "key create", user=user, key_id=key_id, days=days)
    found: dict[str, Any] = {"key_id": key_id, "key": key, "user": user}
    if as_json:
        print_json(found)
    else:
        print_pairs(found)
        print_error("keep the key now; only its hash is stored.")


@key_app.command("list")
def key_list(user: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None, as_json: JsonOption = False) -> None:
    """Every key, or one user's: never the key itself."""
    keys = _Store().people.keys(user)
    if as_json:
        print_json({"keys": [vars(k) for k in keys]})
        return
    rows = [(k.key_id, k.user, k.label, ", ".join(k.scopes), k.expires or "never", k.revoked or "") for k in keys]
    print_table(("key", "user", "label", "scopes", "ends", "revoked"), rows)


@key_app.command("revoke")
def key_revoke(key_id: Annotated[str, typer.Argument(metavar="KEY", help="As listed.")]) -> None:
    """End a key at once."""
    store = _Store()
    store.people.revoke_key(key_id)
    store.log.append(ADMIN, "key revoke", key_id=key_id)
    print_pairs({"revoked": key_id})


@audit_app.command("show")
def audit_show(
    case: Annotated[str | None, typer.Option("--case", metavar="ID", help="Lines of this case.")] = None,
    caller: Annotated[str | None, typer.Option("--caller", metavar="NAME", help="Lines of this caller.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="The newest so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """The newest lines of the log."""
    entries = _Store().log.entries(case_id=case, caller=caller, last=last)
    if as_json:
        print_json({"lines": [{**vars(e), "details": dict(e.details)} for e in entries]})
        return
    rows = [
        (str(e.number), e.at, e.caller, e.action, e.case_id or "", ", ".join(f"{k} {v}" for k, v in e.details.items()))
        for e in entries
    ]
    print_table(("", "when", "who", "what", "case", "with"), rows)


@audit_app.command("verify")
def audit_verify(as_json: JsonOption = False) -> None:
    """Read the whole log: exit code 1 where a line was changed, removed or cut off."""
    found = _Store().log.verify()
    if as_json:
        print_json({"lines": found.lines, "faults": list(found.faults), "head": found.head})
    else:
        print_pairs({"lines": found.lines, "head": found.head, "faults": len(found.faults)})
        for fault in found.faults:
            print_error(fault)
    if found.faults:
        raise typer.Exit(1)


def check_serve(host: str) -> None:
    """Refuse to serve an address others can reach while nobody can log in; opens no database for loopback."""
    from app.access import check_bind, is_loopback_host  # noqa: PLC0415

    if not is_loopback_host(host):
        check_bind(_Store().people, host)


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)


def _scopes(text: str) -> list[str]:
    from app.access import Scope  # noqa: PLC0415

    found = sorted({part.strip() for part in text.split(",") if part.strip()})
    unknown = [part for part in found if part not in list(Scope)]
    if unknown or not found:
        raise InputError(f"scopes {', '.join(unknown) or 'none'} are not known; allowed: {', '.join(Scope)}.")
    return found


def _local_cases(database: Database) -> list[str]:
    from app.store.cases import Cases  # noqa: PLC0415
    from app.store.tables import LOCAL  # noqa: PLC0415

    return [c.case_id for c in Cases(database).cases() if c.owner == LOCAL and not (c.synthetic and c.origin == "demo")]
