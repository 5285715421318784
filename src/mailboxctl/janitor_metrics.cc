#include "mailboxctl/janitor_metrics.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <tuple>

#include "base/descriptor.h"

namespace janitor {
namespace {

// The sums of all domains are kept by triggers, so no mailbox is read.
constexpr char kFacts[] =
    "SELECT (SELECT COUNT(*) FROM account), (SELECT COUNT(*) FROM domain),"
    " (SELECT CAST(COALESCE(SUM(mailboxes), 0) AS SIGNED) FROM domain),"
    " (SELECT CAST(COALESCE(SUM(size_bytes), 0) AS SIGNED) FROM domain),"
    " (SELECT COUNT(*) FROM deleted_mailbox), (SELECT COUNT(*) FROM session_end)";

bool answers(const dovecot::Client& doveadm)
{
    try {
        doveadm.user("nobody@mailboxd.invalid");
        return true;
    } catch (const dovecot::Failed&) {
        return false;
    }
}

void add(std::string& text, const std::string& name, std::string_view help, std::int64_t value)
{
    const auto full = "mailboxd_" + name;
    text.append("# HELP ").append(full).append(" ").append(help).append("\n");
    text.append("# TYPE ").append(full).append(" gauge\n");
    text.append(full).append(" ").append(std::to_string(value)).append("\n");
}

[[noreturn]] void fail(const std::string& path)
{
    throw std::system_error(errno, std::generic_category(), "metrics_file: " + path);
}

}  // namespace

Facts facts(db::Connection& connection, const dovecot::Client& doveadm)
{
    Facts facts{.dovecot_answers = answers(doveadm)};
    auto rows = connection.query(kFacts);
    rows.next();
    std::tie(facts.accounts, facts.domains, facts.mailboxes, facts.stored_bytes,
             facts.deleted_mailboxes, facts.sessions_to_end) =
        rows.read<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                  std::int64_t>();
    return facts;
}

std::string text(const Facts& facts, std::int64_t now)
{
    std::string text;
    add(text, "janitor_last_success_timestamp_seconds", "When the janitor last wrote this file.",
        now);
    add(text, "accounts", "Accounts.", facts.accounts);
    add(text, "domains", "Domains.", facts.domains);
    add(text, "mailboxes", "Mailboxes.", facts.mailboxes);
    add(text, "stored_bytes", "Bytes of mail in all mailboxes.", facts.stored_bytes);
    add(text, "deleted_mailboxes", "Deleted mailboxes that can still be restored.",
        facts.deleted_mailboxes);
    add(text, "sessions_to_end", "Recent changes after which sessions have to end.",
        facts.sessions_to_end);
    add(text, "dovecot_up", "1 if Dovecot's doveadm answers.", facts.dovecot_answers ? 1 : 0);
    return text;
}

void write_file(const std::string& path, const std::string& text)
{
    // The collector reads only names that end with .prom.
    const auto fresh = path + ".new";
    {
        const Descriptor file{
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
        if (!file.is_open()) fail(fresh);
        if (::fchmod(file.number(), 0644) != 0) fail(fresh);
        if (::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            fail(fresh);
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) fail(path);
}

}  // namespace janitor
