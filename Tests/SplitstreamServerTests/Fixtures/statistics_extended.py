"""Reference numbers for the analysis, beyond the public vectors and in their format.

    python3 statistics_extended.py > statistics_extended.json

Written apart from the Swift code, with other methods: 80-bit floats in the metric's
own coordinate (quadrature), 60-digit mpmath (sums and logarithms of Gamma functions), scipy (t and
normal distributions, orders of magnitude less demanding).
"""

import json
import platform

import mpmath as mp
import numpy as np
import scipy
import scipy.optimize
import scipy.stats

mp.mp.dps = 60
L = np.longdouble
assert np.finfo(L).eps < 2e-19, "80-bit floats are needed"


def gauss_legendre(count):
    nodes, _ = np.polynomial.legendre.leggauss(count)
    x = nodes.astype(L)
    for _ in range(4):
        before, value = np.ones(count, L), x.copy()
        for d in range(2, count + 1):
            before, value = value, ((2 * d - 1) * x * value - (d - 1) * before) / d
        slope = count * (x * value - before) / (x * x - 1)
        x = x - value / slope
    return x, 2 / ((1 - x * x) * slope * slope)


NODES, WEIGHTS = gauss_legendre(24)


def cumulative_matrix():
    """Integrals from -1 to node i of the interpolating polynomial, as a matrix over the values."""
    count = len(NODES)
    legendre = [np.ones(count, L), NODES.copy()]
    for d in range(2, count + 1):
        legendre.append(((2 * d - 1) * NODES * legendre[-1] - (d - 1) * legendre[-2]) / d)
    matrix = np.zeros((count, count), L)
    for d in range(count):
        integral = NODES + 1 if d == 0 else (legendre[d + 1] - legendre[d - 1]) / (2 * d + 1)
        matrix += np.outer(integral, WEIGHTS * legendre[d] * (2 * d + 1) / 2)
    return matrix


CUMULATE = cumulative_matrix()


class Beta:
    """Beta(1+k, 1+n-k) as a density on the rate."""

    def __init__(self, n, k):
        self.n, self.k = L(n), L(k)
        a, b = self.k + 1, self.n - self.k + 1
        self.mean = a / (a + b)
        self.sd = np.sqrt(a * b / (a + b + 1)) / (a + b)
        self.support = (L(0), L(1))
        self.mode = L(0.5) if n == 0 else self.k / self.n

    def log_density(self, x):
        m, k, r = self.mode, self.k, self.n - self.k
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(k > 0, k * np.log1p((x - m) / m), 0) if k > 0 else 0
            right = r * np.log1p(-(x - m) / (1 - m)) if r > 0 else 0
        return left + right

    def far(self):
        return 1


class Student:
    def __init__(self, nu, location, scale):
        self.nu, self.mean, self.sd = L(nu), L(location), L(scale)
        self.support = (L(-np.inf), L(np.inf))

    def log_density(self, x):
        z = (x - self.mean) / self.sd
        return -(self.nu + 1) / 2 * np.log1p(z * z / self.nu)

    def far(self):
        # Beyond it the tail holds less than 1e-19.
        return self.sd * max(L(60), L(10) ** (20 / self.nu))


class Moved:
    """The distribution of (x - shift)/factor: P(theta >= factor*c + shift) = P(Moved >= c)."""

    def __init__(self, inner, factor, shift):
        self.inner, self.factor, self.shift = inner, L(factor), L(shift)
        self.mean, self.sd = (inner.mean - self.shift) / self.factor, inner.sd / self.factor
        self.support = tuple((s - self.shift) / self.factor for s in inner.support)

    def log_density(self, x):
        return self.inner.log_density(self.factor * x + self.shift)

    def far(self):
        return self.inner.far() / self.factor


def breaks(arm):
    low, high = arm.support
    points = [] if np.isinf(low) else [low, high]
    for sign in (-1, 1):
        step, at = L(1), L(0)
        while True:
            point = arm.mean + sign * at * arm.sd
            if point <= low or point >= high or at * arm.sd > arm.far():
                break
            points.append(point)
            at += step
            if at > 12:
                step *= L(1.35)
    return points


