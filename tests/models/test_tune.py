"""TUNe: the exact counts of every row of Table 1, lengths, wiring of both tails, and refusals."""

import copy

import pytest
import torch
from torch import nn

from reprise.models.clmr import Projector, SampleCNN
from reprise.models.shapes import count_parameters
from reprise.models.tune import VARIANTS, CLMRTail, TUNe, UNet, length_after, shape_trace

# encoder, encoder and 50-class head, encoder and projector, MMAC of one clip, widths of the tail
ROWS = {
    "Vanilla TUNe": (2_340_396, 2_366_046, 2_635_308, 5_296, [68, 136, 272, 512]),
    "TUNe Contractive+1": (2_258_700, 2_284_350, 2_553_612, 2_166, [36, 72, 144, 512]),
    "TUNe Contractive+2": (2_118_606, 2_144_256, 2_413_518, 784, [18, 36, 72, 512]),
    "TUNe Contractive+3": (1_630_744, 1_656_394, 1_925_656, 228, [8, 16, 32, 512]),
    "TUNe Expansive-1": (2_319_248, 2_344_898, 2_614_160, 4_614, [136, 272, 512]),
    "TUNe Expansive-2": (2_355_846, 2_381_496, 2_650_758, 3_915, [280, 512]),
    "TUNe Expansive-3": (2_318_776, 2_344_426, 2_613_688, 3_069, [512]),
    "TUNe Tail+1": (2_295_912, 2_321_562, 2_590_824, 3_773, [56, 112, 224, 448, 512]),
    "TUNe Tail+2": (2_232_858, 2_258_508, 2_527_770, 1_872, [38, 76, 152, 304, 608, 512]),
    "TUNe Tail+3": (2_241_186, 2_266_836, 2_536_098, 1_196, [30, 60, 120, 240, 480, 480, 512]),
    "TUNe Tail+4": (2_290_134, 2_315_784, 2_585_046, 903, [26, 52, 104, 208, 416, 416, 416, 512]),
    "TUNe Tail+5": (2_096_970, 2_122_620, 2_391_882, 648, [22, 44, 88, 176, 352, 352, 352, 352, 512]),
    "TUNe CLMR-tail": (2_522_505, 2_548_155, 2_817_417, 2_081, [128, 128, 128, *[256] * 6, 512, 512]),
    "TUNe+": (2_220_390, 2_246_040, 2_515_302, 833, [22, 44, 88, 176, 352, 352, 352, 352, 512]),
    "Vanilla TUNe Small": (339_258, 364_908, 634_170, 622, [22, 44, 88, 512]),
    "TUNe+ Large": (7_407_132, 7_432_782, 7_702_044, 7_313, [68, 136, 272, *[512] * 6]),
    "TUNe+ Smaller Rep": (1_423_446, 1_436_296, 1_505_366, 860, [22, 44, 88, *[256] * 6]),
    "CLMR": (2_368_512, 2_394_162, 2_663_424, 1_729, []),
}
MILLIONS = (2.4, 2.3, 2.1, 1.7, 2.3, 2.4, 2.3, 2.3, 2.3, 2.3, 2.3, 2.1, 2.5, 2.2, 0.4, 7.4, 1.4, 2.4)
PRINTED = dict(zip(ROWS, MILLIONS, strict=True))


def audio(length, *, batch=2):
    return 0.1 * torch.randn(batch, length, generator=torch.Generator().manual_seed(0))


def test_the_table_has_these_rows():
    assert list(VARIANTS) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_counts_widths_and_cost_of_every_row_of_table_1(name):
    alone, with_head, with_projector, mega_macs, widths = ROWS[name]
    encoder = TUNe.from_name(name)
    head = nn.Linear(encoder.representation, 50)
    assert count_parameters(encoder) == alone
    assert count_parameters(nn.Sequential(encoder, head)) == with_head
    assert round(with_head / 1e6, 1) == PRINTED[name]
    assert alone + count_parameters(Projector(encoder.representation)) == with_projector
    trace = shape_trace(encoder)
    assert trace["parameters"].sum() == alone
    assert round(trace["macs"].sum() / 1e6) == mega_macs
    assert list(trace.loc[trace["path"] == "tail", "channels"]) == widths


