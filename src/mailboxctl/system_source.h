// system_source.h - rows of an import from another mail system's tables.
//
// Everything is read and translated when the source is opened, so both passes of an import see the
// same rows. Throws admin::Refused if the source cannot be read or is not that system's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "mailboxctl/import_row.h"
#include "mailboxctl/source_tables.h"
#include "mailboxctl/translation.h"

namespace system_source {

struct Options {
    translation::Settings settings;
    std::string password_file;  // of the database user of a mysql:// source; empty: no password
};

class Source final : public import_row::Source {
public:
    explicit Source(translation::Translated translated) : translated_{std::move(translated)} {}

    void rewind() override { next_ = 0; }
    bool next(import_row::Read& read) override;
    double progress() const override;
    bool may_be_read_ahead() const override { return true; }
    std::string place_of(const import_row::Read& read,
                         const import_row::Problem& problem) const override;
    // The bad rows become CSV of an import, so that they can be corrected and imported as a file.
    std::string bad_heading() const override;
    std::string bad_record(const import_row::Read& read,
                           const import_row::Problem& problem) const override;

    // Returns a note for everything that is not imported, or that is changed.
    const std::vector<translation::Note>& notes() const { return translated_.notes; }

private:
    translation::Translated translated_;
    std::size_t next_ = 0;
};

// Returns the names of all systems with commas between them, for messages.
std::string names();

// Opens and translates a source. `where`: a dump's path, - for a dump from standard input, a SQLite
// file's path, or mysql://USER@HOST/DATABASE.
std::unique_ptr<Source> open(std::string_view system, const std::string& where,
                             const Options& options, const Config& config);

// Translates tables that were read already.
translation::Translated translated(std::string_view system, const source_tables::Tables& tables,
                                   const translation::Settings& settings);

// Returns a line for the operator, for example "vacation: absence messages: not imported (12)".
std::string sentence_of(const translation::Note& note);

}  // namespace system_source
