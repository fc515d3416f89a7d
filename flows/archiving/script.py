"""The script that removes files of a share that are proven to be in Box: POSIX sh, for a person to read and run. Pure.

Names stand in single quotes, within which nothing means anything to a shell but the quote itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from flows.words import printable

_HEAD = """\
#!/bin/sh
# Files of the plan %(plan)s that Box holds, proven by Box's own listing when this was written.
#
#   sh THIS_SCRIPT FOLDER            says what it would remove
#   sh THIS_SCRIPT FOLDER --remove   removes it
#
# FOLDER is the folder of the plan's source, where it is mounted. A file is removed only when its content is still the
# one that Box has (SHA-1), and when neither it nor a folder above it, up to FOLDER, is a link. Folders stay.
# Ends with 1 when something stayed. For the next run the plan needs source: {may_be_empty: true}: folders that are
# empty all of a sudden look like a disk that is not mounted.
set -u
LC_ALL=C
export LC_ALL
root=$(cd -P -- "${1:?say which folder}" && pwd -P && echo .) || exit 2
root=${root%%
.}
mode=${2:-}
case $mode in
'' | --remove) ;;
*) echo "unknown: $mode" >&2; exit 2 ;;
esac
done=0
stayed=0
if command -v sha1sum >/dev/null; then
  sha1() { sha1sum <"$1" | cut -c 1-40; }
elif command -v shasum >/dev/null; then
  sha1() { shasum <"$1" | cut -c 1-40; }
else
  sha1() { openssl dgst -sha1 -r <"$1" | cut -c 1-40; }
fi

stays() {
  stayed=$((stayed + 1))
  printf '%%s\\n' "stays ($2): $1" >&2
}

# FOLDER NAME SHA1 [how it is printed]
remove() {
  path=${4:-${1:+$1/}$2}
  here=$(cd -P -- "$root/$1" 2>/dev/null && pwd -P && echo .) || { stays "$path" "no such folder"; return; }
  here=${here%%
.}
  if [ "$here" != "$root${1:+/$1}" ]; then stays "$path" "a folder above it is a link"; return; fi
  file=$here/$2
  if [ -L "$file" ] || [ ! -f "$file" ]; then stays "$path" "not there, or no plain file"; return; fi
  if [ "$(sha1 "$file")" != "$3" ]; then stays "$path" "another content than Box has"; return; fi
  if [ "$mode" = --remove ]; then
    rm -f -- "$file" || { stays "$path" "cannot be removed"; return; }
  fi
  done=$((done + 1))
  printf '%%s\\n' "$path"
}

"""

_TAIL = """
if [ "$mode" = --remove ]; then word=removed; else word="to remove (--remove does it)"; fi
printf '%s\\n' "$done $word, $stayed stay" >&2
[ "$stayed" -eq 0 ]
"""


def removal_script(plan_name: str, removals: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """Yield the script piece by piece, for these files: path under the source's root, and sha1 as 40 hex digits."""
    yield os.fsencode(_HEAD % {"plan": printable(plan_name)})
    for path, sha1 in removals:
        folder, _, name = path.rpartition("/")
        words = [folder, name, sha1] if printable(path) == path else [folder, name, sha1, printable(path)]
        yield os.fsencode(f"remove {' '.join(map(quoted, words))}\n")
    yield os.fsencode(_TAIL)


def quoted(text: str) -> str:
    """Return one word of sh that is exactly this text."""
    return "'" + text.replace("'", "'\\''") + "'"
