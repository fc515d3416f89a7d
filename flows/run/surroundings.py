"""What a process finds around it and cannot work with: a locale that is not UTF-8, a user without a home."""

from __future__ import annotations

import atexit
import codecs
import os
import pwd
import shutil
import sys
import tempfile


def speak_utf8() -> None:
    """Begin this very command anew in Python's UTF-8 mode, unless names are read and written as UTF-8 already.

    File names, plan, arguments and output are UTF-8 whatever the locale says: a run under another locale finds the
    same share, the same checkpoint and the same names.
    """
    if codecs.lookup(sys.getfilesystemencoding()).name == "utf-8":
        return
    os.environ["PYTHONUTF8"] = "1"  # for the processes that this one starts
    # The option is stronger than the variable, which somebody may have set to 0 or switched off.
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  this very program


def have_a_home() -> None:
    """Give a user who has none (a container's number without a name) a folder for this process, removed at its end."""
    if os.environ.get("HOME"):
        return
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        home = tempfile.mkdtemp(prefix="boxhaul-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        os.environ["HOME"] = home
