"""All that root does for the agent."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUEUE_ID = re.compile(r"[0-9A-Za-z]{6,20}")
LOGIN = re.compile(r"(?:\*|[a-z0-9][a-z0-9._-]{0,63})@[a-z0-9][a-z0-9.-]{0,252}")
DOMAIN = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
STORAGE_ID = re.compile(r"[0-9a-f]{32}")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# The agent waits for 30 s; what is not done by then is gone on with when it asks again.
PURGE_SECONDS = 20
QUEUE_FLAGS = {"hold": "-h", "release": "-H", "requeue": "-r", "delete": "-d"}


class NotDone(Exception):
    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Verbs:
    """Each verb takes exactly its own arguments."""

    def __init__(self, state: Path) -> None:
        self.postfix = str(state / "etc" / "current" / "postfix")
        self.dovecot = str(state / "etc" / "current" / "dovecot" / "dovecot.conf")
        self.rspamd_pid = state / "run" / "rspamd" / "rspamd.pid"
        self.mail = state / "mail"

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        verb = request.pop("verb", None)
        verbs: dict[str, tuple[set[str], Callable[..., dict[str, Any]]]] = {
            "ping": (set(), dict),
            "reload_postfix": (set(), self.reload_postfix),
            "reload_dovecot": (set(), self.reload_dovecot),
            "reload_rspamd": (set(), self.reload_rspamd),
            "queue_list": (set(), self.queue_list),
            "queue_action": ({"action", "queue_id"}, self.queue_action),
            "queue_of": ({"action", "sender"}, self.queue_of),
            "requeue": ({"domain"}, self.requeue),
            "kick": ({"login"}, self.kick),
            "usage": ({"login"}, self.usage),
            "purge": ({"storage_id"}, self.purge),
        }
        if not isinstance(verb, str) or verb not in verbs:
            raise NotDone("unknown_verb")
        wanted, run = verbs[verb]
        if set(request) != wanted or not all(isinstance(each, str) for each in request.values()):
            raise NotDone("bad_arguments")
        return run(**request)

    def reload_postfix(self) -> dict[str, Any]:
        _run(["/usr/sbin/postfix", "-c", self.postfix, "reload"])
        return {}

    def reload_dovecot(self) -> dict[str, Any]:
        _run(["/usr/bin/doveadm", "-c", self.dovecot, "reload"])
        return {}

    def reload_rspamd(self) -> dict[str, Any]:
        try:
            os.kill(int(self.rspamd_pid.read_text()), 1)
        except (OSError, ValueError) as error:
            raise NotDone("not_running", detail=str(error)) from error
        return {}

    def queue_list(self) -> dict[str, Any]:
        output = _run(["/usr/sbin/postqueue", "-c", self.postfix, "-j"])
        return {"entries": [json.loads(line) for line in output.splitlines()[:1000]]}

    def queue_action(self, action: str, queue_id: str) -> dict[str, Any]:
        # A queue id always has a digit or an upper-case letter; ALL would be every message.
        if action not in QUEUE_FLAGS or not QUEUE_ID.fullmatch(queue_id) or queue_id == "ALL":
            raise NotDone("bad_arguments")
        _run(["/usr/sbin/postsuper", "-c", self.postfix, QUEUE_FLAGS[action], queue_id])
        return {}

    def queue_of(self, action: str, sender: str) -> dict[str, Any]:
        """Do the same with all that waits from one sender."""
        if action not in QUEUE_FLAGS or not LOGIN.fullmatch(sender) or sender.startswith("*"):
            raise NotDone("bad_arguments")
        output = _run(["/usr/sbin/postqueue", "-c", self.postfix, "-j"])
        waiting = [
            entry["queue_id"]
            for entry in map(json.loads, output.splitlines())
            if _without_tag(entry["sender"].lower()) == sender
        ]
        if waiting:
            command = ["/usr/sbin/postsuper", "-c", self.postfix, QUEUE_FLAGS[action], "-"]
            _run(command, given="".join(f"{queue_id}\n" for queue_id in waiting))
        return {"count": len(waiting)}

    def requeue(self, domain: str) -> dict[str, Any]:
        """Have Postfix think anew about what waits for a domain: where it lies, who is behind it.

        Only of what is deferred: what is just being delivered could arrive twice.
        """
        if not DOMAIN.fullmatch(domain):
            raise NotDone("bad_arguments")
        output = _run(["/usr/sbin/postqueue", "-c", self.postfix, "-j"])
        waiting = [
            entry["queue_id"]
            for entry in map(json.loads, output.splitlines())
            if any(each["address"].lower().endswith(f"@{domain}") for each in entry["recipients"])
        ]
        if waiting:
            command = ["/usr/sbin/postsuper", "-c", self.postfix, "-r", "-", "deferred"]
            _run(command, given="".join(f"{queue_id}\n" for queue_id in waiting))
        return {}

    def kick(self, login: str) -> dict[str, Any]:
        if not LOGIN.fullmatch(login):
            raise NotDone("bad_arguments")
        # Exit status 68: nobody was logged in.
        _run(["/usr/bin/doveadm", "-c", self.dovecot, "kick", login], fine=(0, 68))
        return {}

    def usage(self, login: str) -> dict[str, Any]:
        """How much a mailbox holds, in KiB, as Dovecot counts it."""
        if not LOGIN.fullmatch(login) or login.startswith("*"):
            raise NotDone("bad_arguments")
        output = _run(
            ["/usr/bin/doveadm", "-c", self.dovecot, "-f", "json", "quota", "get", "-u", login]
        )
        for row in json.loads(output or "[]"):
            if row.get("type") == "STORAGE":
                return {"used_kib": int(row["value"])}
        raise NotDone("no_quota")

    def purge(self, storage_id: str) -> dict[str, Any]:
        """Remove one mail storage; a link that somebody planted is removed, never followed."""
        if not STORAGE_ID.fullmatch(storage_id):
            raise NotDone("bad_arguments")
        try:
            mail = os.open(self.mail, DIRECTORY)
        except OSError as error:
            raise NotDone("no_mail_directory", detail=str(error)) from error
        try:
            shelf = os.open(storage_id[:2], DIRECTORY, dir_fd=mail)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise NotDone("not_a_directory", detail=str(error)) from error
        finally:
            os.close(mail)
        try:
            _remove(storage_id, shelf)
        except OSError as error:
            raise NotDone("failed", detail=str(error)) from error
        finally:
            os.close(shelf)
        return {}


def _remove(name: str, shelf: int) -> None:
    """Remove `name` below the open directory `shelf`, by descriptors all the way.

    However deep its owner has made it, and whatever he puts in meanwhile: what lies inside a
    folder is moved up before it is emptied, so no path is ever longer than two names.
    """
    if not _is_directory(name, shelf):
        _unlink(name, shelf)
        return
    end = time.monotonic() + PURGE_SECONDS
    top = os.open(name, DIRECTORY, dir_fd=shelf)
    try:
        while children := os.listdir(top):
            for child in children:
                if time.monotonic() > end:
                    raise NotDone("unfinished")
                if _is_directory(child, top):
                    _flatten(child, top)
                else:
                    _unlink(child, top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=shelf)


def _flatten(name: str, top: int) -> None:
    """Remove the directory `name` in `top`; directories inside it move up to `top`."""
    here = os.open(name, DIRECTORY, dir_fd=top)
    try:
        for child in os.listdir(here):
            if _is_directory(child, here):
                os.rename(child, secrets.token_hex(16), src_dir_fd=here, dst_dir_fd=top)
            else:
                _unlink(child, here)
    finally:
        os.close(here)
    try:
        os.rmdir(name, dir_fd=top)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:  # its owner has put something in: the next round
            raise


def _is_directory(name: str, parent: int) -> bool:
    """False for a link to a directory, and for what is gone."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _unlink(name: str, parent: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _without_tag(address: str) -> str:
    local_part, at, domain = address.rpartition("@")
    return f"{local_part.partition('+')[0]}{at}{domain}"


def _run(argv: list[str], *, fine: tuple[int, ...] = (0,), given: str = "") -> str:
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=25,
            check=False,
            input=given,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotDone("failed", detail=str(error)) from error
    if done.returncode not in fine:
        raise NotDone("failed", status=done.returncode, detail=done.stderr.strip()[-300:])
    return done.stdout
