# The Pico's clock: ticks wrap at 2^30 ms. It starts LEFT_MS before the wrap and runs as the
# script says.
LEFT_MS = 3000
PERIOD = 1 << 30
passed = [0]  # ms, moved on by the script


def ticks_ms():
    return (PERIOD - LEFT_MS + passed[0]) % PERIOD


def ticks_diff(end, start):
    return ((end - start + PERIOD // 2) % PERIOD) - PERIOD // 2


def sleep_us(us):
    pass
