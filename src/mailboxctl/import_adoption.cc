#include "mailboxctl/import_adoption.h"

#include <chrono>
#include <iostream>
#include <stdexcept>

#include "base/strings.h"
#include "db/lifecycle.h"
#include "mailboxctl/recount.h"

namespace import_adoption {

using command::Call;
using command::WrongUsage;

std::optional<adoption::How> how_of(const Call& call)
{
    const auto text = call.text("adopt");
    if (text.empty() || text == "no") return std::nullopt;
    if (text != "link" && text != "copy") throw WrongUsage("--adopt is link, copy or no");
    if (call.config.store.empty())
        throw WrongUsage("--adopt needs the setting store, the folder of the mail");
    return text == "link" ? adoption::How::link : adoption::How::copy;
}

Adopter::Adopter(const Call& call, db::Connection& connection, adoption::How how)
    : call_{call}, connection_{connection}, how_{how}
{
    constexpr std::chrono::seconds kLongest{60};
    if (!call.config.doveadm.empty()) doveadm_.emplace(call.config, kLongest);
}

adoption::Wanted Adopter::wanted(const std::string& maildir) const
{
    return {.source = maildir, .how = how_};
}

std::string Adopter::obstacle(const std::string& maildir) const
{
    try {
        adoption::check(wanted(maildir), call_.config.store);
        return {};
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

void Adopter::adopt(const import_write::Adoptable& mailbox)
{
    if (is_full_) return failed_.push_back(mailbox.address);
    const auto at = mailbox.address.rfind('@');
    const auto domain = mailbox::Domain::parse(mailbox.address.substr(at + 1)).value();
    try {
        auto its = wanted(mailbox.maildir);
        const auto found =
            life::find(connection_, mailbox::Address::parse(mailbox.address.substr(0, at), domain));
        its.was_used = found && found->last_login > 0;
        const auto done = adoption::adopt(its, call_.config.store, mailbox.storage_id);
        if (doveadm_) recount::mailbox(connection_, *doveadm_, mailbox.storage_id, domain.name());
        ++mailboxes_;
        messages_ += done.messages;
        added_ += done.added;
        left_ += static_cast<std::int64_t>(done.left.size());
    } catch (const db::Error&) {
        throw;
    } catch (const std::runtime_error& error) {
        is_full_ = dynamic_cast<const adoption::NoSpace*>(&error) != nullptr;
        failed_.push_back(mailbox.address);
        std::cerr << "The mail of " << mailbox.address << " in " << mailbox.maildir
                  << " was not taken over whole: " << error.what() << ".\n";
        if (is_full_)
            std::cerr << "The mail of the mailboxes after it is left for the next run, too.\n";
    }
}

std::string Adopter::sentence() const
{
    auto text = " The mail of " + std::to_string(mailboxes_)
                + " Maildirs was taken over: " + std::to_string(messages_) + " messages, "
                + std::to_string(added_) + " of them new here.";
    if (left_ > 0) {
        text += " " + std::to_string(left_)
                + " files were left out; mailboxctl verify-import or mailbox adopt names them.";
    }
    if (!failed_.empty())
        text += " " + std::to_string(failed_.size())
                + " failed; repeat the command after the cause is mended.";
    if (!doveadm_) text += " Sizes were not counted, because the setting doveadm is missing.";
    return text;
}

json::Members Adopter::members() const
{
    return {{"maildirs", mailboxes_},
            {"messages", messages_},
            {"messages_added", added_},
            {"files_left_out", left_},
            {"maildirs_failed",
             json::array(failed_, [](const auto& address) { return json::quoted(address); })}};
}

}  // namespace import_adoption
