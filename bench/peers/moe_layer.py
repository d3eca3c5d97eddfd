#!/usr/bin/python3
"""A mixture layer forward and backward (router, SwiGLU experts, combine): ours against PyTorch's usual loop over experts.

The peer gathers the rows of each expert, runs three linear layers, weights and adds back with index_add_, as Hugging
Face's Mixtral does. Same shapes, rows and weights drawn from the same distributions, gradients to rows and all weights, f32.
The last row holds our grouped product alone against the rate of multiply-adds on registers. See peers.py for how rounds
are run."""

import sys

import peers

# T, D, F, E, k, repetitions in a round, wanted ratio
SHAPES = [
    (1024, 512, 1024, 8, 2, 3, 2.2),
    (1024, 512, 512, 64, 8, 2, 5.0),
    (1024, 256, 512, 16, 2, 8, 5.0),
]


def peer_worker(threads, rows, hidden, width, experts, top_k, repetitions):
    torch, about = peers.prepare_torch(threads)
    nn = torch.nn

    class Expert(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate_proj = nn.Linear(hidden, width, bias=False)
            self.up_proj = nn.Linear(hidden, width, bias=False)
            self.down_proj = nn.Linear(width, hidden, bias=False)

        def forward(self, x):
            return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class MixtureLayer(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(hidden, experts, bias=False)
            self.experts = nn.ModuleList(Expert() for _ in range(experts))
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=0.02)

        def forward(self, x):
            probabilities = torch.softmax(self.gate(x), dim=-1)
            weights, chosen = torch.topk(probabilities, top_k, dim=-1)
            weights = weights / weights.sum(dim=-1, keepdim=True)
            result = torch.zeros_like(x)
            mask = nn.functional.one_hot(chosen, num_classes=experts).permute(2, 1, 0)
            for index, expert in enumerate(self.experts):
                rank, row = torch.where(mask[index])
                if row.shape[0] == 0:
                    continue
                result.index_add_(0, row, expert(x.index_select(0, row)) * weights[row, rank, None])
            return result

    torch.manual_seed(1)
    layer = MixtureLayer()
    x = torch.randn(rows, hidden, requires_grad=True)
    upstream = torch.randn(rows, hidden)

    def round_of_work():
        for _ in range(repetitions):
            layer(x).backward(upstream)
            layer.zero_grad(set_to_none=True)
            x.grad = None

    round_of_work()
    peers.serve(round_of_work, about=about)


def make_cases(build, threads):
    program = build / "bench" / "bench_moe_layer"
    cases = []
    for rows, hidden, width, experts, top_k, repetitions, wanted in SHAPES:
        sizes = [rows, hidden, width, experts, top_k, repetitions]
        cases.append(
            peers.Case(
                name=f"layer T={rows} D={hidden} F={width} E={experts} k={top_k}",
                unit="ms",
                ours=[program, "layer", *sizes],
                peer=[peers.peer_python(), __file__, "--worker", threads, *sizes],
                value=lambda answer, repetitions=repetitions: 1e3 * answer["seconds"] / repetitions,
                at_least=wanted,
            )
        )
    cases.append(
        peers.Case(
            name="grouped product, first shape, of registers",
            unit="GFLOP/s",
            ours=[program, "grouped", *SHAPES[0][:5], 15],
            peer=[program, "register", 45],
            value=lambda answer: 1e-9 * answer["rate"],
            higher_is_better=True,
            at_least=0.7,
        )
    )
    return cases


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        peer_worker(*map(int, sys.argv[2:]))
    else:
        peers.compare_all(__doc__.split("\n")[0], make_cases)
