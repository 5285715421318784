// translation.h - from the rows of another mail system to rows of an import: what all systems
// share.
//
// A system's reader (systems/) says what its tables mean: which domains are its own, which rows are
// mailboxes, where addresses lead. The translation finds out what follows from that together: the
// order, aliases of an address to itself, absence messages, domains that are not hosted. What has
// no equal here becomes a note, so nothing is dropped silently.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mailboxctl/import_row.h"
#include "mailboxctl/source_tables.h"

namespace translation {

// Something of the other system that is not imported, or not as it was.
struct Note {
    std::string table;
    std::string what;                        // a sentence without a full stop
    std::vector<std::string> subjects = {};  // addresses or names, in the order of the tables
    std::int64_t count = 0;                  // of rows; the subjects' number if they have names
};

// Where the old mail is.
struct Mail {
    bool is_wanted = false;  // whether rows get their Maildirs
    std::string root;        // the folder with the old mail; empty: where the old system has it
};

struct Settings {
    Mail mail;
    std::optional<std::int64_t> server;  // of a panel with several servers
    std::int64_t now = 0;                // seconds since 1970
};

struct Translated {
    std::vector<import_row::Row> rows;
    std::vector<Note> notes;
};

// A quota in units of so many bytes: 0 and -1 are no limit. Other texts are returned unchanged, and
// the checking pass refuses them with their value.
std::string quota_of(std::string_view text, std::int64_t unit);
// Returns the date unless it is one that stands for an unknown one.
std::string date_of(std::string_view text);
// Returns whether mail of a domain with this transport is delivered on the old server itself.
bool is_own_transport(std::string_view transport);
// Returns the parts of a list of addresses, in lower case.
std::vector<std::string> addresses_of(std::string_view list);
// Returns the path below `root`, or below `usual` if no root is given.
std::string path_below(const std::string& root, std::string_view usual, std::string_view path);

class Translation {
public:
    explicit Translation(const Settings& settings) : settings_{settings} {}

    const Settings& settings() const { return settings_; }
    void note(std::string_view table, std::string_view what, std::string_view subject);
    void note_count(std::string_view table, std::string_view what, std::int64_t count);
    // Notes the rows of the tables that were not read. `known` says why for some of them. Others
    // are noted one by one if their name begins with one of `prefixes`, otherwise together.
    void note_others(const source_tables::Tables& tables,
                     const std::map<std::string, std::string>& known,
                     const std::vector<std::string_view>& prefixes = {""});
    // Notes a row's column if it has a value that means something.
    struct Column {
        std::string_view name;
        std::string_view what;
        std::vector<std::string_view> usual = {"", "0"};  // values that mean nothing
    };
    void note_columns(std::string_view table, const source_tables::Row& row,
                      const std::vector<Column>& columns, std::string_view subject);

    // How a domain is used. off: its mailboxes become disabled. elsewhere: other servers have its
    // mail, so nothing of it is imported.
    enum class Use { on, off, elsewhere };
    void domain(std::string_view table, std::string_view name, Use use);

    // Adds a mailbox, and returns its row to be completed. Returns null if its domain is not
    // hosted; that is noted. The row is valid until the next call. `number`: of a system without
    // dates, whose numbers say the order of creation.
    import_row::Row* mailbox(std::string_view table, std::string_view address,
                             std::string_view created, std::string_view number = {});
    // Says where the mail of an address, or with @domain of all other addresses, goes. If an
    // address comes again, the targets are added.
    struct Forward {
        std::string_view table;
        std::string_view address;
        std::vector<std::string> targets;
        bool is_active = true;
        std::string_view description = {};
    };
    void forward(const Forward& forward);
    void alias_domain(std::string_view table, std::string_view name, std::string_view target,
                      bool is_active);

    Translated finish();

private:
    struct Alias {
        std::string table;
        std::vector<std::string> targets;
        std::string description;
    };
    struct Box {
        import_row::Row row;
        std::string created;  // that orders the rows
    };
    bool is_hosted(std::string_view table, std::string_view address);
    void add_alias(const std::string& address, Alias& alias);
    void add_catch_all_of_domain(const std::string& address, const Alias& alias);
    void note_empty_domains();

    Settings settings_;
    std::vector<Note> notes_;
    std::map<std::pair<std::string, std::string>, std::size_t> places_;  // of notes_
    std::map<std::string, Use, std::less<>> domains_;
    std::string domains_table_;
    std::vector<Box> boxes_;
    std::set<std::string, std::less<>> mailboxes_;
    std::map<std::string, Alias, std::less<>> aliases_;
    std::map<std::string, std::string, std::less<>> alias_domains_;
    std::set<std::string, std::less<>> used_domains_;
    std::vector<import_row::Row> alias_rows_;
};

}  // namespace translation
