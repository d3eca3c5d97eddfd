#!/usr/bin/python3
"""Writes ops.jsonl: inputs, results and gradients of every op, computed by PyTorch in double precision.

Run by hand with Debian's python3-torch (1.13); the tests read the file and need no PyTorch:
    tests/golden/make_ops.py > tests/golden/ops.jsonl

Each case is one JSON object on a line of its own:
    op, name          which function of ops_test.cc runs it
    settings          sizes, ids, flags
    inputs            by name: shape, values and the gradient of sum(output * upstream)
    output, upstream  the result, and the random tensor it is multiplied with
Inputs are f32 numbers. Floats have 9 significant digits, which is what an f32 needs."""

import json
import math
import sys

import torch
from torch.nn import functional

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)


def normal(*shape, scale=1.0):
    """Standard normals that an f32 holds exactly."""
    return (scale * torch.randn(shape)).float().double()


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def described(tensor):
    return {"shape": list(tensor.shape), "values": numbers(tensor)}


def case(op, name, function, settings=None, **inputs):
    for tensor in inputs.values():
        tensor.requires_grad_(True)
    output = function(**inputs)
    upstream = normal(*output.shape)
    gradients = torch.autograd.grad((output * upstream).sum(), list(inputs.values()))
    line = {
        "op": op,
        "name": name,
        "settings": settings or {},
        "inputs": {
            key: {**described(tensor), "gradient": numbers(gradient)}
            for (key, tensor), gradient in zip(inputs.items(), gradients)
        },
        "output": described(output),
        "upstream": numbers(upstream),
    }
    print(json.dumps(line, separators=(",", ":")))


ACTIVATIONS = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
}


def elementwise():
    case("add", "two matrices", lambda a, b: a + b, a=normal(3, 5), b=normal(3, 5))
    case("multiply", "two matrices", lambda a, b: a * b, a=normal(3, 5), b=normal(3, 5))
    case("scale", "by -1.5", lambda x: -1.5 * x, {"factor": -1.5}, x=normal(3, 5))
    case("scale_rows", "a factor per row", lambda x, factor: x * factor[:, None], x=normal(4, 5), factor=normal(4))
    case("sigmoid", "with large values", lambda x: torch.sigmoid(x), x=normal(4, 5, scale=4.0))
    case("mean", "of a matrix", lambda x: x.mean(), x=normal(4, 5))
    case("clamp", "at 0.75", lambda x: x.clamp(-0.75, 0.75), {"limit": 0.75}, x=normal(4, 5))
    weights = [1.0, -0.5, 2.0]
    case(
        "weighted_sum",
        "of three scalars",
        lambda a, b, c: weights[0] * a + weights[1] * b + weights[2] * c,
        {"weights": weights},
        a=normal(),
        b=normal(),
        c=normal(),
    )
    for name, function in ACTIVATIONS.items():
        case("activation", name, lambda x, function=function: function(x), {"kind": name}, x=normal(5, 7, scale=2.0))
        gated = lambda gate, up, function=function: function(gate) * up
        case("gated_activation", name, gated, {"kind": name}, gate=normal(3, 7, scale=2.0), up=normal(3, 7))


def rows():
    case("linear", "without bias", lambda x, weight: x @ weight.T, x=normal(9, 6), weight=normal(5, 6))
    case("linear", "with bias", lambda x, weight, bias: functional.linear(x, weight, bias), x=normal(4, 19),
         weight=normal(33, 19), bias=normal(33))
    ids = [3, 0, 3, 10, 3]
    case("embedding", "with repeated ids", lambda table: functional.embedding(torch.tensor(ids), table), {"ids": ids},
         table=normal(11, 6))
    case("softmax", "of rows", lambda x: torch.softmax(x, -1), x=normal(5, 17, scale=3.0))
    case("log_sum_exp", "of rows", lambda x: torch.logsumexp(x, -1), x=normal(5, 17, scale=3.0))

    def rms_norm(x, weight):
        groups = x.view(x.shape[0], -1, weight.numel())
        normed = groups / torch.sqrt(groups.pow(2).mean(-1, keepdim=True) + 1e-5)
        return (normed * weight).view_as(x)

    case("rms_norm", "whole rows", rms_norm, {"epsilon": 1e-5}, x=normal(5, 19), weight=normal(19))
    case("rms_norm", "three groups", rms_norm, {"epsilon": 1e-5}, x=normal(4, 24), weight=normal(8))
    case("layer_norm", "with bias", lambda x, weight, bias: functional.layer_norm(x, weight.shape, weight, bias, 1e-5),
         {"epsilon": 1e-5}, x=normal(5, 19), weight=normal(19), bias=normal(19))
    case("layer_norm", "without bias", lambda x, weight: functional.layer_norm(x, weight.shape, weight, None, 1e-5),
         {"epsilon": 1e-5}, x=normal(5, 8), weight=normal(8))