@pytest.mark.parametrize(
    ("name", "contractive", "expansive", "tail"),
    [
        ("Vanilla TUNe", range(5), range(3, -1, -1), range(1, 5)),
        ("TUNe Contractive+3", range(8), range(6, -1, -1), range(1, 5)),
        ("TUNe Expansive-3", range(5), [3], [4]),
        ("TUNe Expansive-1", range(5), [3, 2, 1], [2, 3, 4]),
        ("TUNe Tail+2", range(5), range(3, -1, -1), range(1, 7)),
        ("TUNe+", range(5), range(3, -1, -1), range(1, 10)),
    ],
)
def test_lengths_of_every_block(name, contractive, expansive, tail):
    trace = shape_trace(TUNe.from_name(name))
    found = {path: list(rows["length"]) for path, rows in trace[trace["kind"] == "conv"].groupby("path")}
    expected = [3 ** (10 - depth) for depth in contractive]
    assert found["contractive"] + found["bottom"] == expected
    assert found["expansive"] == list(trace.loc[trace["kind"] == "up", "length"]) == [3 ** (10 - d) for d in expansive]
    assert found["tail"] == [3 ** (10 - depth) for depth in tail]


def test_lengths_follow_the_powers_of_three():
    assert [length_after(59_049, depth=depth) for depth in range(11)] == [3**power for power in range(10, -1, -1)]


def test_the_trace_is_what_an_input_really_becomes():
    encoder = TUNe(filters=2, n_tail=6, plus=True, representation=16)
    before = copy.deepcopy(encoder.state_dict())
    trace = shape_trace(encoder, length=2_187)
    convs = trace[trace["kind"] == "conv"]
    with torch.no_grad():
        maps = dict(encoder.maps(audio(2_187)))
    assert list(maps) == [
        *(f"Contr-{number}" for number in range(1, 5)),
        "Bot-U",
        *(f"Expa-{number}" for number in range(1, 5)),
        *(f"Tail-{number}" for number in range(1, 7)),
    ]
    assert [tuple(value.shape[1:]) for value in maps.values()] == list(
        zip(convs["channels"], convs["length"], strict=True)
    )
    assert encoder.training
    fresh = shape_trace(encoder, length=2_187)
    assert fresh.equals(trace)
    assert set(before) == set(encoder.state_dict())
    assert not any(module._forward_hooks for module in encoder.modules())


@pytest.mark.parametrize(("name", "length"), [("TUNe+", 19_683), ("TUNe+ Smaller Rep", 19_683), ("TUNe Tail+1", 486)])
def test_the_output_is_one_vector_that_is_not_negative(name, length):
    encoder = TUNe.from_name(name).eval()
    with torch.no_grad():
        vectors = encoder(audio(length))
    assert vectors.shape == (2, encoder.representation)
    assert (vectors >= 0).all()


def test_a_representation_is_the_mean_over_what_is_left_of_time():
    encoder = TUNe(filters=2, n_tail=4, representation=8).eval()
    with torch.no_grad():
        last = list(encoder.maps(audio(3 * 81)))[-1][1]
        assert last.shape == (2, 8, 3)
        torch.testing.assert_close(encoder(audio(3 * 81)), last.mean(dim=2))


def small(*, plus):
    return TUNe(filters=3, n_tail=6, plus=plus, representation=32).eval()


def test_tune_plus_without_its_links_is_the_plain_network():
    linked, plain = small(plus=True), small(plus=False)
    state = linked.state_dict()
    for number in range(4):
        weight = state[f"tail.{number}.0.weight"]
        kept = plain.state_dict()[f"tail.{number}.0.weight"].shape[1]
        assert weight.shape[1] == 3 * kept
        weight[:, kept:] = 0
        plain.tail[number][0].weight.data.copy_(weight[:, :kept])
    missing = plain.load_state_dict(
        {name: value for name, value in state.items() if value.shape == plain.state_dict()[name].shape}, strict=False
    )
    assert set(missing.missing_keys) == {f"tail.{number}.0.weight" for number in range(4)}
    with torch.no_grad():
        torch.testing.assert_close(linked(audio(729)), plain(audio(729)))


def test_links_bring_the_features_of_their_own_length_and_the_last_that_of_the_bottom():
    encoder = small(plus=True)
    maps = dict(encoder.maps(audio(729)))
    pooled = {"Tail-1": "Expa-4", "Tail-2": "Tail-1", "Tail-3": "Tail-2", "Tail-4": "Tail-3", "Tail-5": "Tail-4"}
    links = {"Tail-1": "Expa-3", "Tail-2": "Expa-2", "Tail-3": "Expa-1", "Tail-4": "Bot-U"}
    for number, (name, source) in enumerate(pooled.items()):
        parts = [nn.functional.max_pool1d(maps[source], 3)]
        parts += [maps[links[name]]] if name in links else []
        torch.testing.assert_close(encoder.tail[number](torch.cat(parts, dim=1)), maps[name])


