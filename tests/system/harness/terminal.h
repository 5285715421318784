// terminal.h - runs a program on a pseudo-terminal.

#pragma once

#include "system/harness/process.h"

namespace process {

class Terminal {
public:
    explicit Terminal(const Arguments& arguments);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // Waits until the output ends with this text; throws if it does not come.
    void await(const std::string& text);
    void type(const std::string& keys);
    const std::string& shown() const { return shown_; }
    int end();  // waits for its end and returns the exit code

private:
    bool read();  // returns false at the end of the output

    pid_t pid_ = -1;
    int descriptor_ = -1;
    std::string shown_;
};

}  // namespace process
