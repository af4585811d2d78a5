"""The HTML report: one page that stands alone, small and quick however long the trace is."""

from __future__ import annotations

import gc
import re
import time
from html.parser import HTMLParser

import pytest

from fake_provider import Limits, Trace
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report import Judged, Summary, Verdict
from pytest_ratelimit._report._html import render
from pytest_ratelimit._report._pictures import draw
from pytest_ratelimit._report._svg import COLUMNS, ticks
from pytest_ratelimit._report._timeline import _bucket, _in_flight, _window
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import browser
from tests.pytest_ratelimit.long_traces import long_trace
from tests.pytest_ratelimit.scenarios import replay
from tests.pytest_ratelimit.simulation import attempt, trace_of

INCIDENT = replay(lambda situation: 1.0)
VOID = {"meta", "link", "path", "rect", "br"}


def page(trace, name="test_a.py::test_x", findings=None):
    """Return the page of one test."""
    found = check(trace) if findings is None else findings
    judged = tuple(Judged.of(finding, trace) for finding in found)
    pictures = draw(trace, found, name) if trace.attempts else ""
    return render(Summary.of([Verdict.of(name, trace, judged, pictures)], gate=True))


class Elements(HTMLParser):
    """The elements of a page, with what is open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.tags.append((tag, names))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in names:
            self.ids.append(names["id"])
        if tag == "a":
            self.links.append(names["href"])

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_well_formed_and_every_link_leads_to_a_place_in_it():
    """Elements are closed in order, names are unique, and links end within the page."""
    elements = Elements(page(INCIDENT))
    assert elements.open == []
    assert len(elements.ids) == len(set(elements.ids))
    assert {link[1:] for link in elements.links} <= set(elements.ids)
    assert all(link.startswith("#") for link in elements.links)


def test_the_page_asks_for_nothing_else():
    """There is no script, no address, no picture and no font from elsewhere."""
    text = page(INCIDENT)
    tags = {tag for tag, _ in Elements(text).tags}
    assert not tags & {"script", "img", "iframe", "object", "embed"}
    assert not re.search(r"https?:|url\(|@import|src=", text)


def test_names_and_findings_are_text_and_no_markup():
    """Whatever a test or a caller is called is shown as it is."""
    evil = "</svg><script>alert(1)</script>&\"'"
    trace = trace_of(attempt(caller=evil), attempt(caller="b", arrived_at=1.0, ended_at=2.0))
    finding = Finding(code="RL101", severity="error", summary=evil, evidence=(evil,), remedy=evil)
    elements = Elements(page(trace, name=f"test[{evil}]", findings=[finding]))
    assert elements.open == []
    assert "script" not in {tag for tag, _ in elements.tags}


def test_a_finding_links_to_the_instants_that_prove_it():
    """The mark that a finding links to has a line in each column of its attempts."""
    times = (0.0, 10.1, 40.1, 100.0)
    trace = trace_of(*(attempt(call=n, arrived_at=t, ended_at=t) for n, t in enumerate(times)))
    finding = Finding(code="RL201", severity="error", summary="x", attempts=(1, 2))
    text = page(trace, findings=[finding])
    assert ">Show 2 attempts, t=10.100 s to 40.100 s</a>" in text
    mark = re.search(r'<g id="t\w+-f0" class="mark"><path d="([^"]*)"/>.*?</g>', text)
    lines = re.findall(r"M(\d+) ", mark[1])
    assert [int(x) for x in lines] == [120 + 2 * int(t / 100 * COLUMNS) + 1 for t in (10.1, 40.1)]


def test_a_test_without_attempts_says_so():
    """Nothing is drawn where nothing was sent."""
    text = page(Trace())
    assert "There is no attempt to draw." in text
    assert "<svg" not in text
    assert "No data: no test sent a request" in text


@pytest.mark.parametrize(
    "trace",
    [
        trace_of(attempt()),
        trace_of(attempt(ended_at=None), ended_at=5.0),
        trace_of(attempt(arrived_at=7.0, ended_at=7.0), attempt(call=1, arrived_at=7.0)),
        trace_of(attempt(status=400, charged=0.0), limits=Limits(requests_per_minute=1)),
        trace_of(
            attempt(status=429, charged=1.0),
            attempt(attempt=2, key="1", arrived_at=0.0),
            limits=Limits(tokens_per_minute=5, algorithm="token-bucket", concurrent_requests=1),
        ),
    ],
)
def test_short_traces_are_drawn(trace):
    """A single attempt, one that never ended, several at one instant."""
    assert Elements(page(trace)).open == []


def occupancy(trace, limit, taken):
    """Return what is drawn for a limit, with its columns' edges in seconds."""
    start, scale = trace.attempts[0].arrived_at, COLUMNS / (trace.makespan * (1 + 1e-9))
    return taken(trace.attempts, limit, start, scale), scale


