"""Makes masters.weights, what masters.lam trains: after 150 and 400 steps, each element of its weights when updates are rounded to bf16
at random. The numbers are computed here by hand: Philox 4x32-10 as in Salmon et al., "Parallel random numbers" (SC 2011), and a
rounding on the bits of a float32. Nothing of Lamella's takes part. The script also says what rounding to nearest would do.

  python3 tests/golden/masters.py        (no packages)
"""
import os
import struct

here = os.path.dirname(os.path.abspath(__file__))
SEED, HIDDEN, FEATURES, RATE = 5, 16, 4, 2.0**-11
INPUT = [1.0, 0.5, 0.25, -1.0]
MASK = 0xFFFFFFFF


def philox(counter, key):
    counter, key = list(counter), list(key)
    for _ in range(10):
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [second >> 32 ^ counter[1] ^ key[0], second & MASK, first >> 32 ^ counter[3] ^ key[1], first & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return counter


# From the file of known answers of Random123, Salmon's library.
assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def uniform(stream, step, element):
    """The manual's draw: the counter is (step, example, element), the key (seed, stream), and 24 bits are used."""
    return (philox([step, 0, element & MASK, element >> 32], [SEED, stream])[0] >> 8) / 2.0**24


def stream_of(path):  # FNV-1a
    number = 2166136261
    for byte in path.encode():
        number = (number ^ byte) * 16777619 & MASK
    return number


def rounded(number, share):
    """To bf16, away from zero where `share` is less than the share of a step that `number` is past the last one."""
    bits = struct.unpack("<I", struct.pack("<f", number))[0]
    kept = bits & 0xFFFF0000
    if share < (bits & 0xFFFF) / 65536:
        kept += 0x10000
    return struct.unpack("<f", struct.pack("<I", kept))[0]


def main():
    lines = []
    for name, begin in ("up", 1.5), ("down", -1.75):
        stream = stream_of(name + "/rounding")
        weights = [begin] * (HIDDEN * FEATURES)
        nearest = list(weights)
        for step in range(1, 401):
            for i in range(len(weights)):
                change = RATE * INPUT[i % FEATURES]
                weights[i] = rounded(weights[i] - change, uniform(stream, step, i))
                nearest[i] = rounded(nearest[i] - change, 0.5)
            if step in (150, 400):
                lines.append(f"{step} {name} {' '.join(f'{w:.9g}' for w in weights)}\n")
        assert nearest == [begin] * len(weights)
    open(os.path.join(here, "masters.weights"), "w").writelines(lines)


main()
