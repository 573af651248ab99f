# Lobby's commands. `make` alone lists them. Each one installs what it needs first (`make setup`).
SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
# What runs on every machine: no devices at hand, no long runs.
UNATTENDED := not hardware and not slow and not soak
# Bytecode is kept, whatever the shell wishes: each program that a test starts would compile all anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check golden bench prove fuzz soak docs

help: ## List these commands
	@echo 'Lobby: make COMMAND [ARGS="..."]'
	@sed -n 's/^\([a-z]*\):[^#]*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install what is missing: system packages, .venv, MicroPython
	@deploy/setup

demo: setup ## Play a branch with simulated people; ARGS="--headless --minutes 60 --speed 60"
	@$(BIN)/lobby demo $(ARGS)

test: setup ## Run the tests, two files at a time; ARGS="-k printer -x", "-n 0" for one at a time
	@$(BIN)/python -m pytest -m "$(UNATTENDED)" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## Format, lint, types, dependency contracts, spelling, licences, picture
	@deploy/check $(ARGS)

golden: setup ## Write the golden files anew; read the diff before you keep it
	@$(BIN)/python -m pytest -m "$(UNATTENDED)" --rewrite-golden tests/golden tests/unit tests/contract tests/firmware tests/ui/test_golden_screens.py $(ARGS)
	@git --no-pager diff --stat -- tests/golden

bench: setup ## Measure the promises of performance; ARGS="--report out/bench.json"
	@$(BIN)/lobby bench $(ARGS)

prove: setup ## Every proof in its short form; ARGS="out/proofs" for the reports
	@deploy/prove short $(or $(ARGS),out/proofs)

fuzz: setup ## Fuzz the pad's link by coverage; ARGS="600" for so many seconds
	@deploy/fuzz $(ARGS)

soak: setup ## Every proof in its long form and the long tests, by the hour
	@deploy/prove long out/soak
	@deploy/fuzz 3600
	@LOBBY_HYPOTHESIS=nightly $(BIN)/python -m pytest -m "(slow or soak) and not hardware" --timeout 0 $(ARGS); status=$$?; [ $$status = 5 ] || exit $$status

docs: setup ## Draw the pictures of docs/, the teller's page, and the visits
	@$(BIN)/python docs/draw_architecture.py docs/architecture.txt docs/architecture.svg
	@$(BIN)/python -m pytest -q --rewrite-golden tests/system/test_teller_pictures.py
	@$(BIN)/lobby prove visits --jobs 2 && $(BIN)/python -m simulator.prove.visits_page out/visits docs
