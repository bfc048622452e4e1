"""Which of the published tables and figures a run cannot show beside its own results, and why."""

from collections.abc import Collection as Names

from reprise.report.reported import Reported

__all__ = ["left_out"]

NOT_AVAILABLE = "not available: the paper's text is not at hand"
NO_RATINGS = "there was no listening test; the page for one is in the folder of this run"
NOT_TRAINED = "what it compares is not trained here, or the voice of the singer is not known"
# tables in which all numbers of ours are those of conditions with a voice
OF_CONDITIONS = ("paper_objective", "demo_audio", "delayed_audio")
# figures, and what must have been trained for them
NEEDED = {
    "figure_1": ("sawsing",),
    "figure_4": ("sawsing", "ddsp_add"),
    "figure_convergence": ("sawsing",),
}


def left_out(reported: Reported, conditions: Names[str], *, rated: bool = False) -> dict[str, str]:
    """Tables and figures that a run leaves out.

    Parameters
    ----------
    reported : Reported
    conditions : collection of str
        Those of an outcome, or of a grid that is still to be run:
        :func:`reprise.papers.sawsing.outcome.condition_names`.
    rated : bool
        Whether there are ratings of a listening test.

    Returns
    -------
    dict of str to str
        Name of the table or figure → reason, for :class:`reprise.report.publication.Publication`.
    """
    known = set(conditions)
    skip = {name: NOT_AVAILABLE for name, figure in reported.figures.items() if figure.title == "not available"}
    skip |= {name: NOT_TRAINED for name, needed in NEEDED.items() if not known.issuperset(needed)}
    for name, table in reported.tables.items():
        if name in OF_CONDITIONS and not known & set(table.rows):
            skip[name] = NOT_TRAINED
    if not rated:
        skip["paper_listening"] = NO_RATINGS
    return skip
