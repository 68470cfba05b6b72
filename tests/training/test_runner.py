"""prepare_run: where a run's files go. Training and testing are tested by the command lines."""

from attn_plugins.training.runner import prepare_run


def test_the_work_dir_is_given_or_the_configs_or_named_after_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'plain.py').write_text("default_scope = 'mmdet'\n")
    (tmp_path / 'own.py').write_text("default_scope = 'mmdet'\nwork_dir = 'mine'\n")
    assert prepare_run('plain.py').work_dir == 'work_dirs/plain'
    assert prepare_run('own.py').work_dir == 'mine'
    assert prepare_run('own.py', work_dir='given').work_dir == 'given'
