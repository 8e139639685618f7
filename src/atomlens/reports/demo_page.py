"""The page that a demo ends with: how good the model is, what it looks at, what to do next."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from atomlens.errors import SettingsError
from atomlens.files import write_text
from atomlens.reports.content import ExplainedStructure
from atomlens.reports.page import render_page, resource
from atomlens.reports.prose import prose_html
from atomlens.reports.wording import number
from atomlens.units import unit_text

_PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}
_NEEDED = ("mae", "mae_mean", "mae_ridge", "unit", "n_train", "n_test", "seconds")


def write_index(
    path: str | Path,
    *,
    title: str,
    metrics: Mapping[str, Any],
    explained: Sequence[ExplainedStructure] = (),
    figures: Mapping[str, Path] | None = None,
    notes: Sequence[str] = (),
    commands: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write one self-contained page with errors, figures, explained structures and commands.

    ``metrics`` holds ``mae``, ``mae_mean``, ``mae_ridge`` (in ``unit``), ``n_train``, ``n_test``
    and ``seconds``; ``model`` and ``target`` are named if given. ``figures`` maps captions to
    .png or .svg files, which are copied into the page. ``notes`` are sentences, ``commands``
    pairs of what a command does and the command.
    """
    missing = [key for key in _NEEDED if key not in metrics]
    if missing:
        raise SettingsError(f"{path}: the metrics lack {', '.join(missing)}.")
    page = render_page(
        explained,
        title=title,
        before=_opening(title, metrics, figures or {}, notes, commands, bool(explained)),
        after=f"<script>{resource('demo.js')}</script>",
        style=resource("demo.css"),
    )
    return write_text(page, path)


def _opening(
    title: str,
    metrics: Mapping[str, Any],
    figures: Mapping[str, Path],
    notes: Sequence[str],
    commands: Sequence[tuple[str, str]],
    has_viewer: bool,
) -> str:
    pictures = "".join(_figure(caption, path) for caption, path in figures.items())
    blocks = [
        f"<header class='page-head'><h1>{escape(title)}</h1><p class='lead'>{_lead(metrics)}</p>"
        "</header>",
        f"<div class='story'><div>{_errors(metrics)}{_notes(notes)}</div>{_commands(commands)}"
        "</div>",
        f"<div class='figures'>{pictures}</div>" if pictures else "",
    ]
    if has_viewer:
        blocks.append("<h2 class='section-title'>Which atoms the answers rest on</h2>")
    return "\n".join(blocks)


def _lead(metrics: Mapping[str, Any]) -> str:
    model = escape(str(metrics.get("model", "The model")))
    target = escape(str(metrics.get("target", "the property")))
    return (
        f"{model} learned {target} from {metrics['n_train']:,} structures; the whole run took "
        f"{_duration(float(metrics['seconds']))}. The errors below are for "
        f"{metrics['n_test']:,} structures that it never saw."
    )


def _errors(metrics: Mapping[str, Any]) -> str:
    """Bars of the mean absolute errors, with the numbers beside them."""
    rows = [
        (escape(str(metrics.get("model", "model"))), float(metrics["mae"]), "ours"),
        ("ridge on element counts", float(metrics["mae_ridge"]), ""),
        ("always the mean", float(metrics["mae_mean"]), ""),
    ]
    longest = max(value for _, value, _ in rows) or 1.0
    unit = escape(unit_text(str(metrics["unit"])))
    bars = "".join(
        f"<div class='error {kind}'><span>{name}</span>"
        f"<div><i style='width:{100 * value / longest:.1f}%'></i></div>"
        f"<span>{number(value)} {unit}</span></div>"
        for name, value, kind in rows
    )
    return (
        f"<section class='card'><h2>Mean absolute error</h2>{bars}"
        f"<p class='quiet'>{_comparison(metrics)}</p></section>"
    )


def _comparison(metrics: Mapping[str, Any]) -> str:
    mae, ridge = float(metrics["mae"]), float(metrics["mae_ridge"])
    if not 0 < mae < float("inf") or not 0 < ridge < float("inf"):
        return "Smaller is better."
    if mae < ridge:
        return f"The model's error is {ridge / mae:.1f} times smaller than the ridge's."
    return (
        f"The model's error is {mae / ridge:.1f} times that of the ridge: it needs more training."
    )


def _commands(commands: Sequence[tuple[str, str]]) -> str:
    if not commands:
        return ""
    items = "".join(
        f"<li>{escape(what)}<div class='command'><code>{escape(command)}</code>"
        "<button type='button' data-copy>Copy</button></div></li>"
        for what, command in commands
    )
    return f"<section class='card'><h2>Next</h2><ul class='commands'>{items}</ul></section>"


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{prose_html(note)}</li>" for note in notes)
    return f"<section class='card'><h2>Worth knowing</h2><ul class='notes'>{items}</ul></section>"


def _figure(caption: str, path: Path) -> str:
    kind = _PICTURES.get(Path(path).suffix.lower())
    if kind is None:
        raise SettingsError(f"{path}: a page shows {', '.join(_PICTURES)}. Draw it as one of them.")
    try:
        content = base64.b64encode(Path(path).read_bytes()).decode("ascii")
    except OSError as error:
        raise SettingsError(f"{path}: this figure cannot be read ({error.strerror}).") from error
    text = escape(caption)
    return (
        f"<figure class='card'><img src='data:{kind};base64,{content}' alt='{text}'>"
        f"<figcaption>{text}</figcaption></figure>"
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes"
