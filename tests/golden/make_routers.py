#!/usr/bin/python3
"""Writes routers.jsonl: what public implementations of routers, gates and balance losses make of given numbers.

Run by hand with Debian's python3-torch (1.13); the tests read the file and need neither PyTorch nor the public code:
    tests/golden/make_routers.py OWNER/NAME=GIT_DIRECTORY ... > tests/golden/routers.jsonl
with a clone of each repository of SOURCES below, work tree or not: its HEAD is read. Of each file the named functions
and classes are taken out and run; nothing of them is kept here. tests/golden/README.md says how to add a case.

Each case is one JSON object on a line of its own:
    kind, name     which function of routers_test.cc runs it, and what is special about it
    origin         repository, commit, file and function that made the results
    settings       fields of our options (MoeOptions) under which ours must give the same
    inputs         by name: shape and values
    (the rest)     settings of the case itself, and results; "gradients" are those of sum(result * upstream)
All is f32; floats have 9 significant digits."""

import json
import math
import sys
import types

import torch
import torch.nn.functional as functional
from public_code import Public, Stub
from torch import nn

torch.manual_seed(3)

SOURCES = {
    "transformers": ("kpup1710/CAMEx", "transformers/models/"),  # has Hugging Face's transformers 4.30.2 in it
    "xtuner": ("InternLM/xtuner", "xtuner/model/transformers_models/"),  # Hugging Face's modelling code again
    "deepseek": ("deepseek-ai/DeepSeek-V3", "inference/"),
    "deepseek_r1": ("1nl00k/inspectR1", ""),  # the modelling code that DeepSeek-R1 was released with
    "noisy": ("davidmrau/mixture-of-experts", ""),
    "top2": ("lucidrains/mixture-of-experts", "mixture_of_experts/"),
    "soft": ("lucidrains/soft-moe-pytorch", "soft_moe_pytorch/"),
    "peer": ("lucidrains/PEER-pytorch", "PEER_pytorch/"),
    "megatron": ("NVIDIA/Megatron-LM", "megatron/core/transformer/moe/"),
    "deepspeed": ("microsoft/DeepSpeed", "deepspeed/moe/"),
    "tutel": ("microsoft/tutel", "tutel/gates/"),
    "megablocks": ("databricks/megablocks", "megablocks/layers/"),
    "llm_baselines": ("epfml/llm-baselines", "src/models/"),
    "mos": ("zihangdai/mos", ""),
    "vllm": ("TurbaAI/vllm", "vllm/model_executor/models/"),  # a copy of vllm-project/vllm
}


def take(source, file, wanted, **given):
    repository, folder = SOURCES[source]
    return Public(repository, CLONES[repository], folder + file, wanted, **given)


def normal(*shape, scale=1.0):
    return scale * torch.randn(shape)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def described(tensor):
    return {"shape": list(tensor.shape), "values": numbers(tensor)}


def write(kind, name, public, function, settings, inputs, **rest):
    line = {"kind": kind, "name": name, "origin": public.origin(function), "settings": settings,
            "inputs": {key: described(tensor) for key, tensor in inputs.items()}, **rest}
    print(json.dumps(line, separators=(",", ":")))


def gradients_of(result, upstream, **inputs):
    found = torch.autograd.grad((result * upstream).sum(), list(inputs.values()), retain_graph=True)
    return {key: numbers(gradient) for key, gradient in zip(inputs, found)}


def leaf(tensor):
    return tensor.clone().requires_grad_(True)


def write_route(name, public, function, router, scores, weights, served=None, training=True, compare="gradients",
                inputs=None, **settings):
    """`weights` [T, E], 0 where an expert does not serve a row; `scores` [T, E] a leaf. `compare`: "choices", when the
    public code weighs otherwise than any option of ours; "weights" as well, when it has no gradient; or "gradients",
    too."""
    served = weights.detach() != 0 if served is None else served
    pairs = served.nonzero().tolist()
    rest = {"training": training, "served": pairs}
    if compare != "choices":
        rest["weights"] = numbers(weights[served])
    if compare == "gradients":
        upstream = normal(len(pairs))
        rest.update(upstream=numbers(upstream), gradients=gradients_of(weights[served], upstream, scores=scores))
    settings = {"router": router, "num_experts": scores.shape[1], "min_capacity": 1, **settings}
    write("route", name, public, function, settings, {"scores": scores, **(inputs or {})}, **rest)


