import torch

from kmspeaker.model.layers import AdaptiveLayerNorm, Attention, FlowLayer, band, sinusoids


def test_a_fresh_adaptive_norm_is_a_plain_layer_norm():
    norm = AdaptiveLayerNorm(8, 4)
    x, condition = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    assert torch.allclose(norm(x, condition), torch.nn.functional.layer_norm(x, (8,)), atol=1e-6)


def test_a_condition_of_one_frame_holds_for_all():
    layer = FlowLayer(8, 2, 16, 8, dropout=0.0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, speech, condition = torch.randn(2, 5, 8), torch.randn(2, 5, 8), torch.randn(2, 1, 8)
    everywhere = condition.expand(-1, 5, -1)
    mask = band(5, 1)
    assert torch.allclose(
        layer(x, condition, speech, mask), layer(x, everywhere, speech, mask), atol=1e-5
    )


def test_attention_hears_nothing_beyond_the_band():
    attention = Attention(8, 2)
    x, memory = torch.randn(1, 9, 8), torch.randn(1, 9, 8)
    changed = memory.clone()
    changed[:, 6] += 1
    difference = (attention(x, memory, band(9, 2)) - attention(x, changed, band(9, 2))).abs()
    heard = difference.amax((0, 2)) > 1e-7
    assert heard.tolist() == [False] * 4 + [True] * 5


def test_the_band_is_symmetric_and_as_wide_as_asked():
    mask = band(20, 3)
    assert torch.equal(mask, mask.T)
    assert mask[10].sum() == 7 and mask[0].sum() == 4


def test_positions_are_told_apart():
    codes = sinusoids(torch.arange(200), 16)
    distance = torch.cdist(codes, codes) + 10 * torch.eye(200)
    assert codes.shape == (200, 16) and distance.min() > 0.05
