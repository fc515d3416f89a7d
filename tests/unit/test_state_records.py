"""Records: what identifies a collaborator."""

from __future__ import annotations

import pytest

from state.people_records import CollaboratorSpec


def test_collaborator_key_ignores_case() -> None:
    """A login is the same person in any case, and never the same as a group of that name."""
    ann = CollaboratorSpec(login="Ann@Example.com", role="editor")

    assert ann.key == "login:ann@example.com"
    assert CollaboratorSpec(group="Finance", role="viewer").key == "group:finance"


def test_collaborator_without_a_name_is_refused() -> None:
    """Nobody in particular cannot be let in."""
    with pytest.raises(ValueError, match="needs login"):
        _ = CollaboratorSpec(role="editor").key
