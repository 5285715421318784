// fields.h - the query string and the body of a request → the values that an operation needs.
//
// All functions throw http::Error 400 if a parameter is missing, given twice or not valid, and
// whatever form.h throws for the body.
#pragma once

#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/secret.h"
#include "db/mailboxes.h"
#include "mail/address.h"
#include "mailboxd/http.h"
#include "mailboxd/parameters.h"

namespace fields {

// Returns the fields of the query string. Throws if one is a password: proxies log URLs.
Fields of_query(const http::Request& request);

// Returns the parameters of a list, which stand in the query string or in the body of a GET.
Fields of_list(const http::Request& request);

// Returns the selection that the original documents for its list of domains. Its
// `include_subaccounts` changes nothing, because accounts have no subaccounts here.
store::Selection selection(const Fields& fields);

// Returns the address that `text` means in the domain. A refusal names the parameter.
mailbox::Address address(std::string_view text, const mailbox::Domain& domain,
                         std::string_view parameter);

// Returns the address of the mailbox in the path.
mailbox::Address address_in_path(std::string_view segment, const mailbox::Domain& domain,
                                 mailbox::As as);

void check_password(std::string_view text, const mailbox::Address& owner, const Config& config);

// The mailboxes that a POST asks for.
struct NewMailboxes {
    Fields body;  // the passwords refer to it
    std::vector<mailbox::Address> addresses;
    std::vector<std::string_view> passwords;  // one for each address; empty: the service makes them
    std::vector<store::MailboxSettings> settings;  // one for each address, without the password
};
NewMailboxes new_mailboxes(const http::Request& request, const mailbox::Domain& domain,
                           mailbox::As as, const Config& config);

// What a PUT asks for. Throws 400 if that is nothing.
struct MailboxChange {
    enum class Password { stays, given, made };
    Password password = Password::stays;
    Secret given_password;
    store::MailboxSettings settings;  // without the password
};
MailboxChange mailbox_change(const http::Request& request, const mailbox::Address& address,
                             const mailbox::Domain& domain, mailbox::As as);

// Refuses a request about the mailbox in the path that names another mailbox in a parameter,
// because the caller may mean that one. Returns the fields of the body.
Fields of_mailbox(const http::Request& request, const mailbox::Address& address,
                  const mailbox::Domain& domain, mailbox::As as);

// Refuses a request that has any parameter, however it is spelled: it may be meant to select some
// of the mailboxes that are about to be deleted.
void expect_none(const http::Request& request, mailbox::As as);

}  // namespace fields
