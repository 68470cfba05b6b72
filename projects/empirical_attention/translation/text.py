"""Pairs of sentences as tokens: plain text files, vocabularies, batches of a number of tokens."""

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from attn_plugins.errors import UserError

PAD, UNKNOWN, BEGIN, END = range(4)
SPECIAL = ['<pad>', '<unk>', '<s>', '</s>']
Pairs = list[tuple[str, str]]
Tokens = list[tuple[array, array]]


def read_pairs(source: str, target: str) -> Pairs:
    """Lines of two text files, one sentence each, of which the n-th belong together.

    Raises:
        UserError: A file is not there, not UTF-8 or empty, or they have different numbers of lines.
    """
    sides = []
    for file in (source, target):
        path = Path(file)
        if not path.is_file():
            raise UserError(
                f'there is no file {file}: put its path right in the config, or get the corpus (see README)'
            )
        try:
            # Only a line feed ends a line: corpora have other characters that `splitlines` takes for an end.
            content = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise UserError(f'{file} is no text in UTF-8: convert it, such as by iconv') from error
        sides.append(
            [line.strip() for line in content.removesuffix('\n').split('\n')] if content.strip() else []
        )
        if not sides[-1]:
            raise UserError(f'{file} is empty: give a corpus with a sentence per line')
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f'{source} has {len(sides[0])} lines and {target} has {len(sides[1])}: a sentence and its '
            'translation must stand in the same line of both, so give the two sides of one corpus'
        )
    return list(zip(*sides, strict=True))


class Words:
    """A plain vocabulary: what stands between spaces in the training sentences of both languages.

    Args:
        lines (Sequence[str]): The sentences.
        least (int): How often a word must stand there to get a token of its own.
    """

    def __init__(self, lines: Sequence[str], least: int = 1):
        counts = Counter(word for line in lines for word in line.split())
        self.words = SPECIAL + sorted(word for word, count in counts.items() if count >= least)
        self.tokens = {word: token for token, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, line: str) -> list[int]:
        """A sentence's tokens, without begin and end."""
        return [self.tokens.get(word, UNKNOWN) for word in line.split()]

    def decode(self, tokens: list[int]) -> str:
        """The sentence of tokens."""
        return ' '.join(self.words[token] for token in tokens)


class Pieces:
    """The vocabulary of a sentencepiece model, whose tokens come one later, behind PAD.

    Args:
        file (str): The model, as spm_train writes it without options about its special tokens.

    Raises:
        UserError: sentencepiece is not installed, the file cannot be read, or its special tokens are others.
    """

    def __init__(self, file: str):
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError as error:
            raise UserError(
                f'the vocabulary {file} needs sentencepiece: pip install sentencepiece, or take `vocabulary: words`'
            ) from error
        if not Path(file).is_file():
            raise UserError(
                f'there is no file {file}: train it by spm_train (see README), or take `vocabulary: words`'
            )
        try:
            self.model = SentencePieceProcessor(model_file=file)
        except RuntimeError as error:
            raise UserError(
                f'{file} is no model of sentencepiece: train one by spm_train (see README)'
            ) from error
        if (self.model.unk_id(), self.model.bos_id(), self.model.eos_id()) != (0, 1, 2):
            raise UserError(
                f'{file} has other special tokens than 0, 1 and 2: train it by spm_train without options about them'
            )

    def __len__(self) -> int:
        return self.model.get_piece_size() + 1

    def encode(self, line: str) -> list[int]:
        """A sentence's tokens, without begin and end."""
        return [token + 1 for token in self.model.encode(line)]

    def decode(self, tokens: list[int]) -> str:
        """The sentence of tokens."""
        return self.model.decode([token - 1 for token in tokens])


def encode_pairs(
    pairs: Pairs, vocabulary: Words | Pieces, positions: int, name: str, drop_longer: bool = False
) -> Tokens:
    """Tokens of every pair: the source with its end, the target with begin and end.

    Raises:
        UserError: A sentence is longer than the model's positions, and such are not to be dropped; or all are.
    """
    encoded = []
    for line, pair in enumerate(pairs, start=1):
        source, target = (vocabulary.encode(sentence) for sentence in pair)
        tokens = array('i', [*source, END]), array('i', [BEGIN, *target, END])
        # The network reads the target without its end.
        longest = max(len(tokens[0]), len(tokens[1]) - 1)
        if longest <= positions:
            encoded.append(tokens)
        elif not drop_longer:
            raise UserError(
                f'sentence {line} of {name} has {longest} tokens with its end, and the model has {positions} '
                'positions: raise `positions`, split the sentence, or (in training) set `drop_longer: true`'
            )
    if not encoded:
        raise UserError(
            f'every sentence of {name} is longer than the {positions} positions of the model: raise `positions`'
        )
    return encoded


def filled(sequences: Sequence[Sequence[int]]) -> Tensor:
    """Sequences side by side, filled up with PAD at their ends: (N, L), int64."""
    rows = [torch.as_tensor(tokens, dtype=torch.long) for tokens in sequences]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def batches(encoded: Tokens, tokens: int, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch in batches of sentences of similar lengths, of at most `tokens` tokens a side with the filling; one
    pair at least.

    The order comes from seed and epoch alone, so that a training that goes on has the batches of an uninterrupted one.
    """
    rng = random.Random(f'{seed} {epoch}')
    order = list(range(len(encoded)))
    rng.shuffle(order)
    order.sort(key=lambda i: max(len(encoded[i][0]), len(encoded[i][1])))
    found, group = [], []
    for i in order:
        # The lengths rise, so that of the last is the longest.
        if group and (len(group) + 1) * max(map(len, encoded[i])) > tokens:
            found.append(group)
            group = []
        group.append(i)
    found.append(group)
    rng.shuffle(found)
    for group in found:
        yield filled([encoded[i][0] for i in group]), filled([encoded[i][1] for i in group])
