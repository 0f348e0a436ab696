"""Models written as GGUF, and read again by transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

from adapt_core.errors import InputError  # noqa: E402

from adapt_gguf.encodings import block_of, decode, encode  # noqa: E402
from adapt_gguf.families import FAMILIES  # noqa: E402
from adapt_gguf.files import metadata_of, open_gguf  # noqa: E402
from adapt_gguf.models import AS_BASE, write_like, write_model  # noqa: E402
from adapt_gguf.params import ENCODABLE  # noqa: E402
from adapt_gguf.reading.by_transformers import read  # noqa: E402

Small = Callable[..., tuple[Any, Any]]
Read = Callable[[Path], Any]


def logits(model: Any, length: int = 40) -> Any:
    ids = torch.arange(2 * length).reshape(2, length) * 7 % model.config.vocab_size
    with torch.no_grad():
        return model(input_ids=ids).logits


def nudged(model: Any, *parts: str) -> Any:
    """Return a model whose matrices with one of these parts in their names were changed a little."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in parts):
                weight.add_(torch.randn_like(weight) * 0.003)
    return model


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_a_model_of_each_family_computes_the_same_when_read_again(
    model_type: str, small: Small, read_again: Read, tmp_path: Path
) -> None:
    # Gemma's output layer is its embeddings; a file has no other.
    # transformers reads Qwen 3 with heads of 128, whatever the file says.
    # Gemma's heads are as wide as its `query_pre_attn_scalar`, for which transformers takes 256.
    own = {"qwen3": {"head_dim": 128}, "gemma2": {"head_dim": 256}, "gemma3_text": {"head_dim": 256}}
    model, tokenizer = small(model_type, tie_word_embeddings=model_type.startswith("gemma"), **own.get(model_type, {}))
    written = write_model(model, tokenizer, tmp_path / "model.gguf")
    assert set(written.kinds.values()) == {"F32"}
    torch.testing.assert_close(logits(read_again(tmp_path / "model.gguf")), logits(model), rtol=1e-4, atol=1e-4)


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
LINEAR = {"rope_type": "linear", "factor": 4.0}
SCALINGS = {
    "llama, llama3": LLAMA3,
    "llama, yarn": YARN,
    "llama, linear": LINEAR,
    "qwen2, yarn": {**YARN, "attention_factor": 1.2},
    "qwen2, linear": LINEAR,
}


@pytest.mark.parametrize("case", SCALINGS)
def test_scaled_rotary_positions_are_in_the_file(case: str, small: Small, read_again: Read, tmp_path: Path) -> None:
    """Read by the program that checks an export: transformers itself leaves them out."""
    model, tokenizer = small(case.partition(",")[0], rope_parameters={"rope_theta": 10000.0, **SCALINGS[case]})
    write_model(model, tokenizer, tmp_path / "model.gguf")
    expected = logits(model)
    torch.testing.assert_close(logits(read(tmp_path / "model.gguf")), expected, rtol=1e-4, atol=1e-4)
    assert (logits(read_again(tmp_path / "model.gguf")) - expected).abs().max() > 0.01


