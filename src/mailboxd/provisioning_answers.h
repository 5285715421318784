// provisioning_answers.h - the bodies of the answers about accounts, domains and keys,
// and of those about mailboxes that have more than the original's.
//
// Compact JSON that ends with one newline, in the original's form with members of ours after it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/accounts.h"
#include "db/audit.h"
#include "db/lifecycle.h"
#include "db/list.h"
#include "db/usage.h"
#include "mail/dns_records.h"
#include "mailboxd/resolver.h"

namespace answers {

std::string account(const admin::Account& account);
std::string accounts(const admin::AccountPage& page);

// A domain with its DNS records. `found`: what the DNS has, first of the receiving records; empty:
// it was not asked.
struct DomainAnswer {
    const admin::DomainDetails& domain;
    std::string_view text;  // its name as the caller wrote it
    std::vector<dns::Record> receiving = {};
    std::vector<dns::Record> sending = {};
    std::vector<resolver::Found> found = {};
    std::string_view smtp_password = {};  // of its postmaster, made by the service
    std::string_view message = {};
};
std::string domain(const DomainAnswer& answer);

std::string keys(std::int64_t total, const std::vector<admin::KeyDetails>& keys);
std::string new_key(const admin::KeyDetails& key, std::string_view secret);

std::string usage(const usage::Page& page);
std::string audit(const std::vector<audit::Entry>& entries);

// A mailbox with its details. `domain`: as the caller wrote it.
std::string mailbox(const store::Details& mailbox, std::string_view domain);
// A list of mailboxes with their details. Credentials have a login, too.
std::string detailed_listing(const store::DetailedListing& listing, std::string_view domain,
                             mailbox::As as);
// `grace`: how long a deleted mailbox can be restored.
std::string deleted_mailboxes(const life::DeletedPage& page, std::string_view domain,
                              std::chrono::seconds grace);

// The settings for opening and clicking, which the original stores for each domain: all off,
// because nothing is tracked here.
std::string no_tracking();

}  // namespace answers
