"""What `place=` gives to entries that name no place, and which list a host takes of `plugins=dict(...)`."""

import pytest
import torch
import torchvision

from attn_plugins import InsertionError, inserted_layers, plug
from attn_plugins.insertion.entry import read_entries
from tests.insertion.hosts import CA, IEBN, SE, plain

R50, MBV2 = 'mmpretrain ResNet-50', 'mmpretrain MobileNetV2'
SK = dict(type='attn_plugins.SKConv')
MIDDLE = (False, True, True, False)


def names(host: str, plugins, place: dict | None = None) -> list[str]:
    return list(inserted_layers(plug(plain(host), plugins, place=place)))


def blocks(layers: list[str]) -> set[str]:
    return {name.split('.')[0] for name in layers}


def test_an_entry_without_a_place_takes_the_default_one():
    place = dict(position='after_conv3', stages=MIDDLE)
    assert names(R50, [dict(cfg=SE)], place) == names(R50, [dict(cfg=SE, **place)])
    glob = dict(after='layer3.*.conv2')
    assert names(R50, [dict(cfg=SE)], glob) == names(R50, [dict(cfg=SE, **glob)])
    assert names(R50, [dict(cfg=CA)], dict(replace=['layer1.0.bn1'])) == ['layer1.0.bn1.attn_ca']


def test_an_entry_keeps_its_own_stages_and_sharing():
    place = dict(position='after_conv3', stages=MIDDLE)
    assert blocks(names(R50, [dict(cfg=SE, stages=(True, False, False, True))], place)) == {
        'layer1',
        'layer4',
    }
    shared = names(R50, [dict(cfg=SE, share='stage')], place)
    assert shared == ['layer2.0.bn3.attn_se', 'layer3.0.bn3.attn_se']


def test_an_entry_with_a_place_of_its_own_takes_nothing_of_the_default_one():
    place = dict(position='after_conv3', stages=MIDDLE)
    assert blocks(names(R50, [dict(cfg=SE, position='after_conv2')], place)) == {
        f'layer{i}' for i in (1, 2, 3, 4)
    }
    assert names(R50, [dict(cfg=SE, after='layer1.0')], place) == ['layer1.0.attn_se']
    assert len(names(R50, [dict(cfg=IEBN, norm='main')], place)) == 49
    assert names(R50, [dict(cfg=SK, replace='layer1.0.conv2')], place) == ['layer1.0.conv2.attn_sk']


def test_one_place_serves_every_kind_of_entry():
    """As a leaf does, which knows nothing of the preset."""
    place = dict(position='after_depthwise', stages=(False,) + (True,) * 6)
    assert len(names(MBV2, [dict(cfg=CA)], place)) == 16
    assert len(names(MBV2, [dict(cfg=IEBN, norm='main')], place)) == 52
    for nothing in ([], None, [dict(cfg=None)]):
        model = plug(plain(MBV2), nothing, place=place)
        assert set(model.state_dict()) == set(plain(MBV2).state_dict())


def test_the_list_is_that_of_the_hosts_class():
    lists = dict(
        ResNet=[dict(cfg=SE, after='layer1')],
        MobileNetV2=[dict(cfg=CA, after='layer1')],
        others=[dict(cfg=SE, after='features.0')],
    )
    assert names(R50, lists) == ['layer1.2.attn_se']
    assert names(MBV2, lists) == ['layer1.0.attn_ca']
    assert names('mmseg ResNetV1c-50', lists) == ['layer1.2.attn_se']
    model = plug(torchvision.models.vgg11(), lists)
    assert list(inserted_layers(model)) == ['features.0.attn_se']


def test_a_class_of_its_own_comes_before_that_of_its_base_and_of_its_blocks():
    lists = dict(
        Bottleneck=[dict(cfg=SE, after='layer1')],
        ResNet=[dict(cfg=SE, after='layer2')],
        ResNetV1c=[dict(cfg=SE, after='layer3')],
    )
    assert names('mmseg ResNetV1c-50', lists) == ['layer3.5.attn_se']
    assert names(R50, lists) == ['layer2.3.attn_se']
    del lists['ResNet'], lists['ResNetV1c']
    lists.update(BasicBlock=[dict(cfg=SE, after='layer2')], others=[])
    assert names(R50, lists) == ['layer1.2.attn_se']
    assert names('mmpretrain ResNet-18', lists) == ['layer2.1.attn_se']
    assert names(MBV2, lists) == []