class Grid:
    """All arms tabulated on one set of panels: density, mass below, mass above."""

    def __init__(self, arms):
        edges = np.unique(np.array([p for arm in arms for p in breaks(arm)], L))
        half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
        self.edges, self.half = edges, half
        self.x = middle[:, None] + half[:, None] * NODES[None, :]
        self.weights = half[:, None] * WEIGHTS[None, :]
        self.density, self.below, self.above = [], [], []
        for arm in arms:
            low, high = arm.support
            inside = (self.x > low) & (self.x < high)
            density = np.zeros_like(self.x)
            density[inside] = np.exp(arm.log_density(self.x[inside]))
            panel = (density * self.weights).sum(axis=1)
            total = panel.sum()
            density, panel = density / total, panel / total
            part = (density @ CUMULATE.T) * half[:, None]
            before = np.concatenate([[L(0)], np.cumsum(panel)[:-1]])
            after = np.concatenate([np.cumsum(panel[::-1])[::-1][1:], [L(0)]])
            self.density.append(density)
            self.below.append(before[:, None] + part)
            self.above.append(after[:, None] + (panel[:, None] - part))


def best(arms, higher):
    grid = Grid(arms)
    below, above = (grid.below, grid.above) if higher else (grid.above, grid.below)
    probabilities, losses = [], []
    for i in range(len(arms)):
        others = [j for j in range(len(arms)) if j != i]
        product, complement = np.ones_like(grid.x), np.zeros_like(grid.x)
        for j in others:
            complement = complement + product * above[j]
            product = product * below[j]
        probabilities.append(float((grid.weights * grid.density[i] * product).sum()))
        losses.append(float((grid.weights * below[i] * complement).sum()))
    return probabilities, losses


def quantile(arm, p):
    grid = Grid([arm])
    mass = (grid.density[0] * grid.weights).sum(axis=1)
    total = np.cumsum(mass)
    panel = int(np.searchsorted(total, L(p)))
    rest = L(p) - (total[panel - 1] if panel else L(0))
    # On one panel: Newton on the interpolated integral, density from the arm itself.
    norm = np.exp(arm.log_density(grid.x[panel]))
    factor = mass[panel] / ((norm * WEIGHTS).sum() * grid.half[panel])
    low, high = grid.edges[panel], grid.edges[panel + 1]
    start = low
    for _ in range(200):
        middle = (low + high) / 2
        half = (middle - start) / 2
        part = (np.exp(arm.log_density(start + half * (1 + NODES))) * WEIGHTS).sum() * half * factor
        low, high = (middle, high) if part < rest else (low, middle)
    return float((low + high) / 2)


def prob_at_least(treatment, control, factor=1, shift=0):
    return best([control, Moved(treatment, factor, shift)], True)[0][1]


def difference_interval(treatment, control):
    ends = []
    for p in (0.025, 0.975):
        guess = float(treatment.mean - control.mean)
        sd = float(np.hypot(treatment.sd, control.sd))
        f = lambda d: (1 - p) - prob_at_least(treatment, control, 1, d)
        ends.append(scipy.optimize.brentq(f, guess - 9 * sd, guess + 9 * sd, xtol=1e-17, rtol=1e-14))
    return ends


def binary_snapshot(counts, higher=True):
    arms = [Beta(n, k) for n, k in counts]
    # Rates near 1 are computed as their complements near 0.
    if all(k * 2 > n for n, k in counts):
        flipped = [Beta(n, n - k) for n, k in counts]
        probabilities, losses = best(flipped, not higher)
        intervals = [[1 - quantile(a, 0.975), 1 - quantile(a, 0.025)] for a in flipped]
    else:
        probabilities, losses = best(arms, higher)
        intervals = [[quantile(a, 0.025), quantile(a, 0.975)] for a in arms]
    return {
        "input": {"arms": [{"n": n, "conversions": k} for n, k in counts], "higher_is_better": higher},
        "expected": {
            "posterior_mean": [(1 + k) / (2 + n) for n, k in counts],
            "credible_interval_95": intervals,
            "prob_best": probabilities,
            "expected_loss": losses,
            "observed_rate": [k / n if n else 0.0 for n, k in counts],
        },
    }


def moments(n, s, ss):
    n, s, ss = mp.mpf(n), mp.mpf(s), mp.mpf(ss)
    mean = s / n if n else mp.mpf(0)
    return n, mean, max(mp.mpf(0), (ss - s * s / n) / (n - 1)) if n > 1 else mp.mpf(0)


