// import_systems.h - what `mailboxctl import --from SYSTEM` has beside an import of a file: its
// options, and a report of what is not imported.
#pragma once

#include <memory>
#include <vector>

#include "base/json.h"
#include "mailboxctl/command.h"
#include "mailboxctl/import_report.h"
#include "mailboxctl/system_source.h"

namespace import_systems {

void add_options(command::po::options_description& options);

// Returns the source that --from and the first argument name; null without --from. Throws
// WrongUsage for options that do not fit.
std::unique_ptr<system_source::Source> open(const command::Call& call);

// Prints a line for each note on standard error, and writes a line for each of its addresses to the
// report.
void tell(const std::vector<translation::Note>& notes, import_report::Report& report);
// Returns the notes for the JSON of the outcome.
json::Written json_of(const std::vector<translation::Note>& notes);

}  // namespace import_systems
