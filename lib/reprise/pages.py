"""Executed notebooks as HTML pages that need no network: images inside, equations drawn."""

import functools
import html
import re
from pathlib import Path
from typing import Any

__all__ = ["equation", "notebook_page"]

# Equations are drawn larger than the text around them: Computer Modern is smaller at the same size.
EQUATION_EM = 1.12

# TeX that Matplotlib does not know, in words that it does
SPELLINGS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"\\text\{([^{}]*)\}"), lambda found: r"\mathrm{" + found[1].replace(" ", r"\ ") + "}"),
    (re.compile(r"\\[td]?frac\s*(\w)\s*(\w)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[td]frac\b"), r"\\frac"),
    (re.compile(r"\\(le|ge|ne)(?![a-zA-Z])"), r"\\\1q"),
    (re.compile(r"\\[lr]Vert\b"), r"\\Vert"),
    (re.compile(r"\\[lr]vert\b"), r"\\vert"),
    (re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])"), ""),
)
ROWS = re.compile(r"\\begin\{(align|aligned|gather|gathered|equation|split)\*?\}(.*)\\end\{\1\*?\}", re.DOTALL)

TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock html_head_js_requirejs -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_css -%}
<style>
main { max-width: 72rem; margin: 0 auto; }
svg.equation { overflow: visible; }
span.equation { display: block; text-align: center; margin: 1em 0; overflow-x: auto; }
details.log { font-family: var(--jp-ui-font-family); font-size: var(--jp-ui-font-size1); }
</style>
{%- endblock html_head_css -%}
{%- block stream_stderr -%}
{%- set lines = output.text.strip().splitlines() | length -%}
{%- if lines > 8 -%}
<details class="log"><summary>{{ lines }} lines of progress and warnings</summary>{{ super() }}</details>
{%- else -%}
{{ super() }}
{%- endif -%}
{%- endblock stream_stderr -%}
"""


@functools.lru_cache(maxsize=1024)
def equation(tex: str, *, display: bool = False) -> str:
    """Draw an equation as HTML.

    Parameters
    ----------
    tex : str
        TeX without dollar signs, in the subset that Matplotlib draws.
    display : bool
        On a line of its own.

    Returns
    -------
    str
        An SVG on the text's baseline with the TeX as its description; TeX that cannot be drawn stays readable as text.
    """
    rows = ROWS.fullmatch(tex.strip())
    lines = [line.replace("&", "") for line in re.split(r"\\\\", rows[2])] if rows else [tex]
    drawings = [_draw(" ".join(line.split())) for line in lines if line.strip()]
    if None in drawings:
        drawings = [f"<code>{html.escape(tex.strip())}</code>"]
    if not display:
        return " ".join(filter(None, drawings))
    # no paragraph: a renderer may have opened one already
    return "".join(f'<span class="equation">{drawing}</span>' for drawing in drawings)


def _draw(tex: str) -> str | None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath, TextToPath

    properties = FontProperties(math_fontfamily="cm")
    size = TextToPath.FONT_SCALE
    known = tex
    for pattern, spelling in SPELLINGS:
        known = pattern.sub(spelling, known)
    try:
        path = TextPath((0, 0), f"${known}$", size=size, prop=properties)
    except ValueError:
        return None
    if not len(path.vertices):
        return None
    box = path.get_extents()
    width, height, depth = (value / size * EQUATION_EM for value in (box.x1, box.height, -box.y0))
    return (
        f'<svg class="equation" role="img" aria-label="{html.escape(tex)}" fill="currentColor"'
        f' style="width:{width:.3f}em;height:{height:.3f}em;vertical-align:{-depth:.3f}em"'
        f' viewBox="0 {-box.y1:.1f} {box.x1:.1f} {box.height:.1f}"><path d="{_svg_path(path)}"/></svg>'
    )


def _svg_path(path: Any) -> str:
    letters = {path.MOVETO: "M", path.LINETO: "L", path.CURVE3: "Q", path.CURVE4: "C", path.CLOSEPOLY: "Z"}
    pieces = []
    for vertices, code in path.iter_segments(simplify=False):
        points = "" if code == path.CLOSEPOLY else " ".join(f"{x:.1f} {-y:.1f}" for x, y in vertices.reshape(-1, 2))
        pieces.append(letters[code] + points)
    return "".join(pieces)


def notebook_page(notebook: Any, *, title: str, images: Path) -> str:
    """Turn an executed notebook into one self-contained HTML page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    title : str
        Title of the page.
    images : Path
        Folder that the notebook's relative image links start from; the images are put into the page.

    Returns
    -------
    str
        HTML with code shown, no prompts, no scripts from elsewhere; long logs of a cell are folded.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class DrawnEquations(IPythonRenderer):
        def block_math(self, body: str) -> str:
            return equation(body, display=True)

        def inline_math(self, body: str) -> str:
            return equation(body)

        def latex_environment(self, name: str, body: str) -> str:
            return equation(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def to_html(source: str) -> str:
        renderer = DrawnEquations(escape=False, embed_images=True, path=str(images), exclude_anchor_links=True)
        return MarkdownWithMath(renderer=renderer).render(source)

    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"page.html.j2": TEMPLATE})],
        template_file="page.html.j2",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        embed_images=True,
        # a line of progress each time is one output; together they can be folded
        preprocessors=["nbconvert.preprocessors.CoalesceStreamsPreprocessor"],
    )
    exporter.register_filter("markdown2html", to_html)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title, "path": str(images)}})
    return body
