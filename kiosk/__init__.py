"""The self-service kiosk: visitor flow, numbering, controller, window."""
