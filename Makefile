# Everything a developer runs. `make help` lists the usual targets, `make help-all` the others.
#
# All of src/ except the two main files becomes one library. The programs and the tests are linked with it.

CXX      = g++
CXXFLAGS = -O2 -g
BUILD    = build

# CXXFLAGS and the like belong to the user; OUR_... are the flags that the code relies on. make runs pkg-config only when it
# compiles something, which is after `make run` and `make test` have installed what is missing.
OUR_CPPFLAGS = -MMD -MP -Isrc -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(LIBRARY_CFLAGS)
OUR_CXXFLAGS = -std=c++20 -Wall -Wextra -Wconversion -Wshadow -fPIE -fstack-protector-strong
OUR_LDFLAGS  = -pie -Wl,-z,relro,-z,now
LIBRARY_CFLAGS = $(subst -I,-isystem ,$(shell pkg-config --cflags fcgi libcjson libmicrohttpd libsodium libidn2))
LIBRARIES      = $(shell pkg-config --libs fcgi libcjson libmicrohttpd libsodium libidn2) -lunistring -lresolv -lmysqlcppconn -lboost_program_options
CTL_LIBRARIES  = $(LIBRARIES) $(shell pkg-config --libs libcurl sqlite3)
TEST_LIBRARIES = -lboost_unit_test_framework

# As many jobs as processors. A -j on the command line takes precedence.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

