#include "mailboxctl/adopt_command.h"

#include <chrono>
#include <iostream>
#include <optional>
#include <vector>

#include "base/strings.h"
#include "db/lifecycle.h"
#include "mailboxctl/recount.h"
#include "peers/dovecot.h"

namespace adopt_command {
namespace {

namespace po = boost::program_options;
using command::Call;

po::options_description options()
{
    auto options = command::json_option();
    options.add_options()("link",
                          "make hard links: no space and no time, but on one file system only")(
        "copy", "copy the messages (the default)")(
        "layout", po::value<std::string>()->value_name("NAME"),
        "how the old server stored folders: maildir++ (.A.B), fs (A/B) or auto (the default)")(
        "take-ownership", "with --link: give the messages to the mail store's owner")(
        "pop3-uidl", po::value<std::string>()->value_name("FORMAT"),
        "the old server's setting pop3_uidl_format; its default is %08Xu%08Xv")(
        "dry-run", "check the old mail and change nothing");
    return options;
}

adoption::Wanted wanted(const Call& call)
{
    if (call.has("link") && call.has("copy"))
        throw command::WrongUsage("--link and --copy cannot be combined");
    adoption::Wanted wanted{.source = call.arguments[1],
                            .how = call.has("link") ? adoption::How::link : adoption::How::copy,
                            .may_take_ownership = call.has("take-ownership")};
    if (call.has("take-ownership") && !call.has("link"))
        throw command::WrongUsage("--take-ownership is for --link");
    if (call.has("layout")) {
        const auto layout = foreign::layout_of(call.text("layout"));
        if (!layout) throw command::WrongUsage("--layout is maildir++, fs or auto");
        wanted.layout = *layout;
    }
    if (call.has("pop3-uidl")) {
        wanted.uidl_format = call.text("pop3-uidl");
        if (!uidlist::is_uidl_format(wanted.uidl_format))
            throw command::WrongUsage(
                "--pop3-uidl is a format with %u or %f, and possibly %v, such as %v.%u");
    }
    return wanted;
}

const char* text_of(uid_merge::Uids uids)
{
    switch (uids) {
    case uid_merge::Uids::kept: return "kept";
    case uid_merge::Uids::appended: return "new, because the folder had mail that was seen already";
    case uid_merge::Uids::made: return "new, because the old server had none";
    }
    return "";
}

json::Written json_of(const std::vector<adoption::Folder>& folders)
{
    return json::array(folders, [](const adoption::Folder& each) {
        return json::value_of({{"folder", each.name},
                               {"messages", each.messages},
                               {"added", each.added},
                               {"flags_changed", each.changed},
                               {"deleted_here", each.deleted_here},
                               {"uids", std::string{text_of(each.uids)}}})
            .json;
    });
}

json::Written json_of(const std::vector<foreign::Left>& left)
{
    return json::array(left, [](const foreign::Left& each) {
        return json::value_of({{"path", each.path}, {"reason", each.reason}}).json;
    });
}

// Reports on standard error what the operator should know of single folders and files.
void report(const adoption::Done& done)
{
    for (const auto& each : done.folders) {
        if (each.uids == uid_merge::Uids::appended)
            std::cerr << each.name << ": UIDs are " << text_of(each.uids)
                      << "; POP3 programs see the old UIDLs\n";
        if (each.lost_keywords > 0)
            std::cerr << each.name << ": " << each.lost_keywords
                      << " keywords were lost, because a folder can have 26\n";
        if (each.deleted_here > 0)
            std::cerr
                << each.name << ": " << each.deleted_here
                << " messages were taken over before and deleted here; they did not come again\n";
    }
    for (const auto& each : done.left)
        std::cerr << "left out: " << each.path << " " << each.reason << '\n';
}

// Dovecot reports a size only when it changes something.
std::optional<std::int64_t> recounted(const Call& call, const std::string& storage_id,
                                      const std::string& domain)
{
    constexpr std::chrono::seconds kLongest{60};
    if (call.config.doveadm.empty()) return std::nullopt;
    auto connection = call.connect();
    const dovecot::Client doveadm{call.config, kLongest};
    const auto size = recount::mailbox(connection, doveadm, storage_id, domain);
    return size ? std::optional{size->bytes} : std::nullopt;
}

int adopt(const Call& call)
{
    const auto address = call.address(call.arguments[0]);
    auto its = wanted(call);
    const auto found = [&] {
        auto connection = call.connect();
        return life::find(connection, address);
    }();
    if (!found) command::refuse_absent(address);
    its.was_used = found->last_login > 0;
    const bool is_dry = call.has("dry-run");
    const auto done = is_dry ? adoption::check(its, call.config.store)
                             : adoption::adopt(its, call.config.store, found->storage_id);
    const auto size = is_dry ? std::nullopt : recounted(call, found->storage_id, address.domain());
    report(done);
    auto text = is_dry ? its.source + " can be taken over: " + std::to_string(done.messages)
                             + " messages in " + std::to_string(done.folders.size()) + " folders, "
                             + std::to_string(done.bytes) + " bytes. Nothing was changed."
                       : "Mail of " + address.text() + " taken over: " + sentence(done);
    if (!is_dry && !size)
        text += " Its size is not counted, because the setting doveadm is missing.";
    command::tell(call, text,
                  {{"mailbox", address.text()},
                   {"messages", done.messages},
                   {"bytes", done.bytes},
                   {"added", done.added},
                   {"size_bytes", command::size_value(size)},
                   {"folders", json_of(done.folders)},
                   {"left_out", json_of(done.left)}});
    return 0;
}

}  // namespace

std::string sentence(const adoption::Done& done)
{
    bool is_kept = true;
    for (const auto& each : done.folders)
        is_kept = is_kept && each.uids != uid_merge::Uids::appended;
    return std::to_string(done.messages) + " messages in " + std::to_string(done.folders.size())
           + " folders, " + std::to_string(done.added) + " of them new here; "
           + (is_kept ? "UIDs are kept." : "in some folders UIDs are new.");
}

command::Command command()
{
    return {
        "mailbox adopt",
        {"ADDRESS", "DIR"},
        "take over a mailbox's mail from another server's Maildir",
        "DIR is the Maildir, or the home that has it. Folders, flags, subscriptions, UIDs and UIDLs stay; Courier's are converted.\n"
        "The command can be repeated, for mail that came meanwhile or after it was interrupted: nothing comes twice. Run it as\n"
        "root on the machine of the mail store. verify-import compares the two afterwards.",
        options,
        adopt,
        command::Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace adopt_command
