#!/usr/bin/env python3
"""What random jobs cost by SCOW's formula, worked out with decimals and fractions and nothing of Soke's.

    price.py SEED COUNT

Each line is one job and its price, between spaces: the strategy, the unit price, the decimals that amounts and prices
keep, the least charge, the job's cores, GPUs, memory in MB and seconds, the partition's cores, GPUs and memory in MB,
and the price; `overflow` where 64 bits of ten-thousandths cannot hold it.
"""

import random
import sys
from decimal import ROUND_FLOOR, Context, Decimal, setcontext
from fractions import Fraction
from math import ceil

setcontext(Context(prec=120))

STRATEGIES = ["gpu", "cpusAlloc", "max-gpu-cpusAlloc", "max-cpusAlloc-mem"]
MOST = 2**63 - 1


def amount(strategy, cpus, gpus, memory, cores, all_gpus, all_memory):
    """How much of the machine the job counts with."""
    if strategy == "gpu":
        return gpus
    if strategy == "cpusAlloc":
        return cpus
    if strategy == "max-gpu-cpusAlloc":
        share = 0 if all_gpus == 0 else ceil(cpus / Fraction(cores, all_gpus))
        return max(gpus, share)
    return max(cpus, ceil(memory / Fraction(all_memory, cores)))


def round_down(value, decimals):
    """Cuts off behind so many decimals."""
    return value.scaleb(decimals).to_integral_value(ROUND_FLOOR).scaleb(-decimals)


def round_half_ceil(value, decimals):
    """Rounds to so many decimals, halves towards positive infinity."""
    return (value.scaleb(decimals) + Decimal("0.5")).to_integral_value(ROUND_FLOOR).scaleb(-decimals)


def price(count, seconds, unit, decimals, least):
    """The three steps."""
    # A division that does not come out is cut far behind the last decimal that is kept.
    hours = round_down(Decimal(count) * Decimal(seconds) / Decimal(3600), decimals)
    if unit > 0 and seconds > 0:
        exact = unit * hours
        return round_half_ceil(exact, decimals) if exact > least else least
    return Decimal(0)


def ten_thousandths(value):
    """A number of ten-thousandths as a decimal."""
    return Decimal(value).scaleb(-4)


def usual(rng):
    """A job as clusters have them."""
    cores = rng.choice([1, 7, 8, 24, 48, 96, 128, 1000, 4096])
    all_gpus = rng.choice([0, 0, 1, 3, 4, 8, 100])
    all_memory = rng.choice([1000, 1024, 63_999, 192_000, 257_655, 1_000_000])
    seconds = rng.choice([0, 1, 9, 18, 35, 36, 37, 59, 60, 360, 1800, 3599, 3600, 3601, 86_400, rng.randrange(10**6)])
    unit = rng.choice([0, 1, 50, 100, 400, 2500, 5000, 10_000, 12_345, rng.randrange(10**6)])
    return unit, rng.randrange(cores + 1), rng.randrange(all_gpus + 1), rng.randrange(all_memory + 1), seconds, cores, all_gpus, all_memory


def huge(rng):
    """A job as nobody has them."""
    word = lambda: rng.choice([rng.randrange(2 ** rng.randrange(1, 64)), 2**63, 2**64 - 1])
    return rng.randrange(2 ** rng.randrange(1, 64)), word(), word(), word(), word(), 1 + rng.randrange(2**40), word(), 1 + word() // 2


def main():
    rng = random.Random(int(sys.argv[1]))
    lines = []
    for number in range(int(sys.argv[2])):
        strategy = rng.choice(STRATEGIES)
        decimals = rng.randrange(5)
        least = rng.choice([0, 1, 50, 99, 100, 101, 150, 10_000])
        unit, cpus, gpus, memory, seconds, cores, all_gpus, all_memory = huge(rng) if number % 10 == 9 else usual(rng)
        count = amount(strategy, cpus, gpus, memory, cores, all_gpus, all_memory)
        cost = price(count, seconds, ten_thousandths(unit), decimals, ten_thousandths(least)).scaleb(4)
        assert cost == cost.to_integral_value()
        told = str(int(cost)) if cost <= MOST else "overflow"
        lines.append(
            f"{strategy} {unit} {decimals} {least} {cpus} {gpus} {memory} {seconds} {cores} {all_gpus} {all_memory} {told}"
        )
        if len(lines) == 1000:
            print("\n".join(lines))
            lines.clear()
    if lines:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
