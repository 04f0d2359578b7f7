# make help lists what there is.
export CGO_ENABLED := 0
GO       ?= go
FUZZTIME ?= 30s
# Packages whose tests boot machines are run by "make integration".
UNIT     := $$($(GO) list ./... | grep -v /integration)
# Without a C compiler there is no race detector; gcc is one of the four things we ask for.
RACE     := CGO_ENABLED=1
VERSION  := $(shell ./scripts/version.sh)
BUILD    := GO=$(GO) VERSION=$(VERSION) ./scripts/gobuild.sh
EMBEDDED := cmd/iscsiroot/embedded/init.cpio.zst

.DEFAULT_GOAL := help
.PHONY: help build darwin dist deb test unit integration soak demo bench lint fuzz fmt clean deps unitcheck

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/init and bin/iscsiroot, which carries init inside
	GOOS=linux $(BUILD) -o bin/init ./cmd/init
	GOOS= GOARCH= $(GO) run ./scripts/packinit bin/init $(EMBEDDED)
	$(BUILD) -tags embedinit -o bin/iscsiroot ./cmd/iscsiroot

darwin: build ## build bin/iscsiroot-darwin-arm64 and -amd64 for a Mac, which carry the same init
	GOOS=darwin GOARCH=arm64 $(BUILD) -tags embedinit -o bin/iscsiroot-darwin-arm64 ./cmd/iscsiroot
	GOOS=darwin GOARCH=amd64 $(BUILD) -tags embedinit -o bin/iscsiroot-darwin-amd64 ./cmd/iscsiroot

dist: ## make a tarball to give away, the same from the same commit; ARCH=arm64 for that
	GO=$(GO) ./scripts/package.sh dist

deb: ## make a package for Debian 12; ARCH=arm64 for that
	GO=$(GO) ./scripts/package.sh deb

test: ## run all tests: unit tests with the race detector, then integration
	@./scripts/timed.sh plan unit integration
	@./scripts/timed.sh unit $(MAKE) --no-print-directory unit
	@./scripts/timed.sh integration $(MAKE) --no-print-directory integration

unit: unitcheck deps ## run the unit tests with the race detector, as root or as a user who may make user namespaces
	$(RACE) $(GO) test -race -parallel 8 $(UNIT)

integration: deps ## boot machines in QEMU from real targets and look at their consoles; RUN=TestX: that test alone; ROW=N: that row of each matrix
ifeq ($(RUN),)
	$(GO) test -count=1 -timeout 20m ./integration/repo
endif
	ROW='$(ROW)' $(GO) test -v -count=1 -timeout 50m -parallel 1000 $(if $(RUN),-run '$(RUN)') ./integration

soak: deps ## run the long matrices: every kernel and NIC model, many boots
	./scripts/deps.sh test bench-full soak
	$(GO) test -count=1 -timeout 120m -parallel 1000 -tags soak -run 'Soak|Matrix' -v ./integration

demo: build ## boot a machine without a disk from an iSCSI LUN and leave you at its shell
	./scripts/deps.sh demo
	$(GO) build -trimpath -o bin/demo ./scripts/demo
	./bin/demo

bench: build ## measure our boot next to scripts and a C init, data rates, how long images take to make, how soon outages heal, before the real init and after it, how long writes and boots wait for a dead path of two, and what the agent costs: tables, bin/bench.json, bin/bench.svg; BENCH_ROUNDS=N; BENCH_FULL=1: initramfs-tools and dracut too
	./scripts/deps.sh bench$(if $(filter 1,$(BENCH_FULL)),-full)
	$(GO) build -trimpath -o bin/bench ./scripts/bench
	./bin/bench
	./bin/bench -throughput
	./bin/bench -builds
	$(GO) test -count=1 -timeout 40m -parallel 1 -tags bench -run 'TestRecoveryTime|TestAgentCost|TestAgentMemory|TestBootFaultTimes|TestPathStalls|TestPathBootTimes' -v ./integration

lint: ## check formatting, vet, staticcheck and the modules
	@test -z "$$($(GO) tool gofumpt -l .)" || { $(GO) tool gofumpt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod verify

fuzz: ## run each fuzz target for FUZZTIME, 30s without it
	@./scripts/fuzz.sh $(FUZZTIME)

fmt: ## format the sources
	$(GO) tool gofumpt -l -w .

clean: ## remove what was built; the cache of downloads stays
	rm -rf bin $(EMBEDDED)

deps:
	@./scripts/deps.sh

# What is missing is said before anything is installed or tested. "go run" would add a line.
unitcheck:
	@$(GO) build -o bin/unitcheck ./pkg/internal/unitcheck && ./bin/unitcheck
