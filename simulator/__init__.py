"""The simulated branch: the real kiosk and the real branch server, simulated people and devices
around them.
"""
