"""Ratings: files of listeners, raters who do not hear the reference, means with intervals, and rank tests."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reprise.stats import ratings as ra

STIMULI = ("reference", "anchor", "sawsing", "pwg")


def frame(cube, *, raters=None, items=None, stimuli=STIMULI):
    """Rows of an array [raters, items, stimuli]."""
    cube = np.asarray(cube, dtype=float)
    raters = raters or [f"r{index}" for index in range(cube.shape[0])]
    items = items or [f"i{index}" for index in range(cube.shape[1])]
    rows = [
        ("t", rater, rater, item, item, stimulus, cube[i, j, k])
        for i, rater in enumerate(raters)
        for j, item in enumerate(items)
        for k, stimulus in enumerate(stimuli)
    ]
    return pd.DataFrame(rows, columns=list(ra.COLUMNS))


@pytest.fixture
def many():
    rng = np.random.default_rng(0)
    base = np.array([95.0, 20.0, 60.0, 50.0])
    cube = base + 5 * rng.standard_normal((12, 1, 1)) + 4 * rng.standard_normal((1, 6, 1))
    return frame(np.clip(cube + 6 * rng.standard_normal((12, 6, 4)), 0, 100).round())


def rng():
    return np.random.default_rng(1)


class TestFiles:
    def write(self, folder, name, **changes):
        rows = frame(np.full((1, 2, 4), 70.0), raters=[name]).assign(**changes)
        rows.to_csv(folder / f"{name}.csv", index=False)
        return folder / f"{name}.csv"

    def test_a_folder_is_all_its_files_and_a_copy_counts_once(self, tmp_path):
        path = self.write(tmp_path, "ann")
        self.write(tmp_path, "bob")
        (tmp_path / "ann (1).csv").write_bytes(path.read_bytes())
        found = ra.read_ratings(tmp_path)
        assert len(found) == 16
        assert set(found["rater"]) == {"ann", "bob"}
        assert found["rating"].dtype == float
        pd.testing.assert_frame_equal(ra.read_ratings([path]), ra.read_ratings(path))

    def test_a_rater_without_a_name_is_known_by_the_session(self, tmp_path):
        path = self.write(tmp_path, "x", rater=" ", session="00af")
        assert set(ra.read_ratings(path)["rater"]) == {"00af"}

    def test_names_that_look_like_numbers_or_gaps_stay_words(self, tmp_path):
        path = self.write(tmp_path, "y", rater="007", stimulus="NA", session="1e5")
        found = ra.read_ratings(path)
        assert set(found["rater"]) == {"007"}
        assert set(found["stimulus"]) == {"NA"}

    def test_no_file_says_what_belongs_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="CSV files that listeners saved"):
            ra.read_ratings(tmp_path)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"rating": 101}, "row 1: rating '101' is no number from 0 to 100"),
            ({"rating": "good"}, "rating 'good'"),
            ({"rating": ""}, "rating ''"),
            ({"test": list("ab") * 4}, "2 tests"),
        ],
    )
    def test_what_is_no_rating_is_refused_by_name(self, tmp_path, changes, words):
        path = self.write(tmp_path, "bad", **changes)
        with pytest.raises(ValueError, match=words) as caught:
            ra.read_ratings(path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize(("text", "words"), [("", "no table"), ("a,b\n1,2\n", "no column 'test'"), ("\xff", "no")])
    def test_other_files_are_refused_by_name(self, tmp_path, text, words):
        path = tmp_path / "other.csv"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=words) as caught:
            ra.read_ratings(path)
        assert "other.csv" in str(caught.value)

    def test_an_empty_table_is_refused(self, tmp_path):
        path = tmp_path / "none.csv"
        path.write_text(",".join(ra.COLUMNS) + "\n")
        with pytest.raises(ValueError, match="has no row"):
            ra.read_ratings(path)

    def test_different_tests_are_not_mixed(self, tmp_path):
        paths = [self.write(tmp_path, "ann"), self.write(tmp_path, "bob", test="u")]
        with pytest.raises(ValueError, match=r"ann\.csv \(t\), bob\.csv \(u\)"):
            ra.read_ratings(paths)


class TestScreening:
    def test_the_rule_is_more_than_fifteen_percent_below_ninety(self):
        cube = np.full((3, 20, 4), 50.0)
        cube[:, :, 0] = 90.0
        cube[1, :3, 0] = 89.0  # exactly 15 %
        cube[2, :4, 0] = 0.0
        kept, raters = ra.screen_raters(frame(cube))
        assert raters["kept"].tolist() == [True, True, False]
        assert raters["n_low"].tolist() == [0, 3, 4]
        assert raters["share_low"].tolist() == [0.0, 0.15, 0.2]
        assert list(dict.fromkeys(kept["rater"])) == ["r0", "r1"]

    def test_who_never_rated_the_reference_cannot_stay(self):
        rows = frame(np.full((1, 2, 4), 95.0))
        kept, raters = ra.screen_raters(rows[rows["stimulus"] != "reference"])
        assert kept.empty
        assert not raters["kept"].any()


def test_opinion_scores_are_linear_between_the_ends():
    np.testing.assert_allclose(ra.mos_of([0, 25, 50, 100]), [1, 2, 3, 5])


class TestMeans:
    def test_means_are_those_of_pandas_and_lie_in_their_intervals(self, many):
        found = ra.mean_ratings(many, rng=rng()).set_index("stimulus")
        expected = many.groupby("stimulus")["rating"].mean()
        pd.testing.assert_series_equal(found["mean"], expected.loc[found.index], check_names=False)
        assert list(found.index) == ["reference", "sawsing", "pwg", "anchor"]
        assert ((found["low"] < found["mean"]) & (found["mean"] < found["high"])).all()
        np.testing.assert_allclose(found["mos"], 1 + found["mean"] / 25)
        assert set(found["n_raters"]) == {12}
        assert set(found["n_items"]) == {6}
        assert set(found["n_ratings"]) == {72}

    def test_draws_are_paired_and_equal_the_formula(self, many):
        draws = ra.rating_draws(many, rng=rng(), n_draws=50)
        weigh = rng()
        raters = weigh.multinomial(12, np.full(12, 1 / 12), size=50)
        items = weigh.multinomial(6, np.full(6, 1 / 6), size=50)
        for stimulus, values in draws.items():
            table = many[many["stimulus"] == stimulus].pivot_table(
                index="rater", columns="item", values="rating", sort=False
            )
            expected = np.einsum("dr,di,ri->d", raters, items, table.to_numpy()) / (12 * 6)
            np.testing.assert_allclose(values, expected)

    def test_the_interval_knows_of_both_raters_and_items(self, many):
        draws = ra.rating_draws(many, rng=rng(), n_draws=4000)["sawsing"]
        rows = many[many["stimulus"] == "sawsing"]
        for unit in ("rater", "item"):
            means = rows.groupby(unit)["rating"].mean()
            assert draws.std() > 0.95 * means.std(ddof=0) / np.sqrt(len(means))

    def test_one_rater_and_one_item_have_no_interval_but_their_value(self):
        found = ra.mean_ratings(frame(np.full((1, 1, 4), 40.0)), rng=rng(), n_draws=100)
        assert (found["low"] == 40).all()
        assert (found["high"] == 40).all()

    def test_missing_ratings_leave_means_of_the_others(self, many):
        rows = many[~((many["rater"] == "r0") & (many["stimulus"] == "pwg"))]
        found = ra.mean_ratings(rows, rng=rng()).set_index("stimulus")
        assert found.loc["pwg", "mean"] == pytest.approx(rows[rows["stimulus"] == "pwg"]["rating"].mean())
        assert found.loc["pwg", "n_raters"] == 11

    def test_who_rates_twice_counts_once(self):
        twice = pd.concat(
            [frame([[[90, 10, 50, 40]]]), frame([[[100, 20, 60, 50]]]), frame([[[0, 0, 0, 0]]], raters=["x"])]
        )
        found = ra.mean_ratings(twice, rng=rng()).set_index("stimulus")
        assert found.loc["reference", "mean"] == pytest.approx((95 + 0) / 2)

    def test_nothing_to_average_is_said(self, many):
        with pytest.raises(ValueError, match="no ratings"):
            ra.mean_ratings(many.iloc[:0], rng=rng())


class TestTests:
    def test_pairs_are_signed_ranks_of_means_per_rater(self, many):
        found = ra.pairwise_wilcoxon(many)
        assert len(found) == 6
        table = many.pivot_table(index="rater", columns="stimulus", values="rating")
        for row in found.itertuples():
            assert row.p == pytest.approx(ra._signed_rank((table[row.a] - table[row.b]).to_numpy())[1])
            assert row.difference == pytest.approx((table[row.a] - table[row.b]).mean())
            assert row.n == 12
        assert (found["p_holm"] >= found["p"]).all()

    @settings(max_examples=25)
    @given(st.lists(st.integers(-20, 20), min_size=1, max_size=8).filter(any), st.booleans())
    def test_few_differences_are_compared_exactly_whether_tied_or_not(self, values, tied):
        values = np.array(values, dtype=float)
        if not tied:
            values += np.linspace(0.01, 0.4, len(values))
        expected = stats.wilcoxon(values[values != 0])
        assert ra._signed_rank(values) == pytest.approx((expected.statistic, expected.pvalue))

    @pytest.mark.parametrize("n", [13, 14, 40])
    def test_more_differences_give_scipys_p(self, n):
        values = np.random.default_rng(n).normal(0.5, 1, n)
        expected = stats.wilcoxon(values)
        assert ra._signed_rank(values) == pytest.approx((expected.statistic, expected.pvalue))

    def test_items_can_be_the_unit(self, many):
        assert set(ra.pairwise_wilcoxon(many, unit="item")["n"]) == {6}
        with pytest.raises(ValueError, match="'rater' or 'item'"):
            ra.friedman(many, unit="cell")

    def test_only_common_cells_are_compared(self):
        rows = frame([[[90, 10, 50, 40]], [[90, 10, 70, 0]]])
        rows = rows[~((rows["rater"] == "r1") & (rows["stimulus"] == "pwg"))]
        found = ra.pairwise_wilcoxon(rows).set_index(["a", "b"])
        assert found.loc[("sawsing", "pwg"), "difference"] == 10
        assert found.loc[("sawsing", "pwg"), "n"] == 1

    def test_equal_and_never_common_stimuli(self):
        rows = frame(np.full((4, 1, 2), 50.0), stimuli=("a", "b"))
        assert ra.pairwise_wilcoxon(rows)["p"].tolist() == [1.0]
        apart = rows[(rows["stimulus"] == "a") == (rows["rater"] == "r0")]
        assert ra.pairwise_wilcoxon(apart)["p"].isna().all()

    def test_friedman_is_scipys_with_kendalls_w(self, many):
        found = ra.friedman(many)
        table = many.pivot_table(index="rater", columns="stimulus", values="rating")
        expected = stats.friedmanchisquare(*table.to_numpy().T)
        assert found["statistic"] == pytest.approx(expected.statistic)
        assert found["p"] == pytest.approx(expected.pvalue)
        assert found["df"] == 3
        assert 0 < found["w"] <= 1

    def test_perfect_agreement_has_w_of_one(self):
        found = ra.friedman(frame(np.tile([90.0, 10.0, 50.0, 40.0], (5, 2, 1))))
        assert found["w"] == pytest.approx(1)
        assert found["n"] == 5

    @pytest.mark.parametrize("cube", [np.full((5, 2, 4), 3.0), np.ones((1, 2, 4)) * [1, 2, 3, 4]])
    def test_friedman_without_differences_or_blocks_is_nan(self, cube):
        assert np.isnan(ra.friedman(frame(cube))["p"])

    @settings(max_examples=15)
    @given(st.integers(0, 2**32 - 1))
    def test_the_order_of_the_rows_changes_nothing(self, seed):
        rows = frame(np.random.default_rng(seed).integers(0, 101, (5, 3, 3)), stimuli=("a", "b", "c"))
        mixed = rows.sample(frac=1, random_state=seed)
        assert ra.friedman(mixed)["p"] == pytest.approx(ra.friedman(rows)["p"], nan_ok=True)
        ours = ra.pairwise_wilcoxon(rows).set_index(["a", "b"])["p"]
        for (a, b), p in ra.pairwise_wilcoxon(mixed).set_index(["a", "b"])["p"].items():
            assert p == pytest.approx(ours.get((a, b), ours.get((b, a))))