def rotated(x, heads, positions, theta):
    head = x.shape[1] // heads
    frequencies = theta ** (-torch.arange(0, head, 2) / head)
    angles = torch.tensor(positions, dtype=torch.float64)[:, None, None] * frequencies
    first, second = x.view(-1, heads, head).chunk(2, -1)
    turned = (first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin())
    return torch.cat(turned, -1).reshape(x.shape)


def attended(q, k, v, batch, heads, kv_heads, scale):
    length = q.shape[0] // batch
    split = lambda x, count: x.view(batch, length, count, -1).transpose(1, 2)
    keys = split(k, kv_heads).repeat_interleave(heads // kv_heads, 1)
    values = split(v, kv_heads).repeat_interleave(heads // kv_heads, 1)
    scores = scale * split(q, heads) @ keys.transpose(2, 3)
    mask = torch.full((length, length), -math.inf).triu(1)
    return (torch.softmax(scores + mask, -1) @ values).transpose(1, 2).reshape(q.shape)


def attention():
    positions = [0, 1, 2, 100, 7]
    case("rope", "two heads", lambda x: rotated(x, 2, positions, 10000.0),
         {"positions": positions, "head_dim": 8, "max_positions": 128, "theta": 10000.0}, x=normal(5, 16))
    for name, batch, length, heads, kv_heads, head, scale in (
        ("one head", 1, 5, 1, 1, 8, 0.0),
        ("grouped keys, two sequences", 2, 9, 4, 2, 8, 0.0),
        ("own scale, odd sizes", 1, 19, 3, 1, 6, 0.3),
    ):
        case(
            "attention",
            name,
            lambda q, k, v: attended(q, k, v, batch, heads, kv_heads, scale or head**-0.5),
            {"batch": batch, "sequence": length, "heads": heads, "kv_heads": kv_heads, "head_dim": head, "scale": scale},
            q=normal(batch * length, heads * head),
            k=normal(batch * length, kv_heads * head),
            v=normal(batch * length, kv_heads * head),
        )


def loss():
    targets = [4, -1, 0, 12, 12, 7]
    wanted = torch.tensor(targets)
    case("cross_entropy", "one row ignored",
         lambda hidden, weight: functional.cross_entropy(hidden @ weight.T, wanted, ignore_index=-1),
         {"targets": targets}, hidden=normal(6, 5), weight=normal(13, 5))


def grouped():
    offsets = [0, 3, 3, 4, 8]
    row_indices = [0, 2, 4, 1, 0, 1, 2, 3]
    expert_of = [e for e in range(4) for _ in range(offsets[e + 1] - offsets[e])]
    settings = {"expert_offsets": offsets, "row_indices": row_indices, "num_rows": 5}

    def product(x, weight, bias=None, entries=row_indices):
        y = torch.stack([weight[e] @ x[row] for e, row in zip(expert_of, entries)])
        return y if bias is None else y + bias[expert_of]

    case("grouped_linear", "rows gathered", product, {**settings, "gather": True}, x=normal(5, 6),
         weight=normal(4, 7, 6))
    case("grouped_linear", "one row per entry, with bias",
         lambda x, weight, bias: product(x, weight, bias, range(len(row_indices))), {**settings, "gather": False},
         x=normal(8, 6), weight=normal(4, 5, 6), bias=normal(4, 5))

    def combined(x, weights):
        return torch.zeros(5, x.shape[1]).index_add(0, torch.tensor(row_indices), x * weights[:, None])

    case("combine", "a row with no expert, rows with several", combined, {**settings, "num_rows": 5},
         x=normal(8, 6), weights=normal(8))


def mixture():
    """The whole mixture layer, as the models that are named write it."""
    experts, width, inner, top_k = 4, 6, 8, 2

    def weights_of(scores, weighting, scaling):
        if weighting == "sigmoid_topk_norm":
            affinity = torch.sigmoid(scores)
            value, chosen = affinity.topk(top_k, -1)
            return scaling * value / value.sum(-1, keepdim=True), chosen, affinity / affinity.sum(-1, keepdim=True)
        probabilities = torch.softmax(scores, -1)
        value, chosen = probabilities.topk(top_k, -1)
        if weighting in ("topk_then_softmax", "softmax_topk_norm"):
            value = value / value.sum(-1, keepdim=True)
        if weighting == "scaled":
            value = scaling * value
        return value, chosen, probabilities

    def layer(weighting, activation, scaling, rows, gate, up_proj, down_proj, gate_proj=None):
        scores = rows @ gate.T
        value, chosen, probabilities = weights_of(scores, weighting, scaling)
        result = torch.zeros_like(rows)
        for e in range(experts):
            row, slot = torch.where(chosen == e)
            inner_rows = rows[row] @ up_proj[e].T
            if gate_proj is None:
                inner_rows = ACTIVATIONS[activation](inner_rows)
            else:
                inner_rows = ACTIVATIONS[activation](rows[row] @ gate_proj[e].T) * inner_rows
            result = result.index_add(0, row, value[row, slot, None] * (inner_rows @ down_proj[e].T))
        share = functional.one_hot(chosen, experts).double().mean((0, 1))
        balance = experts * (share * probabilities.mean(0)).sum()
        return result, balance, torch.logsumexp(scores, -1).pow(2).mean()

    for name, weighting, activation, gated, scaling in (
        ("as Mixtral", "topk_then_softmax", "silu", True, 1.0),
        ("as OLMoE", "softmax_then_topk", "silu", True, 1.0),
        ("as DBRX", "softmax_topk_norm", "silu", True, 1.0),
        ("as DeepSeek-V2", "scaled", "silu", True, 16.0),
        ("as DeepSeek-V3", "sigmoid_topk_norm", "silu", True, 2.5),
        ("GELU experts", "softmax_then_topk", "gelu", False, 1.0),
    ):
        settings = {"num_experts": experts, "num_experts_per_tok": top_k, "moe_intermediate_size": inner,
                    "weighting": weighting, "hidden_act": activation, "gated": gated, "routed_scaling_factor": scaling}
        inputs = dict(rows=normal(9, width), gate=normal(experts, width), up_proj=normal(experts, inner, width),
                      down_proj=normal(experts, width, inner))
        if gated:
            inputs["gate_proj"] = normal(experts, inner, width)
        case("moe_layer", name, lambda **all: layer(weighting, activation, scaling, **all)[0], settings, **inputs)
        if name in ("as Mixtral", "as DeepSeek-V3"):
            objective = lambda rows, gate, **rest: sum(
                factor * term
                for factor, term in zip((0.5, 0.25), layer(weighting, activation, scaling, rows, gate, **rest)[1:])
            )
            fixed = {key: inputs[key].detach() for key in inputs if key not in ("rows", "gate")}
            case("moe_balance", name, lambda rows, gate: objective(rows, gate, **fixed),
                 {**settings, "router_aux_loss_coef": 0.5, "router_z_loss_coef": 0.25}, rows=normal(9, width),
                 gate=normal(experts, width))


def optimizer():
    settings = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1}
    parameter = torch.nn.Parameter(normal(13))
    start = numbers(parameter)
    adamw = torch.optim.AdamW([parameter], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    gradients, after = [], []
    for scale in (1.0, 0.01, 3.0, 0.0):
        parameter.grad = normal(13, scale=scale)
        gradients.append(numbers(parameter.grad))
        adamw.step()
        after.append(numbers(parameter))
    line = {"op": "adamw", "name": "four steps", "settings": settings, "start": start, "gradients": gradients,
            "after": after}
    print(json.dumps(line, separators=(",", ":")))


print(f"PyTorch {torch.__version__}", file=sys.stderr)
elementwise()
rows()
attention()
loss()
grouped()
mixture()
optimizer()
