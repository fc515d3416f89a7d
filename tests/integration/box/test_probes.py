"""What the app may do, found without a trace; shared links; app users by their external id; Box's mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.box.client.errors import LimitedAccessApp
from connectors.box.destination import BoxDestination
from connectors.box.probes import Permission
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee, SharedLink
from connectors.errors import Rejected


def test_probes_tell_scope_from_access_level(box: Sandbox, destination: BoxDestination) -> None:
    """Granted, without the scope, and with the scope but not the reach; no folder stays behind."""
    probes = destination.probes
    granted = [probes.may_write("0"), probes.may_list_users(), probes.may_list_groups()]
    box.settings.app_access = "app"
    narrow = [probes.may_write("0"), probes.may_list_users(), probes.may_list_groups()]
    box.settings.scopes = ()
    without = [probes.may_write("0"), probes.may_list_users(), probes.may_list_groups()]

    assert [Permission.GRANTED] * 3 == granted
    assert [Permission.GRANTED, Permission.NO_ACCESS, Permission.NO_ACCESS] == narrow
    assert [Permission.NO_SCOPE] * 3 == without
    assert [] == box.folders()


def test_limited_access_app_is_recognised(box: Sandbox, destination: BoxDestination) -> None:
    """Only such an app is refused to look at itself."""
    box.settings.limited_access_app = True
    with pytest.raises(LimitedAccessApp, match="limited-access app"):
        destination.whoami()


def test_link_is_made_changed_and_loses_what_it_had(box: Sandbox, destination: BoxDestination) -> None:
    """The address stays; what is no longer asked for is gone from the request."""
    folder = destination.create_folder("0", "Top").id
    until = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    made = destination.share_folder(folder, SharedLink(access="open", expires_at=until), "canary-0815")
    changed = destination.share_folder(folder, SharedLink(access="company"))

    assert (until, True, "open") == (made.expires_at, made.has_password, made.access)
    assert (made.url, None, "company") == (changed.url, changed.expires_at, changed.access)


def test_app_user_is_found_by_its_external_id(box: Sandbox, destination: BoxDestination) -> None:
    """Before it is made there is none; a retired one is found, and shown as such."""
    before = destination.accounts.find_app_user("kiosk-1")
    made = destination.accounts.create_app_user("Kiosk", "kiosk-1")
    destination.accounts.deactivate_user(made.id)
    found = destination.accounts.find_app_user("kiosk-1")

    assert before is None
    assert (made.id, "inactive") == ((found.id, found.status) if found else None)


def test_inherited_role_counts_when_it_is_enough(box: Sandbox, destination: BoxDestination) -> None:
    """Less on a folder above cannot be raised below, and is not taken for done; the owner needs no grant."""
    box.add_user("ann@example.com")
    top = destination.create_folder("0", "Top").id
    below = destination.create_folder(top, "Below").id
    ann = Invitee(login="ann@example.com")
    destination.collaborate(top, ann, "viewer")

    assert "unchanged" == destination.collaborate(below, ann, "previewer").outcome
    with pytest.raises(Rejected, match="viewer on a folder above"):
        destination.collaborate(below, ann, "editor")
    assert "owner" == destination.collaborate(top, Invitee(user_id=box.service_account.id), "viewer").role


def test_sandbox_mails_whom_box_would_mail(box: Sandbox, destination: BoxDestination) -> None:
    """People and invited addresses, unless notify is off; app users have no mailbox."""
    members = [box.add_user("ann@example.com"), box.add_user("bob@example.com")]
    box.add_group("Finance", members)
    app_user = destination.accounts.create_app_user("Kiosk")
    folder = destination.create_folder("0", "Top").id
    destination.collaborate(folder, Invitee(login="eve@elsewhere.example"), "viewer", notify=True)
    destination.collaborate(folder, Invitee(group="Finance"), "viewer", notify=True)
    destination.collaborate(folder, Invitee(user_id=app_user.id), "viewer", notify=True)
    destination.collaborate(folder, Invitee(login="joe@elsewhere.example"), "viewer", notify=False)

    assert ["eve@elsewhere.example", "ann@example.com", "bob@example.com"] == [
        address for address, _ in box.mails
    ]