def write_balance(name, public, function, rule, layers, loss, router=None, mask=None, sequence=0, **settings):
    """`layers`: leaves [T, E], the scores of each mixture layer; `router`: settings of the router that chooses."""
    gradients = gradients_of(loss, torch.ones(()), **{f"scores{i}": layer for i, layer in enumerate(layers)})
    settings = {"num_experts": layers[0].shape[1], "router": "top_k", **(router or {}), **settings}
    write("balance", name, public, function, settings, {f"scores{i}": layer for i, layer in enumerate(layers)},
          rule=rule, loss=numbers(loss), gradients=gradients, rows_per_sequence=sequence,
          row_mask=[] if mask is None else mask.reshape(-1).int().tolist())


def config(**fields):
    return types.SimpleNamespace(**fields)


class NamingExpert(nn.Module):
    """An expert whose every output [n, E] is the unit vector of its number: a layer of these gives out its weights."""

    def __init__(self, number, experts, pair=False):
        super().__init__()
        self.unit, self.pair = torch.eye(experts)[number], pair

    def forward(self, rows):
        output = self.unit.expand(len(rows), -1)
        return (output, None) if self.pair else output


def mixtral():
    public = take("xtuner", "mixtral/modeling_mixtral.py", ["load_balancing_loss_func", "MixtralSparseMoeBlock"],
                  MixtralBlockSparseTop2MLP=lambda _: nn.Identity())
    batch, length, experts, k = 2, 9, 6, 2
    mask = torch.ones(batch, length)
    mask[0, 6:] = 0
    mask[1, 8:] = 0
    for name, given in (("two layers", None), ("two layers, padding", mask)):
        layers = [leaf(normal(batch * length, experts)) for _ in range(2)]
        loss = public["load_balancing_loss_func"](tuple(layers), experts, k, given)
        write_balance(name, public, "load_balancing_loss_func", "hf_pooled", layers, loss, mask=given,
                      num_experts_per_tok=k, balance_hf_compatible=True, router_aux_loss_coef=1)

    block = public["MixtralSparseMoeBlock"](config(hidden_size=experts, intermediate_size=1, num_local_experts=experts,
                                                   num_experts_per_tok=k, router_jitter_noise=0.0))
    block.experts = nn.ModuleList(NamingExpert(e, experts) for e in range(experts))
    block.gate.weight = nn.Parameter(torch.eye(experts))
    scores = leaf(normal(17, experts))
    write_route("weights", public, "MixtralSparseMoeBlock", "top_k", scores, block(scores[None])[0][0],
                weighting="topk_then_softmax", num_experts_per_tok=k)


def switch():
    public = take("transformers", "switch_transformers/modeling_switch_transformers.py",
                  ["router_z_loss_func", "load_balancing_loss_func", "SwitchTransformersTop1Router"])
    batch, length, experts = 3, 11, 4
    scores = leaf(normal(batch * length, experts))
    grouped = scores.view(batch, length, experts)
    write_balance("z-loss", public, "router_z_loss_func", "router_z", [scores], public["router_z_loss_func"](grouped),
                  num_experts_per_tok=2, router_z_loss_coef=1)
    loss = public["load_balancing_loss_func"](functional.softmax(grouped, -1), grouped.argmax(-1))
    write_balance("per sequence", public, "load_balancing_loss_func", "load_balance", [scores], loss, sequence=length,
                  router={"router": "switch"}, num_experts_per_tok=1, router_aux_loss_coef=1, capacity_factor=0,
                  balance_scope="sequence", balance_scale="one")
    capacity, rows = 5, 24
    router = public["SwitchTransformersTop1Router"](
        config(num_experts=experts, expert_capacity=capacity, hidden_size=experts, router_bias=False,
               router_jitter_noise=0.0, router_ignore_padding_tokens=False, router_dtype="float32"))
    router.classifier.weight = nn.Parameter(torch.eye(experts))
    scores = leaf(normal(rows, experts))
    index, probability, _ = router(scores[None])
    write_route("capacity 5 of 24 rows", public, "SwitchTransformersTop1Router", "switch", scores,
                (index * probability)[0], num_experts_per_tok=1, capacity_factor=capacity * experts / rows)


