// mail_store.h - the folders of the mail store, and the kernel's limit on watching them.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Compares the store's folders with the tables. As root, it first becomes the store's owner
// (store_user), for good. Unknown if the setting store is missing. Throws db::Error or
// std::system_error.
Result mail_store(const Config& config, DatabaseUser& ctl);
// Compares how many IMAP sessions the kernel lets watch for new mail with a sensible number.
Result kernel(const Config& config);

}  // namespace check
