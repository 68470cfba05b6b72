"""cost.py: counts and measures a config's model without its data set."""

import json

from tests.tools.conftest import CLASSIFICATION, error_line


def test_presets_are_compared(workspace):
    result = workspace.run(
        'cost.py',
        CLASSIFICATION,
        '--attention',
        'none',
        'ca',
        'iebn',
        '--shape',
        '3',
        '32',
        '40',
        '--batch',
        '2',
        '--repeats',
        '3',
        '--json',
    )
    assert result.returncode == 0, result.stderr
    none, ca, iebn = json.loads(result.stdout)
    assert none['shape'] == [2, 3, 32, 40]
    assert ca['counted']['parameters'] > iebn['counted']['parameters'] > none['counted']['parameters']
    assert ca['counted']['madds'] > none['counted']['madds'] > 0
    assert iebn['counted']['madds'] == none['counted']['madds'], (
        'IEBN has no convolution and no matrix product'
    )
    assert set(ca['measured']) == {'latency', 'peak_memory_bytes'}
    assert (ca['measured']['latency']['repeats'], ca['measured']['latency']['batch']) == (3, 2)


def test_the_table_and_a_wrong_preset(workspace):
    shown = workspace.run('cost.py', CLASSIFICATION, '--repeats', '1').stdout
    assert 'as given' in shown
    assert 'counted: parameters, multiply-adds; measured: latency' in shown
    assert 'iebn' in error_line(workspace.run('cost.py', CLASSIFICATION, '--attention', 'iebm'))