def nllb():
    public = take("transformers", "nllb_moe/modeling_nllb_moe.py", ["NllbMoeTop2Router"])
    rows, experts, capacity = 24, 4, 10

    def router(training=True, **changed):
        fields = dict(num_experts=experts, expert_capacity=capacity, hidden_size=experts, router_bias=False,
                      router_ignore_padding_tokens=False, router_dtype="float32", second_expert_policy="all",
                      normalize_router_prob_before_dropping=True, batch_prioritized_routing=False,
                      moe_eval_capacity_token_fraction=-1.0)
        return public["NllbMoeTop2Router"](config(**{**fields, **changed})).train(training)

    common = {"num_experts_per_tok": 2, "second_policy": "all", "capacity_factor": capacity * experts / (2 * rows)}
    scores = leaf(normal(rows, experts))
    write_route("all second choices, capacity 10", public, "NllbMoeTop2Router.route_tokens", "gshard", scores,
                router().route_tokens(scores)[1], **common)

    mask = torch.ones(rows)
    mask[[3, 4, 20]] = 0
    scores = leaf(normal(rows, experts))
    padded = {**common, "capacity_factor": capacity * experts / (2 * int(mask.sum()))}
    write_route("padding", public, "NllbMoeTop2Router.route_tokens", "gshard", scores,
                router().route_tokens(scores, padding_mask=1 - mask)[1], inputs={"row_mask": mask}, **padded)

    scores = leaf(normal(rows, experts))
    write_route("evaluation, a quarter of the rows", public, "NllbMoeTop2Router.route_tokens", "gshard", scores,
                router(False, moe_eval_capacity_token_fraction=0.25).route_tokens(scores)[1], training=False,
                **common, eval_capacity_fraction=0.25)

    scores = leaf(normal(rows, experts))
    write_route("batch-prioritised", public, "NllbMoeTop2Router.route_tokens", "top_k", scores,
                router(batch_prioritized_routing=True).route_tokens(scores)[1], compare="choices",
                num_experts_per_tok=2, capacity_factor=common["capacity_factor"], drop_policy="priority",
                weighting="softmax_then_topk")


def deepseek():
    experts, rows, k = 16, 12, 4
    public = take("deepseek", "model.py", ["Gate"], linear=functional.linear)

    def gate(function, bias=None):
        made = public["Gate"](config(dim=experts, n_activated_experts=k, n_expert_groups=4, n_limited_groups=2,
                                     score_func=function, route_scale=2.5, n_routed_experts=experts))
        made.weight = nn.Parameter(torch.eye(experts))
        made.bias = bias if bias is None else nn.Parameter(bias)
        return made

    def dense(values, indices):
        return torch.zeros(rows, experts).scatter(1, indices, values)

    # Code for inference: it overwrites what a gradient would need.
    groups = {"n_group": 4, "topk_group": 2, "num_experts_per_tok": k}
    scores = leaf(normal(rows, experts, scale=0.5))
    write_route("as V2: the best expert of a group decides", public, "Gate", "group_limited", scores,
                dense(*gate("softmax")(scores)), compare="weights", **groups, group_score="max", weighting="scaled",
                routed_scaling_factor=2.5)
    scores, bias = leaf(normal(rows, experts)), normal(experts, scale=0.3)
    write_route("as V3: the two best of a group decide, with a bias", public, "Gate", "loss_free", scores,
                dense(*gate("sigmoid", bias)(scores)), compare="weights", inputs={"e_score_correction_bias": bias},
                **groups, group_score="sum_of_two", weighting="sigmoid_topk_norm", routed_scaling_factor=2.5)

    # Where experts outside of a row's groups score 0, they win against those of the groups whose bias is low enough.
    # Here each group has one of these, and both experts outside win: no choice among equals.
    public = take("deepseek_r1", "modeling_deepseek.py", ["MoEGate"])
    made = public["MoEGate"](config(num_experts_per_tok=4, n_routed_experts=6, routed_scaling_factor=2.5,
                                    scoring_func="sigmoid", seq_aux=True, topk_method="noaux_tc", n_group=3,
                                    topk_group=2, norm_topk_prob=True, hidden_size=6)).eval()
    made.weight = nn.Parameter(torch.eye(6))
    bias = torch.tensor([0.1, -1.5, -1.25, 0.3, 0.2, -1.75])
    made.e_score_correction_bias = nn.Parameter(bias)
    scores = leaf(normal(rows, 6))
    indices, values = made(scores[None])
    write_route("noaux_tc, masked scores of 0", public, "MoEGate", "loss_free", scores,
                torch.zeros(rows, 6).scatter(1, indices, values), inputs={"e_score_correction_bias": bias},
                num_experts_per_tok=4, n_group=3, topk_group=2, group_score="sum_of_two", masked_group_score="zero",
                weighting="sigmoid_topk_norm", routed_scaling_factor=2.5)

    public = take("xtuner", "deepseek_v2/modeling_deepseek.py", ["MoEGate"])

    def moe_gate(**changed):
        fields = dict(num_experts_per_tok=k, n_routed_experts=experts, routed_scaling_factor=16.0,
                      scoring_func="softmax", aux_loss_alpha=1.0, seq_aux=True, topk_method="group_limited_greedy",
                      n_group=4, topk_group=2, norm_topk_prob=False, hidden_size=experts)
        made = public["MoEGate"](config(**{**fields, **changed}))
        made.weight = nn.Parameter(torch.eye(experts))
        return made

    scores = leaf(normal(rows, experts))
    indices, values, _ = moe_gate()(scores[None])
    write_route("group_limited_greedy", public, "MoEGate", "group_limited", scores, dense(values, indices), **groups,
                weighting="scaled", routed_scaling_factor=16)
    indices, values, _ = moe_gate(topk_method="greedy", norm_topk_prob=True)(scores[None])
    write_route("greedy, norm_topk_prob", public, "MoEGate", "top_k", scores, dense(values, indices),
                num_experts_per_tok=k, weighting="softmax_topk_norm")
    for name, sequences in (("per sequence", True), ("over the batch", False)):
        scores = leaf(normal(2 * rows, experts))
        loss = moe_gate(topk_method="greedy", seq_aux=sequences)(scores.view(2, rows, experts))[2]
        write_balance(name, public, "MoEGate", "load_balance", [scores], loss, sequence=rows, num_experts_per_tok=k,
                      router_aux_loss_coef=1, balance_scope="sequence" if sequences else "micro_batch")


