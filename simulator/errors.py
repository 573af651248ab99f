"""What can go wrong in the simulator.

SimulatorError
├── MissingProgram   a program that the simulation needs is not installed: the message says how to
get it
├── NotStarted       a part did not come up in time; the message quotes its last words
└── BadInput         a file or an option that cannot be used
"""


class SimulatorError(Exception):
    """Root of every error raised by simulator."""


class MissingProgram(SimulatorError):
    """A program is not installed; the message names it and the command that installs it."""


class NotStarted(SimulatorError):
    """A part of the simulation did not come up."""


class BadInput(SimulatorError):
    """A file or an option that cannot be used; the message names file, line or option and what was
    expected.
    """
