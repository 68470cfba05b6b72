"""Generated pairs of sentences: dates and numbers in words and digits, whose clauses change their order.

A source is two or three clauses about different people, in any order; its translation has them in the alphabetical
order of the names, with each date, amount and room written the other way:

    for zoe twenty one pears , adam on the third of march nineteen eighty four , lena in room 1 1 7
    adam 0 3 / 0 3 / 1 9 8 4 ; lena one hundred seventeen ; zoe pears 2 1

So what stands next in the translation stands anywhere in the source, at places that the length of words decides.
"""

import calendar
import random
from datetime import date, timedelta

NAMES = [
    'adam',
    'bela',
    'carl',
    'dora',
    'emil',
    'fred',
    'gina',
    'hugo',
    'iris',
    'jack',
    'lena',
    'mara',
    'nora',
    'otto',
    'paul',
    'rosa',
    'sven',
    'tess',
    'vera',
    'zoe',
]
THINGS = ['apples', 'books', 'chairs', 'drums', 'eggs', 'forks', 'pears', 'rings', 'shoes', 'tents']
ONES = [
    'zero',
    'one',
    'two',
    'three',
    'four',
    'five',
    'six',
    'seven',
    'eight',
    'nine',
    'ten',
    'eleven',
    'twelve',
    'thirteen',
    'fourteen',
    'fifteen',
    'sixteen',
    'seventeen',
    'eighteen',
    'nineteen',
]
TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
ORDINALS = dict(
    one='first', two='second', three='third', five='fifth', eight='eighth', nine='ninth', twelve='twelfth'
)
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(1999, 12, 31)


def in_words(number: int) -> list[str]:
    """A number from 0 to 999: 117 -> one hundred seventeen."""
    if number >= 100:
        rest = in_words(number % 100) if number % 100 else []
        return [ONES[number // 100], 'hundred', *rest]
    if number < 20:
        return [ONES[number]]
    return [TENS[number // 10 - 2], *([ONES[number % 10]] if number % 10 else [])]


def ordinal(number: int) -> list[str]:
    """A day of a month: 21 -> twenty first."""
    *tens, last = in_words(number)
    if last.endswith('y'):
        return [f'{last[:-1]}ieth']
    return [*tens, ORDINALS.get(last, f'{last}th')]


def year_in_words(number: int) -> list[str]:
    """A year of the twentieth century: 1984 -> nineteen eighty four, 1904 -> nineteen oh four."""
    rest = number % 100
    if rest == 0:
        return ['nineteen', 'hundred']
    return ['nineteen', *(['oh'] if rest < 10 else []), *in_words(rest)]


def _date(rng: random.Random, name: str) -> tuple[list[str], list[str]]:
    day = FIRST_DAY + timedelta(days=rng.randrange((LAST_DAY - FIRST_DAY).days + 1))
    words = ['on', 'the', *ordinal(day.day), 'of', calendar.month_name[day.month].lower()]
    return [name, *words, *year_in_words(day.year)], [name, *f'{day:%d/%m/%Y}']


def _amount(rng: random.Random, name: str) -> tuple[list[str], list[str]]:
    number, thing = rng.randint(1, 999), rng.choice(THINGS)
    return ['for', name, *in_words(number), thing], [name, thing, *str(number)]


def _room(rng: random.Random, name: str) -> tuple[list[str], list[str]]:
    number = rng.randint(1, 999)
    return [name, 'in', 'room', *str(number)], [name, *in_words(number)]


def sentence(rng: random.Random) -> tuple[str, str]:
    """One source and its translation."""
    names = rng.sample(NAMES, rng.randint(2, 3))
    clauses = {name: rng.choice([_date, _amount, _room])(rng, name) for name in names}
    source = ' , '.join(' '.join(clauses[name][0]) for name in names)
    return source, ' ; '.join(' '.join(clauses[name][1]) for name in sorted(names))


def generate(sizes: list[int], seed: int) -> list[list[tuple[str, str]]]:
    """Parts of these numbers of pairs, no source of which is in another part, or twice in one; the same for the same
    seed.
    """
    rng, pairs = random.Random(seed), {}
    while len(pairs) < sum(sizes):
        source, target = sentence(rng)
        pairs[source] = target
    pairs, ends = list(pairs.items()), [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [pairs[end - size : end] for size, end in zip(sizes, ends, strict=True)]
