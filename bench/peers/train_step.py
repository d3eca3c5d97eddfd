#!/usr/bin/python3
"""A whole training step (forward, backward, clipping, AdamW) of a mixture decoder: ours against the same model written
in PyTorch the way it is usually written (a loop over experts, attention by masked softmax of Q K', torch.optim.AdamW).

6 layers, width 256, 8 heads, 16 SwiGLU experts of width 512, top-2 with weights renormalised, load balance
loss 0.01 and router z-loss 0.001, vocabulary 4096 (embedding tied to the output), batch 8 x 256 tokens, f32.
Also compares the peak memory of the two processes, libraries included. See peers.py for how rounds are run."""

import math
import sys

import peers

LAYERS, WIDTH, HEADS, EXPERTS, EXPERT_WIDTH, TOP_K, VOCABULARY = 6, 256, 8, 16, 512, 2, 4096
BATCH, SEQUENCE = 8, 256
STEPS_OF_A_ROUND = 2


def make_model(torch):
    """The model as a PyTorch user writes it (compare Hugging Face's Mixtral)."""
    nn = torch.nn
    functional = torch.nn.functional

    class RmsNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(WIDTH))

        def forward(self, x):
            return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))

    def rotate(x, cosines, sines):
        half = x.shape[-1] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return x * cosines + turned * sines

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

        def forward(self, x, cosines, sines, mask):
            batch, sequence, _ = x.shape
            split = lambda y: y.view(batch, sequence, HEADS, WIDTH // HEADS).transpose(1, 2)
            q = rotate(split(self.q(x)), cosines, sines)
            k = rotate(split(self.k(x)), cosines, sines)
            scores = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + mask
            y = torch.softmax(scores, dim=-1) @ split(self.v(x))
            return self.o(y.transpose(1, 2).reshape(batch, sequence, WIDTH))

    class Expert(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate_proj = nn.Linear(WIDTH, EXPERT_WIDTH, bias=False)
            self.up_proj = nn.Linear(WIDTH, EXPERT_WIDTH, bias=False)
            self.down_proj = nn.Linear(EXPERT_WIDTH, WIDTH, bias=False)

        def forward(self, x):
            return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
            self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

        def forward(self, x):
            rows = x.reshape(-1, WIDTH)
            scores = self.gate(rows)
            probabilities = torch.softmax(scores, dim=-1)
            weights, chosen = torch.topk(probabilities, TOP_K, dim=-1)
            weights = weights / weights.sum(dim=-1, keepdim=True)
            mask = functional.one_hot(chosen, EXPERTS)  # [T, k, E]
            result = torch.zeros_like(rows)
            by_expert = mask.permute(2, 1, 0)
            for e, expert in enumerate(self.experts):
                slot, row = torch.where(by_expert[e])
                result.index_add_(0, row, expert(rows[row]) * weights[row, slot, None])
            share = mask.sum(dim=1).float().mean(dim=0) / TOP_K
            balance = EXPERTS * (share * probabilities.mean(dim=0)).sum()
            z = torch.logsumexp(scores, dim=-1).pow(2).mean()
            return result.view_as(x), 0.01 * balance + 0.001 * z

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention, self.norm2, self.mixture = RmsNorm(), Attention(), RmsNorm(), Mixture()

        def forward(self, x, cosines, sines, mask):
            x = x + self.attention(self.norm1(x), cosines, sines, mask)
            y, balance = self.mixture(self.norm2(x))
            return x + y, balance

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm = RmsNorm()
            head = WIDTH // HEADS
            frequencies = 10000.0 ** (-torch.arange(0, head, 2).float() / head)
            angles = torch.outer(torch.arange(SEQUENCE).float(), frequencies)
            angles = torch.cat((angles, angles), dim=-1)
            self.register_buffer("cosines", angles.cos())
            self.register_buffer("sines", angles.sin())
            self.register_buffer("mask", torch.full((SEQUENCE, SEQUENCE), -math.inf).triu(1))
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.02)

        def forward(self, ids, targets):
            x = self.embedding(ids)
            balance = 0.0
            for block in self.blocks:
                x, term = block(x, self.cosines, self.sines, self.mask)
                balance = balance + term / LAYERS
            logits = functional.linear(self.norm(x), self.embedding.weight)
            loss = functional.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))
            return loss, balance

    return Decoder()


def peer_worker(threads):
    torch, about = peers.prepare_torch(threads)
    model = make_model(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    tokens = torch.randint(0, VOCABULARY, (BATCH, SEQUENCE + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss, balance = model(tokens[:, :-1], tokens[:, 1:])
        (loss + balance).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    def round_of_work():
        for _ in range(STEPS_OF_A_ROUND):
            loss = step()
        return {"loss": loss}

    round_of_work()
    peers.serve(round_of_work, about=about)


def make_cases(build, threads):
    tokens_per_second = lambda answer: BATCH * SEQUENCE * STEPS_OF_A_ROUND / answer["seconds"]
    return [
        peers.Case(
            name="training step, 6 layers, 16 experts, top-2",
            unit="tokens/s",
            ours=[build / "bench" / "bench_train_step", STEPS_OF_A_ROUND],
            peer=[peers.peer_python(), __file__, "--worker", threads],
            value=tokens_per_second,
            higher_is_better=True,
            at_least=3.5,
            extra=[
                ("  peak memory of the process", "MiB", lambda answer: answer["peak_memory_bytes"] / 2**20, False),
                ("  loss after as many steps", "nats", lambda answer: answer["loss"], False),
            ],
        )
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        peer_worker(int(sys.argv[2]))
    else:
        peers.compare_all(__doc__.split("\n")[0], make_cases)
