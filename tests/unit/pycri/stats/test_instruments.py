"""pycri/stats/instruments.py: what a scraper reads."""

from pycri.stats import process
from pycri.stats.instruments import Counter, Gauge, Histogram, render


def test_counters_and_gauges():
    calls = Counter("calls_total", "Calls.", ("who", "code"))
    calls.add("a", "OK")
    calls.add("a", "OK")
    calls.add('"b"\n\\', "X", amount=0.5)
    size = Gauge("size", "Size.", (), lambda: [((), 7)])
    assert render([calls, size]).splitlines() == [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{who="a",code="OK"} 2',
        r'calls_total{who="\"b\"\n\\",code="X"} 0.5',
        "# HELP size Size.",
        "# TYPE size gauge",
        "size 7",
    ]


def test_histograms_are_cumulative():
    seconds = Histogram("s", "Seconds.", ("m",))
    for value in (0.001, 0.3, 1000):
        seconds.observe(value, "x")
    lines = dict(line.rsplit(" ", 1) for line in seconds.lines())
    assert lines['s_bucket{m="x",le="0.001"}'] == "1"
    assert lines['s_bucket{m="x",le="0.25"}'] == "1"
    assert lines['s_bucket{m="x",le="0.5"}'] == "2"
    assert lines['s_bucket{m="x",le="300"}'] == "2"
    assert lines['s_bucket{m="x",le="+Inf"}'] == lines['s_count{m="x"}'] == "3"
    assert float(lines['s_sum{m="x"}']) == 1000.301


def test_the_process_itself():
    values = {
        line.split("{")[0].split()[0]: line
        for line in render(process.instruments()).splitlines()
        if line[0] != "#"
    }
    assert int(values["process_resident_memory_bytes"].split()[1]) > 1 << 20
    assert int(values["process_open_fds"].split()[1]) > 2
    assert float(values["process_cpu_seconds_total"].split()[1]) > 0
