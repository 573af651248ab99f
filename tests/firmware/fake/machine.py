# A machine for firmware.pad.board on the unix port: pins that a script can pull to ground.
time = __import__("time")
io = __import__("io")
pins: "dict[int, Pin]" = {}
tones: "list[int]" = []
screen: "list[bytes]" = []


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2

    def __init__(self, number, mode=OUT, pull=None, value=None):
        if number in pins:
            raise ValueError("GP" + str(number) + " is in use")
        if mode == Pin.IN and pull != Pin.PULL_UP:
            raise ValueError("GP" + str(number) + " would float")
        self.level = 1 if mode == Pin.IN else value
        self.changes = []
        pins[number] = self

    def value(self, level=None):
        if level is not None:
            self.level = level
            self.changes.append(level)
        return self.level


class PWM:
    def __init__(self, pin):
        self.pin = pin
        self.hz = 0

    def freq(self, hz):
        self.hz = hz

    def duty_u16(self, duty):
        tones.append(self.hz if duty else 0)


class I2C:
    def __init__(self, bus, scl, sda, freq):
        pass

    def scan(self):
        return [0x3C]

    def writeto(self, address, data):
        screen.append(bytes(data))


uarts: "list[UART]" = []


class UART(io.IOBase):  # type: ignore[misc, name-defined]
    # One wire with a driver that a pin switches on; bytes take their time to leave.
    def __init__(self, number, baudrate, tx, rx, txbuf, rxbuf, timeout):
        if number != 0 or pins.get(0) is not tx or pins.get(1) is not rx:
            raise ValueError("UART0 of this board is on GP0 and GP1")
        uarts.append(self)
        self.baud = baudrate
        self.room = txbuf
        self.size = rxbuf
        self.incoming = bytearray()
        self.overruns = 0
        self.sent = []  # (bytes, level of the direction pin as they began)
        self.released = []  # whether the driver was on as the last byte left
        self.left_ms = 0

    def hear(self, data):
        room = self.size - len(self.incoming)
        self.overruns += max(len(data) - room, 0)
        self.incoming += data[:room]

    def any(self):
        return len(self.incoming)

    def readinto(self, buffer, size):
        count = min(size, len(self.incoming))
        buffer[:count] = self.incoming[:count]
        self.incoming = self.incoming[count:]
        return count or None

    def write(self, data):
        taken = data[: self.room]
        self.sent.append((bytes(taken), pins[7].level))
        self.left_ms = len(taken) * 10_000 // self.baud + 1
        return len(taken) or None

    def txdone(self):
        # Whoever waits for the last byte lets time pass.
        if self.left_ms:
            self.left_ms -= 1
            time.passed[0] += 1
            if not self.left_ms:
                self.released.append(pins[7].level)
        return not self.left_ms

    def ioctl(self, request, argument):
        return 0


def unique_id():
    return b"\xe6\x61\x38\x52\x83\x43"


class WDT:
    fed = 0

    def __init__(self, timeout):
        if not 1 <= timeout <= 8388:
            raise ValueError("the RP2040 has no such watchdog")

    def feed(self):
        WDT.fed += 1


resets: "list[int]" = []


def reset():
    resets.append(1)


PWRON_RESET = 1
WDT_RESET = 3


def reset_cause():
    return PWRON_RESET