def sparsemixer():
    public = take("vllm", "phimoe.py", ["sparsemixer"])
    for epsilon in (0.01, 0.4):  # far apart and close: lone experts, and such that share with others
        scores = leaf(normal(15, 6))
        weights, experts = public["sparsemixer"](scores, epsilon)
        write_route(f"epsilon {epsilon}", public, "sparsemixer", "sparsemixer", scores,
                    torch.zeros_like(scores).scatter(1, experts, weights), num_experts_per_tok=2,
                    sparsemixer_epsilon=epsilon)


def noisy_top_k():
    public = take("noisy", "moe.py", ["MoE"], MLP=lambda *_: nn.Identity(),
                  Normal=torch.distributions.normal.Normal)
    rows, experts, k = 15, 6, 2
    moe = public["MoE"](experts, 1, experts, 1, True, k)
    moe.w_gate = nn.Parameter(torch.eye(experts))
    scores = leaf(normal(rows, experts))
    gates, _ = moe.noisy_top_k_gating(scores, False)
    write_route("evaluation", public, "MoE.noisy_top_k_gating", "noisy_top_k", scores, gates, training=False,
                num_experts_per_tok=k, weighting="topk_then_softmax")
    # torch's var() divides by E - 1; the paper's and ours by E.
    importance = moe.cv_squared(gates.sum(0)) * (experts - 1) / experts
    write_balance("importance, times (E - 1) / E", public, "MoE.cv_squared", "importance", [scores], importance,
                  num_experts_per_tok=k, weighting="topk_then_softmax", importance_coef=1, importance_of="weights")

    # In noisy_top_k_gating the thresholds are probabilities and the scores are not; the function below is given
    # thresholds of the noisy scores, as the paper's equation 9 has it.
    deviations = leaf(functional.softplus(normal(rows, experts)) + 0.01)
    clean, noise = leaf(normal(rows, experts)), normal(rows, experts)
    noisy = leaf(clean.detach() + noise * deviations.detach())
    load = moe._prob_in_top_k(clean, noisy, deviations, noisy.topk(k + 1, dim=1).values).sum(0)
    upstream = normal(experts)
    inputs = dict(clean=clean, noisy=noisy, deviations=deviations)
    write("smooth_load", "given noise", public, "MoE._prob_in_top_k", {}, inputs, num_experts_per_tok=k,
          load=numbers(load), upstream=numbers(upstream), gradients=gradients_of(load, upstream, **inputs))


