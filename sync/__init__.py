"""Durable exchange between a device and its server: messages, journal, outbox, inbox, session,
MQTT.
"""