def students(sums, origin=0):
    """The posteriors of means, around `origin`."""
    m = [moments(*s) for s in sums]
    total = sum(n for n, _, _ in m)
    m0 = sum(n * y for n, y, _ in m) / total
    s0 = sum(max(n - 1, 0) * v + n * (y - m0) ** 2 for n, y, v in m) / (total - 1)
    arms = []
    for n, y, v in m:
        gap = y - m0 if n else mp.mpf(0)
        nu = 3 + n
        scale = mp.sqrt((3 * s0 + max(n - 1, 0) * v + n / (1 + n) * gap**2) / nu / (1 + n))
        arms.append((nu, m0 + n / (1 + n) * gap, scale))
    base = m0 if origin is None else origin
    to_long = lambda x: L(mp.nstr(x, 25))
    return float(base), base, [Student(to_long(nu), to_long(loc - base), to_long(sc)) for nu, loc, sc in arms], arms


def mean_snapshot(sums, higher=True):
    _, base, arms, exact = students(sums, None)
    probabilities, losses = best(arms, higher)
    intervals = []
    for nu, location, scale in exact:
        half = mp.mpf(float(scipy.stats.t.isf(0.025, float(nu)))) * scale
        intervals.append([float(location - half), float(location + half)])
    return {
        "input": {
            "arms": [{"n": n, "sum": s, "sum_squares": q} for n, s, q in sums],
            "higher_is_better": higher,
        },
        "expected": {
            "posterior_mean": [float(location) for _, location, _ in exact],
            "credible_interval_95": intervals,
            "prob_best": probabilities,
            "expected_loss": losses,
            "observed_rate": [float(moments(*s)[1]) for s in sums],
        },
        "scale": max(float(scale) for _, _, scale in exact),
    }


def lift_binary(control, treatment, relative):
    c, t = Beta(*control), Beta(*treatment)
    name = lambda arm: {"n": arm[0], "conversions": arm[1]}
    return {
        "input": {"control": name(control), "treatment": name(treatment), "relative_lift": relative},
        "expected": {
            "prob_lift_at_least": prob_at_least(t, c, L(1) + L(relative)),
            "difference_interval_95": difference_interval(t, c),
        },
    }


def lift_mean(control, treatment, relative):
    _, _, (c, t), _ = students([control, treatment], mp.mpf(0))
    name = lambda arm: {"n": arm[0], "sum": arm[1], "sum_squares": arm[2]}
    return {
        "input": {"control": name(control), "treatment": name(treatment), "relative_lift": relative},
        "expected": {
            "prob_lift_at_least": prob_at_least(t, c, L(1) + L(relative)),
            "difference_interval_95": difference_interval(t, c),
        },
        "scale": float(c.sd + t.sd),
    }


def log_mixture(counts, shares, concentration):
    total = sum(counts)
    value = mp.loggamma(concentration) - mp.loggamma(concentration + total)
    for n, p in zip(counts, shares):
        value += mp.loggamma(concentration * p + n) - mp.loggamma(concentration * p) - n * mp.log(p)
    return value


def srm(phases):
    chi, df, log_e = mp.mpf(0), 0, mp.mpf(0)
    telling = []
    for weights, counts in phases:
        live = [i for i, w in enumerate(weights) if w]
        if len(live) > 1 and sum(counts[i] for i in live):
            w = [mp.mpf(weights[i]) for i in live]
            telling.append(([x / sum(w) for x in w], [counts[i] for i in live]))
    good = [(p, n) for p, n in telling if min(sum(n) * x for x in p) >= 5]
    for p, n in good or telling:
        chi += sum((o - sum(n) * x) ** 2 / (sum(n) * x) for o, x in zip(n, p))
        df += len(p) - 1
    for p, n in telling:
        log_e += log_mixture(n, p, mp.mpf(10000))
    p_value = mp.gammainc(mp.mpf(df) / 2, chi / 2, mp.inf, regularized=True) if df else None
    sequential = min(mp.mpf(1), mp.exp(-log_e))
    warning = sequential <= 0.001 or (bool(good) and p_value < 0.001)
    return {
        "input": {"phases": [{"weights": w, "counts": n} for w, n in phases]},
        "expected": {
            "chi_squared": float(chi) if df else None,
            "df": df,
            "p_value": float(p_value) if df else None,
            "log_e": float(log_e),
            "sequential_p": float(sequential),
            "reliable": bool(good),
            "warning": bool(warning),
        },
    }


