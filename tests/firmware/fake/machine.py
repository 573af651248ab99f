# A machine for firmware.pad.board on the unix port: pins that a script can pull to ground.
pins: "dict[int, Pin]" = {}


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2

    def __init__(self, number, mode, pull=None, value=None):
        if number in pins:
            raise ValueError("GP" + str(number) + " is in use")
        if mode == Pin.IN and pull != Pin.PULL_UP:
            raise ValueError("GP" + str(number) + " would float")
        self.level = 1 if mode == Pin.IN else value
        pins[number] = self

    def value(self, level=None):
        if level is not None:
            self.level = level
        return self.level


def unique_id():
    return b"\xe6\x61\x38\x52\x83\x43"
