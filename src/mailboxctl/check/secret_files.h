// secret_files.h - who can read the files that hold passwords and keys, and who can change the
// settings.
#pragma once

#include "base/check_result.h"
#include "base/config.h"

namespace check {

// Examines the configuration file, the password and key files that it names, and Postfix's table
// files. Also looks for secrets in configuration files that every user can read. Returns the worst
// result. A missing file is not reported here but by the check that needs it.
Result secrets(const Config& config);

}  // namespace check
