# Safelight's commands. `make run` and `make test` do all set-up themselves.

PYTHON ?= python3

.PHONY: run test bench fuzz dist setup-run setup-test setup-dist lint check check-gpu doc memcheck recipe-test screenshots

run: setup-run ## open the window on the built-in model
	cargo run --release --locked

test: setup-test lint check doc ## everything that must hold, headless

# What incremental compilation keeps is several times what it compiles: more than a small disk holds, and of no use
# to a suite that runs once.
test: export CARGO_INCREMENTAL = 0

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

check:
	cargo test --locked

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

check-gpu: ## that the program compiles with Metal, on Linux with CUDA too, without a GPU; CUDA takes half an hour
	packaging/gpu/check.sh

memcheck: ## the operations under valgrind, which knows no AVX-512: the AVX2 kernels run
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9" cargo test --locked --test operations -- --test-threads=1

bench: setup-test ## the operations, the previews, and every stage of a picture
	cargo bench --locked
	cargo run --release --locked -- bench

FUZZ_SECONDS ?= 30

fuzz: setup-test ## every reader of foreign bytes against made-up input, FUZZ_SECONDS each
	tests/fuzz/run.sh $(FUZZ_SECONDS)

dist: setup-dist ## what people download, for this system, in target/packages
	packaging/dist.sh

recipe-test: ## every stage of the built-in model's recipe at toy size
	cd assets/builtin-model && $(PYTHON) -m recipe.smoke

screenshots: setup-test ## remake the pictures of the window in README
	packaging/screenshots.sh

setup-run:
	packaging/setup.sh run

setup-test:
	packaging/setup.sh test

setup-dist:
	packaging/setup.sh dist