def test_the_lists_of_other_hosts_are_not_looked_at_and_the_place_holds_in_all():
    lists = dict(ResNet=[dict(cfg=SE)], MobileNetV2='not read')
    assert len(names(R50, lists, dict(position='after_conv3'))) == 16
    with pytest.raises(InsertionError, match='plugins= is a list of entries, not a str'):
        names(MBV2, lists)


PLACE = dict(position='after_conv3')
# sentence -> entries, place
MISTAKES = {
    "place= has no 'position_': did you mean position?": ([], dict(position_='after_conv3')),
    "place= has no 'norm': choose from after, before, position, replace, stages": ([], dict(norm='main')),
    "place= is a dict, as place=dict(position='after_conv3'), not 'after_conv3'": ([], 'after_conv3'),
    'place= needs exactly one of position=, after=, before= and replace=, but has none': (
        [],
        dict(stages=(True, True, True, True)),
    ),
    'place= needs exactly one of position=, after=, before= and replace=, but has position, after': (
        [],
        dict(position='after_conv3', after='layer1'),
    ),
    "stages= with the glob after='layer*': the glob names the stages itself, leave stages out": (
        [dict(cfg=SE, stages=MIDDLE)],
        dict(after='layer*'),
    ),
    "stages= with the glob before='layer*': the glob names the stages itself, leave stages out": (
        [],
        dict(before='layer*', stages=MIDDLE),
    ),
    'stages=True must have True or False for every stage': ([], dict(PLACE, stages=True)),
    'position=3 must be a name or a glob in quotes': ([], dict(position=3)),
    "share='stage' with after=: only share='stage' with position= gives blocks one layer": (
        [dict(cfg=SE, share='stage')],
        dict(after='layer*'),
    ),
    "start='identity' with replace=: CoordAttention takes the place of a module": (
        [dict(cfg=CA, start='identity')],
        dict(replace='layer1.0.bn1'),
    ),
    "IEBN is a norm layer: say which norms it replaces, as norm='main'": ([dict(cfg=IEBN)], PLACE),
    "SKConv is a convolution: say which of the host's it replaces, as replace='layer3.*.conv2'": (
        [dict(cfg=SK)],
        dict(replace='layer3.*.conv2'),
    ),
    "SE is no norm layer, as norm= needs: write its place, as position='block_output'": (
        [dict(cfg=SE, norm='main')],
        PLACE,
    ),
    'IEBN has norm= beside position=: write norm= alone for a norm layer, position= alone for any other layer, and '
    'place=dict(position=...) beside plugins=': ([dict(cfg=IEBN, norm='main', position='after_conv3')], None),
    'SE has norm= beside after=: write norm= alone for a norm layer, after= alone for any other layer': (
        [dict(cfg=SE, norm='main', after='layer1')],
        None,
    ),
    'plugins= has entries for MobileNetV2, VGG and none for ResNet: add ResNet=[dict(...)], or others=[dict(...)]': (
        dict(MobileNetV2=[], VGG=[]),
        PLACE,
    ),
    'plugins= is a list of entries, not a dict: write plugins=[dict(...)]': (dict(cfg=SE), PLACE),
    'write plugins=[dict(...)], or a list for each class of host, as plugins=dict(ResNet=[dict(...)])': (
        {},
        PLACE,
    ),
}


@pytest.mark.parametrize('message', MISTAKES)
def test_a_mistake_is_one_sentence_that_says_what_to_write(message):
    plugins, place = MISTAKES[message]
    with torch.device('meta'), pytest.raises(InsertionError) as caught:
        read_entries(plugins, place, torchvision.models.resnet18())
    assert message in str(caught.value) and '\n' not in str(caught.value)


def test_strict_plugins_is_still_the_third_argument():
    model = plug(plain(R50), [dict(cfg=SE)], True, dict(position='after_conv3'))
    with pytest.raises(InsertionError, match='strict_plugins=True refuses it'):
        model.load_state_dict(plain(R50).state_dict(), strict=False)