def top2():
    public = take("top2", "mixture_of_experts.py",
                  ["top1", "cumsum_exclusive", "safe_one_hot", "Top2Gating"], MIN_EXPERT_CAPACITY=4)
    groups, length, experts, draw, threshold = 2, 16, 4, 0.7, 0.4
    capacity = int(length * 1.25 / experts)
    common = {"num_experts_per_tok": 2, "capacity_factor": capacity * experts / (2 * length),
              "gshard_group_size": length}

    def uniform(tensor, low, high):
        return tensor.fill_(low + draw * (high - low))

    for policy, ours in (("all", {"second_policy": "all"}), ("none", {"second_policy": "none"}),
                         ("random", {"second_policy": "threshold", "second_threshold": draw * threshold})):
        gating = public["Top2Gating"](experts, experts, second_policy_train=policy, second_threshold_train=threshold)
        gating.w_gating = nn.Parameter(torch.eye(experts))
        scores = leaf(normal(groups * length, experts))
        with Stub(torch.Tensor, "uniform_", uniform):
            _, combine, loss = gating(scores.view(groups, length, experts))
        weights = combine.sum(-1).view(-1, experts)
        name = policy if policy != "random" else "random, every draw 0.7: g2 > 0.7 * 0.4"
        write_route(name, public, "Top2Gating", "gshard", scores, weights, **common, **ours)
        if policy == "all":
            write_balance("first choices", public, "Top2Gating", "load_balance", [scores], loss,
                          router={"router": "gshard"}, sequence=length, **common, **ours, min_capacity=1,
                          router_aux_loss_coef=1, balance_choices="first", balance_scope="sequence")


def megatron():
    public = take("megatron", "moe_utils.py",
                  ["switch_load_balancing_loss_func", "z_loss_func", "sinkhorn", "get_capacity", "group_limited_topk",
                   "topk_routing_with_score_function", "compute_routing_scores_for_aux_loss",
                   "apply_router_token_dropping", "get_updated_expert_bias"],
                  is_batch_invariant_mode_enabled=lambda: False)
    rows, experts, k = 16, 8, 3
    routing = public["topk_routing_with_score_function"]
    for name, given, ours in (
        ("softmax of the chosen", {}, {"weighting": "topk_then_softmax"}),
        ("softmax of all", {"use_pre_softmax": True}, {"weighting": "softmax_then_topk"}),
        ("sigmoid, scaled", {"score_function": "sigmoid", "scaling_factor": 2.5},
         {"weighting": "sigmoid_topk_norm", "routed_scaling_factor": 2.5}),
    ):
        scores = leaf(normal(rows, experts))
        weights, chosen = routing(scores, k, **given)
        write_route(name, public, "topk_routing_with_score_function", "top_k", scores, weights, chosen,
                    num_experts_per_tok=k, **ours)
        if given.get("score_function") != "sigmoid":
            kept, served = public["apply_router_token_dropping"](weights, chosen, k, 0.5, "probs")
            write_route(f"dropping by probability, {name}", public, "apply_router_token_dropping", "top_k", scores,
                        kept, served, num_experts_per_tok=k, capacity_factor=0.5, drop_policy="probability", **ours)
    scores, bias = leaf(normal(rows, experts)), normal(experts, scale=0.3)
    weights, chosen = routing(scores, 4, num_groups=4, group_topk=2, score_function="sigmoid", expert_bias=bias)
    write_route("groups and a bias", public, "topk_routing_with_score_function", "loss_free", scores, weights, chosen,
                inputs={"e_score_correction_bias": bias}, num_experts_per_tok=4, n_group=4, topk_group=2,
                group_score="sum_of_two", weighting="sigmoid_topk_norm")
    scores = leaf(normal(rows, experts))
    weights, chosen = routing(scores, 3, True, num_groups=4, group_topk=2)
    write_route("groups by their best expert", public, "topk_routing_with_score_function", "group_limited", scores,
                weights, chosen, num_experts_per_tok=3, n_group=4, topk_group=2, weighting="softmax_then_topk")

    mask = torch.ones(rows, dtype=torch.bool)
    mask[[0, 7, 8, 15]] = False
    for name, function, given in (("of softmax", "softmax", None), ("of sigmoid", "sigmoid", None),
                                  ("with padding", "softmax", mask)):
        scores = leaf(normal(rows, experts))
        chosen, probabilities = public["compute_routing_scores_for_aux_loss"](
            scores, k, function, padding_mask=None if given is None else ~given)
        loss = public["switch_load_balancing_loss_func"](
            probabilities, chosen.sum(0), rows if given is None else int(given.sum()), k, experts, 1.0)
        write_balance(name, public, "switch_load_balancing_loss_func", "load_balance", [scores], loss, mask=given,
                      router={"weighting": "softmax_topk_norm" if function == "softmax" else "sigmoid_topk_norm"},
                      num_experts_per_tok=k, router_aux_loss_coef=1)
    scores = leaf(normal(rows, experts, scale=2.0))
    write_balance("with padding", public, "z_loss_func", "router_z", [scores],
                  public["z_loss_func"](scores, 1.0, ~mask), mask=mask, num_experts_per_tok=k, router_z_loss_coef=1)

    counts, bias = torch.tensor([6, 3, 4, 2, 9, 4, 4, 0]), normal(experts)
    with Stub(torch.distributed, "all_reduce", lambda *_, group: None):  # one process
        updated = public["get_updated_expert_bias"](counts.float(), bias, 0.01, "this process")
    write("bias_update", "three at the mean", public, "get_updated_expert_bias",
          {"router": "loss_free", "num_experts": experts, "bias_update_rate": 0.01},
          {"e_score_correction_bias": bias}, requested_rows=counts.tolist(), bias=numbers(updated))

    router = take("megatron", "router.py", ["TopKRouter.sinkhorn_load_balancing"], sinkhorn=public["sinkhorn"])
    for k, training in ((1, True), (2, True), (2, False)):
        scores = leaf(normal(rows, experts) + normal(experts))  # experts that are not alike
        given = config(topk=k, training=training, config=config(moe_aux_loss_coeff=0))
        weights, chosen = router["TopKRouter.sinkhorn_load_balancing"](given, scores)
        write_route(f"{'training' if training else 'evaluation'}, k = {k}", router,
                    "TopKRouter.sinkhorn_load_balancing", "sinkhorn", scores, weights, chosen, training=training,
                    num_experts_per_tok=k, sinkhorn_tolerance=1e-5)


