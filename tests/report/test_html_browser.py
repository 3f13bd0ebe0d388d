"""The page as a reader has it, in headless Chromium."""

import pytest
from browser import chromium
from html_records import IMAGE, SCRIPT, write_records

from uqbench.report.html.colours import MARK_CONTRAST, TEXT_CONTRAST
from uqbench.report.html.page import write_html

pytest.importorskip("plotly", reason="needs plotly")
pytest.importorskip("itables", reason="needs itables")

# Texts whose contrast with what is behind them is below a bound. Buttons that are switched off need none.
FAINT = """
const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (c) => {
  const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
    if (c[3] > 0) throw new Error(`see-through: ${e.outerHTML.slice(0, 200)}`);
  }
};
const found = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own.length || !e.checkVisibility() || e.closest("script, noscript, svg, .disabled")) continue;
  const pair = [parse(getComputedStyle(e).color), behind(e)];
  const [low, high] = pair.map(light).sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < arguments[0]) found.push(e.outerHTML.slice(0, 120) + JSON.stringify(pair));
}
return found;
"""
# Those of charts, on the page's own background.
FAINT_SVG = (
    FAINT.replace("svg, ", "")
    .replace("getComputedStyle(e).color", "getComputedStyle(e).fill")
    .replace('"body *"', '".chart text, .chart tspan"')
)


@pytest.fixture(name="path", scope="module")
def _path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    write_records(folder / "records")
    return write_html(folder / "records", folder / "page.html")


@pytest.fixture(name="window", scope="module")
def _window():
    with chromium() as page:
        yield page


@pytest.fixture(name="page")
def _page(window, path):
    window.scheme("light")
    window.width(1400)
    window.open(path)
    yield window
    assert window.complaints() == []
    assert window.requests() == []


def column(page, number, table="scores"):
    return page.texts(f"#{table} tbody tr td:nth-child({number})")


def choose(page, label, option):
    page.run(
        """const section = document.querySelector("#scores").closest("section");
        const select = section.querySelector(`[data-column="${arguments[0]}"]`);
        select.selectedIndex = [...select.options].findIndex((o) => o.text === arguments[1]);
        select.dispatchEvent(new Event("change"));""",
        label,
        option,
    )


def test_all_tables_have_their_rows(page):
    assert len(page.all("#scores tbody tr")) == 12
    assert len(page.all("#properties tbody tr")) == 8
    assert len(page.all("#failures tbody tr")) == 1
    assert page.texts("#counts") == [
        "8 cells scored, 1 failed, 0 not applicable, 0 problems. GPU: no record."
    ]


