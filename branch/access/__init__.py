"""Who may do what on the branch server's pages and API: roles, accounts, sessions, throttle."""
