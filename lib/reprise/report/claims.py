"""Verdicts on a paper's claims, each with its test, effect, interval and evidence."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reprise.report.claim_schema import Claim, Equivalence, Exact, Magnitude, Ordering
from reprise.report.draws import Draws
from reprise.report.reported import Reported

__all__ = ["EVIDENCE", "NO_DATA", "SCORECARD_COLUMNS", "VERDICTS", "check_evidence", "evaluate", "evidence_sentence"]

SCORECARD_COLUMNS = (
    "paper",
    "claim",
    "source",
    "kind",
    "statement",
    "test",
    "paper_value",
    "ours",
    "low",
    "high",
    "n",
    "evidence",
    "verdict",
)
VERDICTS = ("reproduced", "contradicted", "inconclusive", "not run")
EVIDENCE = {
    "synthetic": "synthetic data: a check of the machinery, not evidence about the paper",
    "excerpt": "an excerpt of the real data set: an indication, not the paper's experiment",
    "full": "the full real data set",
}
NO_DATA = "no data"
LEVEL = 0.95
# parameter counts are given in thousands, so 337.55 − 337.5 must not exceed 0.05 by round-off
SLACK = 1e-9


@dataclass(frozen=True)
class _Finding:
    verdict: str
    test: str
    paper_value: str = ""
    ours: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int | None = None


@dataclass(frozen=True)
class _Difference:
    """One comparison; ``outer`` is the interval that holds for all comparisons of the claim together (Bonferroni)."""

    first: str
    second: str
    value: float
    low: float
    high: float
    outer: tuple[float, float]


def check_evidence(evidence: str) -> str:
    """Give the evidence back, or refuse a word that is none of ``synthetic``, ``excerpt``, ``full``."""
    if evidence not in EVIDENCE:
        raise ValueError(f"evidence must be one of {', '.join(EVIDENCE)}, got {evidence!r}")
    return evidence


def evidence_sentence(evidence: str) -> str:
    """What results on this evidence can say, for captions and pages."""
    return f"Evidence: {EVIDENCE[check_evidence(evidence)]}."


def evaluate(reported: Reported, draws: Draws, *, evidence: str, profile: str) -> pd.DataFrame:
    """Test every claim of a paper.

    Parameters
    ----------
    reported : Reported
    draws : Draws
        Paired draws of the conditions that were run, and exact quantities.
    evidence : str
        ``synthetic``, ``excerpt`` or ``full``; claims about the code alone get ``no data``.
    profile : str
        Kept in the frame's ``attrs``.

    Returns
    -------
    DataFrame
        One row per claim with the columns of ``SCORECARD_COLUMNS``. ``ours, low, high`` are the effect and its 95 %
        interval, positive in the claim's favour for orderings; ``n`` is the smallest number of seeds.

    Notes
    -----
    - ordering: every paired difference (better minus worse, turned round where low is good) must have its interval
      above 0. This is an intersection-union test, so many comparisons need no correction for *reproduced*. One
      interval below 0 is enough for *contradicted*, which many comparisons make likely by chance, so there the
      intervals are Bonferroni's. The smallest difference is shown, with its own 95 % interval.
    - equivalence: the intervals must lie within ± margin; one outside, after the same correction, contradicts. The
      largest difference is shown.
    - magnitude: the interval must lie within the paper's value ± tolerance; it contradicts when it lies outside.
    - With one seed the first three kinds stay open, however narrow the interval over clips.
    - exact: the number must be within tolerance of the paper's, or on the right side of its bound; no sampling.
    """
    check_evidence(evidence)
    findings = [_needs_seeds(_TESTS[claim.kind](reported, draws, claim)) for claim in reported.claims]
    rows = [_scorecard_row(reported, *pair) for pair in zip(reported.claims, findings, strict=True)]
    frame = pd.DataFrame(rows, columns=list(SCORECARD_COLUMNS))
    frame["evidence"] = frame["evidence"].fillna(evidence)
    frame["n"] = frame["n"].astype("Int64")
    frame.attrs["profile"] = profile
    return frame


def _needs_seeds(finding: _Finding) -> _Finding:
    """Leave a claim open that rests on one seed: resampled clips know nothing of what another run would give."""
    if finding.n != 1 or finding.verdict not in ("reproduced", "contradicted"):
        return finding
    return replace(finding, verdict="inconclusive", test=f"{finding.test}; one seed, so run-to-run noise is unknown")


def _scorecard_row(reported: Reported, claim: Claim, finding: _Finding) -> dict[str, Any]:
    return {
        "paper": reported.paper.slug,
        "claim": claim.id,
        "source": claim.source,
        "kind": claim.kind,
        "statement": claim.statement,
        "test": finding.test,
        "paper_value": claim.paper_value or finding.paper_value,
        "ours": finding.ours,
        "low": finding.low,
        "high": finding.high,
        "n": finding.n,
        "evidence": NO_DATA if isinstance(claim, Exact) and claim.needs_no_data else None,
        "verdict": finding.verdict,
    }


def _missing(draws: Draws, claim: Claim, metric: str) -> _Finding | None:
    absent = [name for name in dict.fromkeys(claim.conditions()) if not draws.has(name, metric)]
    if not absent:
        return None
    return _Finding("not run", f"no value of {metric} for {', '.join(absent)}")


def _differences(draws: Draws, pairs: list[tuple[str, str]], metric: str, *, sign: float = 1.0) -> list[_Difference]:
    found = []
    for first, second in pairs:
        a, b = (first, second) if sign > 0 else (second, first)
        value, low, high = draws.difference(a, b, metric, level=LEVEL)
        outer = draws.difference(a, b, metric, level=1 - (1 - LEVEL) / len(pairs))[1:]
        found.append(_Difference(first, second, value, low, high, outer))
    return found


def _how(draws: Draws, claim: Claim, metric: str) -> str:
    samples = dict.fromkeys(draws.unit(name, metric) for name in claim.conditions())
    return f"95 % interval, {' / '.join(samples)}"


def _n(draws: Draws, claim: Claim, metric: str) -> int:
    return min(draws.n(name, metric) for name in claim.conditions())


def _signed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:+.{digits}f}"


def _digits(reported: Reported, metric: str) -> int:
    measure = reported.measure(metric)
    return 3 if measure is None else measure.digits


def _published(reported: Reported, pairs: list[tuple[str, str]], metric: str, *, sign: float = 1.0) -> list[float]:
    """Published differences of all pairs; empty where one of them is not printed."""
    values = [reported.published_difference(first, second, metric) for first, second in pairs]
    known = [sign * value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _of(differences: list[_Difference], shown: _Difference, *, which: str) -> str:
    pair = f"{shown.first} − {shown.second}"
    return pair if len(differences) == 1 else f"{which} of {len(differences)} differences ({pair})"


def _ordering(reported: Reported, draws: Draws, claim: Ordering) -> _Finding:
    missing = _missing(draws, claim, claim.metric)
    sign = -1.0 if reported.lower_is_better(claim) else 1.0
    published = _published(reported, claim.comparisons(), claim.metric, sign=sign)
    paper_value = _signed(min(published, default=None), _digits(reported, claim.metric))
    if missing:
        return _Finding("not run", missing.test, paper_value)
    differences = _differences(draws, claim.comparisons(), claim.metric, sign=sign)
    shown = min(differences, key=lambda difference: difference.value)
    if any(difference.outer[1] < 0 for difference in differences):
        verdict = "contradicted"
    elif all(difference.low > 0 for difference in differences):
        verdict = "reproduced"
    else:
        verdict = "inconclusive"
    turned = " (low is good, so the sign is turned)" if sign < 0 else ""
    below = [f"{item.first} − {item.second}" for item in differences if item.outer[1] < 0 and item is not shown]
    also = f"; also below 0: {', '.join(below)}" if below else ""
    test = (
        f"{claim.metric}: {_of(differences, shown, which='smallest')} > 0{turned}; "
        f"{_how(draws, claim, claim.metric)}{also}"
    )
    return _Finding(verdict, test, paper_value, shown.value, shown.low, shown.high, _n(draws, claim, claim.metric))


def _within(low: float, high: float, *, lowest: float, highest: float) -> str:
    if lowest < low and high < highest:
        return "reproduced"
    return "contradicted" if high < lowest or low > highest else "inconclusive"


def _equivalence(reported: Reported, draws: Draws, claim: Equivalence) -> _Finding:
    missing = _missing(draws, claim, claim.metric)
    published = _published(reported, claim.comparisons(), claim.metric)
    paper_value = _signed(max(published, key=abs, default=None), _digits(reported, claim.metric))
    if missing:
        return _Finding("not run", missing.test, paper_value)
    differences = _differences(draws, claim.comparisons(), claim.metric)
    shown = max(differences, key=lambda difference: abs(difference.value))
    if any(item.outer[1] < -claim.margin or item.outer[0] > claim.margin for item in differences):
        verdict = "contradicted"
    else:
        inside = all(-claim.margin < item.low and item.high < claim.margin for item in differences)
        verdict = "reproduced" if inside else "inconclusive"
    test = (
        f"{claim.metric}: {_of(differences, shown, which='largest')} within ±{claim.margin:g}; "
        f"{_how(draws, claim, claim.metric)}"
    )
    return _Finding(verdict, test, paper_value, shown.value, shown.low, shown.high, _n(draws, claim, claim.metric))


def _magnitude(reported: Reported, draws: Draws, claim: Magnitude) -> _Finding:
    effect = reported.paper_effect(claim)
    if effect is None:
        raise ValueError(f"claim {claim.id!r} has no published size; give it a paper_difference")
    digits = _digits(reported, claim.metric)
    paper_value = f"{effect:.{digits}f}" if claim.b is None else _signed(effect, digits)
    missing = _missing(draws, claim, claim.metric)
    if missing:
        return _Finding("not run", missing.test, paper_value)
    if claim.b is None:
        what, value = claim.a, draws.value(claim.a, claim.metric)
        low, high = draws.interval(claim.a, claim.metric, level=LEVEL)
    else:
        what = f"{claim.a} − {claim.b}"
        value, low, high = draws.difference(claim.a, claim.b, claim.metric, level=LEVEL)
    half = claim.tolerance.around(effect)
    verdict = _within(low, high, lowest=effect - half, highest=effect + half)
    test = f"{claim.metric}: {what} within {paper_value} ± {half:.3g}; {_how(draws, claim, claim.metric)}"
    return _Finding(verdict, test, paper_value, value, low, high, _n(draws, claim, claim.metric))


def _exact(reported: Reported, draws: Draws, claim: Exact) -> _Finding:
    half = 0.0 if claim.value is None else claim.tolerance.around(claim.value)
    if claim.value is not None:
        paper_value, low, high = f"{claim.value:.10g}", claim.value - half, claim.value + half
        test = f"{claim.quantity} = {paper_value}" + (f" ± {half:g}" if half else "")
    else:
        low = -math.inf if claim.at_least is None else claim.at_least
        high = math.inf if claim.at_most is None else claim.at_most
        bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", low), ("≤", high)) if math.isfinite(bound)]
        paper_value = " and ".join(bounds)
        test = f"{claim.quantity} {paper_value}"
    ours = draws.exact.get(claim.quantity, math.nan)
    if not math.isfinite(ours):
        return _Finding("not run", f"no value of {claim.quantity}", paper_value)
    slack = SLACK * max(1.0, abs(ours))
    verdict = "reproduced" if low - slack <= ours <= high + slack else "contradicted"
    return _Finding(verdict, f"{test}; no sampling", paper_value, float(ours))


_TESTS: dict[str, Callable[..., _Finding]] = {
    "ordering": _ordering,
    "equivalence": _equivalence,
    "magnitude": _magnitude,
    "exact": _exact,
}
