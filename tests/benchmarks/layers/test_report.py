"""The page's lines about whole networks, which only a GPU fills; the rest is tested with the command."""

from benchmarks.layers.report import networks


def test_networks_side_by_side():
    entries = [
        dict(
            network=name,
            way='eager',
            format=layout,
            batch=1,
            quartiles=(9.0, 10.0 + extra, 12.0),
            over_plain=extra / 10,
        )
        for layout in ('NCHW', 'NHWC')
        for name, extra in (('none', 0.0), ('SE', 0.4))
    ]
    lines = networks(entries)
    assert 'eager 5%' in lines[0] and 'bfloat16' in lines[0]
    assert lines[2:] == [
        '| network | eager, NCHW, batch 1 | eager, NHWC, batch 1 |',
        '| --- | ---: | ---: |',
        '| none | 10.00 (9.00–12.00) +0.0% | 10.00 (9.00–12.00) +0.0% |',
        '| SE | 10.40 (9.00–12.00) +4.0% | 10.40 (9.00–12.00) +4.0% |',
    ]


def test_without_a_gpu():
    assert networks([]) == ['No GPU at hand: none of these were measured.']
