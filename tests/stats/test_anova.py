"""Analyses of variance against scipy, statsmodels and mpmath."""

import mpmath
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_oneway

from reprise.stats import anova
from reprise.stats.anova import games_howell, normality, one_way
from reprise.stats.tails import log10_f_survival


def unbalanced(seed: int, sizes: list[int], *, n_columns: int = 3, ties: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = rng.standard_normal((len(codes), n_columns)) * (1 + codes[:, None]) + 0.3 * codes[:, None]
    frame = pd.DataFrame(np.round(values, 1) if ties else values, columns=[f"v{i}" for i in range(n_columns)])
    return frame.assign(group=np.array([f"g{code}" for code in codes]))


def samples(frame: pd.DataFrame, column: str) -> list[np.ndarray]:
    return [part[column].to_numpy() for _, part in frame.groupby("group")]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(3, 30), min_size=2, max_size=6),
    ties=st.booleans(),
)
def test_equals_scipy_on_unbalanced_data(seed, sizes, ties):
    frame = unbalanced(seed, sizes, ties=ties)
    table = one_way(frame, value=["v0", "v2"], group="group")
    assert list(table.index) == ["v0", "v2"]
    for column, row in table.iterrows():
        groups = samples(frame, column)
        expected = {
            ("F", "p"): stats.f_oneway(*groups),
            ("kruskal_H", "kruskal_p"): stats.kruskal(*groups),
        }
        if all(np.ptp(group) > 0 for group in groups):
            expected["welch_F", "welch_p"] = stats.f_oneway(*groups, equal_var=False)
        for names, (statistic, p) in expected.items():
            # equal means of tied values differ by rounding alone, and so does a statistic of 1e-32
            np.testing.assert_allclose(row[names[0]], statistic, rtol=1e-8, atol=1e-12)
            np.testing.assert_allclose(row[names[1]], p, rtol=1e-8)
        np.testing.assert_allclose(row["levene_p"], stats.levene(*groups).pvalue, rtol=1e-8)
        np.testing.assert_allclose(row["log10_p"], np.log10(row["p"]), rtol=1e-9)


def test_equals_statsmodels_table_and_effect_sizes():
    frame = unbalanced(3, [5, 9, 14, 30])
    row = one_way(frame, value="v1", group="group").loc["v1"]
    table = sm.stats.anova_lm(ols("v1 ~ C(group)", data=frame).fit())
    between, within = table["sum_sq"]
    assert row["F"] == pytest.approx(table["F"].iloc[0], rel=1e-9)
    assert (row["df_between"], row["df_within"]) == tuple(table["df"])
    assert row["eta_squared"] == pytest.approx(between / (between + within), rel=1e-9)
    mean_square = within / table["df"].iloc[1]
    omega = (between - table["df"].iloc[0] * mean_square) / (between + within + mean_square)
    assert row["omega_squared"] == pytest.approx(omega, rel=1e-9)
    welch = anova_oneway(frame["v1"], groups=frame["group"], use_var="unequal")
    assert row["welch_F"] == pytest.approx(welch.statistic, rel=1e-9)
    assert row["welch_p"] == pytest.approx(welch.pvalue, rel=1e-9)


def test_holm_over_the_rows_equals_statsmodels():
    frame = unbalanced(5, [8, 8, 8], n_columns=12)
    names = [f"v{i}" for i in range(12)]
    table = one_way(frame, value=names, group="group")
    np.testing.assert_allclose(table["p_holm"], multipletests(table["p"], method="holm")[1])


@pytest.mark.parametrize(
    ("f", "df_between", "df_within"),
    [(0.5, 3, 20), (5.0, 10, 6694), (263.41, 10, 6694), (1e5, 10, 6694), (1e80, 4, 10), (1e12, 1, 5), (4e4, 1, 999)],
)
def test_logarithm_of_p_equals_arbitrary_precision(f, df_between, df_within):
    with mpmath.workdps(60):
        x = mpmath.mpf(df_within) / (df_within + df_between * mpmath.mpf(f))
        p = mpmath.betainc(mpmath.mpf(df_within) / 2, mpmath.mpf(df_between) / 2, 0, x, regularized=True)
        expected = float(mpmath.log10(p))
    assert log10_f_survival(np.array([f]), df_between=df_between, df_within=df_within)[0] == pytest.approx(
        expected, rel=1e-10
    )


def test_logarithm_of_p_is_smooth_where_the_method_changes():
    f = np.linspace(105, 115, 400)
    slopes = np.diff(log10_f_survival(f, df_between=10, df_within=6694))
    assert (slopes < 0).all()
    assert np.abs(np.diff(slopes)).max() < 1e-3 * np.abs(slopes).max()


def test_p_that_underflows_keeps_its_logarithm():
    frame = unbalanced(0, [400, 400, 400])
    frame["v0"] += 100.0 * (frame["group"] == "g1")
    row = one_way(frame, value="v0", group="group").loc["v0"]
    assert row["p"] == 0
    assert -5000 < row["log10_p"] < -308