def evalue_binary(wc, wt, kc, kt, mde):
    t = mp.mpf(wt) / (wc + wt)
    concentrations, parts = [], []
    for r in (mde, 5 * mp.mpf(mde), 25 * mp.mpf(mde)):
        c = min(max(1 / (t * (1 - t) * mp.mpf(r) ** 2) - 1, mp.mpf(10)), mp.mpf(10) ** 7)
        concentrations.append(float(c))
        parts.append(log_mixture([kc, kt], [1 - t, t], c))
    log_e = mp.log(sum(mp.exp(p) for p in parts) / 3)
    return {
        "input": {
            "weight_control": wc, "weight_treatment": wt, "converters_control": kc,
            "converters_treatment": kt, "minimum_detectable_effect": mde,
        },
        "expected": {
            "concentrations": concentrations,
            "log_e": float(log_e),
            "p_value": float(min(mp.mpf(1), mp.exp(-log_e))),
        },
    }


def welch(c, t):
    (mc, vc, nc), (mt, vt, nt) = c, t
    a, b = mp.mpf(vc) / nc, mp.mpf(vt) / nt
    v = a + b
    df = v**2 / (a**2 / (nc - 1) + b**2 / (nt - 1))
    diff, se = mp.mpf(mt) - mc, mp.sqrt(v)
    q = mp.mpf(float(scipy.stats.t.isf(0.025, float(df))))
    p = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + (diff / se) ** 2), regularized=True)
    relative = diff / mc
    relative_se = mp.sqrt(mp.mpf(vt) / nt / mp.mpf(mc) ** 2 + mp.mpf(vc) / nc * mp.mpf(mt) ** 2 / mp.mpf(mc) ** 4)
    return {
        "input": {
            "mean_control": mc, "variance_control": vc, "n_control": nc,
            "mean_treatment": mt, "variance_treatment": vt, "n_treatment": nt,
        },
        "expected": {
            "diff": float(diff), "se": float(se), "t": float(diff / se), "df": float(df),
            "p_value": float(p), "ci": [float(diff - q * se), float(diff + q * se)],
            "relative_lift": float(relative), "relative_se": float(relative_se),
            "relative_ci": [float(relative - q * relative_se), float(relative + q * relative_se)],
        },
    }