def test_those_of_gemma_3_are_of_its_layers_that_see_everything(small: Small, tmp_path: Path) -> None:
    ropes = {
        "full_attention": {"rope_theta": 1e6, **LINEAR},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    sizes = {"num_hidden_layers": 6, "query_pre_attn_scalar": 16, "tie_word_embeddings": True}
    model, tokenizer = small("gemma3_text", rope_parameters=ropes, layer_types=kinds, **sizes)
    write_model(model, tokenizer, tmp_path / "model.gguf")
    torch.testing.assert_close(logits(read(tmp_path / "model.gguf")), logits(model), rtol=1e-4, atol=1e-4)
    reader = open_gguf(tmp_path / "model.gguf")
    assert reader.get_field("gemma3.rope.scaling.type").contents() == "linear"
    assert reader.get_field("gemma3.rope.scaling.factor").contents() == 4.0
    assert reader.get_field("gemma3.rope.freq_base").contents() == 1e6


@pytest.mark.parametrize("tied", [False, True])
def test_a_tied_output_layer_is_written_once(tied: bool, small: Small, read_again: Read, tmp_path: Path) -> None:
    model, tokenizer = small("llama", tie_word_embeddings=tied)
    written = write_model(model, tokenizer, tmp_path / "model.gguf")
    assert ("output.weight" in written.kinds) is not tied
    again = read_again(tmp_path / "model.gguf")
    assert again.config.tie_word_embeddings is tied
    torch.testing.assert_close(logits(again), logits(model), rtol=1e-4, atol=1e-4)


def test_the_context_ends_where_attention_does(small: Small, tmp_path: Path) -> None:
    model, tokenizer = small("mistral", sliding_window=48)
    write_model(model, tokenizer, tmp_path / "model.gguf")
    assert open_gguf(tmp_path / "model.gguf").get_field("llama.context_length").contents() == 48


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_stays_as_it_is(dtype: str, small: Small, tmp_path: Path) -> None:
    model, tokenizer = small("qwen2")
    model.to(getattr(torch, dtype))
    written = write_model(model, tokenizer, tmp_path / "model.gguf")
    name = {"float16": "F16", "bfloat16": "BF16"}[dtype]
    assert written.kinds["blk.0.ffn_up.weight"] == name
    reader = open_gguf(tmp_path / "model.gguf")
    one = next(one for one in reader.tensors if one.name == "blk.1.ffn_up.weight")
    expected = model.model.layers[1].mlp.up_proj.weight.detach().float().numpy()
    np.testing.assert_array_equal(decode(one.data, name), expected)


@pytest.mark.parametrize("kind", ["Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"])
def test_weights_are_within_the_rounding_of_their_block(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(16, 128)).astype(np.float32)
    blocks = values.reshape(-1, block_of(kind))
    bits = int(kind[1])
    if kind.endswith("_1"):  # from the least to the greatest of the block
        step = (blocks.max(1) - blocks.min(1)) / (2**bits - 1)
    else:  # the greatest in size is the end of the range; opposite to it one step is missing
        step = np.abs(blocks).max(1) / (127 if bits == 8 else 2 ** (bits - 1))
    error = np.abs(decode(encode(values, kind), kind) - values).reshape(blocks.shape)
    missing = 0.0 if kind.endswith("_1") or bits == 8 else 0.5
    # The step and the least value are stored in half precision.
    half = np.abs(blocks).max(1) * 2**-10
    assert (error <= ((0.5 + missing) * step + half)[:, None]).all()
    assert (error.mean(1) <= 0.35 * step + half).all()


def test_all_that_gguf_can_encode_can_be_chosen() -> None:
    possible = []
    for one in gguf.GGMLQuantizationType:
        if one.name in gguf.GGMLQuantizationType.__members__:
            try:
                gguf.quants.quantize(np.ones((2, 256), np.float32), one)
            except NotImplementedError:
                continue
            possible.append(one.name)
    assert sorted(possible) == sorted(ENCODABLE)


def test_embeddings_of_a_file_of_few_bits_have_eight(small: Small, tmp_path: Path) -> None:
    model, tokenizer = small("llama")
    kinds = write_model(model, tokenizer, tmp_path / "model.gguf", "Q4_0").kinds
    assert kinds["token_embd.weight"] == kinds["output.weight"] == "Q8_0"
    assert kinds["blk.0.attn_q.weight"] == "Q4_0"
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert open_gguf(tmp_path / "model.gguf").get_field("general.file_type").contents() == 2


def test_rows_that_are_no_multiple_of_a_block_are_half_precision(small: Small, tmp_path: Path) -> None:
    model, tokenizer = small("llama", intermediate_size=80)
    kinds = write_model(model, tokenizer, tmp_path / "model.gguf", "Q8_0").kinds
    assert kinds["blk.0.ffn_down.weight"] == "F16"
    assert kinds["blk.0.ffn_up.weight"] == "Q8_0"


class TestInTheFormOfItsBase:
    """A model whose base came as a GGUF file."""

    @pytest.fixture
    def base(self, small: Small, tmp_path: Path) -> tuple[Path, Any]:
        model, tokenizer = small("llama")
        write_model(model, tokenizer, tmp_path / "base.gguf", "Q4_1")
        return tmp_path / "base.gguf", tokenizer

    def test_untrained_it_is_the_same_file(self, base: tuple[Path, Any], read_again: Read, tmp_path: Path) -> None:
        path, tokenizer = base
        written = write_like(read_again(path), tokenizer, tmp_path / "again.gguf", path)
        assert written.copied == written.kinds.keys()
        assert (tmp_path / "again.gguf").read_bytes() == path.read_bytes()

    def test_what_was_trained_is_not_rounded_away(
        self, base: tuple[Path, Any], read_again: Read, tmp_path: Path
    ) -> None:
        path, tokenizer = base
        before = logits(read_again(path))
        model = nudged(read_again(path), "q_proj", "v_proj")
        trained = logits(model)
        written = write_like(model, tokenizer, tmp_path / "again.gguf", path)
        assert written.replaced == {"Q4_1": "Q8_0"}
        assert written.kept == pytest.approx(1, abs=0.1)
        assert len(written.kinds) - len(written.copied) == 4
        effect = (trained - before).norm()
        assert (logits(read_again(tmp_path / "again.gguf")) - trained).norm() < 0.3 * effect
        kept = write_like(model, tokenizer, tmp_path / "as_base.gguf", path, AS_BASE).kept
        assert kept is not None
        assert kept < 0.5
        assert (logits(read_again(tmp_path / "as_base.gguf")) - trained).norm() > 0.5 * effect

    def test_all_metadata_goes_back(self, base: tuple[Path, Any], read_again: Read, tmp_path: Path) -> None:
        path, tokenizer = base
        model = nudged(read_again(path), "v_proj")
        write_like(model, tokenizer, tmp_path / "again.gguf", path)
        assert metadata_of(open_gguf(tmp_path / "again.gguf")) == metadata_of(open_gguf(path))

    def test_a_run_in_half_precision_is_compared_in_it(
        self, base: tuple[Path, Any], read_again: Read, tmp_path: Path
    ) -> None:
        path, tokenizer = base
        written = write_like(read_again(path).bfloat16(), tokenizer, tmp_path / "again.gguf", path)
        assert written.copied == written.kinds.keys()

    def test_fields_that_gguf_would_drop_or_flatten_are_copied(
        self, base: tuple[Path, Any], read_again: Read, tmp_path: Path
    ) -> None:
        path, tokenizer = base
        odd = tmp_path / "odd.gguf"
        count = len(metadata_of(open_gguf(path)))
        kinds = gguf.GGUFValueType
        empty_text = packed_key("general.url") + uint32(kinds.STRING) + uint64(0)
        empty_list = packed_key("general.tags") + uint32(kinds.ARRAY) + uint32(kinds.STRING) + uint64(0)
        inner = uint32(kinds.UINT32) + uint64(2) + uint32(5) + uint32(6)
        nested = packed_key("own.pairs") + uint32(kinds.ARRAY) + uint32(kinds.ARRAY) + uint64(2) + inner + inner
        data = path.read_bytes()
        start = open_gguf(path).data_offset
        end = open_gguf(path).tensors[0].field.offset
        information = data[end:start]
        # The padding before the data depends on what stands before it.
        last = open_gguf(path).tensors[-1].field
        size = last.offset + sum(int(part.nbytes) for part in last.parts) - end
        body = data[:16] + uint64(count + 3) + data[24:end] + empty_text + empty_list + nested + information[:size]
        odd.write_bytes(body + b"\0" * (-len(body) % 32) + data[start:])
        write_like(read_again(path), tokenizer, tmp_path / "again.gguf", odd)
        assert (tmp_path / "again.gguf").read_bytes() == odd.read_bytes()

    def test_another_chat_template_is_the_runs(self, base: tuple[Path, Any], read_again: Read, tmp_path: Path) -> None:
        path, tokenizer = base
        tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
        write_like(read_again(path), tokenizer, tmp_path / "again.gguf", path)
        field = open_gguf(tmp_path / "again.gguf").get_field("tokenizer.chat_template")
        assert field.contents() == tokenizer.chat_template

    def test_a_model_of_other_sizes_is_refused(self, base: tuple[Path, Any], small: Small, tmp_path: Path) -> None:
        path, tokenizer = base
        model, _ = small("llama", intermediate_size=64)
        with pytest.raises(InputError, match="has the shape"):
            write_like(model, tokenizer, tmp_path / "again.gguf", path)
        assert not (tmp_path / "again.gguf").exists()


class TestRefused:
    """What no file can say is said before one is written."""

    def test_another_family(self, small: Small, tmp_path: Path) -> None:
        from transformers import OPTConfig, OPTForCausalLM

        sizes = {"hidden_size": 32, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        model = OPTForCausalLM(OPTConfig(vocab_size=64, word_embed_proj_dim=32, **sizes))
        with pytest.raises(InputError, match=r"'opt' cannot be written\. There are: llama, mistral"):
            write_model(model, small("llama")[1], tmp_path / "model.gguf")

    @pytest.mark.parametrize(
        ("model_type", "more", "said"),
        [
            ("llama", {"rope_type": "dynamic", "factor": 2.0}, r"\(dynamic\).*there are: llama3, linear, yarn"),
            ("qwen2", LLAMA3, r"\(llama3\).*there are: linear, yarn"),
            ("llama", {**YARN, "truncate": False}, r"\(yarn, truncate: false\)"),
            ("qwen2", {**YARN, "beta_fast": 16.0}, r"\(yarn, beta_fast: 16\)"),
        ],
    )
    def test_other_scalings_of_rotary_positions(
        self, model_type: str, more: dict[str, Any], said: str, small: Small, tmp_path: Path
    ) -> None:
        model, tokenizer = small(model_type, rope_parameters={"rope_theta": 10000.0, **more})
        with pytest.raises(InputError, match=f"scales its rotary positions {said}"):
            write_model(model, tokenizer, tmp_path / "model.gguf")

    def test_attention_that_no_file_can_say(self, small: Small, tmp_path: Path) -> None:
        model, tokenizer = small("gemma2", query_pre_attn_scalar=144, tie_word_embeddings=True)
        with pytest.raises(InputError, match=r"root of 144 .* llama\.cpp takes 16 for it"):
            write_model(model, tokenizer, tmp_path / "model.gguf")

    def test_tensors_without_a_place(self, small: Small, tmp_path: Path) -> None:
        model, tokenizer = small("llama")
        model.model.layers[0].mlp.extra = torch.nn.Linear(2, 2)
        with pytest.raises(InputError, match="no place for 2 of the model's tensors"):
            write_model(model, tokenizer, tmp_path / "model.gguf")

    def test_a_file_that_is_no_gguf(self, tmp_path: Path) -> None:
        (tmp_path / "model.gguf").write_bytes(b"GGUF and then nothing of use" * 9)
        with pytest.raises(InputError, match="cannot be read as GGUF"):
            open_gguf(tmp_path / "model.gguf")


def uint32(number: int) -> bytes:
    return int(number).to_bytes(4, "little")


def uint64(number: int) -> bytes:
    return int(number).to_bytes(8, "little")


def packed_key(name: str) -> bytes:
    return uint64(len(name)) + name.encode()
