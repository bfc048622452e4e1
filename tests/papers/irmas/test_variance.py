"""Analysis of variance against scipy and statsmodels, against the numbers known of the paper, and on made-up cases."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from reprise.papers.irmas import figures_variance, variance, variance_tables
from reprise.papers.irmas.features import COLUMNS
from reprise.papers.irmas.figures_features import TONNETZ
from reprise.papers.irmas.variance_tables import compared_with
from reprise.report.figures import style

mpl.use("Agg")

# F of the authors' notebook, and log10 p and eta² recomputed from it in high precision
KNOWN = {
    "zcr": (98.37, -190.1, 0.128),
    "rms": (205.06, -378.2, 0.234),
    "centroid": (141.91, -269.8, 0.175),
    "bandwidth": (131.40, -250.9, 0.164),
    "rolloff": (139.91, -266.2, 0.173),
    "flatness": (11.99, -20.1, 0.018),
    "poly_0": (240.95, -436.5, 0.265),
    "tonnetz_0": (20.89, -38.0, 0.030),
    "tonnetz_1": (24.91, -46.2, 0.036),
    "tonnetz_2": (3.399, -3.72, 0.005),
    "tonnetz_3": (1.892, -1.38, 0.003),
    "tonnetz_4": (1.353, -0.71, 0.002),
    "tonnetz_5": (3.269, -3.50, 0.005),
}
INSTRUMENTS = ("cel", "gel", "pia", "vio")


def made_up(*, recordings: int = 12, clips: int = 3, alike: float = 0.0, seed: int = 0, columns=COLUMNS):
    """Features of which all but tonnetz depend on the instrument; ``alike``: what the clips of a recording share."""
    rng = np.random.default_rng(seed)
    telling = np.array([not column.startswith("tonnetz") for column in columns])
    rows = []
    for place, name in enumerate(INSTRUMENTS):
        for recording in range(recordings):
            own = rng.standard_normal(len(columns))
            for clip in range(clips):
                values = alike * own + (1 - alike) * rng.standard_normal(len(columns)) + 3.0 * place * telling
                rows.append([*values, name, f"{name}/{recording}", f"{name}/{recording}/{clip}"])
    return pd.DataFrame(rows, columns=[*columns, "instrument", "group", "clip_id"])


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return made_up()


@pytest.fixture(scope="module")
def table(frame) -> pd.DataFrame:
    return variance.anova_table(frame)


@pytest.fixture(autouse=True)
def drawn_in_the_house_style():
    with style():
        yield
    plt.close("all")


def test_each_row_is_scipy_s_test(frame, table):
    assert len(table) == 174
    for column in ("zcr", "mfcc_7", "tonnetz_4", "mel_127"):
        groups = [part[column].to_numpy() for _, part in frame.groupby("instrument")]
        expected = stats.f_oneway(*groups)
        assert table.loc[column, "F"] == pytest.approx(expected.statistic)
        assert table.loc[column, "p"] == pytest.approx(expected.pvalue)
        assert table.loc[column, "F_critical"] == pytest.approx(stats.f.isf(0.001, 3, len(frame) - 4))
        assert table.loc[column, "passes"] == (expected.pvalue < 0.001)
    holm = multipletests(table["p"], alpha=0.001, method="holm")[0]
    np.testing.assert_array_equal(table["passes_holm"], holm)
    assert (table["F"] > table["F_critical"]).equals(table["passes"])


def test_the_critical_value_for_the_paper_s_numbers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"zcr": rng.standard_normal(6705), "instrument": [f"i{k % 11}" for k in range(6705)]})
    (row,) = variance.anova_table(frame).itertuples()
    assert (row.df_between, row.df_within) == variance_tables.PAPER_DF
    assert row.F_critical == pytest.approx(2.964, abs=5e-4)


def test_the_paper_s_p_values_and_effects_follow_from_its_statistics(table):
    published = {name: f for name, (f, _, _) in KNOWN.items()}
    compared = compared_with(table, published)
    for name, (f, log10_p, eta_squared) in KNOWN.items():
        assert compared.loc[name, "paper_F"] == f
        assert compared.loc[name, "paper_log10_p"] == pytest.approx(log10_p, abs=0.06)
        assert compared.loc[name, "paper_eta_squared"] == pytest.approx(eta_squared, abs=6e-4)
        assert compared.loc[name, "paper_passes"] == (name not in ("tonnetz_3", "tonnetz_4"))
    assert compared["paper_passes"].isna().sum() == 174 - len(KNOWN)
    assert "paper_passes_holm" not in compared


def test_holm_over_the_paper_s_tests_is_that_of_statsmodels():
    columns = list(KNOWN)
    table = variance.anova_table(made_up(columns=columns))
    compared = compared_with(table, {name: f for name, (f, _, _) in KNOWN.items()})
    p = [stats.f.sf(f, 10, 6694) for f, _, _ in (KNOWN[name] for name in table.index)]
    np.testing.assert_array_equal(compared["paper_passes_holm"], multipletests(p, alpha=0.001, method="holm")[0])


def test_a_dimension_that_does_not_vary_passes_nothing(frame):
    # a sum of tenths differs from its mean by rounding alone
    still = variance.anova_table(frame.assign(mel_3=0.1, mel_4=0.0))
    assert still.loc[["mel_3", "mel_4"], ["F", "p", "p_holm", "eta_squared"]].isna().all(axis=None)
    verdicts = ["passes", "passes_holm", "passes_welch", "passes_kruskal"]
    assert not still.loc[["mel_3", "mel_4"], verdicts].any(axis=None)
    assert list(still.index) == list(COLUMNS)
    quantities = variance.exact_quantities(frame.assign(mel_3=0.1))
    assert np.isnan(quantities["anova/F/mel_3"])
    assert np.isfinite(quantities["anova/max_log10_p/mel"])


def test_an_instrument_with_one_clip_is_left_out(frame):
    single = pd.concat([frame, frame.iloc[:1].assign(instrument="voi")])
    table = variance.anova_table(single)
    assert table.attrs["left_out"] == ["voi"]
    assert table.loc["zcr", "df_between"] == 3
    with pytest.raises(ValueError, match="1 instrument"):
        variance.anova_table(frame[frame["instrument"] == "vio"])
    with pytest.raises(ValueError, match="alpha"):
        variance.anova_table(frame, alpha=1.0)


def test_the_summary_has_the_ranges_of_each_feature(table):
    summary = variance_tables.feature_summary(table, {name: f for name, (f, _, _) in KNOWN.items()})
    mfcc = table[table["feature"] == "mfcc"]
    assert summary.loc["mfcc", "dimensions"] == 13
    assert summary.loc["mfcc", "F_low"] == mfcc["F"].min()
    assert summary.loc["mfcc", "log10_p_high"] == mfcc["log10_p"].max()
    assert summary.loc["tonnetz", "passing"] == 0
    assert summary.loc["mel", "passing"] == 128
    assert (summary.loc["tonnetz", "paper_F_low"], summary.loc["tonnetz", "paper_F_high"]) == (1.353, 24.91)
    assert np.isnan(summary.loc["mel", "paper_F_low"])


def test_tonnetz_is_listed_coordinate_by_coordinate(table):
    rows = variance_tables.tonnetz_table(table, {name: f for name, (f, _, _) in KNOWN.items()})
    assert list(rows.index) == ["5x", "5y", "m3x", "m3y", "M3x", "M3y"] == list(TONNETZ)
    assert rows.loc["m3x", "paper_F"] == 3.399
    assert rows.loc["M3y", "F"] == table.loc["tonnetz_5", "F"]
    assert list(rows["paper_passes"]) == [True, True, True, False, False, True]


def test_pairs_are_games_howell_with_the_pair_s_own_spread(frame):
    pairs = variance_tables.pair_effects(frame, "zcr").set_index(["group_a", "group_b"])
    a, b = (frame.loc[frame["instrument"] == name, "zcr"] for name in ("cel", "vio"))
    expected = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert pairs.loc[("cel", "vio"), "effect"] == pytest.approx(expected)
    samples = [part["zcr"] for _, part in frame.groupby("instrument")]
    p = stats.tukey_hsd(*samples, equal_var=False).pvalue
    assert pairs.loc[("cel", "gel"), "p"] == pytest.approx(p[0, 1])
    assert len(pairs) == 6


def test_clips_of_one_recording_make_differences_out_of_nothing():
    """None of the six depends on the instrument; three clips of a recording are nearly one observation."""
    columns = [f"tonnetz_{k}" for k in range(6)]
    passing = {"clips": 0, "recordings": 0}
    for seed in range(20):
        summary, _ = variance.sensitivity(made_up(alike=0.8, seed=seed, columns=columns), alpha=0.01)
        for name in passing:
            passing[name] += summary.loc[name, "passing"]
    assert passing["recordings"] <= 5
    assert passing["clips"] > 12


def test_more_clips_of_the_same_recordings_are_no_more_evidence():
    few = made_up(clips=2, columns=("tonnetz_0", "zcr"))
    many = pd.concat([few] * 5, ignore_index=True)
    clips = [variance.anova_table(one)["F"] for one in (few, many)]
    means = [variance.anova_table(variance.recording_means(one))["F"] for one in (few, many)]
    assert (clips[1] > 4 * clips[0]).all()
    np.testing.assert_allclose(means[0], means[1])
    assert list(variance.recording_means(many)["clips"]) == [10] * 48


def test_sensitivity_counts_what_passes_under_each_assumption(frame, table):
    contradictory = ["cel/0/0", "gel/3/1", "not a clip"]
    summary, tables = variance.sensitivity(frame, contradictory=contradictory)
    assert summary.loc["clips", "passing"] == table["passes"].sum() == 168
    assert list(summary["rows"]) == [144, 142, 48, 144, 144]
    assert summary.loc["without contradictory", "dimensions"] == 174
    kept = frame[~frame["clip_id"].isin(contradictory)]
    pd.testing.assert_frame_equal(tables["without contradictory"], variance.anova_table(kept))
    assert summary.loc["clips, Welch", "passing_holm"] is pd.NA
    assert "without contradictory" not in variance.sensitivity(frame)[0].index


def test_normality_is_refused_where_it_does_not_hold():
    rng = np.random.default_rng(1)
    n = 400
    frame = pd.DataFrame({"instrument": ["cel"] * n + ["vio"] * n, "zcr": rng.standard_normal(2 * n)})
    frame["rms"] = np.exp(frame["zcr"])
    summary = variance.normality_summary(frame)
    assert summary.loc["zcr", "shapiro_refused"] == 0
    assert summary.loc["rms", "shapiro_refused"] == summary.loc["rms", "dagostino_refused"] == 1
    assert summary.loc["rms", "median_skew"] > 1 > summary.loc["zcr", "median_skew"]


def test_quantities_for_claims_are_those_of_the_tables(frame, table):
    found = variance.exact_quantities(frame, contradictory=["cel/0/0"])
    assert all(name.startswith("anova/") and isinstance(value, float) for name, value in found.items())
    assert found["anova/n_tests"] == 174
    assert found["anova/n_passing"] == 168
    assert found["anova/tonnetz_passing"] == 0
    assert found["anova/others_passing"] == 168
    assert found["anova/passing/mel"] == 1
    assert found["anova/n_clips"] == 144
    assert found["anova/n_recordings"] == found["anova/n_clips"] / 3
    assert found["anova/F/contrast_6"] == table.loc["contrast_6", "F"]
    assert found["anova/max_log10_p/tonnetz"] == table.filter(like="tonnetz", axis=0)["log10_p"].max()
    assert found["anova/max_log10_p_others"] == table.drop(index=[f"tonnetz_{k}" for k in range(6)])["log10_p"].max()
    assert found["anova/without_contradictory_passing"] == 168
    assert 0 <= found["anova/normality_refused"] <= 0.05


def test_class_means_are_in_units_of_the_spread_within(frame, table):
    means = figures_variance.class_means(frame, table=table)
    assert means["column"].nunique() == 7
    best = figures_variance.most_telling(table)
    part = means[means["column"] == best].set_index("instrument")
    residuals = frame[best] - frame.groupby("instrument")[best].transform("mean")
    pooled = np.sqrt((residuals**2).sum() / (len(frame) - 4))
    direct = (frame[best].groupby(frame["instrument"]).mean() - frame[best].mean()) / pooled
    np.testing.assert_allclose(part["mean"], direct)
    one = frame.loc[frame["instrument"] == "gel", best]
    low, high = stats.t.interval(0.95, len(one) - 1, loc=one.mean(), scale=one.sem())
    assert (part.loc["gel", "high"] - part.loc["gel", "low"]) == pytest.approx((high - low) / pooled)
    assert means.loc[means["column"] != best, "mean"].abs().max() < 1 < part["mean"].abs().max()


def test_pictures_show_every_test_every_class_every_pair(frame, table):
    overview = figures_variance.plot_overview(compared_with(table, {"zcr": 98.4}))
    for ax in overview.axes:
        marks = [len(one.get_offsets()) for one in ax.collections]
        assert sum(marks) == 174
    means = figures_variance.plot_class_means(figures_variance.class_means(frame, table=table))
    assert [ax.get_title(loc="center").partition("\n")[0] for ax in means.axes[1:]] == [f"tonnetz {n}" for n in TONNETZ]
    assert [label.get_text() for label in means.axes[0].get_yticklabels()] == list(INSTRUMENTS)
    pairs = variance_tables.pair_effects(frame, "zcr")
    drawn = figures_variance.plot_pairs(pairs, title="zcr")
    matrix = drawn.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ma.filled(matrix, 0), -np.ma.filled(matrix, 0).T)
    assert len(drawn.axes[0].collections[0].get_offsets()) == 2 * (pairs["p"] < 0.001).sum()
