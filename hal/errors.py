"""What can go wrong with a device, split by what the caller can do about it.

HalError
├── UnknownBackend     the configuration names a driver that does not exist: stop, fix the file
├── LinkUnavailable    the port or host cannot be opened: retry later, tell staff
├── LinkLost           an open link broke: close, open again
└── DeviceError
    ├── DeviceSilent   no answer in time: unplugged, off, or wrong speed
    ├── DeviceBusy     it answered: not now; come again later
    └── DeviceRefused  it answered, and said no (paper out, cover open, bad frame)
"""


class HalError(Exception):
    """Root of every error raised by hal."""


class UnknownBackend(HalError):
    """The registry has no such kind or backend; the message lists those that exist."""


class LinkUnavailable(HalError):
    """The link could not be opened; the message names the address and what to check."""


class LinkLost(HalError):
    """An open link broke or its far end went away."""


class DeviceError(HalError):
    """The device behind a working link did not do what was asked."""


class DeviceSilent(DeviceError):
    """The device did not answer within its time."""


class DeviceBusy(DeviceError):
    """The device does something that must not be disturbed; nothing was changed."""


class DeviceRefused(DeviceError):
    """The device answered that it cannot do it; the message says why in the operator's words."""
