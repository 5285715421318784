// terminal.h - a program at a terminal, as a person sees it.

#pragma once

#include "system/harness/process.h"

namespace process {

class Terminal {
public:
    explicit Terminal(const Arguments& arguments);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // Until all that was shown ends with this text; throws if it does not come.
    void await(const std::string& text);
    void type(const std::string& keys);
    const std::string& shown() const { return shown_; }
    int end();  // waits for its exit code

private:
    bool read();  // false at its end

    pid_t pid_ = -1;
    int descriptor_ = -1;
    std::string shown_;
};

}  // namespace process
