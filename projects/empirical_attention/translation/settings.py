"""All that decides what is trained, read from a YAML file."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import yaml

from attn_plugins.errors import UserError
from attn_plugins.files import read_yaml
from attn_plugins.registry import nearest


@dataclass(frozen=True)
class Settings:
    """What a config holds. Its names are the keys of the YAML file; those without a default must be there.

    Attributes:
        attention: Settings to compare, each 'ENCODER DECODER ENCODER-DECODER'.
        train, test: Each a list of two text files, source and target; or a number of generated sentences.
        vocabulary: 'words', or a sentencepiece model's file.
        least: How often a word must stand in training to get a token of its own ('words').
        drop_longer: Leave training sentences out that are longer than `positions`, instead of refusing them.
        positions: The longest sentence in tokens, with its end.
        width, heads, feed_forward, encoder_layers, decoder_layers, dropout: Of the network.
        tokens: Of a batch, of each side, with the filling.
        steps: Of a training.
        learning_rate, warmup: The greatest rate, and the steps until it is reached; it falls with 1 / sqrt(step) then.
        label_smoothing: Of the cross entropy.
        beam, length_penalty: Of the search; a beam of 1 is greedy.
        test_sentences: How many are translated at once.
        tokenize: sacrebleu's tokenizer: '13a' for text, 'none' for what has spaces between all tokens.
        checkpoint: Steps from one checkpoint to the next; 0 for none. With them the trained weights are kept.
    """

    attention: list[str]
    train: list[str] | int
    test: list[str] | int
    steps: int
    positions: int
    vocabulary: str = 'words'
    least: int = 1
    drop_longer: bool = False
    width: int = 512
    heads: int = 8
    feed_forward: int = 2048
    encoder_layers: int = 6
    decoder_layers: int = 6
    dropout: float = 0.1
    tokens: int = 4096
    learning_rate: float = 7e-4
    warmup: int = 4000
    label_smoothing: float = 0.1
    beam: int = 1
    length_penalty: float = 0.0
    test_sentences: int = 64
    tokenize: str = '13a'
    checkpoint: int = 0


LEAST = dict(
    least=1, positions=2, width=1, heads=1, feed_forward=1,
    encoder_layers=1, decoder_layers=1, dropout=0, tokens=1, steps=1,
    warmup=1, label_smoothing=0, beam=1, length_penalty=0, test_sentences=1, checkpoint=0,
)  # fmt: skip


def read_settings(file: str) -> Settings:
    """The settings of a YAML file.

    Raises:
        UserError: The file cannot be read, a key is unknown, missing or has a value that cannot be used.
    """
    path = Path(file)
    if not path.is_file():
        raise UserError(f'there is no config {file}: take one of {Path(__file__).parent / "configs"}')
    try:
        content = read_yaml(path)
    except yaml.YAMLError as error:
        raise UserError(f'{file} is no YAML: {error}') from error
    if not isinstance(content, dict):
        raise UserError(f'{file} has no keys: write it as one of {Path(__file__).parent / "configs"}')
    known = {field.name: field for field in fields(Settings)}
    for key, value in content.items():
        if key not in known:
            raise UserError(f'{file} has a key {key!r} that there is not: {nearest(str(key), known)}')
        _check(file, key, value)
    missing = [name for name, field in known.items() if field.default is MISSING and name not in content]
    if missing:
        raise UserError(
            f'{file} lacks {", ".join(missing)}: write each as in {Path(__file__).parent / "configs"}'
        )
    if isinstance(content['train'], int) != isinstance(content['test'], int):
        raise UserError(
            f'{file} has train from a file and test generated, or the other way: give two files to both, or a number'
        )
    return Settings(**content)


def _check(file: str, key: str, value) -> None:
    def refuse(what: str) -> None:
        raise UserError(f'{file} has {key}: {value!r}: give {what}')

    if key == 'attention':
        if not isinstance(value, list) or not value:
            refuse("a list of settings such as '1111 0111 1111': of encoder, decoder and encoder-decoder")
    elif key in ('train', 'test'):
        of_files = (
            isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
        )
        if not of_files and not (type(value) is int and value > 0):
            refuse('two text files, [SOURCE, TARGET], or a number of sentences to generate')
    elif key == 'drop_longer':
        if not isinstance(value, bool):
            refuse('true or false')
    elif key in ('vocabulary', 'tokenize'):
        if not isinstance(value, str):
            refuse('a word')
    elif key in ('dropout', 'label_smoothing', 'length_penalty', 'learning_rate'):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse('a number, with a point where it has an exponent (7.0e-4)')
        if key == 'learning_rate' and value <= 0:
            refuse('a number above 0')
        if key in ('dropout', 'label_smoothing') and not 0 <= value < 1:
            refuse('a number from 0 to below 1')
    elif type(value) is not int:
        refuse('a whole number')
    if key in LEAST and value < LEAST[key]:
        refuse(f'{LEAST[key]} or more')