MAINS       = src/mailboxd/main.cc src/mailboxctl/main.cc
SOURCES     = $(filter-out $(MAINS),$(wildcard src/*/*.cc src/*/*/*.cc))
MIGRATIONS  = $(sort $(wildcard sql/migrations/*.sql))
LOOKUPS     = $(sort $(wildcard sql/postfix/*.cf))
UNIT_TESTS  = $(wildcard tests/unit/*.cc tests/unit/*/*.cc tests/support/*.cc) $(FUZZ_TARGETS) tests/fuzz/targets.cc $(addprefix tests/torture/,plan.cc journal.cc)
STORY_TESTS = $(wildcard tests/system/*/*.cc) tests/support/proxy.cc $(filter-out %/main.cc,$(wildcard tests/torture/*.cc))
STORY_PARTS = $(filter-out %_story.cc tests/system/harness/main.cc,$(STORY_TESTS))
BENCH_SOURCES = $(wildcard tests/bench/*.cc)
BENCH_SHARED  = tests/system/harness/http.cc tests/system/harness/process.cc
FUZZ_TARGETS = $(wildcard tests/fuzz/*_fuzz.cc)
PARSERS     = $(patsubst %,src/%.cc,base/strings base/json base/ip_range base/config mail/address mail/unicode mail/api_key mailboxd/http mailboxd/form mailboxd/admission_rules)

objects_of = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

PROGRAMS = $(BUILD)/mailboxd $(BUILD)/mailboxctl
BENCH    = $(patsubst %,$(BUILD)/bench/%,bench rows commits hashes responder)
TESTS    = $(BUILD)/unit_tests $(BUILD)/story_tests
FUZZERS  = $(patsubst tests/fuzz/%_fuzz.cc,$(BUILD)/fuzz/%,$(FUZZ_TARGETS))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: programs tests fuzzers npm openapi deps run test unit lint monitor mail-figures adoption-figures outage-figures torture cluster-test cluster-figures servers previous \
        mutants asan valgrind fuzz fuzz-coverage bench bench-programs tidied contract fresh guide lines clean help help-all

programs: $(PROGRAMS) ### build mailboxd and mailboxctl in build/ (the default target)

tests: $(TESTS)

fuzzers: $(FUZZERS)

npm: $(BUILD)/npm/installed ### install the stories' npm packages in build/npm

openapi: ### check the OpenAPI document with a linter
	@scripts/install-deps npm
	@MAKE=$(MAKE) scripts/build npm
	@NODE_PATH=$(BUILD)/npm/node_modules node tests/npm/openapi.js nginx/mailboxd-openapi.json

deps: ### install the Debian packages that are missing
	@scripts/install-deps

run: ## start mailboxd with database, nginx, Dovecot and Postfix; print commands to try; Ctrl-C stops it (ARGS: options)
	@scripts/stack run $(ARGS)

# First the packages, because compiling needs their headers. run-tests reads MYSQLD and DB_URL from the environment.
test: ## build and run all tests (MYSQLD=PROGRAM or DB_URL=URL: on another database server; see scripts/run-tests --help)
	@scripts/install-deps $(if $(DB_URL),build) $(if $(MYSQLD),build run client mail smtp npm)
	@$(if $(DB_URL),,scripts/install-deps integrations)
	@MAKE=$(MAKE) scripts/build programs tests $(if $(DB_URL),,npm)
	@scripts/run-tests $(ARGS)

unit: ## build and run the unit tests alone (ARGS: options of Boost.Test, for example ARGS=--run_test='http*')
	@scripts/install-deps $(if $(DB_URL),build)
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/unit_tests
	@scripts/run-tests unit $(ARGS)

lint: ## check format, changed sources (ALL=1: all sources), scripts and man pages (ARGS: some of that; see scripts/lint --help)
	@scripts/install-deps build lint
	@MAKE=$(MAKE) scripts/lint $(if $(filter-out 0 no,$(ALL)),--all) $(ARGS)

MESSAGES = 1000
mail-figures: ### measure mailbox creation, 300 logins and an idle stack; then deliver MESSAGES (1000) during changes
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build programs tests $(BUILD)/mail_figures
	@TEST_STACK=scripts/stack $(BUILD)/mail_figures --log_level=error --report_level=no
	@TEST_MAIL_MESSAGES=$(MESSAGES) scripts/run-tests stories --run_test=mail_load

MAILBOXES = 1000
adoption-figures: ### take the mail of MAILBOXES (1000) mailboxes over while mail arrives, killed five times
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build programs tests
	@TEST_ADOPTION_MAILBOXES=$(MAILBOXES) scripts/run-tests stories --run_test='mail_adoption/killed*' --log_level=message

import-figures: ### import 200,000 mailboxes beside LOAD DATA, three times (TEST_IMPORT_ROWS, _ROUNDS, _POOL: other numbers)
	@scripts/install-deps build run database client
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/import_figures
	@TEST_STACK=scripts/stack $(BUILD)/import_figures --log_level=error --report_level=no

outage-figures: ### measure with the database down, with 100,000 wrong keys, with 10,000 idle connections (5 minutes)
	@scripts/install-deps build run database client
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/outage_figures
	@TEST_STACK=scripts/stack $(BUILD)/outage_figures --log_level=error --report_level=no

torture: ### kill, stop and fill all parts while clients keep a journal; compare it with the data (ROUNDS: 10, SEED; ARGS=--help)
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/torture
	@TEST_STACK=scripts/stack $(BUILD)/torture rounds=$(ROUNDS) seed=$(SEED) $(ARGS)

cluster-test: ### the same with three database nodes, which are killed, hung, replaced and cut off (root for the last; ROUNDS, SEED)
	@scripts/install-deps cluster
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/torture
	@TEST_STACK=scripts/stack SOURCES=$(CURDIR) $(BUILD)/torture cluster=yes rounds=$(ROUNDS) seed=$(SEED) $(ARGS)

cluster-figures: ### measure what clients see when the writer of three database nodes is killed or hangs (KILLS: 5, HANGS: 5)
	@scripts/install-deps cluster
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/cluster_figures
	@TEST_STACK=scripts/stack KILLS=$(KILLS) HANGS=$(HANGS) $(BUILD)/cluster_figures --log_level=error --report_level=no

monitor: ### test dashboard, alerts and log counter of contrib/ with Debian's Prometheus and mtail
	@scripts/install-deps
	@scripts/install-deps monitor
	@MAKE=$(MAKE) scripts/build programs
	@scripts/monitor

asan: ### run all tests with AddressSanitizer and UndefinedBehaviorSanitizer, built in build-asan/
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build BUILD=build-asan programs tests npm
	@scripts/run-asan $(SANITIZER_REPORTS) $(ARGS)

valgrind: ### run one reading and one writing worker under memcheck, for 500 and 1,000 mixed requests
	@scripts/install-deps build run database client valgrind
	@MAKE=$(MAKE) scripts/build programs $(BUILD)/story_tests
	@scripts/run-valgrind $(ARGS)

SECONDS = 60
fuzz: ### search for inputs that break a parser, SECONDS (60) for each fuzzer or for TARGET alone; extend the corpora
	@scripts/install-deps build fuzz
	@MAKE=$(MAKE) scripts/build BUILD=build-fuzz fuzzers
	@scripts/fuzz run $(SECONDS) $(TARGET)

fuzz-coverage: ### print which branches of the parsers the corpora reach
	@scripts/install-deps build fuzz
	@MAKE=$(MAKE) scripts/build BUILD=build-coverage build-coverage/fuzz-replay
	@scripts/fuzz coverage

servers: ### run all tests on Debian unstable's MySQL and Debian 13's MariaDB, fetched to /var/tmp (ARGS: mysql or mariadb)
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build programs tests npm
	@scripts/other-servers $(ARGS)

previous: ### run an earlier release's stories on the tables of this checkout (REF: the release; default: the last tag)
	@scripts/previous $(if $(REF),--ref $(REF)) $(ARGS)

mutants: ### plant small faults in a copy of the source, one at a time; report which the tests catch (ARGS: names of faults)
	@scripts/install-deps
	@MAKE=$(MAKE) scripts/build programs tests npm
	@scripts/mutants $(ARGS)

bench: ## measure speed beside upper bounds and a peer; write build/bench/results.json and plots (40 minutes; QUICK=1: 5)
	@scripts/install-deps build run database bench
	@MAKE=$(MAKE) scripts/build programs bench-programs
	@scripts/bench $(if $(filter-out 0 no,$(QUICK)),--quick) $(ARGS)

bench-programs: $(BENCH)

contract: ### print every rule of the API with the stories that show it
	@scripts/install-deps build
	@MAKE=$(MAKE) scripts/build $(BUILD)/story_tests
	@TEST_CONTRACT=/dev/stdout $(BUILD)/story_tests --run_test=contract --report_level=no --log_level=error

fresh: ### try `make run` and `make test` on a minimal Debian 12 (ARGS=13: 13), as root and as a user with sudo (root only)
	@scripts/fresh-root $(ARGS)

guide: ### run the guide's installation commands on minimal Debians, by package and from source (root only; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/run-guide $(ARGS)

lines: ### count the lines of each file in src/
	@find src -name '*.h' -o -name '*.cc' | xargs wc -l | sort -n

clean: ## delete everything that was built
	rm -rf build build-asan build-fuzz build-coverage

help: ## list the usual targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

help-all: ## list the other targets
	@sed -n 's/^\([a-z-]*\):[^#]*### \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

$(BUILD)/mailboxd: $(BUILD)/obj/src/mailboxd/main.o $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/mailboxctl: $(BUILD)/obj/src/mailboxctl/main.o $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CTL_LIBRARIES)

$(BUILD)/unit_tests: $(call objects_of,$(UNIT_TESTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CTL_LIBRARIES) $(TEST_LIBRARIES)

# A story makes a SQLite file.
$(BUILD)/story_tests: $(call objects_of,$(STORY_TESTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(shell pkg-config --libs sqlite3) $(TEST_LIBRARIES)

# The objects that it shares with the stories are compiled with Boost.Test's header.
$(BUILD)/bench/bench: $(call objects_of,$(BENCH_SOURCES) $(BENCH_SHARED))
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBRARIES)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/programs/%.o $(BUILD)/libmailboxd.a
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(shell mariadb_config --libs)

$(BUILD)/%_figures: $(BUILD)/obj/tests/figures/%.o $(call objects_of,$(STORY_PARTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(TEST_LIBRARIES)

$(BUILD)/torture: $(call objects_of,tests/torture/main.cc $(STORY_PARTS)) $(BUILD)/libmailboxd.a
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(TEST_LIBRARIES)

$(BUILD)/libmailboxd.a: $(call objects_of,$(SOURCES)) $(BUILD)/obj/gen/migrations.o $(BUILD)/obj/gen/lookups.o \
                         $(BUILD)/obj/gen/grants.o
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BUILD)/obj/tests/%.o: OUR_CPPFLAGS += -Itests -DBOOST_TEST_DYN_LINK
# Not optimised: the tests need not be fast, and compiling them took half of the time until `make test` began.
ifneq ($(filter build build-asan,$(BUILD)),)
$(BUILD)/obj/tests/%.o: OUR_CPPFLAGS += -U_FORTIFY_SOURCE
$(BUILD)/obj/tests/%.o: CXXFLAGS = -O0 -g1
endif

# The headers that most tests include, compiled once. Compiling one story takes 3.9 s of processor time with it, 5.9 s without.
PRECOMPILED = $(BUILD)/obj/precompiled/common.h
$(PRECOMPILED).gch: tests/support/common.h Makefile
	@mkdir -p $(@D)
	cp $< $(PRECOMPILED)
	$(CXX) $(OUR_CPPFLAGS) -MF $(PRECOMPILED).d $(CPPFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -x c++-header -o $@ $<
ifneq ($(filter build build-asan,$(BUILD)),)
$(PRECOMPILED).gch: OUR_CPPFLAGS += -Itests -DBOOST_TEST_DYN_LINK -U_FORTIFY_SOURCE
$(PRECOMPILED).gch: CXXFLAGS = -O0 -g1
PRECOMPILED_TESTS = $(call objects_of,$(filter-out tests/fuzz/% tests/unit/main.cc tests/system/harness/main.cc,$(UNIT_TESTS) $(STORY_TESTS)))
$(PRECOMPILED_TESTS): OUR_CPPFLAGS += -include $(PRECOMPILED)
$(PRECOMPILED_TESTS): $(PRECOMPILED).gch
endif

$(BUILD)/obj/tests/bench/%.o: OUR_CPPFLAGS += $(shell mariadb_config --include)
$(BUILD)/obj/tests/bench/%.o: CXXFLAGS = -O2 -g

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -c -o $@ $<

# Installs the versions of the lock file. Packages' own scripts do not run.
$(BUILD)/npm/installed: tests/npm/package.json tests/npm/package-lock.json tests/npm/.npmrc
	@mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null
	@touch $@

# Linked with the parsers only: no database, no FastCGI.
$(BUILD)/fuzz/%: tests/fuzz/libfuzzer.cc $(BUILD)/obj/tests/fuzz/%_fuzz.o \
                 $(call objects_of,tests/fuzz/targets.cc $(PARSERS))
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) -Itests -MF $(BUILD)/obj/fuzzer-$*.d -MT $@ $(CPPFLAGS) -DFUZZ_TARGET=$* $(OUR_CXXFLAGS) $(CXXFLAGS) \
	  $(OUR_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.cc %.o,$^) $(LIBRARIES)

$(BUILD)/fuzz-replay: $(call objects_of,tests/fuzz/replay.cc tests/fuzz/targets.cc $(FUZZ_TARGETS) $(PARSERS))
	$(CXX) $(CXXFLAGS) $(OUR_CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

# A source that passed is checked again only when it, a header or .clang-tidy changes.
TIDIED = $(patsubst %.cc,$(BUILD)/tidy/%.ok,$(MAINS) $(SOURCES) $(UNIT_TESTS) $(STORY_TESTS) $(wildcard tests/figures/*.cc) tests/torture/main.cc)
tidied: $(TIDIED)
$(BUILD)/tidy/%.ok: %.cc .clang-tidy $(shell find src tests -name "*.h")
	@mkdir -p $(@D)
	clang-tidy-14 --quiet $< -- -std=c++20 -Isrc -Itests $(LIBRARY_CFLAGS) -DBOOST_TEST_DYN_LINK $(CPPFLAGS) 2>/dev/null
	@touch $@

# The folders are prerequisites because they change when a file is added or deleted.
$(BUILD)/gen/migrations.cc: $(MIGRATIONS) sql/migrations
$(BUILD)/gen/lookups.cc: $(LOOKUPS) sql/postfix
$(BUILD)/gen/grants.cc: sql/grants.sql
$(patsubst %,$(BUILD)/gen/%.cc,migrations lookups grants): $(BUILD)/gen/%.cc: scripts/embed
	@mkdir -p $(@D)
	scripts/embed $* $(filter %.sql %.cf,$^) >$@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# --- Installing, and packages ----------------------------------------------------------------------------------------

# Where `make install` installs. DESTDIR is put in front of every path, for making packages.
PREFIX     = /usr/local
SYSCONFDIR = /etc
DESTDIR    =
SBIN  = $(DESTDIR)$(PREFIX)/sbin
SHARE = $(DESTDIR)$(PREFIX)/share
LIB   = $(DESTDIR)$(PREFIX)/lib
CONF  = $(DESTDIR)$(SYSCONFDIR)/mailboxd
ROTATE = $(DESTDIR)$(SYSCONFDIR)/logrotate.d

.PHONY: install deb deb-all deb-test deb-units deb-upgrade deb-setup

# Keeps an existing configuration. Writes PREFIX into the units and into nginx's files.
install: programs ## install below PREFIX (/usr/local), the configuration in /etc/mailboxd; DESTDIR is put in front of both
	install -d $(SBIN) $(CONF) $(LIB)/systemd/system $(LIB)/sysusers.d
	install -d $(addprefix $(SHARE)/mailboxd/,nginx cluster dovecot dovecot-2.4 dovecot-rehash postfix sql/migrations)
	install -d $(addprefix $(SHARE)/man/man,5 7 8) $(SHARE)/doc/mailboxctl
	install $(PROGRAMS) $(SBIN)
	[ -e $(CONF)/mailboxd.conf ] || install -m 644 conf/mailboxd.conf $(CONF)
	[ -e $(ROTATE)/mailboxd ] || install -D -m 644 conf/mailboxd.logrotate $(ROTATE)/mailboxd
	for name in mailboxd mailboxctl; do install -m 644 conf/$$name.sysusers $(LIB)/sysusers.d/$$name.conf || exit; done
	for file in nginx/*; do \
	  sed 's|/usr/share/|$(PREFIX)/share/|g' $$file | install -m 644 /dev/stdin $(SHARE)/mailboxd/$$file || exit; done
	install -m 644 conf/cluster/* $(SHARE)/mailboxd/cluster
	install -m 644 sql/dovecot/* $(SHARE)/mailboxd/dovecot
	install -m 644 sql/dovecot-2.4/* $(SHARE)/mailboxd/dovecot-2.4
	install -m 644 sql/dovecot-rehash/* $(SHARE)/mailboxd/dovecot-rehash
	install -m 644 sql/postfix/* $(SHARE)/mailboxd/postfix
	install -D -m 644 systemd/database.conf $(SHARE)/mailboxd/systemd/database.conf
	install -m 644 conf/mailboxd-sysctl.conf $(SHARE)/mailboxd
	install -m 644 sql/grants.sql $(SHARE)/mailboxd/sql
	install -m 644 $(MIGRATIONS) $(SHARE)/mailboxd/sql/migrations
	for page in man/*.[578]; do install -m 644 $$page $(SHARE)/man/man$${page##*.} || exit; done
	install -D -m 644 conf/mailboxctl.bash-completion $(SHARE)/bash-completion/completions/mailboxctl
	install -m 644 README.md CHANGES.md SECURITY.md docs/*.md $(SHARE)/doc/mailboxctl
	for file in contrib/*/*; do install -D -m 644 $$file $(SHARE)/doc/mailboxctl/$$file || exit; done
	for unit in mailboxd.service mailboxd.socket mailboxd-metrics.socket mailboxd-janitor.service mailboxd-rehash.service mailboxd-rehash.socket; do \
	  sed 's|/usr/sbin/|$(PREFIX)/sbin/|g' systemd/$$unit | install -m 644 /dev/stdin $(LIB)/systemd/system/$$unit || exit; done

deb: ## build the packages build/deb/mailbox*.deb for this machine's Debian and check them with lintian
	@scripts/install-deps build deb
	@scripts/deb

deb-all: ### build the packages for Debian 12 and 13 in build/deb/debian-12 and -13 (root only, network; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/deb-roots build $(ARGS)

deb-test: ### install, upgrade, remove and purge the packages of deb-all in fresh Debians 12 and 13 (root only; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/deb-roots test $(ARGS)

deb-units: ### test the packages' units and nginx files under a running systemd, Debian 12 and 13 (root only; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/deb-roots units $(ARGS)

deb-upgrade: ### upgrade the packages of deb-all under load and a running systemd, Debian 12 and 13 (root only; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/deb-roots upgrade $(ARGS)

deb-setup: ### run mailboxctl setup of the packages of deb-all in Debians 12 and 13 under a running systemd (root only; ARGS: 12 or 13)
	@scripts/install-deps roots
	@scripts/deb-roots setup $(ARGS)

# --- Builds with other flags, each in a folder of its own -------------------------------------------------------------

SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Fortified functions would hide errors from the sanitizers, because their own checks come first.
CHECKED = -U_FORTIFY_SOURCE -D_GLIBCXX_ASSERTIONS
# The programs contain this name, so each checkout has its own.
SANITIZER_REPORTS = /var/tmp/mailboxd-reports-$(shell id -u)-$(firstword $(shell echo $(CURDIR) | cksum))

ifeq ($(BUILD),build-asan)
CXXFLAGS = -O1 -g1
# With these sanitizers, GCC 12 wrongly reports uninitialised variables inside std::regex.
OUR_CXXFLAGS += $(CHECKED) $(SANITIZERS) -Wno-maybe-uninitialized
OUR_LDFLAGS  += $(SANITIZERS) -Wl,--wrap=_exit
tests: $(BUILD)/faults
$(BUILD)/faults: $(call objects_of,tests/sanitizers/faults.cc)
	$(CXX) $(CXXFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^
$(PROGRAMS) $(TESTS) $(BUILD)/faults: $(call objects_of,tests/sanitizers/options.cc)
$(call objects_of,tests/sanitizers/options.cc): OUR_CPPFLAGS += -DSANITIZER_REPORTS='"$(SANITIZER_REPORTS)"'
endif

# Only clang has libFuzzer.
ifneq ($(filter build-fuzz build-coverage,$(BUILD)),)
CXX = clang++-14
CXXFLAGS = -O1 -g
OUR_CXXFLAGS += $(CHECKED)
endif
ifeq ($(BUILD),build-fuzz)
OUR_CXXFLAGS += $(SANITIZERS) -fsanitize=fuzzer-no-link
endif
ifeq ($(BUILD),build-coverage)
OUR_CXXFLAGS += -fprofile-instr-generate -fcoverage-mapping
endif