def deepspeed():
    public = take("deepspeed", "sharded_moe.py",
                  ["einsum", "_capacity", "_top_idx", "_one_hot_to_float", "top1gating", "top2gating", "topkgating"],
                  USE_EINSUM=True)
    rows, experts = 24, 4
    coefficients = {"router_aux_loss_coef": 1, "min_capacity": 1}

    # Its draws decide who is served first: earlier rows, when they draw more.
    draws = lambda shape: torch.linspace(1.0, 0.1, shape[0])[:, None].expand(shape)
    public.names["exp_selection_uniform_map"] = {torch.device("cpu"): draws}
    scores = leaf(normal(rows, experts))
    loss, combine, _, _ = public["top1gating"](scores, 0.75, 1)
    one = {"num_experts_per_tok": 1, "capacity_factor": 0.75}
    write_route("capacity 5 of 24 rows", public, "top1gating", "switch", scores, combine.sum(-1), **one)
    write_balance("of top-1", public, "top1gating", "load_balance", [scores], loss, router={"router": "switch"}, **one,
                  **coefficients)

    # Weights of a row whose other expert was full are divided by what is left, here and in topkgating.
    scores = leaf(normal(rows, experts))
    loss, combine, _, _ = public["top2gating"](scores, 0.75, 1, top2_2nd_expert_sampling=False)
    two = {"num_experts_per_tok": 2, "capacity_factor": 0.75, "second_policy": "all"}
    write_route("capacity 9 of 24 rows", public, "top2gating", "gshard", scores, combine.sum(-1),
                compare="choices", **two)
    write_balance("of top-2, first choices", public, "top2gating", "load_balance", [scores], loss,
                  router={"router": "gshard"}, **two, **coefficients, balance_choices="first")

    scores = leaf(normal(rows, experts))
    three = {"num_experts_per_tok": 3, "capacity_factor": 0.75}
    loss, combine, _, _ = public["topkgating"](scores, 3, 0.75, 1, drop_policy="position")
    write_route("by position", public, "topkgating", "top_k", scores, combine.sum(-1), compare="choices", **three,
                drop_policy="position")
    write_balance("of top-3", public, "topkgating", "load_balance", [scores], loss, **three, **coefficients)
    scores = leaf(normal(rows, experts))
    write_route("dropless top-3", public, "topkgating", "top_k", scores,
                public["topkgating"](scores, 3, 4.0, 1, drop_policy="position")[1].sum(-1), num_experts_per_tok=3,
                weighting="softmax_topk_norm")


