# `make` explains itself. Cargo does the building and knows what is up to date; nothing here is a file.
.DEFAULT_GOAL := help
.PHONY: help demo scaled-demo run test check chaos bench

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Try the product on simulated accounts; ONCE=1 ends after the show
	cargo run --locked -p grok2api -- demo $(if $(ONCE),--once)

scaled-demo: ## Try many processes with PostgreSQL, Redis and a balancer; ONCE=1 ends after the show
	scripts/scaled-demo $(if $(ONCE),--once)

run: ## Build for production and serve (settings: ./grok2api.toml, GROK2API_*, ARGS=--help)
	cargo run --release --locked -p grok2api -- serve $(ARGS)

test: ## Check, then run all tests; installs missing tools and starts missing database servers
	scripts/test

check: ## Format, lints, documentation, dependencies, container file; runs no test
	scripts/check

chaos: ## Kill working processes 2,200 times and let the ledger judge (two hours); ARGS='100 20' for a short run
	scripts/chaos $(ARGS)

bench: ## Measure beside nginx with release builds; ARGS='--rounds 1 --workloads w1' for a short run
	cargo build --release --locked -p grok2api -p grok2api-bench
	target/release/grok2api-bench reserve --redis redis://127.0.0.1:6379
	target/release/grok2api-bench jobs
	target/release/grok2api-bench scale --gateway $(CURDIR)/target/release/grok2api
	target/release/grok2api-bench run --gateway $(CURDIR)/target/release/grok2api $(ARGS)
