"""Every adapter on every family of models and every kind of base: training, reloading, merging.

The small models are those of adapt-peft-ssf's tests and a small DETR (random weights); MiniLM and SmolLM2 are real.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from benchmarks.packaged_models import minilm, smollm2

ROOT = Path(__file__).parent.parent.parent
FAMILIES = {
    # The name of each among the models of the tests, or None where it is made here.
    "BERT": "bert",
    "Llama": "llama",
    "T5": "t5",
    "GPT-2 (Conv1D)": "gpt2",
    "timm ViT": "timm vit",
    "timm densenet": "timm densenet",
    "mmdet DETR": None,
    "MiniLM": None,
    "SmolLM2": None,
}
METHODS = ("LoRA", "DoRA", "SSF")
BASES = {"float32": 0, "4 bit": 4, "8 bit": 8}


@attrs.frozen(kw_only=True)
class Cell:
    """The outcome of one adapter on one model.

    Attributes:
        model, base, method: which.
        refusal: what the user is told where it cannot be; then the rest is None.
        losses: of the first and the last training step.
        only_intended: whether nothing moved but what the method declares.
        reload: greatest difference of a reloaded adapter's logits, as a share of the largest logit.
        merge: the same for the merged model; on a quantized base against the adapter on the dequantized one.
        same_argmax: whether the merged model decides alike everywhere.
    """

    model: str
    base: str
    method: str
    refusal: str | None = None
    losses: tuple[float, float] | None = None
    only_intended: bool | None = None
    reload: float | None = None
    merge: float | None = None
    same_argmax: bool | None = None


def _test_models() -> Any:
    file = ROOT / "plugins" / "adapt-peft-ssf" / "tests" / "models.py"
    spec = importlib.util.spec_from_file_location("models_of_the_tests", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _made(name: str, models: Any) -> Any:
    if name == "mmdet DETR":
        return _detr(models)
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from adapt_core.contracts import AttachContext

    generator = torch.Generator().manual_seed(1)
    tokens = {"input_ids": torch.randint(5, 1000, (4, 16), generator=generator)}
    if name == "MiniLM":
        folder = minilm()
        new = frozenset({"classifier.weight", "classifier.bias"})
        return models.Case(
            lambda: AutoModelForSequenceClassification.from_pretrained(folder, num_labels=4, dtype=torch.float32),
            lambda: tokens,
            AttachContext(head=("classifier",), new_parameters=new, train_head=True),
        )
    from adapt_core.hf.models.gguf import convert_gguf
    from adapt_core.hf.models.location import ModelSource

    file = smollm2()
    source = convert_gguf(ModelSource(str(file), path=file))
    return models.Case(
        lambda: AutoModelForCausalLM.from_pretrained(source.path, dtype=torch.float32),
        lambda: tokens,
        AttachContext(head=("lm_head",), train_head=False),
    )


def _detr(models: Any) -> Any:
    """Return a small DETR of mmdet on 64-pixel images; its logits are the classes of each query and decoder layer."""
    import torch

    from adapt_core.contracts import AttachContext

    from adapt_vision_mm.openmmlab import availability, config_files

    availability.import_openmmlab("mmdet")
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample

    model = config_files.read_config(config_files.shipped_configs("mmdet")["detr_r50_8xb2-150e_coco"]).model
    model.backbone.update(depth=18, base_channels=8, init_cfg=None, frozen_stages=-1)
    model.neck.update(in_channels=[64], out_channels=64)
    for half in (model.encoder, model.decoder):
        half.num_layers = 2
        layer = half.layer_cfg
        layer.self_attn_cfg.update(embed_dims=64, num_heads=2, dropout=0.0)
        layer.ffn_cfg.update(embed_dims=64, feedforward_channels=96, ffn_drop=0.0)
    model.decoder.layer_cfg.cross_attn_cfg.update(embed_dims=64, num_heads=2, dropout=0.0)
    model.positional_encoding.num_feats = 32
    model.bbox_head.update(embed_dims=64, num_classes=3)
    model.num_queries = 10
    sample = DetDataSample(metainfo={"img_shape": (64, 64), "batch_input_shape": (64, 64)})
    pixels = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    new = frozenset({"bbox_head.fc_cls.weight", "bbox_head.fc_cls.bias"})
    return models.Case(
        lambda: MODELS.build(copy.deepcopy(model)),  # building writes into it
        lambda: {"inputs": pixels, "data_samples": [sample] * 4, "mode": "tensor"},
        AttachContext(head=("bbox_head.fc_cls",), new_parameters=new, train_head=True),
    )


def _method(name: str) -> Any:
    from adapt_peft_ssf import params
    from adapt_peft_ssf.methods.dora import Dora
    from adapt_peft_ssf.methods.lora import Lora
    from adapt_peft_ssf.methods.ssf import Ssf

    if name == "LoRA":
        return Lora(params.LoraParams(dropout=0.0))
    return Dora(params.DoraParams(dropout=0.0)) if name == "DoRA" else Ssf(params.SsfParams())


def _quantizer(bits: int) -> Any:
    from adapt_peft_ssf import params
    from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
    from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit

    if bits == 4:
        return Bnb4bit(params.Bnb4bitParams(load_in_4bit=True, bnb_4bit_compute_dtype="float32"))
    return Bnb8bit(params.Bnb8bitParams(load_in_8bit=True))


def _base(case: Any, bits: int) -> Any:
    if not bits:
        return case.seeded()
    quantizer = _quantizer(bits)
    return quantizer.prepare(quantizer.convert(case.seeded(), case.context.head, "cpu"), False)


def _measured(models: Any, case: Any, bits: int, name: str) -> dict[str, Any]:
    import torch

    from adapt_core.verification.training import fingerprint

    from adapt_peft_ssf.quantizers.conversion import dequantize

    method = _method(name)
    model = method.attach(_base(case, bits), attrs.evolve(case.context, quantized=bool(bits))).eval()
    declared = {parameter for members in method.trainable_groups(model).values() for parameter in members}
    start = {parameter: fingerprint(tensor) for parameter, tensor in model.named_parameters()}
    losses = models.train(model, case.inputs(), steps=6, lr=1e-2 if name == "SSF" else 2e-3)
    moved = {parameter for parameter, tensor in model.named_parameters() if fingerprint(tensor) != start[parameter]}
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        unmerged = models.logits(model, case.inputs())
        method.save_adapter(model, Path(folder))
        again = _method(name).load_adapter(_base(case, bits), Path(folder)).eval()
        reloaded = models.logits(again, case.inputs())
        reference = unmerged
        if bits:
            floats = _method(name).load_adapter(dequantize(_base(case, bits), torch.float32), Path(folder)).eval()
            reference = models.logits(floats, case.inputs())
        merged = models.logits(method.merge(model, _quantizer(bits) if bits else None).eval(), case.inputs())
    largest = reference.abs().max()
    return {
        "losses": (losses[0], losses[-1]),
        "only_intended": bool(moved) and moved <= declared,
        "reload": float((reloaded - unmerged).abs().max() / largest),
        "merge": float((merged - reference).abs().max() / largest),
        "same_argmax": bool(torch.equal(merged.argmax(-1), reference.argmax(-1))),
    }


def cells(names: list[str]) -> Iterator[Cell]:
    """Measure each cell of the named families, or of all."""
    from adapt_core.errors import InputError

    models = _test_models()
    for family in names or FAMILIES:
        key = FAMILIES[family]
        case = models.CASES[key] if key else _made(family, models)
        for base, bits in BASES.items():
            for method in METHODS:
                try:
                    yield Cell(model=family, base=base, method=method, **_measured(models, case, bits, method))
                except InputError as error:
                    yield Cell(model=family, base=base, method=method, refusal=str(error))
