"""Users, their keys and their sessions: passwords by argon2id, keys and cookies as SHA-256 of 256 random bits.

Not known here: HTTP (app/access.py), what a scope allows, or how often somebody may try (app/login.py).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import LOCAL, ApiKey, CaseAccess, Login, User, now
from encoders.errors import InputError

SESSION_HOURS = 12
MIN_PASSWORD, MAX_PASSWORD = 12, 1024
USER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
KEY_PREFIX = "rk_"

_hasher = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$HVMClzj9zHAZeVJTPlXb0hFrA9Yx8bVBRsA0y4m4JbQ"
"""Checked where there is no such user, so that an unknown name takes as long as a wrong password."""


@dataclass(frozen=True)
class Person:
    """Who asks: a user's name and the scopes of the key or session used."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class KeyLine:
    """One API key as listed; never the key itself."""

    key_id: str
    user: str
    label: str
    scopes: tuple[str, ...]
    created: str
    expires: str | None
    revoked: str | None


class People:
    """Users, keys and sessions in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def any_ever(self) -> bool:
        """Whether a user was ever made; from then on nobody comes in without a login, removed users or not."""
        with self._database.reading() as session:
            return session.scalars(select(User.name).limit(1)).first() is not None

    def any_now(self) -> bool:
        """Whether somebody can log in."""
        return bool(self.users())

    def users(self) -> tuple[Person, ...]:
        """Every user who may log in."""
        with self._database.reading() as session:
            found = session.scalars(select(User).where(User.removed.is_(None)).order_by(User.name)).all()
        return tuple(_person(u.name, u.scopes) for u in found)

    def add(self, name: str, password: str, scopes: Iterable[str]) -> None:
        """Make a user, or bring a removed one back with this password.

        Raises
        ------
        InputError: the name is not allowed or taken; the password is shorter than 12 characters.
        """
        if not USER_NAME.fullmatch(name) or name == LOCAL:
            raise InputError(f"user name {name[:80]!r} is not allowed: 2-63 of a-z, 0-9, '.', '_', '-', not 'local'.")
        hashed = _password_hash(password)
        with self._database.writing() as session:
            known = session.get(User, name)
            if known is not None and known.removed is None:
                raise InputError(f"there is a user {name!r} already; radomica user passwd sets a new password.")
            if known is None:
                session.add(User(name=name, password_hash=hashed, scopes=_joined(scopes), created=now()))
            else:
                known.password_hash, known.scopes, known.removed = hashed, _joined(scopes), None

    def remove(self, name: str) -> None:
        """End a user's access at once: sessions, keys and grants too. The cases stay with their owner's name."""
        with self._database.writing() as session:
            _user(session, name).removed = now()
            session.execute(delete(Login).where(Login.user_name == name))
            session.execute(delete(CaseAccess).where(CaseAccess.user_name == name))
            for key in session.scalars(select(ApiKey).where(ApiKey.user_name == name, ApiKey.revoked.is_(None))):
                key.revoked = now()

    def set_password(self, name: str, password: str) -> None:
        """Set a password; every session of the user ends."""
        hashed = _password_hash(password)
        with self._database.writing() as session:
            _user(session, name).password_hash = hashed
            session.execute(delete(Login).where(Login.user_name == name))

    def log_in(self, name: str, password: str) -> str | None:
        """A new session's cookie, or None where name and password do not fit."""
        with self._database.reading() as session:
            user = session.get(User, name[:64])
            known = user.password_hash if user is not None and user.removed is None else _NOBODY
        try:
            _hasher.verify(known, password[:MAX_PASSWORD])
        except VerificationError:
            return None
        cookie = secrets.token_urlsafe(32)
        with self._database.writing() as session:
            if _user(session, name).password_hash != known:
                return None
            session.execute(delete(Login).where(Login.expires < now()))
            session.add(
                Login(cookie_hash=_sha256(cookie), user_name=name, created=now(), expires=_later(hours=SESSION_HOURS))
            )
        return cookie

    def log_out(self, cookie: str) -> None:
        """End a session; an unknown one is fine."""
        with self._database.writing() as session:
            session.execute(delete(Login).where(Login.cookie_hash == _sha256(cookie)))

    def by_cookie(self, cookie: str) -> Person | None:
        """Whose session this is; None where it is not one, or has expired."""
        with self._database.reading() as session:
            wanted = select(User).join(Login, Login.user_name == User.name)
            wanted = wanted.where(Login.cookie_hash == _sha256(cookie), Login.expires > now(), User.removed.is_(None))
            user = session.scalars(wanted).first()
        return None if user is None else _person(user.name, user.scopes)

    def add_key(
        self, user: str, label: str, scopes: Iterable[str] | None = None, *, days: int | None = None
    ) -> tuple[str, str]:
        """(key id, the key): the key is shown this once. ``scopes`` (all of the user's by default) limit it.

        Raises
        ------
        InputError: no such user, or a scope the user has not.
        """
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        key = f"{KEY_PREFIX}{key_id}_{secret}"
        with self._database.writing() as session:
            owned = set(_user(session, user).scopes.split())
            asked = owned if scopes is None else set(scopes)
            if not asked or asked - owned:
                raise InputError(
                    f"scopes {sorted(asked - owned)} are not {user}'s; allowed: {', '.join(sorted(owned))}."
                )
            session.add(
                ApiKey(
                    key_id=key_id, user_name=user, label=label[:120], key_hash=_sha256(key), scopes=_joined(asked),
                    created=now(), expires=None if days is None else _later(hours=24 * days), revoked=None,
                )
            )  # fmt: skip
        return key_id, key

    def by_key(self, key: str) -> Person | None:
        """Whose key this is; None where it is not one, is revoked or has expired. No scope the user has lost."""
        with self._database.reading() as session:
            found = session.scalars(select(ApiKey).where(ApiKey.key_hash == _sha256(key))).first()
            if found is None or found.revoked is not None or (found.expires is not None and found.expires <= now()):
                return None
            user = session.get(User, found.user_name)
        if user is None or user.removed is not None:
            return None
        return Person(user.name, frozenset(found.scopes.split()) & frozenset(user.scopes.split()))

    def keys(self, user: str | None = None) -> tuple[KeyLine, ...]:
        """Every key, or one user's, oldest first."""
        wanted = select(ApiKey).order_by(ApiKey.created)
        if user is not None:
            wanted = wanted.where(ApiKey.user_name == user)
        with self._database.reading() as session:
            found = session.scalars(wanted).all()
        return tuple(
            KeyLine(k.key_id, k.user_name, k.label, tuple(k.scopes.split()), k.created, k.expires, k.revoked)
            for k in found
        )

    def revoke_key(self, key_id: str) -> None:
        """End a key at once.

        Raises
        ------
        InputError: no key of that id.
        """
        with self._database.writing() as session:
            key = session.get(ApiKey, key_id)
            if key is None:
                raise InputError(f"no key {key_id[:80]!r}; radomica key list shows the ids.")
            key.revoked = key.revoked or now()


def _user(session: Session, name: str) -> User:
    user = session.get(User, name)
    if user is None or user.removed is not None:
        raise InputError(f"no user {name[:80]!r}; radomica user list shows who there is.")
    return user


def _password_hash(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InputError(f"the password has {len(password)} characters; allowed: {MIN_PASSWORD} to {MAX_PASSWORD}.")
    return _hasher.hash(password)


def _person(name: str, scopes: str) -> Person:
    return Person(name, frozenset(scopes.split()))


def _joined(scopes: Iterable[str]) -> str:
    return " ".join(sorted(set(scopes)))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _later(*, hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds")
