#include "mailboxctl/check/dovecot_logins.h"

#include <chrono>
#include <string>

#include "mailboxctl/check/sample.h"
#include "peers/dovecot.h"

namespace check {

Result dovecot(const Config& config, DatabaseUser& ctl)
{
    if (config.doveadm.empty()) return unknown("skipped: the setting doveadm is missing");
    try {
        const auto asked = sample(ctl.connection());
        const dovecot::Client client{config, std::chrono::seconds{5}};
        const bool knows = client.user(asked.address).has_value();
        if (asked.login_name.empty()) return ok();
        if (knows && client.user(asked.login_name, "imap")) return ok();
        if (sample(ctl.connection()).login_name != asked.login_name)
            return ok();  // the mailbox has changed meanwhile
        return wrong(
            "it does not " + (knows ? "let " + asked.address + " log in" : "know " + asked.address)
            + ", which is in the tables: check whether its mailboxd-sql.conf.ext names this database, and read its log");
    } catch (const dovecot::WrongKey& error) {
        return wrong(error.what());
    } catch (const dovecot::Unasked& error) {
        return unknown(
            std::string{error.what()}
            + ": run this as root; the settings doveadm and doveadm_key_file must match Dovecot's");
    } catch (const dovecot::Failed& error) {
        return wrong(std::string{error.what()} + ": check whether Dovecot runs, and read its log");
    }
}

}  // namespace check
