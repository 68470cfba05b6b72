"""Writes statsmodels.json, what statsmodels says of drawn differences; it is no dependency, so the numbers are kept.

uv venv /tmp/sm && uv pip install --python /tmp/sm/bin/python statsmodels==0.15.0 scipy==1.17.1
/tmp/sm/bin/python tests/data/statsmodels_numbers.py
"""

import json
from pathlib import Path

import numpy as np
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

rng = np.random.default_rng(0)
p_values = [0.04, 0.001, 0.5, 0.012, 0.012, 0.9, 0.0004]
pairs = [rng.normal(60, 1, (2, n)).round(3) for n in (5, 8, 20)]
content = dict(
    holm=dict(p_values=p_values, adjusted=multipletests(p_values, method='holm')[1].tolist()),
    equivalence=[
        dict(scores=x.tolist(), others=y.tolist(), margin=margin, p=float(ttost_paired(x, y, -margin, margin)[0]))
        for x, y in pairs
        for margin in (0.5, 1.5)
    ],
    # One-sided at half the level: two-sided, statsmodels 0.15 ends in the nan of scipy's nct.cdf and returns what it
    # began with.
    power=[
        dict(n=n, comparisons=m, difference=float(TTestPower().solve_power(nobs=n, alpha=0.025 / m, power=power, alternative='larger')), power=power)
        for n in (5, 6, 10, 20)
        for m in (1, 27)
        for power in (0.8, 0.9)
    ],
)  # fmt: skip
Path(__file__).with_name('statsmodels.json').write_text(json.dumps(content) + '\n')