def megablocks():
    rows, experts, k, layers = 11, 6, 2, 2
    public = take("megablocks", "router.py", ["_save_router_logits", "LearnedRouter"],
                  common=config(dtype=lambda _: torch.float32))
    for order in (1, 2):
        router = public["LearnedRouter"](
            config(hidden_size=experts, moe_num_experts=experts, device="cpu", init_method=nn.init.eye_, moe_top_k=k,
                   moe_jitter_eps=None, moe_zloss_weight=0, moe_normalize_expert_weights=order,
                   uniform_expert_assignment=False))
        scores = leaf(normal(rows, experts))
        _, values, indices = router(scores)
        write_route(f"norm {order}", public, "LearnedRouter", "top_k", scores,
                    torch.zeros_like(scores).scatter(1, indices, values), num_experts_per_tok=k,
                    weighting="softmax_topk_norm", topk_norm_order=order)

    public = take("megablocks", "moe.py", ["batched_load_balancing_loss"])
    scores = [leaf(normal(rows, experts)) for _ in range(layers)]
    counts = [functional.one_hot(layer.topk(k).indices, experts).sum((0, 1)) for layer in scores]
    public.names["get_load_balancing_loss"] = lambda: [(c, layer.softmax(-1)) for c, layer in zip(counts, scores)]
    loss = public["batched_load_balancing_loss"](
        config(moe_loss_weight=1.0, num_layers=layers, pipeline_model_parallel_size=1, moe_num_experts=experts,
               num_layers_per_virtual_pipeline_stage=None, moe_lbl_in_fp32=True, moe_top_k=k))
    write_balance("two layers", public, "batched_load_balancing_loss", "load_balance", scores, loss,
                  num_experts_per_tok=k, router_aux_loss_coef=1, balance_layers="mean")


def expert_choice():
    rows, experts, k = 15, 6, 2
    public = take("llm_baselines", "moe.py", ["ExpertChoiceMoE"])
    made = public["ExpertChoiceMoE"](
        config(moe_num_experts=experts, n_embd=experts, capacity_factor=float(k), moe_softmax_order="softmax_topk",
               batch_size=1, sequence_length=rows), lambda config: nn.Identity())
    made.experts = nn.ModuleList(NamingExpert(e, experts, pair=True) for e in range(experts))
    made.router.weight = nn.Parameter(torch.eye(experts))
    scores = leaf(normal(rows, experts))
    write_route("five rows an expert", public, "ExpertChoiceMoE", "expert_choice", scores, made(scores)[0],
                num_experts_per_tok=k)


def cosine():
    public = take("tutel", "cosine_top.py", ["CosineTopKGate"])
    rows, width, size, experts = 7, 6, 5, 4
    gate = public["CosineTopKGate"](width, experts, proj_dim=size, init_t=0.25)
    with torch.no_grad():
        gate.cosine_projector.bias.zero_()  # ours has none
        gate.sim_matrix.copy_(normal(size, experts))
    directions = leaf(gate.sim_matrix.detach().T.contiguous())
    del gate.sim_matrix
    gate.sim_matrix = directions.T
    x = leaf(normal(rows, width))
    scores, upstream = gate(x), normal(rows, experts)
    projection = gate.cosine_projector.weight
    inputs = dict(rows=x, weight=directions, projection=projection)
    write("gate", "projected to 5", public, "CosineTopKGate",
          {"gate": "cosine", "cosine_gate_size": size, "cosine_gate_temperature": 0.25}, inputs,
          scores=described(scores), upstream=numbers(upstream), gradients=gradients_of(scores, upstream, **inputs))


def soft_moe():
    def merged(tensor, pattern):
        """einops.rearrange for patterns that only merge the axes named in parentheses."""
        before, after = (side.replace("(", "( ").replace(")", " )").split() for side in pattern.split("->"))
        assert before == [name for name in after if name not in "()"], pattern
        first = after.index("(")
        return tensor.flatten(first, after.index(")") - 2)

    public = take("soft", "soft_moe.py", ["exists", "default", "l2norm", "RMSNorm", "SoftMoE"], rearrange=merged,
                  einsum=torch.einsum, Experts=lambda **_: nn.Identity(), FeedForward=lambda **_: None)
    sequences, length, width, experts, slots = 2, 7, 6, 3, 2
    moe = public["SoftMoE"](width, num_experts=experts, num_slots=slots)
    # Its experts see normalised rows, ours the rows: these are the same before and after.
    rows = functional.normalize(normal(sequences, length, width), dim=-1) * width**0.5
    seen = []
    moe.experts.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    output, upstream = moe(rows), normal(sequences, length, width)
    gradient = gradients_of(output, upstream, slots=moe.slot_embeds)
    write("soft_moe", "two slots an expert, experts that change nothing", public, "SoftMoE",
          {"router": "soft_moe", "num_experts": experts, "slots_per_expert": slots},
          {"rows": rows.reshape(-1, width), "slots": moe.slot_embeds.reshape(-1, width),
           "scale": torch.tensor([float(width)])}, rows_per_sequence=length,
          expert_rows=described(seen[0].reshape(-1, width)), output=described(output.reshape(-1, width)),
          upstream=numbers(upstream), gradients=gradient)


