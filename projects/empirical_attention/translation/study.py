"""The study: every setting with every seed, each trained on the same sentences and written when it is finished."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from rich.console import Console
from sacrebleu.metrics import BLEU
from torch import Tensor

from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from attn_plugins.machine import versions
from projects.empirical_attention.translation.decoding import translate
from projects.empirical_attention.translation.network import Places, Transformer
from projects.empirical_attention.translation.sentences import generate
from projects.empirical_attention.translation.settings import Settings
from projects.empirical_attention.translation.text import (
    PAD,
    Pairs,
    Pieces,
    Tokens,
    Words,
    batches,
    encode_pairs,
    filled,
    read_pairs,
)
from projects.trainings import Training, carry_out, keep_settings

SETTINGS, RUNS, RESULTS = 'settings.json', 'runs', 'results.json'
# Of the generated sentences: the same for every run, as a corpus is.
CORPUS_SEED = 0


class Corpus(NamedTuple):
    """What is trained on and translated; `dropped` is how many longer sentences were left out of training."""

    train: Tokens
    dropped: int
    test: Tokens
    references: list[str]
    vocabulary: Words | Pieces


def load_corpus(settings: Settings) -> Corpus:
    """The sentences of a config, generated or read, as tokens.

    Raises:
        UserError: A file or a sentence of it cannot be used.
    """
    if isinstance(settings.train, int):
        train, test = generate([settings.train, settings.test], CORPUS_SEED)
    else:
        train, test = read_pairs(*settings.train), read_pairs(*settings.test)
    vocabulary = _vocabulary(settings, train)
    encoded = encode_pairs(train, vocabulary, settings.positions, 'train', settings.drop_longer)
    return Corpus(
        encoded,
        len(train) - len(encoded),
        encode_pairs(test, vocabulary, settings.positions, 'test'),
        [target for _, target in test],
        vocabulary,
    )


def _vocabulary(settings: Settings, train: Pairs) -> Words | Pieces:
    if settings.vocabulary == 'words':
        return Words([line for pair in train for line in pair], settings.least)
    return Pieces(settings.vocabulary)


def run_study(
    settings: Settings, all_places: list[Places], seeds: list[int], out: Path, device: str, console: Console
) -> dict:
    """Trains every pair of setting and seed that `out` has no result of, and writes `results.json`.

    Args:
        settings (Settings): Of the training.
        all_places (list[Places]): Settings of the attentions to compare.
        seeds (list[int]): Of start and order of batches: the same for every setting.
        out (Path): The folder for results.
        device (str): Where to train.
        console (Console): For progress.

    Returns:
        dict: What `results.json` holds: every run of `out`, also of earlier commands.

    Raises:
        UserError: Something of what is given cannot be used, or `out` holds results of other settings.
    """
    corpus = load_corpus(settings)
    for places in all_places:  # what cannot be built is refused before hours of training
        with torch.device('meta'):
            build(settings, places, len(corpus.vocabulary))
    _bleu(settings.tokenize)
    # Which settings of attention are compared decides nothing about one of them.
    keep_settings(
        out / SETTINGS, {key: value for key, value in asdict(settings).items() if key != 'attention'}
    )
    longer = f' ({corpus.dropped:,} longer ones are left out)' if corpus.dropped else ''
    console.print(
        f'{len(corpus.train):,} pairs of sentences to train on{longer}, {len(corpus.test):,} to translate, '
        f'{len(corpus.vocabulary):,} tokens in the vocabulary'
    )

    def train(places: Places, seed: int, done: Callable[[int], None]) -> tuple[dict, str]:
        run = train_and_test(settings, places, seed, corpus, run_file(out, places, seed), device, done)
        return run, f'BLEU {run["bleu"]:.2f}, {run["exact"]:.1f} % exact, {run["seconds"]:.0f} s'

    trainings = [
        Training(
            f'{" ".join(places)}, seed {seed}', run_file(out, places, seed), partial(train, places, seed)
        )
        for places, seed in dict.fromkeys((places, seed) for seed in seeds for places in all_places)
    ]
    made_with = dict(device=device, versions=versions() | dict(sacrebleu=version('sacrebleu')))
    carry_out(trainings, settings.steps, made_with, console)
    runs = [read_json(path) for path in sorted((out / RUNS).glob('*.json'))]
    result = dict(settings=asdict(settings), runs=runs)
    write_json(out / RESULTS, result)
    return result


def run_file(out: Path, places: Places, seed: int) -> Path:
    """Where what came of one training stands once it is finished; its weights, if kept, are beside it."""
    return out / RUNS / f'{"_".join(places)}_seed{seed}.json'


def build(settings: Settings, places: Places, tokens: int) -> Transformer:
    """The network of a setting."""
    return Transformer(
        tokens,
        places,
        settings.width,
        settings.heads,
        settings.feed_forward,
        settings.encoder_layers,
        settings.decoder_layers,
        settings.dropout,
        settings.positions,
    )


def train_and_test(
    settings: Settings,
    places: Places,
    seed: int,
    corpus: Corpus,
    file: Path,
    device: str,
    done: Callable[[int], None],
) -> dict:
    """One network, trained and tested, and what there is to say of it."""
    torch.manual_seed(seed)
    network = build(settings, places, len(corpus.vocabulary)).to(device)
    seconds, losses = _train(settings, network, seed, corpus.train, file.with_suffix('.pt'), device, done)
    start = time.perf_counter()
    translations = _translations(settings, network.eval(), corpus, device)
    exact = [a == b for a, b in zip(translations, corpus.references, strict=True)]
    bleu = _bleu(settings.tokenize)
    return dict(
        places=places._asdict(),
        seed=seed,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        seconds=round(seconds, 1),
        test_seconds=round(time.perf_counter() - start, 1),
        loss=losses,
        bleu=bleu.corpus_score(translations, [corpus.references]).score,
        exact=100 * sum(exact) / len(exact),
        signature=str(bleu.get_signature()),
        example=translations[0],
    )


def _bleu(tokenize: str) -> BLEU:
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(
            f'sacrebleu has no tokenizer {tokenize!r}: take one of {", ".join(sorted(BLEU.TOKENIZERS))}'
        )
    return BLEU(tokenize=tokenize, force=True)


def _translations(settings: Settings, network: Transformer, corpus: Corpus, device: str) -> list[str]:
    """Of every source of the test, in its order."""
    # Sentences of similar lengths together.
    order = sorted(range(len(corpus.test)), key=lambda i: len(corpus.test[i][0]))
    found = {}
    for start in range(0, len(order), settings.test_sentences):
        group = order[start : start + settings.test_sentences]
        source = filled([corpus.test[i][0] for i in group]).to(device)
        found |= zip(group, translate(network, source, settings.beam, settings.length_penalty), strict=True)
    return [corpus.vocabulary.decode(found[i]) for i in range(len(order))]


def _train(
    settings: Settings,
    network: Transformer,
    seed: int,
    train: Tokens,
    checkpoint: Path,
    device: str,
    done: Callable[[int], None],
) -> tuple[float, list[list[float]]]:
    """Trains the network, from its checkpoint on if there is one: seconds, and [step, loss] at twenty steps.

    Raises:
        UserError: The loss is no longer a finite number.
    """
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate, betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step + 1, settings.warmup))
    parts = dict(network=network, optimizer=optimizer, schedule=schedule)
    step, seconds, losses = _load(checkpoint, parts, device)
    every = max(1, settings.steps // 20)
    network.train()
    start = time.perf_counter() - seconds
    for source, target in _from_step(train, settings.tokens, seed, step):
        if step == settings.steps:
            break
        source, target = source.to(device), target.to(device)
        loss = F.cross_entropy(
            network(source, target[:, :-1]).flatten(0, 1),
            target[:, 1:].flatten(),
            ignore_index=PAD,
            label_smoothing=settings.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        step += 1
        if step % every == 0 or step == settings.steps:
            losses.append([step, float(f'{loss.item():.5g}')])
            if not torch.isfinite(loss):
                raise UserError(
                    f'with seed {seed} the loss is not finite at step {step}: lower learning_rate'
                )
        if settings.checkpoint and (step % settings.checkpoint == 0 or step == settings.steps):
            _save(checkpoint, parts, step, time.perf_counter() - start, losses)
        done(step)
    return time.perf_counter() - start, losses


def rate(step: int, warmup: int) -> float:
    """The share of the greatest learning rate at step 1, 2, ...: it rises to 1 at `warmup`, and falls with 1 /
    sqrt(step).
    """
    return min(step / warmup, (warmup / step) ** 0.5)


def _from_step(train: Tokens, tokens: int, seed: int, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one epoch after the other, without the first `step` ones."""
    epoch = 0
    while True:
        for batch in batches(train, tokens, seed, epoch):
            if step > 0:
                step -= 1
            else:
                yield batch
        epoch += 1


def _save(path: Path, parts: dict, step: int, seconds: float, losses: list) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    random_states = dict(cpu=torch.get_rng_state(), cuda=torch.cuda.get_rng_state_all())
    part = path.with_name(f'{path.name}.part')
    torch.save(dict(states, step=step, seconds=seconds, losses=losses, random=random_states), part)
    part.replace(path)


def _load(path: Path, parts: dict, device: str) -> tuple[int, float, list]:
    """Step, seconds and losses of a checkpoint, whose states are put into the parts; 0, 0 and none without one."""
    if not path.is_file():
        return 0, 0.0, []
    kept = torch.load(path, map_location='cpu', weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    torch.set_rng_state(kept['random']['cpu'])
    if device == 'cuda':
        torch.cuda.set_rng_state_all(kept['random']['cuda'])
    return kept['step'], kept['seconds'], kept['losses']