def main():
    even = lambda n, k, count, step: [(n, k + step * i) for i in range(count)]
    cases = {
        "binary_snapshot": [
            binary_snapshot([(n, k), (n, k)]) for n, k in [(1, 0), (2, 1), (100, 0), (100, 100), (10**6, 0)]
        ] + [
            binary_snapshot([(0, 0), (10**9, 10**8)]),
            binary_snapshot([(0, 0), (10**9, 0)]),
            binary_snapshot([(10**9, 10**9), (10**9, 10**9 - 3)]),
            binary_snapshot([(10**9, 1), (10**9, 4), (10**9, 0)]),
            binary_snapshot([(10**9, 500000000), (10**9, 500030000)], False),
            binary_snapshot([(10**9, 999990000), (10**9, 999990200), (10**8, 99999010)]),
            binary_snapshot([(1, 1), (10, 4), (1000, 480), (10**5, 50100), (10**7, 5 * 10**6), (10**9, 500040000)]),
            binary_snapshot([(1, 1), (10, 4), (1000, 480), (10**5, 50100), (10**7, 5 * 10**6)], False),
            binary_snapshot([(3, 0), (50, 1), (20000, 150), (10**6, 7900)]),
            binary_snapshot([(20000, 2000)]),
            binary_snapshot([(20000, 2000), (20000, 2160)]),
            binary_snapshot([(44700, 8502), (45489, 8279)]),
            binary_snapshot(even(20000, 2000, 20, 0)),
            binary_snapshot(even(20000, 2000, 20, 11)),
            binary_snapshot(even(0, 0, 20, 0)),
            binary_snapshot([(10 ** (i // 3 + 1), 10 ** (i // 3 + 1) // (5 + i % 3)) for i in range(20)]),
            binary_snapshot(even(7, 0, 8, 1), False),
        ],
        "mean_snapshot": [
            mean_snapshot([(1, 3.0, 9.0), (1, 5.0, 25.0)]),
            mean_snapshot([(0, 0.0, 0.0), (0, 0.0, 0.0), (2, 10.0, 60.0)]),
            mean_snapshot([(5, 4.5, 8.25), (2000, 2110.0, 5500.5), (10**6, 1050000.0, 3000000.0)]),
            mean_snapshot([(10**9, 4.0e9, 9.0e10), (10**9, 4.0002e9, 9.1e10), (1000, 4100.0, 90000.0)], False),
            mean_snapshot([(4000, 400000.0, 40004000.0), (4000, 400100.0, 40024000.0)]),
            mean_snapshot([(300, -900.0, 9000.0), (310, -880.0, 9100.0)]),
            mean_snapshot([(20, 30.0 + i, 120.0 + 4 * i) for i in range(20)]),
        ],
        "lift_binary": [
            lift_binary((0, 0), (0, 0), 0.0),
            lift_binary((5, 0), (5, 5), 0.5),
            lift_binary((1000, 980), (1000, 990), 0.01),
            lift_binary((1000, 0), (1000, 3), 0.02),
            lift_binary((44700, 8502), (45489, 8279), 0.0),
            lift_binary((20000, 2000), (100, 13), 0.1),
            lift_binary((100, 13), (10**8, 10**7), -0.5),
            lift_binary((10**9, 10**8), (10**9, 100020000), 0.0001),
            lift_binary((20, 10), (10**9, 5 * 10**8), 1.0),
        ],
        "lift_mean": [
            lift_mean((100, 100.0, 496.0), (120, 156.0, 797.8), 0.1),
            lift_mean((2, 4.0, 10.0), (3, 5.0, 12.0), 0.0),
            lift_mean((10**6, 2.5e6, 3.6e7), (10**6, 2.51e6, 3.7e7), 0.002),
        ],
        "srm": [
            srm([([50, 50], [10**9, 10**9 + 100000])]),
            srm([([34, 33, 33], [340100, 329800, 330100])]),
            srm([([1, 99], [9, 1003])]),
            srm([([1, 99], [1, 60])]),
            srm([([50, 50], [5000, 5300]), ([90, 10], [40, 2])]),
            srm([([5] * 20, [1000 + 7 * i for i in range(20)])]),
            srm([([100, 0], [300, 0]), ([50, 50], [150, 160])]),
            srm([([90, 10], [900000000, 100030000])]),
        ],
        "evalue_binary": [
            evalue_binary(50, 50, 0, 40, 0.02),
            evalue_binary(99, 1, 40, 3, 0.5),
            evalue_binary(1, 99, 4, 300, 0.05),
            evalue_binary(50, 50, 10**8, 10**8 + 50000, 0.0001),
            evalue_binary(70, 30, 7 * 10**6, 3 * 10**6 + 4000, 0.02),
        ],
        "welch": [
            welch((1.0, 2.0, 2), (2.0, 3.0, 2)),
            welch((10.0, 400.0, 5), (11.0, 0.01, 100000)),
            welch((3.0, 7.0, 10**9), (3.0003, 7.1, 10**9)),
            welch((3.0, 7.0, 50), (9.0, 7.1, 60)),
            welch((-4.0, 7.0, 50), (-4.5, 7.1, 60)),
            welch((5.0, 0.0, 10), (8.0, 2.0, 2)),
            welch((5.0, 0.1, 10), (8.0, 2.0, 2)),
        ],
    }
    vectors = []
    for fn, answers in cases.items():
        for index, answer in enumerate(answers, 1):
            scale = max(1.0, answer.pop("scale", 1.0))
            tolerance = {"abs": 2e-10 * scale, "rel": 1e-10}
            if fn == "binary_snapshot":
                # Five times tighter than the worst seen, which comes at 1e9 units.
                tolerance = {"abs": 1e-11, "rel": 0}
            vectors.append({"id": f"{fn}-x{index:02}", "fn": fn, **answer, "tolerance": tolerance})
    meta = {
        "command": "python3 statistics_extended.py > statistics_extended.json",
        "python": platform.python_version(), "numpy": np.__version__,
        "scipy": scipy.__version__, "mpmath": mp.__version__,
    }
    print(json.dumps({"meta": meta, "vectors": vectors}, indent=0, allow_nan=False))


main()
