#!/bin/sh
# Make user and share, then serve. `printf` is the shell's own: the password is in no process list.
set -eu
id "$SHARE_USER" >/dev/null 2>&1 || useradd --no-create-home --shell /usr/sbin/nologin "$SHARE_USER"
cat >/etc/samba/smb.conf <<END
[global]
server role = standalone server
server min protocol = SMB2_10
map to guest = never
disable netbios = yes
load printers = no
logging = stdout
[$SHARE_NAME]
path = /share
valid users = $SHARE_USER
read only = yes
END
printf '%s\n%s\n' "$SHARE_PASSWORD" "$SHARE_PASSWORD" | smbpasswd -s -a "$SHARE_USER" >/dev/null
unset SHARE_PASSWORD
exec smbd --foreground --no-process-group
