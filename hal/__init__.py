"""Hardware as the host sees it: protocols, byte links, drivers, and the devices at the far end of
the wire.
"""
