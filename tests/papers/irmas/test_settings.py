"""Settings of the instrument paper: published defaults, the code's alternatives, and what cannot work."""

import pytest
from pydantic import ValidationError

from reprise.papers.catalogue import get, load_settings
from reprise.papers.irmas.settings import Settings


def test_the_papers_tables_are_the_defaults():
    settings = Settings()
    assert (settings.sample_rate, settings.sample_rate_ast, settings.window_seconds) == (44100, 16000, 1.0)
    assert (settings.n_fft, settings.hop_length, settings.n_mels, settings.image_size) == (2048, 512, 256, (256, 256))
    # Tables 4.3 to 4.5
    assert (settings.rates("cnn"), settings.l2_cnn) == ((1e-3, 1e-5), 5e-4)
    assert (settings.rates("resnet"), settings.l2_resnet) == ((2e-4, 1e-6), 1e-5)
    assert (settings.rates("ast_base"), settings.rates("ast_head")) == ((2e-5, 2e-6), (1e-3, 1e-4))
    assert (settings.l2_ast_high, settings.l2_ast_low) == ((1e-4, 1e-3), (1e-5, 1e-5))
    assert (settings.epochs, settings.batch_size, settings.decay_power, settings.warmup) == (35, 16, 0.7, 0.05)
    assert (settings.resnet_blocks, settings.resnet_width) == ((3, 4, 6, 3), 64)
    assert (settings.ast_layers, settings.ast_width, settings.ast_heads) == (12, 768, 12)


def test_the_codes_final_rates_differ_where_the_fact_sheet_says():
    settings = Settings(learning_rates="code")
    assert settings.rates("cnn") == (1e-3, 1e-5)
    assert settings.rates("resnet") == (2e-4, 2e-6)
    assert settings.rates("ast_base") == (2e-5, 5e-8)
    assert settings.rates("ast_head") == (1e-3, 1e-5)


@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_profiles_are_valid_and_the_papers_changes_nothing(profile):
    settings = load_settings(get("irmas"), profile)
    assert (settings == Settings()) == (profile == "paper")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"epoch": 3}, "epoch"),
        ({"rates_cnn": (1e-5, 1e-3)}, "rates_cnn"),
        ({"learning_rates": "code", "rates_resnet": (1e-3, 1e-4)}, "exclude each other"),
        ({"image_size": (16, 64)}, "32 × 32"),
        ({"ast_heads": 5}, "multiple"),
        ({"initial_weights": "published"}, "weights_dir"),
        ({"window_seconds": 0.3}, "14,110"),
        ({"hop_length": 2048}, "37"),
        ({"sample_rate": 11025, "window_seconds": 2.0, "hop_length": 256}, "12800"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, word):
    with pytest.raises(ValidationError, match=word):
        Settings(**change)
