"""A schedule is its formula at every edge, and what makes no sense is refused."""

import math

import pytest

from attn_plugins.distillation.losses.loss_schedule import Schedule


def test_a_loss_always_acts_by_default():
    assert [Schedule().factor(now, 3) for now in (0, 1, 2, 3)] == [1, 1, 1, 0]
    assert Schedule.from_config(None) == Schedule(begin=0, end=None, decay='none', by_epoch=True)


def test_it_acts_from_begin_and_no_more_at_end():
    schedule = Schedule(begin=2, end=4)
    assert [schedule.factor(now, 10) for now in range(6)] == [0, 0, 1, 1, 0, 0]
    assert schedule.factor(1.999, 10) == 0
    assert schedule.factor(3.999, 10) == 1


def test_an_end_after_the_training_stretches_the_decay():
    assert Schedule(end=20, decay='linear').factor(5, 10) == 0.75
    assert Schedule(decay='linear').factor(5, 10) == 0.5


def test_a_training_that_ends_before_begin_has_none():
    for decay in ('none', 'linear', 'cosine'):
        assert [Schedule(begin=5, decay=decay).factor(now, 5) for now in range(7)] == [0] * 7


def test_linear():
    schedule = Schedule(begin=2, end=6, decay='linear')
    assert [schedule.factor(now, 100) for now in range(1, 8)] == [0, 1, 0.75, 0.5, 0.25, 0, 0]


def test_cosine():
    schedule = Schedule(begin=2, end=6, decay='cosine')
    expected = [0, 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0, 0]
    assert [schedule.factor(now, 100) for now in range(1, 8)] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(begin=3, end=3), 'end=3 of a schedule must be after begin=3'),
        (dict(begin=3, end=2), 'end=2 of a schedule must be after begin=3'),
        (dict(end=0), 'end=0 of a schedule must be after begin=0'),
        (dict(begin=-1), 'begin=-1 of a schedule must be a number of at least 0'),
        (dict(begin='1'), "begin='1' of a schedule must be a number of at least 0"),
        (dict(begin=None), 'begin=None of a schedule must be a number of at least 0'),
        (dict(begin=True), 'begin=True of a schedule must be a number of at least 0'),
        (dict(end=math.nan), 'end=nan of a schedule must be a number of at least 0'),
        (dict(end=math.inf), 'end=inf of a schedule must be a number of at least 0'),
        (dict(decay='cosin'), "a schedule has no decay 'cosin': did you mean cosine?"),
        (dict(decay=None), 'a schedule has no decay None: did you mean none or cosine?'),
        (dict(decay=[]), 'a schedule has no decay []: choose from cosine, linear, none'),
        (dict(by_epoch=1), 'by_epoch=1 of a schedule must be True or False'),
        (dict(ends=1), "a schedule has no option 'ends': did you mean end?"),
        ('linear', "a schedule is a dict of begin, end, decay, by_epoch, not 'linear'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError) as error:
        Schedule.from_config(options)
    assert str(error.value) == message
