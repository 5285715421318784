# mailboxd: every command a developer uses. `make help` lists them.
#
# src/*.cc becomes one library; the two programs and the tests are a main of their own each, linked with it.

CXX      = g++
CXXFLAGS = -O2 -g
BUILD    = build

# What the code relies on; CXXFLAGS is yours. Asked of pkg-config only when something is compiled, that is, after
# `make run` and `make test` have installed what is missing.
OUR_CPPFLAGS = -MMD -MP -Isrc -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(LIBRARY_CFLAGS)
OUR_CXXFLAGS = -std=c++20 -Wall -Wextra -Wconversion -Wshadow -fPIE -fstack-protector-strong
OUR_LDFLAGS  = -pie -Wl,-z,relro,-z,now
LIBRARY_CFLAGS = $(subst -I,-isystem ,$(shell pkg-config --cflags fcgi libcjson libsodium))
LIBRARIES      = $(shell pkg-config --libs fcgi libcjson libsodium) -lmysqlcppconn -lboost_program_options
TEST_LIBRARIES = -lboost_unit_test_framework

# As many jobs as processors; your own -j comes before this.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

MAINS       = src/main.cc src/mailboxctl.cc
SOURCES     = $(filter-out $(MAINS),$(wildcard src/*.cc))
MIGRATIONS  = $(sort $(wildcard sql/migrations/*.sql))
UNIT_TESTS  = $(wildcard tests/*.cc)
STORY_TESTS = $(wildcard tests/system/*.cc)

objects_of = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

PROGRAMS = $(BUILD)/mailboxd $(BUILD)/mailboxctl
TESTS    = $(BUILD)/unit_tests $(BUILD)/story_tests

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: programs tests deps run test fresh clean help

programs: $(PROGRAMS) ## build the two programs, mailboxd and mailboxctl, into build/ (the default)

tests: $(TESTS)

deps: ## install what is missing from Debian's packages
	@scripts/install-deps

run: ## start mailboxd with everything around it, print commands to try, stop it with Ctrl-C (ARGS: its options)
	@scripts/stack run $(ARGS)

# In this order: nothing can be compiled before its headers are there.
test: ## build and run all tests: unit, store (on a MariaDB of their own), stories (through nginx)
	@scripts/install-deps
	@$(MAKE) --no-print-directory -s programs tests
	@scripts/run-tests $(ARGS)

fresh: ## try `make run` and `make test` on a minimal Debian 12, as root and as a user with sudo (needs root, debootstrap)
	@scripts/fresh-root $(ARGS)

clean: ## delete what was built
	rm -rf build build-*

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* *## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

$(BUILD)/mailboxd: $(BUILD)/obj/src/main.o $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/mailboxctl: $(BUILD)/obj/src/mailboxctl.o $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/unit_tests: $(call objects_of,$(UNIT_TESTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(TEST_LIBRARIES)

$(BUILD)/story_tests: $(call objects_of,$(STORY_TESTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(TEST_LIBRARIES)

$(BUILD)/libmailboxd.a: $(call objects_of,$(SOURCES)) $(BUILD)/obj/gen/migrations.o
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BUILD)/obj/tests/%.o: OUR_CPPFLAGS += -DBOOST_TEST_DYN_LINK

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -c -o $@ $<

# The folder, too: it changes when a migration comes or goes.
$(BUILD)/gen/migrations.cc: $(MIGRATIONS) sql/migrations scripts/embed-migrations
	@mkdir -p $(@D)
	scripts/embed-migrations $(MIGRATIONS) >$@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
