#!/usr/bin/env python3
"""Writes gamma.json next to this file: three gamma experts at fixed parameters (log-likelihood, densities, posteriors and
gradients, by mpmath's differences in 40 digits) and the maximum of a mixture of two, with standard errors.

Run: python3 gamma.py. Needs numpy, scipy and mpmath. The maximum is found by L-BFGS on the plain likelihood from the truth and
40 random starts, its curvature by central differences.
"""
import json
import pathlib

import mpmath
import numpy
import scipy.optimize
import scipy.special

mpmath.mp.dps = 40
generator = numpy.random.default_rng(20)


def log_density(y, eta, theta):
    a = mpmath.exp(theta)
    return a * theta - mpmath.loggamma(a) - a * eta + (a - 1) * mpmath.log(y) - a * y / mpmath.exp(eta)


def fixture():
    n, k = 24, 3
    x = numpy.c_[numpy.ones(n), generator.normal(size=(n, 2))].round(4)
    y = generator.gamma(2.0, size=n).round(5) + 1e-4
    gate = numpy.r_[numpy.zeros((1, 3)), generator.normal(size=(k - 1, 3))].round(4)
    experts = numpy.c_[0.6 * generator.normal(size=(k, 3)), [-0.7, 1.1, 4.2]].round(4)

    def rows(flat):
        v = [[mpmath.mpf(0)] * 3] + [flat[3 * i : 3 * i + 3] for i in range(k - 1)]
        e = [flat[6 + 4 * i : 10 + 4 * i] for i in range(k)]
        prior, density, posterior, total = [], [], [], mpmath.mpf(0)
        for xn, yn in zip(x, y):
            dot = lambda b: sum(mpmath.mpf(float(a)) * c for a, c in zip(xn, b))
            w = [mpmath.exp(dot(b)) for b in v]
            w = [one / sum(w) for one in w]
            f = [log_density(mpmath.mpf(float(yn)), dot(b[:3]), b[3]) for b in e]
            joint = [a * mpmath.exp(b) for a, b in zip(w, f)]
            total += mpmath.log(sum(joint))
            prior.append([float(a) for a in w])
            density.append([float(a) for a in f])
            posterior.append([float(a / sum(joint)) for a in joint])
        return total, prior, density, posterior

    flat = [mpmath.mpf(float(value)) for value in numpy.r_[gate[1:].ravel(), experts.ravel()]]
    total, prior, density, posterior = rows(flat)
    step = mpmath.mpf(10) ** -12
    gradient = []
    for i in range(len(flat)):
        ahead, behind = list(flat), list(flat)
        ahead[i] += step
        behind[i] -= step
        gradient.append(float((rows(ahead)[0] - rows(behind)[0]) / (2 * step)))
    return {"X": x.tolist(), "y": y.tolist(), "gate_V": gate.tolist(), "expert_params": experts.tolist(), "logLik": float(total),
            "logf": density, "prior": prior, "posterior": posterior,
            "grad_logLik_gate": numpy.array(gradient[:6]).reshape(2, 3).tolist(),
            "grad_logLik_experts": numpy.array(gradient[6:]).reshape(3, 4).tolist()}


def maximum():
    n = 300
    x = generator.uniform(-2, 2, size=n).round(4)
    first = generator.random(n) < 1 / (1 + numpy.exp(-1.5 * x))
    mean = numpy.exp(numpy.where(first, 1.0 + 0.8 * x, 2.0 - 0.5 * x))
    shape = numpy.where(first, 3.0, 9.0)
    y = (generator.gamma(shape) * mean / shape).round(5)
    design = numpy.c_[numpy.ones(n), x]

    def loss(p):
        z = design @ p[:2]
        terms = []
        for k, log_w in ((0, -numpy.logaddexp(0, z)), (1, -numpy.logaddexp(0, -z))):
            b, theta = p[2 + 3 * k : 4 + 3 * k], p[4 + 3 * k]
            eta, a = design @ b, numpy.exp(theta)
            terms.append(log_w + a * theta - scipy.special.gammaln(a) - a * eta + (a - 1) * numpy.log(y) - a * y * numpy.exp(-eta))
        return -numpy.logaddexp(*terms).sum()

    truth = numpy.array([0, 1.5, 2.0, -0.5, numpy.log(9), 1.0, 0.8, numpy.log(3)])
    best = min((scipy.optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-7, "maxiter": 2000})
                for start in [truth] + [truth + generator.normal(size=8) for _ in range(40)]), key=lambda r: r.fun)
    at, h = best.x, 1e-4
    hessian = numpy.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            e, f = h * numpy.eye(8)[i], h * numpy.eye(8)[j]
            hessian[i, j] = (loss(at + e + f) - loss(at + e - f) - loss(at - e + f) + loss(at - e - f)) / (4 * h * h)
    errors = numpy.sqrt(numpy.diag(numpy.linalg.inv(hessian)))
    return {"x": x.tolist(), "y": y.tolist(), "logLik": -best.fun, "parameters": at.tolist(), "standard_errors": errors.tolist()}


if __name__ == "__main__":
    result = {"gamma": fixture(), "gamma_k2": maximum()}
    path = pathlib.Path(__file__).with_name("gamma.json")
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print(result["gamma_k2"]["logLik"], result["gamma_k2"]["parameters"])
