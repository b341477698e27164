"""Figures: every function draws, and every character it draws is in the book's fonts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from make_font import MAX_BYTES, TARGET, is_chinese
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from chapter10 import plotting
from chapter10.plotting.style import WIDTH
from chapter10.spread import summarise

ROOT = Path(__file__).resolve().parent.parent
RANDOM = np.random.default_rng(0)
TOKENS = list("天地日月山水")
MAP = np.full((6, 6), 1 / 6)

FIGURES: dict[str, Callable[[], Figure]] = {
    "token_rows": lambda: plotting.token_rows(
        [["[CLS]", "果"], ["[MASK]", "apple"]],
        ["原句 original", "损坏 corrupted"],
        kinds=[["special", "plain"], ["mask", "random"]],
        title="两行",
    ),
    "encoder_flow": lambda: plotting.encoder_flow(15, 64, 2, 100),
    "head_diagram": lambda: plotting.head_diagram(
        ["[CLS]", "很", "好", "[SEP]", "真", "的", "[SEP]"],
        {0: "正面 positive"},
        "线性层 linear (2, H)",
        segments=[0, 0, 0, 0, 1, 1, 1],
    ),
    "head_diagram of all tokens": lambda: plotting.head_diagram(
        TOKENS, dict.fromkeys(range(6), "NOUN"), "线性层 linear (17, H)"
    ),
    "lying_bars": lambda: plotting.lying_bars(
        {"名词": {"甲": [0.1, 0.3], "乙": 0.4}, "动词": {"甲": [0.2, 0.2], "乙": 0.9}},
        x_label="正确率 accuracy",
    ),
    "confusion": lambda: plotting.confusion(list("aab"), list("aba"), "ab", names=["甲", "乙"]),
    "by_group": lambda: plotting.by_group(
        {name: {"甲": RANDOM.random(5), "乙": 0.3} for name in "天地日"},
        y_label="准确率 accuracy",
        baselines={"乱猜 chance": 0.5},
    ),
    "span_scores": lambda: plotting.span_scores(
        [*TOKENS, "。", *TOKENS], MAP.ravel()[:13], MAP.ravel()[:13], marked=[2, 3], title="谁？"
    ),
    "window_bars": lambda: plotting.window_bars(
        20, [(0, 12), (8, 20)], (9, 11), ["0.90", "0.05"], x_label="词元 token"
    ),
    "intervals": lambda: plotting.intervals(
        ["谁", "什么"],
        {name: [summarise([0, 1, 1]), summarise([0, 1])] for name in ("预训练", "对照")},
        y_label="完全匹配 exact match",
        baselines={"四选一": 0.25},
    ),
    "stacked": lambda: plotting.stacked(
        ["谁", "什么"], {"答对 right": [3, 20], "答错 wrong": [20, 3]}, y_label="题数 count"
    ),
    "matrix": lambda: plotting.matrix([[-1.0, 0.5]], ["我"], ["你", "他"], diverging=True),
    "large matrix": lambda: plotting.matrix(MAP, TOKENS, TOKENS, digits=None),
    "attention_maps": lambda: plotting.attention_maps(
        [MAP, MAP, MAP], TOKENS, ["一", "二", "三"], marked=[(0, 5)]
    ),
    "curves": lambda: plotting.curves(
        range(4),
        {"BERT": RANDOM.random((5, 4)), "对照 control": RANDOM.random(4)},
        x_label="步数 step",
        y_label="准确率 accuracy",
        baselines={"多数 majority": 0.5},
    ),
    "bars": lambda: plotting.bars(
        {"训练后 trained": RANDOM.random(5), "随机 random": 0.2},
        y_label="份额 share",
        baselines={"均匀 1/T": 0.1},
    ),
    "grouped_bars": lambda: plotting.grouped_bars(
        {"[CLS]": {"填空": RANDOM.random(5), "随机": 0.2}, "平均": {"随机": 0.3}},
        y_label="准确率 accuracy",
        baselines={"多数 majority": 0.5},
    ),
    "matrices": lambda: plotting.matrices(
        [[[0.1, 0.9]], [[0.5, 0.5]], [[1, 0]]], ["一", "二", "三"], ["层"], ["头 1", "头 2"]
    ),
    "histogram": lambda: plotting.histogram(
        RANDOM.random(50), x_label="比例 rate", expected={"15 %": 0.15}
    ),
}


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with plt.rc_context():
        plotting.use_style()
        yield


def render(figure: Figure, path: Path) -> None:
    """Draw to a file; a character without a glyph, or any other warning, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(path)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_without_a_missing_glyph(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    render(figure, tmp_path / "figure.png")
    assert figure.get_figwidth() == WIDTH  # one width, so that text has one size on all pages
    assert figure.number not in plt.get_fignums()  # else a notebook would show it twice


def test_a_missing_glyph_is_noticed(tmp_path: Path) -> None:
    figure = plotting.matrix([[1.0]], ["𠀀"], ["甲"])  # a rare character that no figure draws
    with pytest.raises(UserWarning, match="Glyph"):
        render(figure, tmp_path / "figure.png")


def test_panels_of_one_scale_hold_every_line() -> None:
    low, high = {"a": [[0.1, 0.2], [0.15, 0.2]]}, {"a": [[0.8, 0.9], [0.85, 0.9]]}
    figure = plotting.panels(
        {"one": ([1, 2], low), "two": ([1, 2], high)},
        x_label="x",
        y_label="y",
        log_x=True,
        baselines={"one": {"b": 0.05}, "two": {"b": 0.95}},
    )
    for one in figure.axes:
        bottom, top = one.get_ylim()
        assert bottom < 0.1, one.get_title()
        assert top > 0.9, one.get_title()


def test_the_style_registers_its_font_once() -> None:
    from matplotlib import font_manager

    for _ in range(2):
        plotting.use_style()
    found = [f for f in font_manager.fontManager.ttflist if f.name == plotting.FONT_FAMILY]
    assert len(found) == 1
    assert Path(found[0].fname).parent.name == "fonts"


def drawn_characters() -> set[str]:
    """What figures are drawn from: the code of the pages, the sentences and the micro-world."""
    found: set[str] = set()
    for page in (ROOT / "book").glob("*.ipynb"):
        for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                found.update("".join(cell["source"]))
    for pattern in ("*.txt", "microworld/*/*.yml"):
        for path in (ROOT / "chapter10" / "data").glob(pattern):
            found.update(path.read_text(encoding="utf-8"))
    return found


def test_the_font_is_small_free_and_holds_what_the_book_draws() -> None:
    assert TARGET.stat().st_size <= MAX_BYTES
    licence = (TARGET.parent / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    held = {chr(code) for code in TTFont(TARGET).getBestCmap()}
    assert len([char for char in held if is_chinese(char)]) > 4_000
    missing = {char for char in drawn_characters() if is_chinese(char)} - held
    assert not missing, f"run tools/make_font.py; missing: {''.join(sorted(missing))}"


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("fill", ["plain", "special", "mask", "random", "keep", "focus", "card"])
def test_text_in_every_box_can_be_read(fill: str) -> None:
    light, dark = luminance(plotting.COLORS[fill]), luminance(plotting.COLORS["ink"])
    assert (light + 0.05) / (dark + 0.05) >= 7


def test_interval_is_students() -> None:
    mean, half = plotting.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == pytest.approx(3.0)
    assert half == pytest.approx(2.776 * (2.5**0.5) / 5**0.5, rel=1e-3)
    assert plotting.mean_interval([[1.0, 2.0]])[1].tolist() == [0.0, 0.0]


def test_bars_are_as_high_as_the_means() -> None:
    figure = plotting.bars({"甲": [1.0, 2.0], "乙": 4.0}, y_label="y")
    assert [bar.get_height() for bar in figure.axes[0].patches] == [1.5, 4.0]


def test_attention_maps_share_one_scale_and_keep_their_numbers() -> None:
    strong = np.eye(6)
    figure = plotting.attention_maps([MAP, strong], TOKENS, ["弱", "强"])
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert [image.get_clim() for image in images[:2]] == [(0.0, 1.0)] * 2
    np.testing.assert_array_equal(images[1].get_array(), strong)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plotting.token_rows([["我"]], []), "0 labels"),
        (lambda: plotting.token_rows([["我"]], ["a"], kinds=[["odd"]]), "odd.*choose from"),
        (lambda: plotting.matrix([[1.0]], ["a", "b"], ["c"]), "2 row"),
        (lambda: plotting.attention_maps([MAP], TOKENS, []), "0 titles"),
        (lambda: plotting.attention_maps([MAP], ["一"], ["t"]), "1 row"),
    ],
)
def test_labels_that_do_not_fit_are_refused(draw: Callable[[], Figure], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_picture_of_a_page_has_alt_text_and_a_caption(page: Path) -> None:
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
        outputs = cell.get("outputs", [])
        if any("image/png" in output.get("data", {}) for output in outputs):
            options = cell["metadata"].get("mystnb", {})
            assert len(options.get("image", {}).get("alt", "")) >= 20, cell["id"]
            assert options.get("figure", {}).get("caption"), cell["id"]
            assert options["figure"]["name"].startswith("fig-"), cell["id"]