def test_expansive_blocks_see_the_upsampled_map_and_then_the_contractive_one():
    encoder = small(plus=False)
    maps = dict(encoder.maps(audio(729)))
    unet = encoder.unet
    for number, source in enumerate(("Bot-U", "Expa-1", "Expa-2", "Expa-3")):
        both = torch.cat((unet.up[number](maps[source]), maps[f"Contr-{4 - number}"]), dim=1)
        torch.testing.assert_close(unet.expansive[number](both), maps[f"Expa-{number + 1}"])


def test_a_u_without_expansive_path_ends_at_its_bottom():
    unet = UNet(n_contractive=2, n_expansive=0, filters=4)
    assert (unet.top_depth, unet.out_channels) == (2, 16)
    assert [name for name, _ in unet.maps(audio(81).unsqueeze(1))] == ["Contr-1", "Contr-2", "Bot-U"]
    assert TUNe(n_contractive=2, n_expansive=0, n_tail=2, filters=4)(audio(81)).shape == (2, 512)


def test_every_weight_learns():
    encoder = small(plus=True).train()
    encoder(audio(2_187, batch=4)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        # batch norm takes any constant away again, so the bias before it has no gradient
        assert parameter.grad.abs().sum() > 0 or name.endswith("0.bias"), name


@pytest.mark.parametrize(
    ("name", "length", "following"),
    [("TUNe+", 59_409, 59_454), ("TUNe+", 9_000, 19_683), ("TUNe Contractive+3", 59_050, 61_236), ("CLMR", 9, 59_049)],
)
def test_other_lengths_are_refused_and_the_next_valid_one_works(name, length, following):
    encoder = TUNe.from_name(name)
    with pytest.raises(ValueError, match=f"the next valid length is {following} "):
        encoder(audio(length, batch=1))
    assert shape_trace(encoder, length=following)["length"].min() >= 1


def test_a_multiple_of_the_unit_between_powers_of_three_is_valid():
    encoder = TUNe(filters=1, n_tail=5, representation=4).eval()
    assert (encoder.unit, encoder.smallest_input) == (81, 243)
    with torch.no_grad():
        assert encoder(audio(324)).shape == (2, 4)


def test_the_clmr_tail_hears_a_signal_that_is_not_negative():
    encoder = CLMRTail(filters=2).eval()
    with torch.no_grad():
        maps = dict(encoder.maps(audio(59_049, batch=1)))
        assert maps["Expa-4"].shape == (1, 1, 59_049)
        assert (maps["Expa-4"] >= 0).all()
        assert list(maps)[-11:] == [f"Tail-{number}" for number in range(1, 12)]
        torch.testing.assert_close(encoder(audio(59_049, batch=1)), encoder.tail(maps["Expa-4"][:, 0]))


def test_a_frozen_tail_keeps_its_weights_and_is_the_one_given():
    trained = SampleCNN()
    encoder = CLMRTail(tail=trained, freeze=True)
    assert encoder.tail is trained
    assert count_parameters(encoder) == 153_993
    assert all(not value.requires_grad for value in trained.parameters())
    assert count_parameters(CLMRTail(tail=trained)) == 2_522_505


def test_names_of_longer_runs_are_the_same_networks():
    assert count_parameters(TUNe.from_name("TUNe+ 10 000")) == ROWS["TUNe+"][0]
    assert isinstance(TUNe.from_name("CLMR 10 000"), SampleCNN)


def test_init_reaches_the_transposed_convolutions_only_where_the_paper_is_followed():
    def largest(init):
        up = TUNe.from_name("Vanilla TUNe Small", init=init).unet.up[0].weight
        return up.abs().max().item()

    assert largest(None) == pytest.approx((6 / 176) ** 0.5, rel=0.01)
    # torch's own takes the 88 outputs times 3 taps for the fan-in
    for init in ("code", "default"):
        assert largest(init) == pytest.approx((88 * 3) ** -0.5, rel=0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TUNe.from_name("musicnn 10 000"), "'musicnn 10 000'; choose one of Vanilla TUNe"),
        (lambda: TUNe(n_tail=0), "n_tail"),
        (lambda: TUNe(tail_widths="late"), "'late'"),
        (lambda: TUNe(n_contractive=3, n_expansive=4), "n_expansive ≤ n_contractive"),
        (lambda: TUNe(init="glorot"), "'glorot'"),
        (lambda: TUNe()(torch.zeros(2, 1, 59_049)), r"\(batch, time\)"),
    ],
)
def test_bad_settings_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