def test_large_offset_does_not_cost_digits():
    frame = unbalanced(1, [10, 20, 30])
    shifted = frame.assign(v0=frame["v0"] + 1e8)
    plain, moved = (one_way(each, value="v0", group="group")["F"].item() for each in (frame, shifted))
    assert moved == pytest.approx(plain, rel=1e-6)


def test_columns_in_chunks_equal_columns_at_once(monkeypatch):
    frame = unbalanced(2, [10, 20, 30], n_columns=7)
    names = [f"v{i}" for i in range(7)]
    whole = one_way(frame, value=names, group="group")
    monkeypatch.setattr(anova, "CHUNK", 2 * len(frame))
    pd.testing.assert_frame_equal(one_way(frame, value=names, group="group"), whole, rtol=1e-12)


def test_group_without_variance_leaves_only_welch_unknown():
    frame = pd.DataFrame({"v": [1.0, 1.0, 2.0, 5.0, 3.0, 9.0], "group": list("aabbcc")})
    row = one_way(frame, value="v", group="group").loc["v"]
    assert np.isnan(row["welch_F"])
    assert np.isnan(row["welch_p"])
    assert row.drop(["welch_F", "welch_p"]).notna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(v0=np.where(frame.index == 4, np.nan, frame["v0"])), "v0.*missing.*row 4"),
        (lambda frame: frame.assign(v0=np.where(frame.index == 2, np.inf, frame["v0"])), "v0.*row 2"),
        (lambda frame: frame.assign(v0="loud"), "v0.*not numeric"),
        (lambda frame: frame.assign(v0=frame["v0"] > 0), "v0.*not numeric"),
        (lambda frame: frame.assign(v0=1.5), "v0.*zero variance"),
        (lambda frame: frame.assign(v0=frame["group"].map({"g0": 0.1, "g1": 0.7, "g2": 0.3})), "v0.*zero variance"),
        (lambda frame: frame.drop(columns="v0"), "no column 'v0'"),
        (lambda frame: frame.assign(group="one"), "1 group"),
        (lambda frame: frame.assign(group=frame["group"].where(frame.index != 3)), "no group in row 3"),
        (lambda frame: frame.assign(group=frame["group"].where(frame.index != 3, "alone")), "'alone'.*one row"),
    ],
)
def test_refuses_what_it_cannot_analyse(change, message):
    with pytest.raises(ValueError, match=message):
        one_way(change(unbalanced(4, [5, 6, 7])), value="v0", group="group")


def test_refuses_a_column_named_twice():
    with pytest.raises(ValueError, match="v0 more than once"):
        one_way(unbalanced(4, [5, 6]), value=["v0", "v0"], group="group")


def test_games_howell_equals_scipy_and_has_every_pair():
    frame = unbalanced(6, [6, 12, 9, 20])
    table = games_howell(frame, value="v0", group="group")
    groups = samples(frame, "v0")
    expected = stats.tukey_hsd(*groups, equal_var=False)
    assert list(zip(table["group_a"], table["group_b"], strict=True)) == [
        (f"g{a}", f"g{b}") for a in range(4) for b in range(a + 1, 4)
    ]
    row = table.iloc[4]
    assert row["difference"] == pytest.approx(groups[1].mean() - groups[3].mean())
    assert row["p"] == pytest.approx(expected.pvalue[1, 3])
    assert row["low"] < row["difference"] < row["high"]


def test_games_howell_without_intervals_has_the_same_differences():
    frame = unbalanced(8, [6, 9, 7])
    whole = games_howell(frame, value="v0", group="group")
    quick = games_howell(frame, value="v0", group="group", level=None)
    pd.testing.assert_frame_equal(quick, whole.drop(columns=["low", "high"]))


def test_games_howell_of_two_groups_is_welch():
    frame = unbalanced(7, [8, 15])
    welch = stats.ttest_ind(*samples(frame, "v0"), equal_var=False).pvalue
    assert games_howell(frame, value="v0", group="group")["p"].item() == pytest.approx(welch, rel=1e-6)


def test_normality_equals_scipy_and_knows_its_limits():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"group": np.repeat(["few", "many", "flat"], [10, 6000, 30])})
    frame["v"] = np.where(frame["group"] == "flat", 1.0, rng.exponential(size=len(frame)))
    table = normality(frame, value="v", group="group").set_index("group")
    few, many = (frame.loc[frame["group"] == name, "v"] for name in ("few", "many"))
    assert table.loc["few", "shapiro_W"] == pytest.approx(stats.shapiro(few).statistic)
    assert np.isnan(table.loc["few", "dagostino_p"])
    assert np.isnan(table.loc["many", "shapiro_p"])
    assert table.loc["many", "dagostino_K2"] == pytest.approx(stats.normaltest(many).statistic)
    assert table.loc["many", "skew"] == pytest.approx(2, abs=0.3)
    assert table.loc["many", "kurtosis"] == pytest.approx(stats.kurtosis(many))
    assert np.isnan(table.loc["flat", ["skew", "shapiro_p", "dagostino_p"]].astype(float)).all()
