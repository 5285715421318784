#include "mailboxctl/import_systems.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "mailboxctl/import_adoption.h"
#include "mailboxctl/import_values.h"

namespace import_systems {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::WrongUsage;

constexpr std::array<const char*, 3> kOnlyWithFrom{"mail-root", "server-id",
                                                   "source-password-file"};

std::int64_t now()
{
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

void add_options(po::options_description& options)
{
    const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
    options.add_options()("from", text("SYSTEM"),
                          "import another system's tables; SOURCE is a dump, a SQLite file or "
                          "mysql://USER@HOST/DATABASE")(
        "mail-root", text("DIR"), "with --from: the folder that has the old system's mail")(
        "server-id", text("N"), "with --from: import one server of several in the tables")(
        "source-password-file", text("FILE"),
        "with --from: the password of the database user in SOURCE");
}

std::unique_ptr<system_source::Source> open(const Call& call)
{
    if (!call.has("from")) {
        for (const auto* const option : kOnlyWithFrom) {
            if (call.has(option))
                throw WrongUsage(std::string{"--"} + option + " needs --from SYSTEM");
        }
        return nullptr;
    }
    system_source::Options options{.settings = {},
                                   .password_file = call.text("source-password-file")};
    options.settings.now = now();
    options.settings.mail = {.is_wanted = import_adoption::how_of(call).has_value(),
                             .root = call.text("mail-root")};
    if (call.has("server-id")) {
        constexpr std::uint64_t kGreatest = 4'294'967'295;
        const auto id = strings::whole_number(call.text("server-id"), kGreatest);
        if (!id) throw WrongUsage("--server-id '" + call.text("server-id") + "' is not a number");
        options.settings.server = static_cast<std::int64_t>(*id);
    }
    return system_source::open(call.text("from"), call.arguments[0], options, call.config);
}

void tell(const std::vector<translation::Note>& notes, import_report::Report& report)
{
    for (const auto& note : notes) {
        constexpr std::size_t kMostNamed = 3;
        std::cerr << system_source::sentence_of(note);
        const auto named = std::min(kMostNamed, note.subjects.size());
        for (std::size_t i = 0; i < named; ++i)
            std::cerr << (i == 0 ? ": " : ", ") << import_values::shown(note.subjects[i]);
        std::cerr << (named < note.subjects.size() ? ", …\n" : "\n");
        for (const auto& subject : note.subjects)
            report.left_out(import_values::shown(subject), note.table, note.what);
        if (note.subjects.empty())
            report.left_out("", note.table,
                            note.what + " (" + std::to_string(note.count) + " rows)");
    }
}

json::Written json_of(const std::vector<translation::Note>& notes)
{
    return json::array(notes, [](const translation::Note& note) {
        return json::value_of({{"table", note.table}, {"reason", note.what}, {"count", note.count}})
            .json;
    });
}

}  // namespace import_systems
