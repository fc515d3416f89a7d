"""The SDK's typed calls: its managers that we use, over one sign-in and one session, as its own client has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from box_sdk_gen.managers.chunked_uploads import ChunkedUploadsManager
from box_sdk_gen.managers.folders import FoldersManager
from box_sdk_gen.managers.groups import GroupsManager
from box_sdk_gen.managers.user_collaborations import UserCollaborationsManager
from box_sdk_gen.managers.users import UsersManager
from box_sdk_gen.networking.auth import Authentication
from box_sdk_gen.networking.network import NetworkSession

if TYPE_CHECKING:
    from box_sdk_gen.client import BoxClient


class TypedCalls:
    """What `BoxClient` is, without the seventy managers that nobody here asks."""

    def __init__(self, auth: Authentication, session: NetworkSession) -> None:
        self._auth = auth
        self.network_session = session
        self.chunked_uploads = ChunkedUploadsManager(auth=auth, network_session=session)
        self.folders = FoldersManager(auth=auth, network_session=session)
        self.groups = GroupsManager(auth=auth, network_session=session)
        self.user_collaborations = UserCollaborationsManager(auth=auth, network_session=session)
        self.users = UsersManager(auth=auth, network_session=session)

    def all_of_the_sdk(self) -> BoxClient:
        """The same with every manager; all of the SDK is imported now."""
        from box_sdk_gen.client import BoxClient

        return BoxClient(auth=self._auth, network_session=self.network_session)
