"""Translation with four factors: attention, network, search, sentences and files as they are described, and the
command.
"""

import itertools
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sacrebleu import corpus_bleu
from scipy import stats

from attn_plugins.errors import UserError
from projects.empirical_attention.translation import study, text
from projects.empirical_attention.translation.attention import FactoredAttention
from projects.empirical_attention.translation.decoding import translate
from projects.empirical_attention.translation.network import FULL, Places, Transformer, read_places
from projects.empirical_attention.translation.sentences import generate, in_words, ordinal, year_in_words
from projects.empirical_attention.translation.settings import Settings, read_settings
from projects.empirical_attention.translation.table import table
from projects.empirical_attention.translation.train import main

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'empirical_attention' / 'translation'
SETTINGS = [f'{bits:04b}' for bits in range(1, 16)]
TINY = dict(
    attention=['1111 1111 1111', '0011 0110 0111'], train=40, test=6, positions=48, width=8, heads=2, feed_forward=8,
    encoder_layers=1, decoder_layers=1, tokens=100, steps=4, warmup=2, learning_rate=0.01, tokenize='none',
)  # fmt: skip


# --- the attention


def by_double_loop(layer: FactoredAttention, x, memory, visible):
    """The equation of the docstring, one pair of positions after the other."""
    bits, width = layer.setting, x.shape[1]
    d = width // layer.heads
    y = torch.zeros_like(x)
    for h in range(layer.heads):
        rows = slice(h * d, (h + 1) * d)
        for i in range(len(x)):
            energies = []
            for j in range(len(memory)):
                angle = (i - j) / 1000 ** (torch.arange(width // 2, dtype=x.dtype) * 2 / width)
                energy = torch.zeros((), dtype=x.dtype)
                if bits[0] == '1':
                    energy = energy + (layer.query.weight[rows] @ x[i]) @ (layer.key.weight[rows] @ memory[j])
                if bits[1] == '1':
                    p = layer.position.weight[rows] @ torch.cat([angle.sin(), angle.cos()])
                    energy = energy + (layer.query.weight[rows] @ x[i]) @ p
                if bits[2] == '1':
                    energy = energy + layer.u[h, 0] @ (layer.key.weight[rows] @ memory[j])
                if bits[3] == '1':
                    p = layer.position.weight[rows] @ torch.cat([angle.sin(), angle.cos()])
                    energy = energy + layer.v[h, 0] @ p
                energies.append(
                    energy / d**0.5 if visible[i, j] else torch.tensor(float('-inf'), dtype=x.dtype)
                )
            weights = torch.stack(energies).softmax(0)
            y[i, rows] = sum(
                weight * (layer.value.weight[rows] @ memory[j]) for j, weight in enumerate(weights)
            )
    return y @ layer.out.weight.T + layer.out.bias


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('setting', SETTINGS)
def test_attention_is_the_equation(setting, masked):
    layer = FactoredAttention(8, 2, setting).double()
    torch.nn.init.normal_(layer.out.bias)
    x, memory = torch.randn(2, 3, 8).double(), torch.randn(2, 5, 8).double()
    visible = torch.rand(2, 3, 5) < (0.5 if masked else 2)
    visible[..., 1] = True
    y = layer(x, memory, visible[:, None] if masked else None)
    with torch.no_grad():
        wanted = torch.stack([by_double_loop(layer, x[n], memory[n], visible[n]) for n in range(2)])
    torch.testing.assert_close(y, wanted, rtol=1e-10, atol=1e-12)
    y.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize('setting', SETTINGS)
def test_parameters_are_those_of_the_docstring(setting):
    e1, e2, e3, e4 = (bit == '1' for bit in setting)
    w = 12
    wanted = 2 * w * w + w + ((e1 or e2) + (e1 or e3) + (e2 or e4)) * w * w + (e3 + e4) * w
    assert sum(p.numel() for p in FactoredAttention(w, 3, setting).parameters()) == wanted


@pytest.mark.parametrize('setting', ['2111', '111', '11111', '0000', 1111])
def test_what_is_no_setting_is_refused(setting):
    with pytest.raises(UserError, match=f'setting .*{setting}.*such as'):
        FactoredAttention(8, 2, setting)


def test_a_width_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match='width 8 is not a multiple of 3 heads'):
        FactoredAttention(8, 3, '1111')
    with pytest.raises(UserError, match='width 9 is odd'):
        FactoredAttention(9, 3, '0001')
    FactoredAttention(9, 3, '1010')(torch.randn(1, 2, 9), torch.randn(1, 2, 9))


# --- the network


def network(places=FULL, tokens=11, positions=20, **options) -> Transformer:
    sizes = dict(width=8, heads=2, feed_forward=8, encoder_layers=2, decoder_layers=2, dropout=0.0) | options
    return Transformer(tokens, places, positions=positions, **sizes).double().eval()


@pytest.mark.parametrize('setting', SETTINGS)
def test_a_position_sees_no_later_one_of_the_target_and_all_of_the_source(setting):
    net = network(Places(setting, setting, setting))
    source, target = torch.randint(4, 11, (2, 6)), torch.randint(4, 11, (2, 7))
    before = net(source, target)
    for i in range(7):
        other = target.clone()
        other[:, i] = (target[:, i] - 3) % 7 + 4
        changed = (net(source, other) != before).any(2)
        assert not changed[:, :i].any() and changed[:, i].all()
    # The first position stands for all: a change anywhere in the source reaches it.
    for j in range(6):
        other = source.clone()
        other[:, j] = (source[:, j] - 3) % 7 + 4
        assert (net(other, target)[:, 0] != before[:, 0]).any(1).all()


@pytest.mark.parametrize('setting', SETTINGS)
def test_filling_changes_nothing(setting):
    net = network(Places(setting, setting, setting))
    source, target = torch.randint(4, 11, (1, 5)), torch.randint(4, 11, (1, 4))
    with_filling = [torch.cat([x, torch.full((1, 3), text.PAD)], 1) for x in (source, target)]
    torch.testing.assert_close(net(*with_filling)[:, :4], net(source, target), rtol=1e-10, atol=1e-10)


def test_each_place_has_its_setting():
    net = network(Places('0111', '0110', '0010'))
    found = {
        name: module.setting for name, module in net.named_modules() if isinstance(module, FactoredAttention)
    }
    assert found == {
        **{f'encoder.{i}.0.inner': '0111' for i in range(2)},
        **{f'decoder.{i}.0.inner': '0110' for i in range(2)},
        **{f'decoder.{i}.1.inner': '0010' for i in range(2)},
    }


def test_a_sentence_longer_than_the_positions_is_refused():
    net = network(positions=4)
    net(torch.full((1, 4), 5), torch.full((1, 4), 5))
    for sides in ((5, 4), (4, 5)):
        with pytest.raises(
            UserError, match='5 tokens is longer than the model, which has 4 positions: split it'
        ):
            net(*(torch.full((1, length), 5) for length in sides))


@pytest.mark.parametrize('words', ['1111', '1111 1111', '1111 1111 1111 1111', '1111 1111 2111', 1111])
def test_what_is_no_setting_of_three_places_is_refused(words):
    with pytest.raises(UserError, match='setting'):
        read_places(words)
    assert read_places('1111 0110 0011') == Places('1111', '0110', '0011')


# --- the search


def greedily(net: Transformer, source: list[int]) -> list[int]:
    tokens = [text.BEGIN]
    while len(tokens) <= net.positions:
        logits = net(torch.tensor([source]), torch.tensor([tokens]))[0, -1]
        logits[[text.PAD, text.UNKNOWN, text.BEGIN]] = float('-inf')
        tokens.append(int(logits.argmax()))
        if tokens[-1] == text.END:
            break
    return [token for token in tokens[1:] if token != text.END]


def test_greedy_decoding_with_filling_is_that_without():
    torch.manual_seed(0)
    net, rng = network(), random.Random(0)
    sources = [[rng.randrange(4, 11) for _ in range(length)] + [text.END] for length in (2, 9, 5, 1, 7)]
    wanted = [greedily(net, source) for source in sources]
    assert len({tuple(row) for row in wanted}) > 1
    assert translate(net, text.filled(sources)) == wanted
    assert [translate(net, text.filled([source]))[0] for source in sources] == wanted


@pytest.mark.parametrize('penalty', [0.0, 2.0])
def test_a_wide_beam_finds_the_best_of_all_translations(penalty):
    """Two words and three positions: 1 + 2 + 4 that end, 8 that do not."""
    torch.manual_seed(1)
    net = network(tokens=6, positions=3)
    sources = torch.tensor([[4, 5, text.END], [5, 5, text.END], [5, 4, text.END]])
    every = [row for n in range(4) for row in itertools.product((4, 5), repeat=n)]
    wanted = []
    for source in sources:
        best = {}
        for row in every:
            whole = [text.BEGIN, *row, *([text.END] if len(row) < 3 else [])]
            logits = net(source[None], torch.tensor([whole[:-1]]))[0]
            likely = logits.log_softmax(1)[range(len(whole) - 1), whole[1:]].sum()
            best[row] = float(likely.detach() / ((5 + len(whole) - 1) / 6) ** penalty)
        wanted.append(list(max(best, key=best.get)))
    assert translate(net, sources, beam=15, length_penalty=penalty) == wanted


# --- the sentences and files


def test_words_of_numbers():
    assert [' '.join(in_words(n)) for n in (0, 7, 13, 20, 42, 100, 117, 999)] == [
        'zero', 'seven', 'thirteen', 'twenty', 'forty two', 'one hundred', 'one hundred seventeen',
        'nine hundred ninety nine',
    ]  # fmt: skip
    days = [' '.join(ordinal(n)) for n in (1, 2, 3, 4, 5, 8, 9, 12, 15, 20, 21, 30, 31)]
    assert days == [
        'first', 'second', 'third', 'fourth', 'fifth', 'eighth', 'ninth', 'twelfth', 'fifteenth', 'twentieth',
        'twenty first', 'thirtieth', 'thirty first',
    ]  # fmt: skip
    assert [' '.join(year_in_words(n)) for n in (1900, 1904, 1915, 1984)] == [
        'nineteen hundred', 'nineteen oh four', 'nineteen fifteen', 'nineteen eighty four'
    ]  # fmt: skip
    assert len({tuple(in_words(n)) for n in range(1000)}) == 1000


def test_generated_sentences_are_the_rules_and_train_and_test_are_disjoint():
    train, test = generate([3000, 300], 0)
    assert (len(train), len(test)) == (3000, 300)
    sources = [source for source, _ in train + test]
    assert len(set(sources)) == 3300
    assert not {source for source, _ in train} & {source for source, _ in test}
    assert generate([3000, 300], 0) == [train, test] and generate([3000, 300], 1)[1] != test
    moved = 0
    for source, target in test:
        clauses, translated = source.split(' , '), target.split(' ; ')
        names = [clause.split()[1 if clause.startswith('for ') else 0] for clause in clauses]
        moved += names != sorted(names)
        assert [clause.split()[0] for clause in translated] == sorted(names)
        for name, clause in zip(names, clauses, strict=True):
            words = clause.split()
            there = next(other for other in translated if other.split()[0] == name).split()[1:]
            if words[0] == 'for':
                assert in_words(int(''.join(there[1:]))) == words[2:-1] and there[0] == words[-1]
            elif words[1:3] == ['in', 'room']:
                assert in_words(int(''.join(words[3:]))) == there
            else:
                day, month, year = ''.join(there).split('/')
                of = words.index('of')
                assert ordinal(int(day)) == words[3:of] and year_in_words(int(year)) == words[of + 2 :]
                names_of_months = (
                    'january february march april may june july august september october november december'
                )
                assert names_of_months.split()[int(month) - 1] == words[of + 1]
    assert 0.5 < moved / len(test) < 0.9  # of two clauses one half, of three five sixths


def write(folder: Path, **files: str | bytes) -> list[str]:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return [str(folder / name) for name in files]


def test_pairs_of_files(tmp_path):
    # A line separator of Unicode ends no line, as in WMT's files.
    files = write(tmp_path, a='one two\n\u2028three\x85 four \r\n\nend', b='eins zwei\ndrei vier\n\nEnde\n')
    assert text.read_pairs(*files) == [
        ('one two', 'eins zwei'), ('three\x85 four', 'drei vier'), ('', ''), ('end', 'Ende')
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('a', 'b', 'sentence'),
    [
        ('one\ntwo\n', 'eins\n', 'has 2 lines and .* has 1: a sentence and its translation'),
        ('', 'eins\n', 'is empty: give a corpus'),
        ('one\n', '\n \n', 'is empty: give a corpus'),
        ('one\n', b'\xff\xfe\n', 'is no text in UTF-8'),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path, a, b, sentence):
    with pytest.raises(UserError, match=sentence):
        text.read_pairs(*write(tmp_path, a=a, b=b))
    with pytest.raises(UserError, match='there is no file none'):
        text.read_pairs('none', 'none')


def test_a_plain_vocabulary():
    words = text.Words(['b a b', 'c a'], least=2)
    assert len(words) == 6 and words.encode('a b c') == [4, 5, text.UNKNOWN]
    assert words.decode([5, 4]) == 'b a'


def test_sentences_longer_than_the_positions():
    words = text.Words(['a b c'])
    pairs = [('a', 'b c'), ('a b', 'c'), ('a b c', 'c'), ('a', 'a b c')]
    with pytest.raises(
        UserError, match='sentence 3 of train has 4 tokens with its end, and the model has 3 positions'
    ):
        text.encode_pairs(pairs, words, 3, 'train')
    kept = text.encode_pairs(pairs, words, 3, 'train', drop_longer=True)
    assert [[list(side) for side in pair] for pair in kept] == [
        [[4, 3], [2, 5, 6, 3]],
        [[4, 5, 3], [2, 6, 3]],
    ]
    with pytest.raises(UserError, match='every sentence of train is longer than the 1 positions'):
        text.encode_pairs(pairs, words, 1, 'train', drop_longer=True)


def test_without_sentencepiece_its_vocabulary_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sentencepiece', None)
    with pytest.raises(UserError, match='needs sentencepiece: pip install sentencepiece'):
        text.Pieces('a.model')


def test_a_vocabulary_of_sentencepiece(tmp_path):
    pieces = pytest.importorskip('sentencepiece')
    train, _ = generate([300, 1], 0)
    options = dict(sentence_iterator=iter([line for pair in train for line in pair]), vocab_size=80)
    pieces.SentencePieceTrainer.train(model_prefix=str(tmp_path / 'joint'), **options)
    vocabulary = text.Pieces(str(tmp_path / 'joint.model'))
    assert len(vocabulary) == 81
    for source, _ in train[:50]:
        tokens = vocabulary.encode(source)
        assert not set(tokens) & {text.PAD, text.UNKNOWN, text.BEGIN, text.END} and max(tokens) < 81
        assert vocabulary.decode(tokens) == source
    with pytest.raises(UserError, match='there is no file none.model'):
        text.Pieces('none.model')
    with pytest.raises(UserError, match='is no model of sentencepiece'):
        text.Pieces(*write(tmp_path, text='no model'))


def test_batches():
    train, _ = generate([200, 1], 0)
    words = text.Words([line for pair in train for line in pair])
    encoded = text.encode_pairs(train, words, 64, 'train')
    one, two = (list(text.batches(encoded, 120, 3, epoch)) for epoch in (0, 1))
    for found in (one, two):
        assert all(max(source.numel(), target.numel()) <= 120 for source, target in found)
        rows = [
            tuple([*filter(None, row.tolist())] for row in pair)
            for batch in found
            for pair in zip(*batch, strict=True)
        ]
        assert sorted(rows) == sorted((list(a), list(b)) for a, b in encoded)
    again, other = list(text.batches(encoded, 120, 3, 0)), list(text.batches(encoded, 120, 4, 0))
    assert all(
        torch.equal(a, b)
        for pair, pair2 in zip(one, again, strict=True)
        for a, b in zip(pair, pair2, strict=True)
    )
    assert [batch[0].tolist() for batch in one] != [batch[0].tolist() for batch in other]
    assert [batch[0].tolist() for batch in one] != [batch[0].tolist() for batch in two]
    assert len(list(text.batches(encoded, 1, 0, 0))) == 200  # one pair at least


# --- the command


@pytest.fixture
def config(tmp_path):
    """Writes a config, with some keys changed, and gives its path."""

    def make(**changes) -> str:
        path = tmp_path / 'tiny.yml'
        content = {key: value for key, value in (TINY | changes).items() if value is not None}
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return make


def refused(capsys, *words) -> str:
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    return line


@pytest.mark.parametrize(
    ('changes', 'words', 'sentence'),
    [
        ({}, '--encoder 2111', "there is no setting '2111': give four bits"),
        ({}, '--encoder-decoder 111', "there is no setting '111': give four bits"),
        ({}, '--decoder 0000', "the setting '0000' has no term"),
        (dict(attention=['1111 1111']), '', "'1111 1111' is no setting of three places"),
        (dict(attention=[1111]), '', '1111 is no setting of three places'),
        (dict(attention='1111'), '', 'give a list of settings'),
        (dict(positions=10), '', 'tokens with its end, and the model has 10 positions: raise `positions`'),
        (dict(position=10), '', "has a key 'position' that there is not: did you mean positions"),
        (dict(steps=None), '', 'lacks steps: write each as in'),
        (dict(steps=0), '', 'has steps: 0: give 1 or more'),
        (dict(steps=1.5), '', 'has steps: 1.5: give a whole number'),
        (dict(learning_rate='7e-4'), '', 'give a number, with a point'),
        (dict(learning_rate=0), '', 'give a number above 0'),
        (dict(dropout=1), '', 'give a number from 0 to below 1'),
        (dict(drop_longer=1), '', 'give true or false'),
        (dict(train=['a']), '', 'give two text files'),
        (dict(train=['a', 'b']), '', 'give two files to both, or a number'),
        (dict(train=['a', 'b'], test=['a', 'b']), '', 'there is no file a: put its path right'),
        (dict(train=['one', 'two'], test=['one', 'one']), '', 'one has 1 lines and two has 2'),
        (dict(train=['empty', 'one'], test=['one', 'one']), '', 'empty is empty: give a corpus'),
        (dict(vocabulary='none.model'), '', 'none.model'),
        (dict(heads=3), '', 'width 8 is not a multiple of 3 heads'),
        (dict(tokenize='words'), '', "sacrebleu has no tokenizer 'words': take one of"),
        (dict(learning_rate=1e30), '', 'the loss is not finite at step'),
        ({}, '--out a_file', 'there is a file where a folder is needed'),
    ],
)
def test_bad_input_gets_one_sentence(config, changes, words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, one='a\n', two='a\nb\n', empty='', a_file='')
    assert sentence in refused(capsys, config(**changes), '--device', 'cpu', *words.split())
    assert list(tmp_path.rglob('runs/*.json')) == []


def test_configs_that_cannot_be_read_are_refused(tmp_path, capsys, monkeypatch):
    assert 'there is no config none.yml: take one of' in refused(capsys, 'none.yml')
    assert 'is no YAML' in refused(capsys, *write(tmp_path, a='a: ['))
    assert 'has no keys' in refused(capsys, *write(tmp_path, a='words'))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert 'there is no GPU in sight' in refused(capsys, 'none.yml', '--device', 'cuda')
    monkeypatch.setitem(sys.modules, 'sacrebleu', None)
    assert 'sacrebleu is not installed: pip install -r' in refused(capsys, 'none.yml')


def kept(out: Path) -> list:
    """All that must not change from one run to the next."""
    keys = ('places', 'seed', 'parameters', 'loss', 'bleu', 'exact', 'example')
    return [[run[key] for key in keys] for run in json.loads((out / 'results.json').read_text())['runs']]


def test_the_command_and_going_on_after_a_stop(config, tmp_path, monkeypatch, capsys):
    words, whole, stopped = (
        [config(), '--device', 'cpu', '--seeds', '3', '1'],
        tmp_path / 'whole',
        tmp_path / 'stopped',
    )
    assert main([*words, '--out', str(whole)]) == 0
    assert '40 pairs of sentences to train on, 6 to translate' in (said := capsys.readouterr().out)
    assert '4 of 4, about 0 min left' in said
    runs = json.loads((whole / 'results.json').read_text())['runs']
    assert len(runs) == 4 and all(run['versions']['sacrebleu'] and run['machine']['cpu'] for run in runs)
    assert '| 0011 | 0110 | 0111 | 2 |' in (whole / 'table.md').read_text()

    trained, train = [], study.train_and_test

    def cut_off(settings, places, seed, *rest):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((places, seed))
        return train(settings, places, seed, *rest)

    monkeypatch.setattr(study, 'train_and_test', cut_off)
    with pytest.raises(SystemExit) as exit_:
        main([*words, '--out', str(stopped)])
    assert exit_.value.code == 130
    assert 'run the same command again, what is finished is kept' in capsys.readouterr().err
    assert not (stopped / 'results.json').exists()
    monkeypatch.setattr(
        study, 'train_and_test', lambda s, p, i, *rest: trained.append((p, i)) or train(s, p, i, *rest)
    )
    main([*words, '--out', str(stopped)])
    assert len(trained) == len(set(trained)) == 4
    assert '3 of 4 trainings are finished' in capsys.readouterr().out
    assert kept(stopped) == kept(whole)
    # Another setting is a comparison more; another width another study.
    main([*words[:3], '--seeds', '1', '--encoder', '0001', '--out', str(stopped)])
    assert trained[4:] == [(Places('0001', '1111', '1111'), 1)]
    assert len(kept(stopped)) == 5
    config(width=16)
    assert 'width was 8 and is 16' in refused(capsys, *words, '--out', stopped)


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    """Dropout included, and over the end of an epoch: the same losses and weights as in one go."""
    settings = Settings(**TINY | dict(steps=16, checkpoint=5, dropout=0.2))
    corpus = study.load_corpus(settings)
    assert len(list(text.batches(corpus.train, settings.tokens, 0, 0))) < 16

    def train(file, done=lambda step: None):
        torch.manual_seed(0)
        net = study.build(settings, FULL, len(corpus.vocabulary))
        return study._train(settings, net, 0, corpus.train, file, 'cpu', done)[1], net.state_dict()

    def stop(step):
        if step == 13:
            raise KeyboardInterrupt

    losses, weights = train(tmp_path / 'whole.pt')
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / 'parts.pt', stop)
    seen = []
    losses_after, weights_after = train(tmp_path / 'parts.pt', seen.append)
    assert seen == list(range(11, 17))
    assert losses_after == losses and [step for step, _ in losses] == list(range(1, 17))
    assert all(torch.equal(value, weights_after[key]) for key, value in weights.items())
    kept_weights = torch.load(tmp_path / 'whole.pt', weights_only=True)['network']
    assert all(torch.equal(value, kept_weights[key]) for key, value in weights.items())


def test_a_corpus_of_files_and_its_scores(config, tmp_path, monkeypatch, capsys):
    """BLEU and exact are those of what the search gives, in the order of the references."""
    train, test = generate([40, 6], 5)
    sides = {
        f'{name}{i}': '\n'.join(pair[i] for pair in part)
        for name, part in (('train', train), ('test', test))
        for i in (0, 1)
    }
    files = write(tmp_path, **sides)
    given = [target for _, target in test]
    given[2] = given[2] + ' 1'
    longest = max(len(side.split()) for pair in train for side in pair) + 1
    write(tmp_path, train0=sides['train0'] + '\n' + 'otto ' * longest, train1=sides['train1'] + '\notto')

    def known(settings, net, corpus, device):
        assert [corpus.vocabulary.encode(line) for line in (source for source, _ in test)] == [
            list(source[:-1]) for source, _ in corpus.test
        ]
        return given

    monkeypatch.setattr(study, '_translations', known)
    out = tmp_path / 'out'
    settings = config(train=files[:2], test=files[2:], positions=longest, drop_longer=True)
    assert main([settings, '--encoder', '1111', '--device', 'cpu', '--seeds', '0', '--out', str(out)]) == 0
    assert '40 pairs of sentences to train on (1 longer ones are left out), 6 to' in capsys.readouterr().out
    (run,) = json.loads((out / 'results.json').read_text())['runs']
    assert run['bleu'] == pytest.approx(
        corpus_bleu(given, [[t for _, t in test]], tokenize='none', force=True).score
    )
    assert run['exact'] == pytest.approx(100 * 5 / 6) and 'tok:none' in run['signature']
    assert run['example'] == given[0]


def test_translations_stand_in_the_order_of_the_references():
    settings = Settings(**TINY | dict(test_sentences=2))
    corpus = study.load_corpus(settings)
    torch.manual_seed(0)
    net = study.build(settings, FULL, len(corpus.vocabulary)).eval()
    wanted = [corpus.vocabulary.decode(translate(net, text.filled([source]))[0]) for source, _ in corpus.test]
    assert study._translations(settings, net, corpus, 'cpu') == wanted


def test_the_rate_is_the_published_schedule():
    wanted = [512**-0.5 * min(step**-0.5, step * 4000**-1.5) for step in (1, 100, 4000, 5000, 100000)]
    greatest = 512**-0.5 * 4000**-0.5
    np.testing.assert_allclose(
        [greatest * study.rate(step, 4000) for step in (1, 100, 4000, 5000, 100000)], wanted
    )


# --- configs, report, results


def test_wmt14_is_the_base_transformer():
    """Attention of 4 w^2 plus position and u, v and the bias of the output; the feed-forward; a norm before each and
    at the ends.
    """
    settings = read_settings(str(PROJECT / 'configs' / 'wmt14_en_de.yml'))
    with torch.device('meta'):
        net = study.build(settings, FULL, 37000)
    w, f = 512, 2048
    attention, feed, norm = 5 * w * w + 3 * w, 2 * w * f + f + w, 2 * w
    wanted = 37000 * w + 6 * (attention + feed + 2 * norm) + 6 * (2 * attention + feed + 3 * norm) + 2 * norm
    assert sum(p.numel() for p in net.parameters()) == wanted
    assert (settings.tokens, settings.heads, settings.beam, settings.label_smoothing) == (4096, 8, 4, 0.1)
    assert settings.learning_rate == pytest.approx(512**-0.5 * 4000**-0.5, rel=2e-3)
    assert all(read_places(line) for line in settings.attention)


def test_the_table_is_the_plain_formula():
    """Differences are of the same seed, and a seed without a partner has none."""
    rng = np.random.default_rng(0)
    where = dict(
        machine=dict(cpu='a CPU'), versions=dict(torch='2'), device='cpu', threads=1, signature='tok:none'
    )
    runs = [
        dict(
            places=places._asdict(),
            seed=seed,
            parameters=1000,
            seconds=20.0,
            bleu=rng.uniform(50, 90),
            exact=50.0,
            **where,
        )
        for seed in (0, 1, 2)
        for places in (FULL, FULL._replace(encoder_decoder='0111'))
    ]
    runs.append(dict(runs[0], seed=7))
    result = dict(
        settings=dict(steps=20, tokens=9, width=4, heads=2, encoder_layers=1, decoder_layers=1), runs=runs
    )
    bleu = [
        [run['bleu'] for run in runs if run['seed'] != 7 and run['places']['encoder_decoder'] == s]
        for s in ('1111', '0111')
    ]
    difference = np.subtract(bleu[1], bleu[0])
    half = stats.t.ppf(0.975, 2) * difference.std(ddof=1) / 3**0.5
    interval = (
        f'{difference.mean():+.1f} [{difference.mean() - half:+.1f}, '
        f'{difference.mean() + half:+.1f}] | {half:.1f}'
    )
    lines = table(result).splitlines()
    assert lines[2].startswith('| 1111 | 1111 | 1111 | 4 |')
    assert lines[3] == (
        f'| 1111 | 1111 | 0111 | 3 | {np.mean(bleu[1]):.1f} ± {np.std(bleu[1], ddof=1):.1f} | {interval} | '
        '50.0 ± 0.0 | +0.0 [+0.0, +0.0] | 0.0 | 1,000 | 20 s |'
    )


def test_nothing_in_the_package_knows_of_this_project_or_needs_what_it_needs():
    for path in (ROOT / 'attn_plugins').rglob('*.py'):
        content = path.read_text()
        assert 'sacrebleu' not in content and 'empirical_attention.translation' not in content, path


def test_what_was_run_offline_is_what_its_files_say():
    """By the config that is there, each of its settings with three seeds, and the README has the table."""
    result = json.loads((PROJECT / 'offline' / 'results.json').read_text())
    settings = read_settings(str(PROJECT / 'configs' / 'offline.yml'))
    assert result['settings'] == json.loads(json.dumps(asdict(settings)))
    seeds = {}
    for run in result['runs']:
        seeds.setdefault(' '.join(run['places'].values()), set()).add(run['seed'])
    assert seeds == {places: {0, 1, 2} for places in settings.attention}
    assert table(result) in (PROJECT / 'README.md').read_text()