def test_a_heading_sorts_by_its_numbers_both_ways_and_by_keyboard(page):
    (heading,) = [h for h in page.all("#scores thead th") if h.text.startswith("score") and "d" not in h.text]
    heading.click()
    page.wait("document.querySelector('#scores thead th[aria-sort=ascending]')")
    values = [float(text.split()[0]) for text in column(page, 4) if text != "–"]
    assert values == sorted(values)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.run("arguments[0].querySelector('[tabindex], button').focus()", heading)
    page.driver.switch_to.active_element.send_keys("\n")
    page.wait("document.querySelector('#scores thead th[aria-sort=descending]')")
    values = [float(text.split()[0]) for text in column(page, 4) if text != "–"]
    assert values == sorted(values, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"


def test_choices_leave_the_rows_that_have_them(page):
    choose(page, "scored", "raw")
    assert column(page, 2) == ["raw"] * 6
    choose(page, "method", "good")
    assert column(page, 1) == ["good", "good"]
    choose(page, "machine", "another machine")
    assert len(page.all("#scores tbody tr")) == 1
    choose(page, "scored", "all")
    assert sorted(column(page, 2)) == ["calibrated", "raw"]


def test_the_chart_follows_the_choice(page):
    def marks():
        return page.run("return document.querySelector('.chart').querySelectorAll('.point').length")

    assert marks() == 2
    choose(page, "machine", "a machine")
    page.wait("document.querySelector('.chart').querySelectorAll('.point').length === 10")


def test_the_front_runs_up_and_to_the_right_edge(page):
    choose(page, "machine", "a machine")
    page.wait("document.querySelector('.chart').querySelectorAll('.point').length === 10")
    x, y = page.run(
        "const t = document.querySelector('.chart').data.find((t) => t.name === 'Pareto front'); return [t.x, t.y]"
    )
    (right, top) = page.run(
        "const l = document.querySelector('.chart').layout; return [10 ** l.xaxis.range[1], 10 ** l.yaxis.range[1]]"
    )
    assert (x[0], y[0]) == (x[1], pytest.approx(top))
    assert (x[-1], y[-1]) == (pytest.approx(right), y[-2])


def test_a_click_and_a_key_open_what_lies_behind_a_row(page):
    choose(page, "machine", "a machine")
    page.all("#scores tbody tr td:nth-child(3)")[0].click()
    page.wait("document.getElementById('details').open")
    page.wait("document.querySelectorAll('#details .chart .point').length > 20")
    assert len(page.all("#details .worst tbody tr")) == 5
    assert page.texts("#details .worst tbody th")[0].startswith("toy, frame ")
    assert "there is no dataset" in page.all("#details .note")[-1].text
    page.driver.switch_to.active_element.send_keys("\ue00c")
    page.wait("!document.getElementById('details').open")
    button = page.all("#scores tbody tr button")[1]
    page.run("arguments[0].focus()", button)
    button.send_keys("\n")
    page.wait("document.getElementById('details').open")
    assert page.run("return document.getElementById('details').contains(document.activeElement)")
    assert page.texts("#details-title")[0].startswith(button.text)
    page.run("document.getElementById('details-close').click()")
    page.wait("document.activeElement === document.querySelectorAll('#scores tbody tr button')[1]")


def test_everything_is_reached_by_the_keyboard(page):
    page.run("document.body.focus()")
    reached = set()
    for _ in range(200):
        page.driver.switch_to.active_element.send_keys("\ue004")
        place = page.run(
            """const e = document.activeElement, style = getComputedStyle(e);
            const text = e.dataset.column || e.textContent.slice(0, 30);
            const ring = [style.outlineStyle, parseFloat(style.outlineWidth)];
            return e === document.body ? null : [e.tagName, e.className, text, ...ring];"""
        )
        if place is None or (tuple(place) in reached and len(reached) > 60):
            break
        assert place[3] != "none", place
        assert place[4] >= 2, place
        reached.add(tuple(place))
    names = {(tag, text) for tag, _, text, *_ in reached}
    assert {("A", "Skip to the tables"), ("SELECT", "scored"), ("BUTTON", "good")} <= names
    assert ("SUMMARY", "How to read it") in names


def test_names_stay_text(page):
    assert {SCRIPT, IMAGE} <= set(column(page, 1))
    assert any(SCRIPT in text for text in page.texts("#failures td"))
    assert not page.all("#sections img, #sections script")
    options = page.texts("[data-column=method] option")
    assert {SCRIPT, IMAGE} <= set(options)
    choose(page, "machine", "a machine")
    entries = page.run(
        "return [...document.querySelectorAll('.chart .legendtext')].map((e) => e.textContent)"
    )
    assert {SCRIPT, IMAGE} <= set(entries)
    (row,) = [b for b in page.all("#scores button.open") if b.text == IMAGE][:1]
    row.click()
    page.wait("document.querySelectorAll('#details .chart .point').length > 20")
    assert page.texts("#details-title")[0].startswith(IMAGE)
    assert not page.all("#details img")


def test_charts_and_tables_are_told_to_those_who_do_not_see_them(page):
    for chart in page.all(".chart"):
        assert chart.get_attribute("role") == "img"
        assert len(chart.get_attribute("aria-label")) > 40
    assert all(h.get_attribute("scope") == "col" for h in page.all("table thead th"))
    assert len(page.all("table > caption")) == 3
    unnamed = page.run(
        """const named = (e) => e.labels?.length || e.textContent.trim() || e.getAttribute("aria-label");
        const seen = [...document.querySelectorAll("select, input, button")].filter((e) => e.checkVisibility());
        return seen.filter((e) => !(e.tagName === "SELECT" ? e.labels.length : named(e))).map((e) => e.outerHTML);"""
    )
    assert unnamed == []
    assert page.run(
        "return new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    ) == page.run("return document.querySelectorAll('[id]').length")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, scheme):
    page.scheme(scheme)
    page.run("document.querySelector('main > details').open = true")
    assert page.run(FAINT, TEXT_CONTRAST) == []
    assert page.run(FAINT_SVG, TEXT_CONTRAST) == []
    fills = page.run(
        "return [...document.querySelectorAll('.mark path')].map((e) => getComputedStyle(e).fill)"
    )
    assert len(set(fills)) >= 5
    page.all("#scores button.open")[0].click()
    page.wait("document.querySelectorAll('#details .chart .point').length > 20")
    assert page.run(FAINT, TEXT_CONTRAST) == []
    assert MARK_CONTRAST < TEXT_CONTRAST


@pytest.mark.parametrize("width", [400, 1800])
def test_no_width_makes_the_page_scroll_sideways(page, width):
    page.width(width)
    page.wait(f"window.innerWidth === {width}")
    page.wait("document.documentElement.scrollWidth <= window.innerWidth")
    page.wait("document.querySelector('.chart svg').getBoundingClientRect().width <= window.innerWidth")
