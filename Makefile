# evosr: bare `make` prints the targets.

GO       ?= go
BIN      := bin/evosr
CONFIG   ?= configs/quickstart.yaml
RUN_DIR  ?= runs/quickstart
FUZZTIME ?= 30s
BENCH    ?= .
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/evosr
	$(GO) build -o $(BIN) ./cmd/evosr

.PHONY: run
run: build ## the main job: train, profile, search, finish winners, report (minutes)
	$(BIN) run $(CONFIG) --dir $(RUN_DIR)

.PHONY: result
result: ## the README's pictures, from the run of make run
	cp $(RUN_DIR)/before-after.png docs/result.png
	cp $(RUN_DIR)/front.svg docs/front.svg

.PHONY: test
test: ## all tests
	$(GO) test ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck, house rules
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test ./internal/lint

.PHONY: vet-cross
vet-cross: ## vet for Windows and macOS
	GOOS=windows GOARCH=amd64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...

.PHONY: noasm
noasm: ## the kernels without assembly, and the build for arm64
	$(GO) test -short -tags noasm ./internal/kernel/... ./sparse ./supernet
	GOARCH=arm64 $(GO) build ./...

# Needs qemu-aarch64 (Debian: qemu-user) unless the machine is an arm64 itself.
QEMU_ARM64 ?= $(if $(filter arm64,$(shell $(GO) env GOHOSTARCH)),env,qemu-aarch64)

.PHONY: arm64
arm64: ## the NEON kernels and the runtime on them, under qemu-aarch64
	GOARCH=arm64 $(GO) vet ./internal/kernel/...
	@if command -v $(QEMU_ARM64) >/dev/null; then \
	  set -x; GOARCH=arm64 $(GO) test -short -exec $(QEMU_ARM64) ./internal/kernel/... ./sparse; \
	elif [ -n "$(CI)" ]; then \
	  echo "arm64: $(QEMU_ARM64) is not installed (Debian: qemu-user)" >&2; exit 1; \
	else \
	  echo "arm64: $(QEMU_ARM64) is not installed (Debian: qemu-user): the tests did not run" >&2; \
	fi
	cd internal/kernel/_gen && $(GO) test .

# A static program: copy it to the device, run it there, bring the YAML back.
.PHONY: profile-arm64
profile-arm64: ## bin/evosr-arm64, which measures a phone or board: there, ./evosr-arm64 profile -o phone.yaml
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '-s -w' -o bin/evosr-arm64 ./cmd/evosr
	@if command -v $(QEMU_ARM64) >/dev/null; then \
	  set -x; $(QEMU_ARM64) ./bin/evosr-arm64 profile --config smoke --size 32x24 --threads 1 --seconds 1 -o bin/profile-arm64.yaml && grep -q 'kernels: neon' bin/profile-arm64.yaml; \
	elif [ -n "$(CI)" ]; then \
	  echo "profile-arm64: $(QEMU_ARM64) is not installed (Debian: qemu-user)" >&2; exit 1; \
	else \
	  echo "profile-arm64: $(QEMU_ARM64) is not installed (Debian: qemu-user): the program was not tried" >&2; \
	fi

.PHONY: generate
generate: ## write the generated files again
	$(GO) generate ./...

.PHONY: generate-check
generate-check: generate ## fail when a generated file is not current
	git diff --exit-code -- '*.s' '*_gen.go' '*_amd64.go' '*_arm64.go' configs/schema.json

.PHONY: bench
bench: ## benchmarks of the kernels, the runtime and training (docs/numbers.md)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1s ./internal/kernel/... ./sparse ./supernet ./evolve ./imaging ./fitness

.PHONY: bench-rivals
bench-rivals: ## the runtime beside other ones on the same files, with the machine's limits (11 minutes, quiet machine)
	$(MAKE) -C bench rivals

.PHONY: bench-train
bench-train: ## a training step beside PyTorch's (needs a Python with PyTorch: PYTHON=...; about a minute, quiet machine)
	$(MAKE) -C bench training

.PHONY: bench-search
bench-search: ## our search beside eaopt's algorithms on ZDT1-3 and DTLZ2 (a minute)
	cd bench/search && $(GO) run .

MODES       ?= joint staged random
MODE_SEEDS  ?= 1 2 3 4 5
MODE_BUDGET ?= 600
MODE_FROM   ?= pretrained
MODE_DIR    ?= runs/modes

.PHONY: bench-modes
bench-modes: build ## every mode of search with five seeds on the pretrained x2 supernet, compared
	bench/modes/run.sh $(BIN) $(MODE_DIR) $(MODE_FROM) "$(MODES)" "$(MODE_SEEDS)" $(MODE_BUDGET)

.PHONY: soak-kill
soak-kill: ## 200 times kill -9 at random moments: every run ends with the same front
	EVOSR_KILLS=200 $(GO) test -count=1 -timeout 60m -v -run '^TestKill$$' ./runner

.PHONY: node-deps
node-deps: ## ONNX Runtime for the tests that need an independent toolchain
	npm ci --ignore-scripts --no-audit --no-fund --prefix onnx/nodecheck

# Needs npm and Chromium (Debian: chromium); installs 150 MB.
.PHONY: browser-check
browser-check: ## an exported network in ONNX Runtime in a headless browser
	npm ci --ignore-scripts --no-audit --no-fund --prefix onnx/browsercheck
	EVOSR_REQUIRE_BROWSER=1 $(GO) test ./onnx -run '^TestBrowser$$' -count=1 -v

# Needs npm and Chromium (Debian: chromium). SHOTS=DIR keeps screenshots.
.PHONY: test-page
test-page: ## the report and the live page in a headless browser: plots, cards, sliders, axe (two minutes)
	@if ! command -v npm >/dev/null; then echo "test-page: npm is not installed: the pages were not looked at" >&2; exit 0; fi; \
	set -xe; npm ci --ignore-scripts --no-audit --no-fund --prefix serve/browsercheck; \
	EVOSR_REQUIRE_BROWSER=1 EVOSR_SHOTS=$(SHOTS) $(GO) test ./serve -run '^TestBrowser$$' -count=1 -v

DIST   ?= dist
TARGET ?=

.PHONY: release
release: ## dist/: archives, Debian packages, SBOMs, SHA256SUMS for seven platforms (15 minutes the first time)
	cd release && $(GO) run . -out $(abspath $(DIST)) $(if $(TARGET),-only $(TARGET))

.PHONY: release-check
release-check: ## whether two builds of a release have the same bytes (TARGET=linux-amd64: of one platform)
	TARGET=$(TARGET) release/check.sh

# Every fuzz target of every room, one after another.
.PHONY: fuzz
fuzz: ## fuzz every reader of a file, FUZZTIME each
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; done

.PHONY: clean
clean: ## remove build outputs and runs
	rm -rf bin runs dist