def test_the_window_s_occupancy_is_that_of_a_sum_over_the_trace():
    """In each column it is at least the brute-force sum there, and the largest is met exactly."""
    trace = long_trace(2_000, callers=20, seed=3)
    (limit,) = trace.limits
    values, scale = occupancy(trace, limit, _window)
    start, most = trace.attempts[0].arrived_at, 0
    for one in trace.attempts[::7]:
        since = one.arrived_at - limit.window
        held = sum(
            a.tokens * a.charged for a in trace.attempts[: one.index + 1] if a.arrived_at > since
        )
        column = min(int((one.arrived_at - start) * scale), COLUMNS - 1)
        assert values[column] >= held - 1e-6
        most = max(most, held)
    assert max(values) >= most
    every = [
        sum(
            b.tokens * b.charged
            for b in trace.attempts[: a.index + 1]
            if b.arrived_at > a.arrived_at - 60
        )
        for a in trace.attempts
    ]
    assert max(values) == pytest.approx(max(every))


def test_a_bucket_s_occupancy_fills_and_drains():
    """After a charge it falls at the limit's rate, and it never exceeds what a floor allows."""
    limit = Limits(tokens_per_minute=6_000, algorithm="token-bucket", burst=1_000, floor=-500)
    trace = trace_of(
        attempt(input_tokens=1_000, arrived_at=0.0),
        attempt(call=1, input_tokens=9_000, status=429, charged=1.0, arrived_at=0.0),
        attempt(call=2, input_tokens=0, arrived_at=10.0, ended_at=20.0),
        limits=limit,
    )
    values, _ = occupancy(trace, next(iter(limit)), _bucket)
    assert values[0] == 1_500
    assert values[COLUMNS // 4] == pytest.approx(1_000, abs=5)
    assert values[-1] == 0


def test_tokens_in_flight_are_those_of_a_count_over_the_trace():
    """The largest number is that of a brute-force count at each arrival."""
    trace = long_trace(2_000, callers=20, seed=5)
    texts = _in_flight(
        trace, trace.attempts[0].arrived_at, COLUMNS / (trace.makespan * 1.000001), 0
    )
    counts = [
        sum(b.tokens for b in trace.attempts if b.arrived_at <= a.arrived_at < b.ended_at)
        for a in trace.attempts
    ]
    assert f">{max(counts):,}<" in texts[1]


@pytest.mark.parametrize("most", [1e-6, 0.3, 1.0, 7.0, 60.0, 859.3, 86_400.0])
def test_ticks_are_round_and_few(most):
    """Between three and nine, from 0, none above the largest."""
    marks = ticks(most)
    assert 3 <= len(marks) <= 9
    assert marks[0] == 0
    assert marks[-1] <= most * (1 + 1e-9)


def test_the_incident_s_page_is_small():
    """At most 300 kB."""
    assert len(page(INCIDENT)) <= 300_000


@pytest.mark.slow
def test_a_hundred_thousand_attempts_are_drawn_quickly_and_small():
    """At most 500 kB, and no step takes more than a few passes: 40 million turns of a bare loop."""
    trace = long_trace(100_000)
    assert len(trace.calls) + len(trace.retries) == 100_000

    def turns():
        begun = time.process_time()
        for _ in range(1_000_000):
            pass
        return time.process_time() - begun

    gc.collect()
    ratios = []
    for _ in range(5):
        bare = turns()
        begun = time.process_time()
        text = page(trace, findings=[])
        ratios.append((time.process_time() - begun) / bare)
    assert len(text) <= 500_000
    assert min(ratios) <= 40


@pytest.mark.slow
@pytest.mark.skipif(browser.chromium() is None, reason="Chromium is not installed")
def test_the_page_opens_in_a_browser_without_a_complaint_and_works_by_keyboard(tmp_path):
    """Dark and light, no message on the console, no request, and Tab and Enter show a finding."""
    path = tmp_path / "report.html"
    path.write_text(page(INCIDENT))
    with browser.opened(tmp_path / "profile") as tab:
        begun = time.monotonic()
        tab.open(path)
        assert time.monotonic() - begun < 10
        paper = "getComputedStyle(document.body).backgroundColor"
        schemes = []
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            tab.send("Emulation.setEmulatedMedia", features=[feature])
            schemes.append(tab.value(paper))
        assert schemes == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]
        focused = []
        for _ in range(60):
            tab.key("Tab", 9)
            focused.append(tab.value("document.activeElement.getAttribute('href') || ''"))
            if "-f0" in focused[-1]:
                break
        assert focused[0] == "#tests"
        mark = f"getComputedStyle(document.querySelector('{focused[-1]}')).opacity"
        assert tab.value(mark) == "0"
        tab.key("Enter", 13)
        assert tab.value(mark) == "1"
        assert tab.value("document.documentElement.scrollWidth <= window.innerWidth")
        assert tab.complaints == []
        assert {url for url in tab.requests if not url.startswith("data:")} == {path.as_uri()}


@pytest.mark.slow
@pytest.mark.skipif(browser.chromium() is None, reason="Chromium is not installed")
def test_a_long_trace_s_page_is_there_within_a_second(tmp_path):
    """100,000 attempts are laid out within a second of the browser's own clock."""
    path = tmp_path / "report.html"
    path.write_text(page(long_trace(100_000), findings=[]))
    with browser.opened(tmp_path / "profile") as tab:
        tab.open(path)
        assert tab.value("performance.getEntriesByType('navigation')[0].duration") <= 1_000
        assert tab.complaints == []
