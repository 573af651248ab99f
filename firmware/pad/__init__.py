"""The rating pad: what runs on the device, and the wire it shares with the host."""

VERSION = "0.1.0"