def peer():
    class Recorder(nn.Module):
        """Notes what it is given, and what `inner` makes of it."""

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, given):
            self.given, self.made = given, self.inner(given)
            return self.made

    class SplitQueries(nn.Module):
        def __init__(self, pattern, p, h):
            super().__init__()
            assert pattern == "b n (p h d) -> p b n h d"
            self.sizes = (p, h, -1)

        def forward(self, x):
            return x.unflatten(-1, self.sizes).permute(2, 0, 1, 3, 4)

    def all_pairs(pattern, a, b):
        assert pattern == "... i, ... j -> ... (i j)"
        return (a[..., :, None] + b[..., None, :]).flatten(-2)

    def einsum(*arguments):
        return torch.einsum(arguments[-1].replace(" ", ""), *arguments[:-1])

    public = take("peer", "PEER.py", ["exists", "default", "PEER"], sqrt=math.sqrt, einsum=einsum,
                  einx=config(add=all_pairs), Rearrange=SplitQueries)
    rows, width, heads, n, k, size = 6, 8, 2, 5, 3, 4
    made = public["PEER"](width, heads=heads, num_experts=n * n, num_experts_per_head=k, dim_key=size,
                          non_competing_scores=False)
    keys = normal(2, n, size)
    made.keys = nn.Parameter(keys.permute(1, 0, 2)[None].repeat(heads, 1, 1, 1))  # ours: the same for all heads
    made.weight_down_embed = Recorder(made.weight_down_embed)
    made.score_activation = Recorder(made.score_activation)
    x = normal(rows, width)
    made(x[None])
    queries = made.to_queries[0].weight.detach().view(2, heads * size, width)
    write("peer", "two heads, three of 25 neurons each", public, "PEER",
          {"router": "peer", "num_experts": n * n, "num_experts_per_tok": heads * k, "peer_heads": heads,
           "peer_key_size": size, "peer_query_norm": "none"},
          {"rows": x, "first.query": queries[0], "second.query": queries[1], "first.keys": keys[0],
           "second.keys": keys[1]}, experts=made.weight_down_embed.given.reshape(-1).tolist(),
          weights=numbers(made.score_activation.made))


def mixture_of_softmaxes():
    kept = lambda x, _: x  # dropout of what is evaluated
    public = take("mos", "model.py", ["RNNModel"], LockedDropout=lambda: kept,
                  embedded_dropout=lambda embedding, ids, dropout: embedding(ids), print=lambda *_: None)
    vocabulary, width, softmaxes, rows = 11, 6, 3, 9
    # Without recurrent layers the embedding of a token is what the output layer sees.
    model = public["RNNModel"]("LSTM", vocabulary, width, width, width, 0, n_experts=softmaxes).eval()
    hidden = normal(rows, width)
    with torch.no_grad():
        model.encoder.weight[:rows] = hidden
        model.latent[0].bias.zero_()
        model.decoder.weight.copy_(normal(vocabulary, width))
        model.prior.weight.copy_(normal(softmaxes, width))
        output, _ = model(torch.arange(rows)[:, None], [])
    write("output_mixture", "three softmaxes", public, "RNNModel.forward", {},
          {"hidden": hidden, "head": model.decoder.weight, "prior.weight": model.prior.weight,
           "latent.weight": model.latent[0].weight}, log_probabilities=described(output.view(rows, vocabulary)))


def main():
    global CLONES
    CLONES = dict(argument.split("=", 1) for argument in sys.argv[1:])
    missing = sorted({repository for repository, _ in SOURCES.values()} - set(CLONES))
    if missing:
        sys.exit(f"{__doc__}\n\nmissing: {' '.join(missing)}")
    print(f"PyTorch {torch.__version__}", file=sys.stderr)
    for family in (mixtral, switch, nllb, deepseek, sparsemixer, noisy_top_k, top2, megatron, deepspeed, megablocks,
                   expert_choice, cosine, soft_moe, peer, mixture_of_softmaxes):
        family()


main()
