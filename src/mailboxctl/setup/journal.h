// journal.h - what `mailboxctl setup` has done on this machine, in /var/lib/mailboxd/setup.
//
// For each file that setup has written there are two copies: what was there before the first run,
// and what setup wrote last. With them a later run sees what the operator has changed, and --undo
// puts back what was there. A run that is carried out also keeps what each file was when it began:
// if a program refuses the new configuration, these are put back. If the run is killed, the next
// one goes on; it still knows what has to be put back and which daemons wait for their reload.
//
// The folder is for root only, because the copies contain passwords. Everything is on disk before
// the file that it is about is written. Throws std::runtime_error.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mailboxctl/setup/machine.h"

namespace setup {

class Journal {
public:
    // Reads the journal of the machine; empty if there is none. Changes nothing.
    explicit Journal(const Machine& machine);

    struct File {
        std::string part;
        std::string link;  // not empty: a symbolic link that leads there
        bool has_original = false;
        Access original_access;
        std::string sha256;  // of what setup wrote
    };
    const std::map<std::string, File>& files() const { return files_; }
    const File* find(const std::string& path) const;
    std::string original(const std::string& path) const;  // empty text if there was no file
    std::string written(const std::string& path) const;

    // What a later run has to know: the options, and what was decided at the first look.
    std::map<std::string, std::string> options;
    std::map<std::string, std::string> facts;
    std::set<std::string> packages;  // that setup has installed

    bool is_empty() const { return files_.empty() && options.empty(); }
    // True if a run began and did not end.
    bool is_interrupted() const { return is_running_; }
    // The units that have to be reloaded because of files that were written in this run.
    const std::set<std::string>& waiting() const { return waiting_; }

    // Begins a run, or continues the one that was interrupted.
    void begin();
    void save() const;
    // Notes what the file is, so that it can be put back.
    void will_change(const std::string& path);
    // Notes that setup is going to write the file with this text; call it before that.
    void will_write(const std::string& path, const std::string& part, const std::string& text,
                    const std::string& link = {});
    void will_reload(const std::string& unit);
    // The file is no longer setup's.
    void forget(const std::string& path);
    // The run has succeeded: nothing of it will be put back.
    void end();
    // Writes each file as it was when the run began, and ends the run. Returns their paths.
    std::vector<std::string> put_back();

private:
    struct Before {
        bool existed = false;
        std::string link;
        Access access;
        bool was_known = false;  // to the journal
    };
    std::string copy(const std::string& kind, const std::string& path) const;
    void read(const std::string& text);
    std::string as_json() const;
    void put_back(const std::string& path, const Before& before);

    const Machine& machine_;
    std::map<std::string, File> files_;
    std::map<std::string, Before> before_;
    std::set<std::string> waiting_;
    bool is_running_ = false;
};

// The folder of the journal.
inline constexpr const char* kJournalFolder = "/var/lib/mailboxd/setup";

}  // namespace setup
