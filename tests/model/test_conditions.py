import torch

from kmspeaker.model.conditions import GlobalStyleEncoder, SpeechProjection, TemporalStyleEncoder


def test_frames_without_a_face_do_not_matter_to_the_global_style():
    encoder = GlobalStyleEncoder(9, 16, 2).eval()
    keypoints, present = torch.randn(2, 20, 9), torch.ones(2, 20, dtype=torch.bool)
    present[:, 12:] = False
    changed = keypoints.clone()
    changed[:, 12:] = 5
    for first, second in zip(encoder(keypoints, present), encoder(changed, present), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


def test_the_global_style_takes_any_length():
    encoder = GlobalStyleEncoder(9, 16, 2).eval()
    for frames in (1, 7, 300):
        present = torch.ones(1, frames, dtype=torch.bool)
        mean, log_variance = encoder(torch.randn(1, frames, 9), present)
        assert mean.shape == log_variance.shape == (1, 16)
        assert mean.isfinite().all()


def test_items_of_a_batch_do_not_mix():
    encoder = GlobalStyleEncoder(9, 16, 2).eval()
    keypoints, present = torch.randn(3, 20, 9), torch.ones(3, 20, dtype=torch.bool)
    together, _ = encoder(keypoints, present)
    alone, _ = encoder(keypoints[1:2], present[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_temporal_style_knows_its_own_frame_only_and_is_zero_where_no_face_is():
    encoder = TemporalStyleEncoder(6, 8, linear=True)
    keypoints, present = torch.randn(1, 10, 6), torch.ones(1, 10, dtype=torch.bool)
    present[:, 3] = False
    style = encoder(keypoints, present)
    shuffled = torch.randperm(10)
    assert torch.equal(style[:, 3], torch.zeros(1, 8))
    assert torch.allclose(
        encoder(keypoints[:, shuffled], present[:, shuffled]), style[:, shuffled], atol=1e-6
    )


def test_the_papers_speech_projection_is_one_linear_layer():
    bare, wide = SpeechProjection(6, 8, 1), SpeechProjection(6, 8, 5)
    features = torch.randn(1, 10, 6)
    assert torch.equal(bare(features), bare.linear(features))
    changed = features.clone()
    changed[:, 5] += 1
    moved = (wide(changed) - wide(features)).abs().amax((0, 2)) > 1e-6
    assert moved.nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_speech_features_are_missed_whole_and_in_training_alone():
    projection = SpeechProjection(400, 8, 1, dropout=0.3)
    torch.nn.init.ones_(projection.linear.weight)
    one_at_a_time = torch.eye(400)[:, None].expand(-1, 5, -1)
    heard = projection(one_at_a_time)[..., 0] - projection.linear.bias[0]
    assert ((heard == 0).all(1) | (heard > 1).all(1)).all()
    assert 0.2 < (heard[:, 0] == 0).float().mean() < 0.4
    assert torch.equal(projection.eval()(one_at_a_time), projection.linear(one_at_a_time))
