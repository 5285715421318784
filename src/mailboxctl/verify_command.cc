#include "mailboxctl/verify_command.h"

#include <sys/stat.h>

#include <cerrno>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/accounts.h"
#include "mailboxctl/moving.h"
#include "mailboxctl/verification.h"

namespace verify_command {
namespace {

namespace po = boost::program_options;
using command::Call;
using verification::Contents;
using verification::Kind;

po::options_description options()
{
    auto options = command::json_option();
    options.add_options()(
        "source", po::value<std::string>()->value_name("DIR|URL"),
        "the old mail: a Maildir, in which %n and %d stand for the parts of the address, or imaps://HOST[:PORT]")(
        "layout", po::value<std::string>()->value_name("NAME"),
        "of the Maildir's folders: maildir++, fs or auto (the default)")(
        "allow-extra",
        "messages that only the target has are no failure: mail arrived there since");
    moving::add_options(options);
    return options;
}

struct Source {
    explicit Source(const Call& call) : text{call.text("source")}
    {
        if (text.empty()) throw command::WrongUsage("--source DIR|URL is missing");
        if (text.starts_with("imap")) remote = moving::remote(call, text);
        const auto found = call.has("layout") ? foreign::layout_of(call.text("layout"))
                                              : std::optional{foreign::Layout::found};
        if (!found) throw command::WrongUsage("--layout is maildir++, fs or auto");
        layout = *found;
    }
    Contents contents(const moving::Mailbox& mailbox, const moving::Store& store) const
    {
        if (remote) return moving::contents(*remote, mailbox, store);
        return verification::contents(foreign::Maildir{path(mailbox.address), layout});
    }
    std::string path(const std::string& address) const
    {
        const auto at = address.rfind('@');
        std::string filled;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto variable = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
            if (variable == 'n') filled += address.substr(0, at);
            else if (variable == 'd') filled += address.substr(at + 1);
            else if (variable == 'u') filled += address;
            else filled += text[i];
            if (variable == 'n' || variable == 'd' || variable == 'u') ++i;
        }
        return filled;
    }

    std::string text;
    foreign::Layout layout = foreign::Layout::found;
    std::optional<moving::Remote> remote;
};

Contents target(const moving::Mailbox& mailbox, const moving::Store& store)
{
    auto folder = disk::open_path(store.path);
    auto path = store.path;
    for (const auto& name :
         {mailbox.storage_id.substr(0, 2), mailbox.storage_id, std::string{"Maildir"}}) {
        path += "/" + name;
        auto next = disk::open_folder(folder.number(), name, path);
        if (!next) return {.folders = {"INBOX"}, .items = {}};
        folder = std::move(*next);
    }
    return verification::contents(foreign::Maildir{std::move(folder), path});
}

// True if a domain's mailbox has no folder of old mail, as its postmaster has none.
bool has_no_source(const Source& source, const moving::Mailbox& mailbox)
{
    struct stat status {};
    return !source.remote && ::lstat(source.path(mailbox.address).c_str(), &status) != 0
           && errno == ENOENT;
}

struct Checked {
    std::string address;
    verification::Report report;
    std::string failure;  // why it could not be compared

    bool is_well(bool may_have_more) const
    {
        return failure.empty() && report.is_complete()
               && (may_have_more || report.count(Kind::extra) == 0);
    }
};

json::Written json_of(const Checked& checked)
{
    const auto& report = checked.report;
    const auto differences =
        json::array(report.differences, [](const verification::Difference& each) {
            return json::value_of({{"difference", std::string{verification::text_of(each.kind)}},
                                   {"folder", each.item.folder},
                                   {"message_id", each.item.id},
                                   {"size", each.item.bytes},
                                   {"flags", each.item.flags},
                                   {"there", each.there}})
                .json;
        });
    return json::value_of({{"mailbox", checked.address},
                           {"failure", checked.failure},
                           {"source_messages", report.source},
                           {"target_messages", report.target},
                           {"same", report.same},
                           {"missing", report.count(Kind::missing)},
                           {"extra", report.count(Kind::extra)},
                           {"differences", differences}});
}

void print(const Checked& checked)
{
    const auto& report = checked.report;
    if (!checked.failure.empty()) {
        std::cout << checked.address << ": could not be compared: " << checked.failure << '\n';
        return;
    }
    std::cout << checked.address << ": " << report.same << " of " << report.source
              << " messages are the same; " << report.count(Kind::missing) << " are missing, "
              << report.count(Kind::other_flags) + report.count(Kind::other_size) << " differ, and "
              << report.count(Kind::extra) << " are only here\n";
    for (const auto& each : report.differences) {
        std::cout << "  " << verification::text_of(each.kind) << ": " << each.item.folder;
        if (each.kind != Kind::missing_folder)
            std::cout << "  " << (each.item.id.empty() ? "(no Message-ID)" : each.item.id) << "  "
                      << each.item.bytes << " bytes  (" << each.item.flags << ')';
        if (each.kind == Kind::other_flags) std::cout << "; here: (" << each.there << ')';
        if (each.kind == Kind::other_size) std::cout << "; here: " << each.there << " bytes";
        std::cout << '\n';
    }
}

int verify(const Call& call)
{
    const Source source{call};
    const moving::Store store{call.config.store};
    const auto mailboxes = moving::mailboxes(call, call.arguments[0]);
    if (mailboxes.size() > 1 && !source.remote && source.path("a@b") == source.text)
        throw command::WrongUsage("for a domain, --source has %n or %u in the place of the name");
    std::vector<Checked> all;
    std::int64_t failed = 0;
    std::size_t without = 0;
    for (const auto& mailbox : mailboxes) {
        if (call.arguments[0] != mailbox.address && has_no_source(source, mailbox)) {
            std::cerr << mailbox.address << ": " << source.path(mailbox.address)
                      << " does not exist; not compared\n";
            ++without;
            continue;
        }
        Checked checked{.address = mailbox.address, .report = {}, .failure = {}};
        try {
            // The source first: what arrives meanwhile is then in the target only.
            auto there = source.contents(mailbox, store);
            checked.report = verification::compared(std::move(there), target(mailbox, store));
        } catch (const std::exception& error) {
            checked.failure = error.what();
        }
        if (!checked.is_well(call.has("allow-extra"))) ++failed;
        if (!call.has("json")) print(checked);
        else all.push_back(std::move(checked));
    }
    if (call.has("json"))
        std::cout << json::object({{"mailboxes", static_cast<std::int64_t>(mailboxes.size())},
                                   {"without_source", static_cast<std::int64_t>(without)},
                                   {"different", failed},
                                   {"reports", json::array(all, [](const Checked& each) {
                                        return json_of(each).json;
                                    })}});
    return failed == 0 && (without < mailboxes.size() || without == 0) ? 0 : command::kFailed;
}

}  // namespace

command::Command command()
{
    return {
        "verify-import",
        {"ADDRESS|DOMAIN"},
        "compare a mailbox with the mail that it was taken over from",
        "Compares folders and, in each folder, Message-ID, size and flags of every message. Lists what is missing, what differs and\n"
        "what only the target has. The exit status is 0 if there is no difference.",
        options,
        verify,
        command::Prints::listing};
}

}  // namespace verify_command
