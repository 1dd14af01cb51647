"""A preset is one file: a file in a folder on the package's path is found."""

from __future__ import annotations

import pytest

from ricochet.intake import presets
from ricochet.values.statuses import Status

PRESET = '''"""Made up: says "ja" and "nein", and signs with a plain secret."""

from ricochet.values.statuses import Status
from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset

PRESET = Preset(
    title="Made up",
    fields={"click_id": ("klick",), "user_id": ("klick",), "transaction_id": ("nummer",), "amount": ("betrag",)},
    proof=signatures.token("geheim"),
    statuses={"ja": Status.APPROVED, "nein": Status.REVERSED},
    acknowledgement=lambda _: Acknowledgement("danke"),
)
'''


@pytest.fixture
def own_preset(tmp_path, monkeypatch):
    (tmp_path / "made_up.py").write_text(PRESET)
    monkeypatch.setattr(presets, "__path__", [*presets.__path__, str(tmp_path)])


def test_a_preset_in_another_folder_is_found(own_preset):
    assert "made_up" in presets.names()
    preset = presets.load("made_up")
    assert preset.status_of("JA", {}, {}) is Status.APPROVED
    assert preset.read({"betrag": "5"}, "amount", {}) == "5"


def test_an_unknown_preset_is_a_key_error():
    with pytest.raises(KeyError):
        presets.load("nobody")
    with pytest.raises(KeyError):
        presets.load("../generic")
